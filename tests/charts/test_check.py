"""The checker: one deliberately faulty chart per fault, one with many faults told at once, and the real charts.

In: a small sound chart and one change each. Out: the faults' places and codes. Never: a chart of its own beside that.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pui.domain.chart_check import check_chart
from pui.domain.chart_names import ACTIVITIES, CHART_IDS, GUARDS
from pui.domain.errors import SetupError
from pui.domain.statechart import MAX_CHART_SIZE_BYTES, Fault, parse_chart
from pui.resources import data, load_chart

SCHEMA = json.loads((data("statecharts") / "schema.json").read_bytes())
SOUND: dict[str, Any] = {
    "id": "demo",
    "description": "A sound chart.",
    "initial": "new",
    "states": {
        "new": {"description": "d", "meta": {"label": "New"}, "on": {"go": "work", "stop": "end"}},
        "work": {
            "description": "d",
            "tags": ["busy"],
            "meta": {"label": "Work"},
            "invoke": {
                "src": "do_work",
                "onDone": [{"guard": "is_odd", "target": "new"}, {"target": "end"}],
                "onError": "end",
            },
            "after": {"1000": "end"},
        },
        "end": {"description": "d", "meta": {"label": "End"}, "type": "final"},
    },
}
Change = Callable[[dict[str, Any]], object]


def faults_of(change: Change) -> list[Fault]:
    chart = copy.deepcopy(SOUND)
    change(chart)
    return check(json.dumps(chart).encode())


def check(content: bytes) -> list[Fault]:
    chart = parse_chart(content, "demo.json", SCHEMA)
    return check_chart(chart, guards={"is_odd"}, activities={"do_work"})


def work(change: Change) -> Change:
    return lambda chart: change(chart["states"]["work"])


CASES: dict[str, tuple[Change, str, str]] = {
    "initial": (lambda c: c.update(initial="nowhere"), "/initial", "unknown-state"),
    "target": (work(lambda w: w["after"].update({"1000": "nowhere"})), "/states/work/after/1000", "unknown-state"),
    "guard": (
        work(lambda w: w["invoke"]["onDone"][0].update(guard="is_even")),
        "/states/work/invoke/onDone/0",
        "unknown-guard",
    ),
    "unused guard": (work(lambda w: w["invoke"].update(onDone="end")), "", "unused-guard"),
    "activity": (work(lambda w: w["invoke"].update(src="rest")), "/states/work/invoke/src", "unknown-activity"),
    "unused activity": (work(lambda w: w["invoke"].update(src="rest")), "", "unused-activity"),
    "no onDone": (work(lambda w: w["invoke"].pop("onDone")), "/states/work/invoke", "invoke-without-done"),
    "no onError": (work(lambda w: w["invoke"].pop("onError")), "/states/work/invoke", "invoke-without-error"),
    "no timeout": (work(lambda w: w.pop("after")), "/states/work/invoke", "invoke-without-timeout"),
    "after {}": (work(lambda w: w.update(after={})), "/states/work/after", "timeout-without-transition"),
    "after null": (
        work(lambda w: w.update(after={"1000": None})),
        "/states/work/after/1000",
        "timeout-without-transition",
    ),
    "after ''": (
        work(lambda w: w.update(after={"1000": ""})),
        "/states/work/after/1000",
        "timeout-without-transition",
    ),
    "two delays": (work(lambda w: w["after"].update({"5": "new"})), "/states/work/after", "bad-value"),
    "delay in words": (work(lambda w: w.update(after={"1s": "end"})), "/states/work/after", "bad-name"),
    "entry": (work(lambda w: w.update(entry="beep")), "/states/work/entry", "unknown-key"),
    "nested": (work(lambda w: w.update(states={})), "/states/work/states", "unknown-key"),
    "context": (lambda c: c.update(context={}), "/context", "unknown-key"),
    "actions": (
        work(lambda w: w["invoke"]["onDone"][1].update(actions=[])),
        "/states/work/invoke/onDone/1/actions",
        "unknown-key",
    ),
    "guarded target": (
        work(lambda w: w["invoke"]["onDone"][0].pop("target")),
        "/states/work/invoke/onDone/0",
        "missing-target",
    ),
    "dead end": (lambda c: c["states"]["end"].pop("type"), "/states/end", "dead-end"),
    "no way to final": (lambda c: c["states"]["end"].pop("type"), "/states/new", "no-way-to-final"),
    "unreachable": (lambda c: c["states"]["new"]["on"].pop("go"), "/states/work", "unreachable"),
    "hidden": (
        work(lambda w: w["invoke"]["onDone"].reverse()),
        "/states/work/invoke/onDone/1",
        "hidden-transition",
    ),
    "hidden by the same guard": (
        work(lambda w: w["invoke"]["onDone"].insert(1, {"guard": "is_odd", "target": "end"})),
        "/states/work/invoke/onDone/1",
        "hidden-transition",
    ),
    "every branch guarded": (
        work(lambda w: w["invoke"]["onDone"].pop()),
        "/states/work/invoke/onDone/0",
        "no-unguarded-branch",
    ),
    "self": (lambda c: c["states"]["new"]["on"].update(go="new"), "/states/new/on/go", "self-transition"),
    "reserved": (lambda c: c["states"]["new"]["on"].update(timed_out="end"), "/states/new/on", "reserved-trigger"),
    "trigger name": (lambda c: c["states"]["new"]["on"].update({"go-on": "end"}), "/states/new/on", "bad-name"),
    "state name": (lambda c: c["states"].update({"A b": c["states"]["end"]}), "/states", "bad-name"),
    "label": (work(lambda w: w["meta"].pop("label")), "/states/work/meta", "missing-label"),
    "empty label": (work(lambda w: w["meta"].update(label=" ")), "/states/work/meta/label", "missing-label"),
    "no meta": (work(lambda w: w.pop("meta")), "/states/work", "missing-label"),
    "description": (work(lambda w: w.pop("description")), "/states/work", "missing-description"),
    "final acts": (lambda c: c["states"]["end"].update(on={"go": "new"}), "/states/end", "final-with-exit"),
    "type": (work(lambda w: w.update(type="parallel")), "/states/work/type", "bad-value"),
    "no states": (lambda c: c.update(states={}), "/states", "empty"),
    "empty list": (work(lambda w: w["invoke"].update(onError=[])), "/states/work/invoke/onError", "empty"),
    "a number": (lambda c: c["states"].update(work=3), "/states/work", "bad-value"),
    "no id": (lambda c: c.pop("id"), "", "missing-key"),
}


@pytest.mark.parametrize(("change", "place", "code"), CASES.values(), ids=list(CASES))
def test_each_fault_is_told_with_its_place(change: Change, place: str, code: str) -> None:
    found = faults_of(change)
    assert code in {fault.code for fault in found}
    if place or code.startswith("unused"):
        assert (place, code) in {(fault.place, fault.code) for fault in found}
    assert all(fault.file == "demo.json" and fault.message for fault in found)


def test_the_sound_chart_has_no_fault() -> None:
    assert faults_of(lambda chart: None) == []


def test_many_faults_are_told_at_once() -> None:
    def spoil(chart: dict[str, Any]) -> None:
        states = chart["states"]
        chart["extra"] = 1
        states["new"]["on"] = {"go": "wrok", "done": "end"}
        states["work"]["invoke"] = {"src": "rest", "onDone": "work"}
        states["work"].pop("description")
        states["lost"] = {"description": "d", "meta": {"label": "Lost"}}

    found = {(fault.place, fault.code) for fault in faults_of(spoil)}
    assert found == {
        ("/extra", "unknown-key"),
        ("/states/new/on", "reserved-trigger"),
        ("/states/new/on/go", "unknown-state"),
        ("/states/work", "unreachable"),
        ("/states/work", "missing-description"),
        ("/states/work/invoke", "invoke-without-error"),
        ("/states/work/invoke/onDone", "self-transition"),
        ("/states/work/invoke/src", "unknown-activity"),
        ("", "unused-activity"),
        ("", "unused-guard"),
        ("/states/lost", "unreachable"),
        ("/states/lost", "dead-end"),
    }


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff", b"[" * 100_000, b'{"id": NaN}', b" " * (MAX_CHART_SIZE_BYTES + 1), b"1 2"],
    ids=["empty", "cut", "not UTF-8", "deep", "NaN", "large", "two values"],
)
def test_what_is_not_json_is_one_fault(content: bytes) -> None:
    assert {fault.code for fault in check(content)} - {"unused-guard", "unused-activity"} == {"not-json"}


def test_a_key_that_comes_twice_is_a_fault() -> None:
    twice = json.dumps(SOUND).replace('"go": "work"', '"go": "end", "go": "work"').encode()
    assert [(fault.place, fault.code) for fault in check(twice)] == [("/states/new/on", "key-twice")]


def test_pointers_are_escaped() -> None:
    found = faults_of(lambda chart: chart.update({"a/b~c": 1}))
    assert [(fault.place, fault.code) for fault in found] == [("/a~1b~0c", "unknown-key")]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["new", "work", "is_odd"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(key=st.sampled_from(["states", "initial", "id", "description"]), value=JSON)
def test_any_json_gives_faults_and_never_an_exception(key: str, value: object) -> None:
    assert isinstance(faults_of(lambda chart: chart.update({key: value})), list)


@given(
    key=st.sampled_from(["on", "after", "invoke", "meta", "tags", "type", "description"]),
    inner=st.sampled_from(["", "src", "onDone", "go", "1000", "label"]),
    value=JSON,
)
def test_any_state_gives_faults_and_never_an_exception(key: str, inner: str, value: object) -> None:
    found = faults_of(work(lambda state: state.update({key: {inner: value} if inner else value})))
    assert isinstance(found, list)


@pytest.mark.parametrize("chart_id", CHART_IDS)
def test_the_charts_of_pui_are_sound_and_use_every_name(chart_id: str) -> None:
    chart = load_chart(chart_id)
    assert chart.guards == set(GUARDS[chart_id])
    assert chart.activities == ACTIVITIES[chart_id]


def test_every_chart_file_is_one_that_pui_runs() -> None:
    files = {path.stem for path in data("statecharts").glob("*.json")} - {"schema"}
    assert files == set(CHART_IDS) == set(GUARDS) == set(ACTIVITIES)


def test_a_faulty_chart_stops_the_start_and_names_every_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = json.loads((data("statecharts") / "task.json").read_text())
    broken["states"]["running"]["on"]["cancel"] = "nowhere"
    broken["states"]["created"]["meta"] = {}
    (tmp_path / "task.json").write_text(json.dumps(broken))
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    monkeypatch.setattr("pui.resources.data", lambda kind: tmp_path)
    with pytest.raises(SetupError) as caught:
        load_chart("task")
    assert caught.value.code == "chart.faulty"
    assert caught.value.detail.splitlines() == [
        "task.json#/states/created/meta: missing-label: the key 'label' is missing",
        "task.json#/states/running/on/cancel: unknown-state: 'nowhere' is not a state of this chart",
    ]
