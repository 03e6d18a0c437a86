"""The names that statechart files may use: guards with their code, activities by name.

In: nothing. Out: fixed tables per chart id; the supervisor's table of activities has exactly these names.
Never: I/O, names resolved by import path.
"""

from __future__ import annotations

from collections.abc import Mapping

from pui.domain.machine import Facts, Guard


def setup_is_needed(facts: Facts) -> bool:
    """Preflight found something that has to be set up first."""
    return facts.get("setup_is_needed") is True


def run_is_open(facts: Facts) -> bool:
    """pi has said agent_start and not yet agent_settled."""
    return facts.get("run_is_open") is True


def is_previous(facts: Facts) -> bool:
    """The pack is the one that the slot `previous` names."""
    return facts.get("is_previous") is True


def was_proven(facts: Facts) -> bool:
    """A machine of this very pack has reached pi's answer since it was installed."""
    return facts.get("was_proven") is True


CHART_IDS = ("task", "pack", "agent", "setup")

GUARDS: Mapping[str, Mapping[str, Guard]] = {
    "task": {"setup_is_needed": setup_is_needed},
    "pack": {"is_previous": is_previous, "was_proven": was_proven},
    "agent": {"run_is_open": run_is_open},
    "setup": {"setup_is_needed": setup_is_needed},
}

ACTIVITIES: Mapping[str, frozenset[str]] = {
    "task": frozenset(
        {"run_preflight", "prepare_overlay", "launch_qemu", "await_hello", "serve_channel", "release_resources"}
    ),
    "pack": frozenset(),
    "agent": frozenset(),
    "setup": frozenset({"check_computer"}),
}
