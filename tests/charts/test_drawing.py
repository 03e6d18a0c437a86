"""Drawings: nothing overlaps, nothing is cut, every transition is there, words are escaped, docs are fresh.

In: the charts, random charts, a journal. Out: verdicts. Never: a comparison of pixels.
"""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pui.cli.chart import render_docs
from pui.domain.chart_layout import CHAR_WIDTH, Box, Layout, Point, Wire, plan_layout
from pui.domain.chart_svg import render_svg
from pui.domain.chart_text import render_html, render_mermaid, render_trace_text
from pui.domain.chart_trace import duration_text, timeout_text, trace_of
from pui.domain.journal import Record
from pui.domain.statechart import Chart, parse_chart
from pui.resources import data, load_chart

CHARTS = {chart_id: load_chart(chart_id) for chart_id in ("task", "pack", "agent")}
STYLE = (data("ui") / "chart.css").read_text()
SVG = "{http://www.w3.org/2000/svg}"
DOCS = Path(__file__).resolve().parents[2] / "docs"


def crosses(box: Box, start: Point, end: Point) -> bool:
    """True if an upright or level line goes through the inside of a box."""
    left, right = sorted((start[0], end[0]))
    top, bottom = sorted((start[1], end[1]))
    return left < box.right - 1 and right > box.x + 1 and top < box.bottom - 1 and bottom > box.y + 1


def label_boxes(layout: Layout) -> list[tuple[float, float, float, float]]:
    found = []
    for wire in layout.wires:
        for index, text in enumerate(wire.label):
            width, y = len(text) * CHAR_WIDTH, wire.label_at[1] + 15 * index
            left = wire.label_at[0] - (width if wire.anchor == "end" else 0)
            found.append((left, y - 10, left + width, y))
    return found


@pytest.mark.parametrize("chart_id", list(CHARTS))
def test_boxes_wires_and_labels_keep_clear_of_each_other(chart_id: str) -> None:
    layout = plan_layout(CHARTS[chart_id])
    assert layout.width <= 900
    for one, other in itertools.combinations(layout.boxes.values(), 2):
        assert one.right < other.x or other.right < one.x or one.bottom < other.y or other.bottom < one.y
    for wire, box in itertools.product(layout.wires, layout.boxes.values()):
        assert not any(crosses(box, *ends) for ends in itertools.pairwise(wire.points)), (wire, box)
    labels = label_boxes(layout)
    for left, top, right, bottom in labels:
        assert left >= 0
        assert right <= layout.width
        for box in layout.boxes.values():
            assert left >= box.right or right <= box.x or top >= box.bottom or bottom <= box.y
    for one_label, other_label in itertools.combinations(labels, 2):
        left, top = max(one_label[0], other_label[0]), max(one_label[1], other_label[1])
        right, bottom = min(one_label[2], other_label[2]), min(one_label[3], other_label[3])
        assert left >= right or top >= bottom, (one_label, other_label)


def uprights(wire: Wire) -> list[tuple[float, float, float]]:
    pairs = itertools.pairwise(wire.points)
    return [(a[0], min(a[1], b[1]), max(a[1], b[1])) for a, b in pairs if a[0] == b[0]]


@pytest.mark.parametrize("chart_id", list(CHARTS))
def test_only_wires_to_the_same_target_share_a_lane(chart_id: str) -> None:
    for one, other in itertools.combinations(plan_layout(CHARTS[chart_id]).wires, 2):
        for (x1, top1, bottom1), (x2, top2, bottom2) in itertools.product(uprights(one), uprights(other)):
            shared = abs(x1 - x2) < 5 and max(top1, top2) < min(bottom1, bottom2)
            assert not shared or one.target == other.target, (one, other)


@pytest.mark.parametrize("chart_id", list(CHARTS))
def test_every_transition_is_drawn_once_and_every_word_of_it_is_said(chart_id: str) -> None:
    chart = CHARTS[chart_id]
    layout = plan_layout(chart)
    drawn = [(wire.source, branch) for wire in layout.wires for branch in wire.branches]
    written = [(state.name, branch) for state in chart.states.values() for branch in state.branches]
    assert sorted(drawn, key=repr) == sorted(written, key=repr)
    for wire in layout.wires:
        mates = [w for w in layout.wires if w.points[-1] == wire.points[-1] and w.triggers == wire.triggers]
        said = " ".join(text for mate in mates for text in mate.label)
        assert all(trigger in said for trigger in wire.triggers)


def journal() -> list[Record]:
    moves = [
        ("created", "preflight", "start", None),
        ("preflight", "setup-required", "done", "setup_is_needed"),
        ("setup-required", "preflight", "retry", None),
        ("preflight", "overlay-prep", "done", None),
        ("overlay-prep", "teardown", "cancel", None),
    ]
    records = [Record(1, 1_000_000_000, "created", None, {})]
    for index, (source, target, trigger, guard) in enumerate(moves, 1):
        fields = {"from": source, "to": target, "trigger": trigger, "guard": guard, "scope": index + 1}
        records.append(Record(index + 1, (index + 1) * 1_000_000_000, "transition", index, dict(fields)))
    records.append(Record(7, 6_500_000_000, "rejected", 6, {"state": "teardown", "trigger": "cancel"}))
    return records


def test_a_trace_counts_moves_visits_and_time() -> None:
    trace = trace_of(journal())
    assert [(s.number, s.target, s.trigger, s.guard) for s in trace.steps[:3]] == [
        (1, "preflight", "start", None),
        (2, "setup-required", "done", "setup_is_needed"),
        (3, "preflight", "retry", None),
    ]
    assert trace.visits["preflight"] == 2
    assert trace.spent_ns["preflight"] == 2_000_000_000
    assert trace.spent_ns["teardown"] == 500_000_000
    assert (trace.current, trace.total_ns, trace.refusals) == ("teardown", 5_500_000_000, {"teardown": 1})


def test_a_recovered_task_ends_finished_though_no_line_leads_there() -> None:
    trace = trace_of([*journal(), Record(8, 9_000_000_000, "recovered", None, {"did": ["ended QEMU"]})])
    assert (trace.current, trace.steps[-1].trigger) == ("finished", "recovered")
    assert "recovered" in render_trace_text(CHARTS["task"], trace)
    ElementTree.fromstring(render_svg(CHARTS["task"], STYLE, trace))


def test_an_empty_journal_has_a_trace() -> None:
    trace = trace_of([])
    assert (trace.current, trace.steps) == ("created", ())
    assert "now in created" in render_trace_text(CHARTS["task"], trace)


def test_the_drawing_of_a_trace_lights_the_way_and_dims_the_rest() -> None:
    root = ElementTree.fromstring(render_svg(CHARTS["task"], STYLE, trace_of(journal()), "task x"))
    kinds = {g.get("data-state"): (g.get("class") or "").split() for g in root.iter(f"{SVG}g") if g.get("data-state")}
    assert [name for name, kind in kinds.items() if "current" in kind] == ["teardown"]
    assert {name for name, kind in kinds.items() if "unvisited" in kind} == {
        "qemu-launch",
        "handshake",
        "running",
        "finished",
        "stranded",
    }
    taken = {
        (g.get("data-from"), g.get("data-to"))
        for g in root.iter(f"{SVG}g")
        if "taken" in (g.get("class") or "").split()
    }
    assert ("overlay-prep", "teardown") in taken
    assert ("running", "teardown") not in taken
    badges = [g.findtext(f"{SVG}text") for g in root.iter(f"{SVG}g") if g.get("class") == "badge"]
    assert sorted(badges, key=str) == ["1", "2", "3", "4", "5"]


def test_the_text_of_a_trace_is_complete() -> None:
    assert render_trace_text(CHARTS["task"], trace_of(journal())).splitlines() == [
        "                                    created         Created",
        "1  +1.00 s  start                   preflight       Checking this computer",
        "2  +1.00 s  done [setup_is_needed]  setup-required  Set-up required",
        "3  +1.00 s  retry                   preflight       Checking this computer",
        "4  +1.00 s  done                    overlay-prep    Preparing the disk",
        "5  +1.00 s  cancel                  teardown        Cleaning up",
        "",
        "refused or late in teardown: 1",
        "now in teardown, 5.50 s in all",
    ]


def test_words_of_a_file_cannot_break_out_of_a_drawing() -> None:
    raw = json.loads((data("statecharts") / "pack.json").read_text())
    hostile = "<script>alert('x')</script>\" & ]]>"[:40]
    raw["description"] = raw["states"]["absent"]["description"] = raw["states"]["absent"]["meta"]["label"] = hostile
    chart = parse_chart(json.dumps(raw).encode(), "pack.json", {})
    svg = render_svg(chart, STYLE, None, hostile)
    root = ElementTree.fromstring(svg)
    assert not list(root.iter(f"{SVG}script"))
    assert hostile in "".join(root.itertext())
    assert "<script" not in render_html(chart, svg, None, hostile)


def test_a_drawing_stands_alone_and_knows_dark_and_light() -> None:
    svg = render_svg(CHARTS["task"], STYLE)
    assert "prefers-color-scheme: dark" in svg
    assert not re.findall(r"(?:href|src|url)\s*[=(]|@import", svg)
    used = set(re.findall(r"var\((--[a-z-]+)\)", STYLE))
    light, dark = STYLE.split("@media", 1)
    assert used <= set(re.findall(r"(--[a-z-]+):", light))
    assert used <= set(re.findall(r"(--[a-z-]+):", dark))


def test_mermaid_says_every_guard_activity_and_timeout() -> None:
    text = render_mermaid(CHARTS["task"], trace_of(journal()))
    assert 'state "Checking this computer<br/>preflight<br/>runs run_preflight<br/>at most 60 s" as preflight' in text
    assert "preflight --> setup_required : (2) done [setup_is_needed] · failed · timed_out" in text
    assert "class teardown current" in text


@pytest.mark.parametrize(
    ("duration_ns", "text"),
    [(0, "0 ms"), (999_400_000, "999 ms"), (1_420_000_000, "1.42 s"), (59_940_000_000, "59.9 s")]
    + [(185_000_000_000, "3 min 05 s"), (59_999_900_000, "1 min 00 s"), (7_800_000_000_000, "2 h 10 min")],
)
def test_durations_are_said_in_words(duration_ns: int, text: str) -> None:
    assert duration_text(duration_ns) == text


@pytest.mark.parametrize(("timeout_ms", "text"), [(60_000, "60 s"), (86_400_000, "24 h"), (1500, "1500 ms")])
def test_timeouts_are_said_in_words(timeout_ms: int, text: str) -> None:
    assert timeout_text(timeout_ms) == text


@given(edges=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.sampled_from(["go", "stop", "cancel"]))))
def test_any_small_chart_can_be_drawn(edges: list[tuple[int, int, str]]) -> None:
    states: dict[str, dict[str, object]] = {f"s{i}": {"meta": {"label": f"S{i}"}, "on": {}} for i in range(8)}
    for source, target, trigger in edges:
        found = states[f"s{source}"]["on"]
        assert isinstance(found, dict)
        if source != target:
            found[trigger] = f"s{target}"
    document = {"id": "any", "description": "d", "initial": "s0", "states": states}
    chart: Chart = parse_chart(json.dumps(document).encode(), "any.json", {})
    layout = plan_layout(chart)
    assert set(layout.boxes) == set(chart.states)
    assert {(w.source, w.target) for w in layout.wires} == {
        (s.name, b.target) for s in chart.states.values() for b in s.branches
    }
    ElementTree.fromstring(render_svg(chart, STYLE))


@pytest.mark.parametrize(("name", "content"), render_docs().items())
def test_generated_docs_are_fresh(name: str, content: str) -> None:
    stale = f"docs/{name} is stale: run `pui chart render --docs docs`"
    assert (DOCS / name).read_text() == content, stale
