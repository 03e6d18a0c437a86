"""A second, naive reading of the chart files, which shares no code with pui.domain.

In: a chart's id. Out: what a trigger should do in a state. Never: an import from the code under test.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "statecharts"
CHART_IDS = ("task", "pack", "agent", "setup")
GUARD_NAMES: Mapping[str, tuple[str, ...]] = {
    "task": ("setup_is_needed",),
    "pack": ("is_previous", "was_proven"),
    "agent": ("run_is_open",),
    "setup": ("setup_is_needed",),
}


def raw_chart(chart_id: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((FOLDER / f"{chart_id}.json").read_text())
    return loaded


def entries(state: Mapping[str, Any]) -> dict[str, Any]:
    """trigger -> the target as written in the file."""
    found: dict[str, Any] = dict(state.get("on", {}))
    if "invoke" in state:
        found["done"] = state["invoke"]["onDone"]
        found["failed"] = state["invoke"]["onError"]
    for target in state.get("after", {}).values():
        found["timed_out"] = target
    return found


def all_triggers(chart: Mapping[str, Any]) -> list[str]:
    names = {trigger for state in chart["states"].values() for trigger in entries(state)}
    return sorted(names | {"done", "failed", "timed_out"})


def expected_target(state: Mapping[str, Any], trigger: str, facts: Mapping[str, bool]) -> str | None:
    """Where `trigger` leads, None when nowhere. A guard holds when the fact of its name is true."""
    written = entries(state).get(trigger)
    for entry in written if isinstance(written, list) else [written]:
        if isinstance(entry, str):
            return entry
        if isinstance(entry, dict) and ("guard" not in entry or facts.get(entry["guard"], False)):
            return str(entry["target"])
    return None
