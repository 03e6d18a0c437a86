"""A chart as the page draws it: where everything stands, what it says, the way taken, as JSON (docs/bridge.md).

In: a chart without faults, perhaps a `Trace`. Out: ChartView. Never: colours, markup, a place that the SVG of
`pui chart` would not use too: both draw the layout of chart_layout.py.
"""

from __future__ import annotations

from collections.abc import Mapping

from pui.domain.chart_layout import LINE_HEIGHT, Box, Layout, Point, Wire, plan_layout
from pui.domain.chart_svg import wire_path
from pui.domain.chart_trace import Trace, TraceStep
from pui.domain.events import JsonValue
from pui.domain.scrub import scrub_line
from pui.domain.statechart import Branch, Chart

STEP_LIMIT = 2000
"""A pack or an agent that has moved oftener is shown with its newest moves; their numbers tell how many there were."""


def chart_view(chart: Chart, trace: Trace | None = None, title: str = "") -> dict[str, JsonValue]:
    """ChartView of docs/bridge.md; lengths are px of the drawing, times whole milliseconds."""
    layout = plan_layout(chart)
    return {
        "chart": chart.id,
        "title": scrub_line(title or chart.id),
        "description": chart.description,
        "width": _px(layout.width),
        "height": _px(layout.height),
        "line_height": LINE_HEIGHT,
        "start": _point(layout.start),
        "boxes": [_box(box, chart) for box in layout.boxes.values()],
        "wires": [_wire(wire, layout) for wire in layout.wires],
        "trace": None if trace is None else _trace(trace),
    }


def _px(length: float) -> float:
    return round(length, 1)


def _point(point: Point) -> dict[str, JsonValue]:
    return {"x": _px(point[0]), "y": _px(point[1])}


def _box(box: Box, chart: Chart) -> JsonValue:
    state = box.state
    return {
        "state": state.name,
        "label": state.label,
        "description": state.description,
        "tags": list(state.tags),
        "is_initial": state.name == chart.initial,
        "is_final": state.is_final,
        "activity": state.activity,
        "timeout_ms": state.timeout_ms,
        "x": _px(box.x),
        "y": _px(box.y),
        "width": _px(box.width),
        "height": _px(box.height),
    }


def _wire(wire: Wire, layout: Layout) -> JsonValue:
    """A wire without text of its own names in `spoken_by` the source of the one that speaks for the whole lane."""
    line, tip = wire_path(wire.points)
    speaker = wire.source
    if not wire.label:
        mates = (other for other in layout.wires if other.label and other.points[-1] == wire.points[-1])
        speaker = next((other.source for other in mates), wire.source)
    label: JsonValue = None
    if wire.label:
        label = {**_point(wire.label_at), "anchor": wire.anchor, "lines": list(wire.label)}
    return {
        "source": wire.source,
        "target": wire.target,
        "triggers": [_branch(branch) for branch in wire.branches],
        "path": line,
        "tip": tip,
        "label": label,
        "spoken_by": speaker,
        "badge": _point(wire.badge_at),
        "is_quiet": wire.is_quiet,
    }


def _branch(branch: Branch) -> JsonValue:
    return {"trigger": branch.trigger, "guard": branch.guard}


def _trace(trace: Trace) -> JsonValue:
    return {
        "current": trace.current,
        "total_ms": _ms(trace.total_ns),
        "outcome": trace.outcome,
        "steps": [_step(step) for step in trace.steps[-STEP_LIMIT:]],
        "spent_ms": {state: _ms(spent_ns) for state, spent_ns in trace.spent_ns.items()},
        "visits": _counts(trace.visits),
        "refusals": _counts(trace.refusals),
    }


def _counts(counts: Mapping[str, int]) -> dict[str, JsonValue]:
    return dict(counts)


def _step(step: TraceStep) -> JsonValue:
    return {
        "number": step.number,
        "source": step.source,
        "target": step.target,
        "trigger": step.trigger,
        "guard": step.guard,
        "at_ms": _ms(step.at_ns),
        "spent_ms": _ms(step.spent_ns),
        "seq": step.seq or None,
    }


def _ms(duration_ns: int) -> int:
    return duration_ns // 1_000_000
