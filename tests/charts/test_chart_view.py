"""ChartView: the page is told what the file says, where everything stands, and the way taken. docs/bridge.md rules.

In: the charts, journals, a transcript. Out: verdicts. Never: pixels.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pui.domain.chart_svg import render_svg
from pui.domain.chart_trace import agent_trace, pack_trace, trace_of
from pui.domain.chart_view import STEP_LIMIT, chart_view
from pui.domain.journal import Record
from pui.resources import load_chart

CHARTS = {chart_id: load_chart(chart_id) for chart_id in ("task", "pack", "agent")}
SECOND_NS = 1_000_000_000


def journal(*moves: tuple[str, str], start_ns: int = 100 * SECOND_NS) -> list[Record]:
    """A task's journal: each move (trigger, target) one second after the one before."""
    records = [Record(1, start_ns, "created", None, {"spec": {}})]
    state = "created"
    for number, (trigger, target) in enumerate(moves, 2):
        fields = {"from": state, "to": target, "trigger": trigger, "guard": None, "scope": number}
        records.append(Record(number, start_ns + (number - 1) * SECOND_NS, "transition", None, fields))
        state = target
    return records


@pytest.mark.parametrize("chart_id", list(CHARTS))
def test_every_state_and_every_transition_of_the_file_is_told(chart_id: str) -> None:
    chart, view = CHARTS[chart_id], chart_view(CHARTS[chart_id])
    boxes: Any = view["boxes"]
    wires: Any = view["wires"]
    assert {box["state"] for box in boxes} == set(chart.states)
    told = {(w["source"], w["target"], t["trigger"], t["guard"]) for w in wires for t in w["triggers"]}
    filed = {(s.name, b.target, b.trigger, b.guard) for s in chart.states.values() for b in s.branches}
    assert told == filed
    assert [box["state"] for box in boxes if box["is_initial"]] == [chart.initial]
    assert {b["state"]: b["timeout_ms"] for b in boxes} == {n: s.timeout_ms for n, s in chart.states.items()}
    assert json.loads(json.dumps(view, allow_nan=False)) == view


@pytest.mark.parametrize("chart_id", list(CHARTS))
def test_the_page_draws_the_lines_of_the_svg(chart_id: str) -> None:
    svg = render_svg(CHARTS[chart_id], "")
    wires: Any = chart_view(CHARTS[chart_id])["wires"]
    assert wires
    assert all(f'd="{wire["path"]}"' in svg and f'points="{wire["tip"]}"' in svg for wire in wires)
    assert all(re.fullmatch(r"[MLQ0-9. -]+", wire["path"]) for wire in wires)


@pytest.mark.parametrize("chart_id", list(CHARTS))
def test_a_line_without_text_names_the_one_that_speaks_for_it(chart_id: str) -> None:
    wires: Any = chart_view(CHARTS[chart_id])["wires"]
    silent = [wire for wire in wires if wire["label"] is None]
    assert chart_id != "task" or silent
    for wire in silent:
        speakers = [w for w in wires if (w["source"], w["target"]) == (wire["spoken_by"], wire["target"])]
        assert any(speaker["label"] for speaker in speakers)


def test_the_way_of_a_task_names_its_records() -> None:
    records = journal(("start", "preflight"), ("done", "setup-required"), ("retry", "preflight"))
    records.append(Record(5, 105 * SECOND_NS, "rejected", None, {"state": "preflight"}))
    trace: Any = chart_view(CHARTS["task"], trace_of(records), "A title\u202e")["trace"]
    assert [(s["number"], s["source"], s["target"], s["seq"]) for s in trace["steps"]] == [
        (1, "created", "preflight", 2),
        (2, "preflight", "setup-required", 3),
        (3, "setup-required", "preflight", 4),
    ]
    assert trace["steps"][1]["at_ms"] == 102_000 and trace["steps"][1]["spent_ms"] == 1000
    assert (trace["current"], trace["total_ms"]) == ("preflight", 5000)
    assert trace["spent_ms"] == {"created": 1000, "preflight": 3000, "setup-required": 1000}
    assert (trace["visits"]["preflight"], trace["refusals"]) == (2, {"preflight": 1})


def test_a_title_is_scrubbed() -> None:
    assert chart_view(CHARTS["task"], None, "a\u202eb\nc")["title"] == "a<U+202E>b c"


def test_a_very_long_way_is_told_by_its_newest_moves() -> None:
    moves = [("retry", "preflight"), ("done", "setup-required")] * STEP_LIMIT
    trace: Any = chart_view(CHARTS["task"], trace_of(journal(*moves)))["trace"]
    assert len(trace["steps"]) == STEP_LIMIT
    assert trace["steps"][-1]["number"] == 2 * STEP_LIMIT


def pack_record(seq: int, pack: str, trigger: str, target: str, kind: str = "transition") -> Record:
    return Record(seq, seq * SECOND_NS, kind, None, {"pack": pack, "to": target, "trigger": trigger, "guard": None})


def test_the_way_of_one_pack_leaves_the_others_out() -> None:
    records = [
        pack_record(1, "a", "install", "installing"),
        pack_record(2, "b", "install", "installing"),
        pack_record(3, "a", "installed", "trial"),
        pack_record(4, "a", "", "", kind="fact"),
    ]
    trace = pack_trace(records, "a", "absent")
    assert [(step.source, step.target, step.seq) for step in trace.steps] == [
        ("absent", "installing", 1),
        ("installing", "trial", 3),
    ]
    assert (trace.current, trace.spent_ns["installing"]) == ("trial", 2 * SECOND_NS)
    unknown = pack_trace(records, "c", "absent")
    assert (unknown.current, unknown.steps, unknown.total_ns) == ("absent", (), 0)


def line(at_s: int, **fields: object) -> bytes:
    return json.dumps({"at_ns": at_s * SECOND_NS, **fields}, separators=(",", ":")).encode() + b"\n"


def test_the_way_of_pi_is_read_from_the_transcript() -> None:
    data = (
        line(1, agent="idle") + line(2, agent="streaming") + line(3, entry={"agent": "exited"}) + line(9, agent="idle")
    )
    trace = agent_trace(data, CHARTS["agent"])
    assert [(step.source, step.target, step.trigger) for step in trace.steps] == [
        ("starting", "idle", "answered"),
        ("idle", "streaming", "run_started"),
        ("streaming", "idle", "run_settled"),
    ]
    assert trace.spent_ns["streaming"] == 7 * SECOND_NS


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b'{"at_ns":1,"agent":"nowhere"}\n',
        b'{"at_ns":1,"agent":["idle"]}\n',
        b'{"at_ns":99999999999999999999,"agent":"idle"}\n',
        b'{"at_ns":1,"agent":"idle"',
        b"\xff\x00\n" * 10,
    ],
)
def test_a_damaged_transcript_tells_no_way(hostile: bytes) -> None:
    trace = agent_trace(hostile, CHARTS["agent"])
    assert (trace.current, trace.steps) == ("starting", ())


def test_the_contract_names_every_key() -> None:
    page = (Path(__file__).parents[2] / "docs" / "bridge.md").read_text()
    told = page[page.index("**ChartView**") :].split("\n- **")[0]
    view = chart_view(CHARTS["task"], trace_of(journal(("start", "preflight"))))

    def keys(value: Any) -> set[str]:
        if isinstance(value, dict):
            return set(value) | {key for item in value.values() for key in keys(item)}
        return {key for item in value for key in keys(item)} if isinstance(value, list) else set()

    assert not sorted(key for key in keys(view) - set(CHARTS["task"].states) if key not in told)
