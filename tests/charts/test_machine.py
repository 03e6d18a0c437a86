"""The machine itself: scopes grow, commands balance, guards are safe, restoring works.

In: the task chart, small charts, random events. Out: verdicts. Never: a loop, a timer, a real activity.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pui.domain.chart_names import GUARDS
from pui.domain.commands import CancelActivity, CancelTimer, Command, StartActivity, StartTimer
from pui.domain.events import ActivityDone, ActivityFailed, Event, JsonValue, TimedOut, Triggered
from pui.domain.machine import ChartMachine
from pui.domain.statechart import Chart, parse_chart
from pui.resources import load_chart

CHARTS = {chart_id: load_chart(chart_id) for chart_id in ("task", "pack", "agent")}


class Books:
    """Accounts for every order: what was started must be ended or cancelled exactly once, in its own scope."""

    def __init__(self) -> None:
        self.live: set[tuple[str, int]] = set()
        self.used: set[tuple[str, int]] = set()

    def report(self, kind: str, scope: int) -> None:
        assert (kind, scope) in self.live, f"{kind} {scope} reported, but was not running"
        self.live.remove((kind, scope))

    def obey(self, commands: tuple[Command, ...]) -> None:
        for command in commands:
            kind = "activity" if isinstance(command, StartActivity | CancelActivity) else "timer"
            if isinstance(command, CancelActivity | CancelTimer):
                self.report(kind, command.scope)
            else:
                assert (kind, command.scope) not in self.used, "started twice"
                self.live.add((kind, command.scope))
                self.used.add((kind, command.scope))


def drive(machine: ChartMachine, books: Books, kind: str, offset: int, facts: Mapping[str, JsonValue]) -> None:
    before, scope = (machine.state, machine.scope), machine.scope - offset
    event: Event = Triggered(kind)
    if kind == "done":
        event = ActivityDone(scope)
    elif kind == "failed":
        event = ActivityFailed(scope, "bug.unexpected", "x")
    elif kind == "timed_out":
        event = TimedOut(scope)
    step = machine.handle(event, facts)
    if step.outcome != "moved":
        assert (machine.state, machine.scope) == before
        assert step.commands == ()
        return
    assert machine.scope == before[1] + 1
    if kind in {"done", "failed"}:
        books.report("activity", scope)
    elif kind == "timed_out":
        books.report("timer", scope)
    books.obey(step.commands)
    assert {number for _, number in books.live} <= {machine.scope}, "something of an earlier visit still runs"


@pytest.mark.parametrize("chart_id", list(CHARTS))
@given(data=st.data())
def test_random_walks_keep_the_books_balanced(chart_id: str, data: st.DataObject) -> None:
    chart = CHARTS[chart_id]
    machine, books = ChartMachine(chart, GUARDS[chart_id]), Books()
    books.obey(machine.begin())
    triggers = st.sampled_from([*chart.triggers, "done", "failed", "timed_out", "nonsense"])
    facts = st.fixed_dictionaries({name: st.booleans() for name in sorted(chart.guards)})
    for kind, offset, known in data.draw(st.lists(st.tuples(triggers, st.sampled_from([0, 0, 0, 1, 2]), facts))):
        drive(machine, books, kind, offset, known)
    if machine.is_final:
        assert not books.live


def chart_of(states: Mapping[str, object]) -> Chart:
    document = {"id": "tiny", "description": "d", "initial": "first", "states": states}
    schema = {"type": "object"}
    return parse_chart(json.dumps(document).encode(), "tiny.json", schema)


GUARDED = {
    "first": {"on": {"go": [{"guard": "left", "target": "a"}, {"guard": "right", "target": "b"}]}},
    "a": {"type": "final"},
    "b": {"type": "final"},
}


def test_the_first_guard_that_holds_wins_and_is_named() -> None:
    machine = ChartMachine(chart_of(GUARDED), {"left": lambda f: f["l"] is True, "right": lambda f: f["r"] is True})
    assert machine.handle(Triggered("go"), {"l": False, "r": False}).outcome == "rejected"
    step = machine.handle(Triggered("go"), {"l": False, "r": True})
    assert (step.target, step.guard) == ("b", "right")


def test_a_guard_that_raises_changes_nothing() -> None:
    machine = ChartMachine(chart_of(GUARDED), {"left": lambda f: f["absent"] is True, "right": lambda f: True})
    with pytest.raises(KeyError):
        machine.handle(Triggered("go"), {})
    assert (machine.state, machine.scope) == ("first", 1)


def test_facts_of_a_result_are_laid_over_the_others() -> None:
    machine = ChartMachine.restore(CHARTS["task"], GUARDS["task"], "preflight", 2)
    step = machine.handle(ActivityDone(2, {"setup_is_needed": True}), {"setup_is_needed": False})
    assert (step.target, step.guard) == ("setup-required", "setup_is_needed")


def test_leaving_cancels_what_still_runs() -> None:
    machine = ChartMachine(CHARTS["task"], GUARDS["task"])
    assert machine.begin() == ()
    machine.handle(Triggered("start"), {})
    assert machine.handle(Triggered("cancel"), {}).commands == (CancelTimer(2), CancelActivity(2))


def test_a_report_is_not_cancelled_again() -> None:
    machine = ChartMachine(CHARTS["task"], GUARDS["task"])
    machine.handle(Triggered("start"), {})
    done = machine.handle(ActivityDone(2), {})
    assert done.commands == (CancelTimer(2), StartActivity("prepare_overlay", 3), StartTimer(30000, 3))
    late = machine.handle(TimedOut(3), {})
    assert late.commands[0] == CancelActivity(3)
    assert CancelTimer(3) not in late.commands


def test_begin_orders_the_work_of_a_restored_state_once() -> None:
    machine = ChartMachine.restore(CHARTS["task"], GUARDS["task"], "teardown", 9)
    assert machine.begin() == (StartActivity("release_resources", 9), StartTimer(20000, 9))
    with pytest.raises(ValueError, match="begun already"):
        machine.begin()
    assert machine.handle(ActivityDone(9), {}).target == "finished"


@pytest.mark.parametrize(("state", "scope"), [("nowhere", 1), ("running", 0)])
def test_restoring_nonsense_is_refused(state: str, scope: int) -> None:
    with pytest.raises(ValueError, match="cannot stand"):
        ChartMachine.restore(CHARTS["task"], GUARDS["task"], state, scope)


def test_an_unknown_guard_is_refused_when_built() -> None:
    with pytest.raises(ValueError, match="unknown guards: left, right"):
        ChartMachine(chart_of(GUARDED), {})


def test_a_chart_with_faults_is_refused_when_built() -> None:
    with pytest.raises(ValueError, match="not-json"):
        ChartMachine(parse_chart(b"{", "x.json", {}), {})
