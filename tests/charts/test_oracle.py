"""The same random events in pui's machine and in the real XState: no difference may show.

In: the chart files, a fixed seed. Out: verdicts and the coverage reached (`-s` prints it).
Never: network after the first run: XState is installed once, by its lock file, into pui's cache folder.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pui.domain.chart_names import GUARDS
from pui.domain.events import ActivityDone, ActivityFailed, Event, JsonValue, TimedOut, Triggered
from pui.domain.machine import ChartMachine
from pui.resources import load_chart
from tests.charts.independent import CHART_IDS, GUARD_NAMES, all_triggers, entries, raw_chart
from tests.support import npm_packages

HERE = Path(__file__).parent / "oracle"
WALKS = {"task": 2400, "agent": 800, "pack": 2000, "setup": 800}
SEED = 20260102
RAW = {chart_id: raw_chart(chart_id) for chart_id in CHART_IDS}
CHARTS = {chart_id: load_chart(chart_id) for chart_id in CHART_IDS}


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """XState as the lock file says."""
    return npm_packages.node_modules(HERE, "oracle")


@dataclass
class Walk:
    chart: str
    events: list[dict[str, Any]] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    pairs: set[tuple[str, str]] = field(default_factory=set)
    taken: set[tuple[str, str, str | None]] = field(default_factory=set)


def walk(chart_id: str, rng: random.Random) -> Walk:
    """Random events, most of them possible, run in pui's machine; reports of earlier states are thrown in."""
    raw = RAW[chart_id]
    triggers = all_triggers(raw)
    machine, found = ChartMachine(CHARTS[chart_id], GUARDS[chart_id]), Walk(chart_id)
    past: list[tuple[str, int]] = []
    for _ in range(rng.randint(1, 14)):
        state, scope = machine.state, machine.scope
        possible = sorted(entries(raw["states"][state]))
        trigger = rng.choice(possible) if possible and rng.random() < 0.7 else rng.choice(triggers)
        if {"start", "done"} & set(possible) and rng.random() < 0.5:
            trigger = "start" if "start" in possible else "done"  # forward, or few walks would get deep
        if trigger == "failed" and "invoke" not in raw["states"][state]:
            continue  # nobody there could fail; XState itself would stop with an error
        facts: dict[str, JsonValue] = {name: rng.random() < 0.5 for name in GUARD_NAMES[chart_id]}
        reporter = (state, scope)
        late = [entry for entry in past if entry[0] != state]
        if late and trigger in {"done", "timed_out"} and rng.random() < 0.2:
            reporter = rng.choice(late)
        else:
            found.pairs.add((state, trigger))
        step = machine.handle(_event(trigger, reporter[1]), facts)
        if step.target is not None:
            found.taken.add((state, trigger, step.guard))
            past.append((state, scope))
        found.events.append({"trigger": trigger, "facts": facts, "of": reporter[0]})
        found.states.append(machine.state)
    return found


def _event(trigger: str, scope: int) -> Event:
    if trigger == "done":
        return ActivityDone(scope)
    if trigger == "failed":
        return ActivityFailed(scope, "bug.unexpected", "x")
    return TimedOut(scope) if trigger == "timed_out" else Triggered(trigger)


def in_xstate(node_modules: Path, charts: Mapping[str, Any], walks: list[Walk]) -> list[list[str]]:
    program = node_modules.parent / "oracle.mjs"
    fresh = program.with_suffix(f".{os.getpid()}.mjs")  # modules are found from the program's own place
    shutil.copy(HERE / "oracle.mjs", fresh)
    asked = {"charts": charts, "walks": [{"chart": w.chart, "events": w.events} for w in walks]}
    try:
        done = subprocess.run(
            ["node", str(fresh)], input=json.dumps(asked), capture_output=True, text=True, timeout=120, check=False
        )
    finally:
        fresh.unlink()
    assert done.returncode == 0, done.stderr[-3000:]
    answers: list[list[str]] = json.loads(done.stdout)
    return answers


def mismatches(walks: list[Walk], answers: list[list[str]]) -> list[str]:
    assert len(walks) == len(answers)
    return [
        f"{w.chart}: {w.events}: pui {w.states}, XState {answer}"
        for w, answer in zip(walks, answers, strict=True)
        if w.states != answer
    ]


@pytest.fixture(scope="module")
def walks() -> list[Walk]:
    rng = random.Random(SEED)
    return [walk(chart_id, rng) for chart_id, count in WALKS.items() for _ in range(count)]


def test_no_difference_to_xstate(node_modules: Path, walks: list[Walk]) -> None:
    answers = in_xstate(node_modules, RAW, walks)
    wrong = mismatches(walks, answers)
    assert not wrong, f"{len(wrong)} of {len(walks)} walks differ, the first: {wrong[0]}"


def test_a_changed_chart_shows_as_a_difference(node_modules: Path, walks: list[Walk]) -> None:
    charts = {chart_id: raw_chart(chart_id) for chart_id in CHART_IDS}
    charts["task"]["states"]["teardown"]["invoke"]["onDone"] = "stranded"
    assert mismatches(walks, in_xstate(node_modules, charts, walks))


@pytest.mark.parametrize("chart_id", CHART_IDS)
def test_the_walks_take_every_transition(
    chart_id: str, walks: list[Walk], record_property: Callable[[str, object], None]
) -> None:
    raw, own = RAW[chart_id], [w for w in walks if w.chart == chart_id]
    pairs = set[tuple[str, str]]().union(*(w.pairs for w in own))
    taken = set[tuple[str, str, str | None]]().union(*(w.taken for w in own))
    expected = {
        (name, branch.trigger, branch.guard)
        for name, state in CHARTS[chart_id].states.items()
        for branch in state.branches
    }
    unaskable = {(name, "failed") for name, state in raw["states"].items() if "invoke" not in state}
    every = {(name, trigger) for name in raw["states"] for trigger in all_triggers(raw)} - unaskable
    figures = f"{sum(len(w.events) for w in own)} events, {len(taken)} of {len(expected)} transitions, "
    figures += f"{len(pairs)} of {len(every)} state x trigger pairs"
    record_property(f"oracle-{chart_id}", figures)
    print(f"oracle {chart_id}: {len(own)} walks, {figures}")
    assert taken == expected
    assert pairs == every
