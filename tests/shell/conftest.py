"""Fixtures for tests of the shell: a screen, the same as those of tests/gui; a short folder and waits for whole tasks.

In: programs of the system. Out: `display`, `playwright`, `trap`, `folder`, `short_waits`. Never: a skip.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pui.supervisor import guest_work
from tests.gui.conftest import display, playwright, trap
from tests.support.machines import short_folder

__all__ = ["display", "playwright", "trap"]


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two waits of a task that are not on its simulated clock."""
    monkeypatch.setattr(guest_work, "POWER_OFF_LIMIT_S", 0.05)
    monkeypatch.setattr(guest_work, "CAUSE_LIMIT_S", 0.05)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short enough for the paths of sockets."""
    with short_folder() as found:
        yield found
