"""Fixtures for tests of the shell with a screen, the same as those of tests/gui.

In: programs of the system. Out: `display`, `playwright`, `trap`. Never: a skip.
"""

from __future__ import annotations

from tests.gui.conftest import display, playwright, trap

__all__ = ["display", "playwright", "trap"]
