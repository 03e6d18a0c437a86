"""The guards that the charts name, as a fixed table.

In: the facts that activities have reported. Out: yes or no. Never: I/O, a lookup by name elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pui.domain.events import JsonValue


def setup_is_needed(facts: Mapping[str, JsonValue]) -> bool:
    """True when preflight has found a blocker."""
    return facts.get("setup_is_needed") is True


GUARDS: Mapping[str, Callable[[Mapping[str, JsonValue]], bool]] = {"setup_is_needed": setup_is_needed}
