"""Every state × every trigger of every chart: what the file allows happens, anything else changes nothing.

In: the chart files. Out: verdicts. Never: a shared reading with the code under test (independent.py is a second one).
"""

from __future__ import annotations

import itertools

import pytest

from pui.domain.chart_names import GUARDS
from pui.domain.commands import StartActivity, StartTimer
from pui.domain.events import ActivityDone, ActivityFailed, Event, JsonValue, TimedOut, Triggered
from pui.domain.machine import ChartMachine
from pui.resources import load_chart
from tests.charts.independent import CHART_IDS, GUARD_NAMES, all_triggers, expected_target, raw_chart

SCOPE = 7
CHARTS = {chart_id: load_chart(chart_id) for chart_id in CHART_IDS}


def event_for(trigger: str, scope: int) -> Event:
    if trigger == "done":
        return ActivityDone(scope)
    if trigger == "failed":
        return ActivityFailed(scope, "bug.unexpected", "x")
    return TimedOut(scope) if trigger == "timed_out" else Triggered(trigger)


def cases() -> list[tuple[str, str, str, dict[str, bool]]]:
    found = []
    for chart_id in CHART_IDS:
        chart, names = raw_chart(chart_id), GUARD_NAMES[chart_id]
        for values in itertools.product([False, True], repeat=len(names)):
            facts = dict(zip(names, values, strict=True))
            for state, trigger in itertools.product(chart["states"], all_triggers(chart)):
                found.append((chart_id, state, trigger, facts))
    return found


@pytest.mark.parametrize(("chart_id", "state", "trigger", "facts"), cases())
def test_a_trigger_does_what_the_file_says_and_else_nothing(
    chart_id: str, state: str, trigger: str, facts: dict[str, JsonValue]
) -> None:
    raw = raw_chart(chart_id)["states"]
    expected = expected_target(raw[state], trigger, {name: bool(value) for name, value in facts.items()})
    machine = ChartMachine.restore(CHARTS[chart_id], GUARDS[chart_id], state, SCOPE)

    step = machine.handle(event_for(trigger, SCOPE), facts)

    assert (step.source, step.trigger, step.target) == (state, trigger, expected)
    if expected is None:
        assert (step.outcome, step.commands, step.guard) == ("rejected", (), None)
        assert (machine.state, machine.scope) == (state, SCOPE)
    else:
        assert (step.outcome, machine.state, machine.scope) == ("moved", expected, SCOPE + 1)
        assert machine.is_final == (raw[expected].get("type") == "final")
        ordered: list[object] = []
        if "invoke" in raw[expected]:
            ordered.append(StartActivity(raw[expected]["invoke"]["src"], SCOPE + 1))
        ordered += [StartTimer(int(delay), SCOPE + 1) for delay in raw[expected].get("after", {})]
        assert list(step.commands) == ordered


@pytest.mark.parametrize("chart_id", CHART_IDS)
@pytest.mark.parametrize("trigger", ["done", "failed", "timed_out"])
@pytest.mark.parametrize("scope", [SCOPE - 1, SCOPE + 1])
def test_a_report_of_another_visit_is_stale(chart_id: str, trigger: str, scope: int) -> None:
    for state in raw_chart(chart_id)["states"]:
        machine = ChartMachine.restore(CHARTS[chart_id], GUARDS[chart_id], state, SCOPE)
        step = machine.handle(event_for(trigger, scope), {})
        assert (step.outcome, step.target, step.commands) == ("stale", None, ())
        assert (machine.state, machine.scope) == (state, SCOPE)


@pytest.mark.parametrize("chart_id", CHART_IDS)
@pytest.mark.parametrize("trigger", ["done", "failed", "timed_out", "state", "trigger", "", "to_finished", "__class__"])
def test_nobody_pulls_a_reserved_or_unknown_trigger_by_hand(chart_id: str, trigger: str) -> None:
    for state in raw_chart(chart_id)["states"]:
        machine = ChartMachine.restore(CHARTS[chart_id], GUARDS[chart_id], state, SCOPE)
        assert machine.handle(Triggered(trigger), {}).outcome == "rejected"
        assert (machine.state, machine.scope) == (state, SCOPE)
