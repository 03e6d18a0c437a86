"""Draws a chart as SVG, with a task's trace over it if there is one.

In: a `Layout`, the chart's words, the style sheet (ui/chart.css) as text, perhaps a `Trace`.
Out: one SVG document that stands alone; every text from a file is escaped.
Never: I/O, script, remote parts, colours (the style sheet has them, for light and dark).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape, quoteattr

from pui.domain.chart_layout import LINE_HEIGHT, MARGIN, Box, Layout, Point, Wire, plan_layout
from pui.domain.chart_trace import Trace, TraceStep, duration_text, end_text, timeout_text
from pui.domain.statechart import Chart, State

CORNER = 9.0
TIP = 7.0
FOOTER_HEIGHT = 30.0
STEP_HEIGHT = 19.0
MIN_WIDTH = 640.0
MAX_BADGE_NUMBERS = 4
MAX_LISTED_STEPS = 40


def render_svg(chart: Chart, style: str, trace: Trace | None = None, title: str = "") -> str:
    """The drawing as a standalone SVG document. `title` replaces the chart's id in the heading."""
    layout = plan_layout(chart)
    steps = () if trace is None else trace.steps
    width = max(layout.width, MIN_WIDTH)
    listed = _listed(steps)
    height = layout.height + FOOTER_HEIGHT + STEP_HEIGHT * ((len(listed) + 1) // 2) + (12 if listed else 0)
    kind = "chart traced" if trace is not None else "chart"
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{kind}" role="img" aria-label={quoteattr(chart.description)}'
        f' viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}">',
        f"<style>\n{style.strip()}\n</style>",
        f'<rect class="paper" x="0.5" y="0.5" width="{width - 1:.0f}" height="{height - 1:.0f}" rx="14"/>',
        *_heading(chart, trace, title),
        *_start(layout),
        *_wires(layout, trace),
        *(_state(box, trace) for box in layout.boxes.values()),
        *_badges(layout, trace),
        *_step_list(listed, layout.height + 14, width),
        _text(MARGIN, height - 20, "legend", _legend(chart, layout)),
        "</svg>",
    ]
    return "\n".join(body) + "\n"


def _text(x: float, y: float, kind: str, content: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(content)}</text>'


def _heading(chart: Chart, trace: Trace | None, title: str) -> Iterator[str]:
    about = chart.description
    if trace is not None:
        about = f"{end_text(chart, trace)} · {len(trace.steps)} moves in {duration_text(trace.total_ns)}"
    yield _text(MARGIN, 38, "title", title or chart.id)
    yield _text(MARGIN, 59, "about", about)


def _start(layout: Layout) -> Iterator[str]:
    x, y = layout.start
    yield f'<circle class="start" cx="{x:.1f}" cy="{y - 25:.1f}" r="5"/>'
    yield f'<g class="wire">{_path(((x, y - 20), (x, y)))}</g>'


def _path(points: Sequence[Point]) -> str:
    line, tip = wire_path(points)
    return f'<path d="{line}"/><polygon class="tip" points="{tip}"/>'


def wire_path(points: Sequence[Point]) -> tuple[str, str]:
    """A line with rounded corners and the arrow tip at its end: `d` of a path, `points` of a polygon."""
    end, before = points[-1], points[-2]
    reach = max(abs(end[0] - before[0]), abs(end[1] - before[1])) or 1.0
    dx, dy = (end[0] - before[0]) / reach, (end[1] - before[1]) / reach
    back = (end[0] - dx * TIP, end[1] - dy * TIP)
    parts = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for here, corner, there in zip(points, points[1:], points[2:], strict=False):
        into, out = _toward(corner, here), _toward(corner, there)
        parts.append(f"L{into[0]:.1f} {into[1]:.1f}Q{corner[0]:.1f} {corner[1]:.1f} {out[0]:.1f} {out[1]:.1f}")
    parts.append(f"L{back[0]:.1f} {back[1]:.1f}")
    wing = (-dy * TIP * 0.6, dx * TIP * 0.6)
    tip = f"{end[0]:.1f},{end[1]:.1f} " + " ".join(
        f"{back[0] + sign * wing[0]:.1f},{back[1] + sign * wing[1]:.1f}" for sign in (1, -1)
    )
    return "".join(parts), tip


def _toward(corner: Point, other: Point) -> Point:
    length = max(abs(other[0] - corner[0]), abs(other[1] - corner[1])) or 1.0
    share = min(CORNER, length / 2) / length
    return corner[0] + (other[0] - corner[0]) * share, corner[1] + (other[1] - corner[1]) * share


def _wires(layout: Layout, trace: Trace | None) -> Iterator[str]:
    """Quiet lines first, those of the trace last, so that the important ones lie on top."""
    order = sorted(layout.wires, key=lambda wire: (bool(_taken(wire, trace)), not wire.is_quiet))
    for wire in order:
        kind = "wire quiet" if wire.is_quiet else "wire"
        if trace is not None:
            kind += " taken" if _taken(wire, trace) else " untaken"
        yield f'<g class="{kind}" data-from="{wire.source}" data-to="{wire.target}">{_path(wire.points)}</g>'
        yield _label(wire, layout, trace)


def _label(wire: Wire, layout: Layout, trace: Trace | None) -> str:
    """The text of a wire; one that speaks for a whole lane is lit when any wire of that lane was taken."""
    if not wire.label:
        return ""
    spoken_for = [other for other in layout.wires if not other.label and other.points[-1] == wire.points[-1]]
    kind = "wire quiet" if wire.is_quiet else "wire"
    if trace is not None:
        kind += " taken" if any(_taken(each, trace) for each in (wire, *spoken_for)) else " untaken"
    x, y = wire.label_at
    lines = "".join(_text(x, y + LINE_HEIGHT * i, "label", text) for i, text in enumerate(wire.label))
    return f'<g class="{kind}" text-anchor="{wire.anchor}">{lines}</g>'


def _taken(wire: Wire, trace: Trace | None) -> tuple[TraceStep, ...]:
    return () if trace is None else trace.steps_between(wire.source, wire.target, wire.triggers)


def _state(box: Box, trace: Trace | None) -> str:
    state = box.state
    kinds = ["state", *state.tags, *(["final"] if state.is_final else [])]
    if trace is not None:
        kinds += ["current"] if trace.current == state.name else []
        kinds += [] if trace.visits.get(state.name) else ["unvisited"]
    parts = [f'<g class="{" ".join(kinds)}" data-state="{state.name}"><title>{escape(state.description)}</title>']
    if "current" in kinds:
        parts.append(_rect(box, "halo", -3, 13))
    parts.append(_rect(box, "card", 0, 10))
    parts.append(_rect(box, "inner", 4, 7) if state.is_final else _stripe(box))
    parts += [_text(box.x + 20, box.y + 24, "label", state.label), _text(box.x + 20, box.y + 42, "name", state.name)]
    parts += _details(box, state)
    if trace is not None and not state.is_final and state.name in trace.visits:
        parts.append(_text(box.right - 14, box.y + 42, "spent", _spent(trace, state.name)))
    return "".join(parts) + "</g>"


def _rect(box: Box, kind: str, inset: float, radius: float) -> str:
    return (
        f'<rect class="{kind}" x="{box.x + inset:.1f}" y="{box.y + inset:.1f}" width="{box.width - 2 * inset:.1f}"'
        f' height="{box.height - 2 * inset:.1f}" rx="{radius:.0f}"/>'
    )


def _stripe(box: Box) -> str:
    return (
        f'<rect class="stripe" x="{box.x + 7:.1f}" y="{box.y + 9:.1f}" width="4"'
        f' height="{box.height - 18:.1f}" rx="2"/>'
    )


def _details(box: Box, state: State) -> Iterator[str]:
    y = box.y + 63
    if state.activity is not None:
        yield f'<path class="glyph solid" d="M{box.x + 20:.1f} {y - 8:.1f}l7 4.2l-7 4.2z"/>'
        yield _text(box.x + 33, y, "detail mono", state.activity)
    if state.timeout_ms is not None:
        text = timeout_text(state.timeout_ms)
        x = box.right - 18 - len(text) * 6.6
        yield f'<circle class="glyph" cx="{x - 9:.1f}" cy="{y - 4:.1f}" r="4.6"/>'
        yield f'<path class="glyph" d="M{x - 9:.1f} {y - 6.6:.1f}v2.6h2"/>'
        yield _text(x, y, "detail", text)


def _spent(trace: Trace, name: str) -> str:
    count = trace.visits[name]
    spent = duration_text(trace.spent_ns.get(name, 0))
    return spent if count == 1 else f"{count} visits · {spent}"


def _badges(layout: Layout, trace: Trace | None) -> Iterator[str]:
    for wire in layout.wires:
        if taken := _taken(wire, trace):
            numbers = [str(step.number) for step in taken[:MAX_BADGE_NUMBERS]]
            text = ",".join(numbers) + ("…" if len(taken) > MAX_BADGE_NUMBERS else "")
            width = max(17.0, 7.0 * len(text) + 9)
            x, y = wire.badge_at
            yield (
                f'<g class="badge"><rect x="{x - width / 2:.1f}" y="{y - 8.5:.1f}" width="{width:.1f}" height="17"'
                f' rx="8.5"/><text x="{x:.1f}" y="{y + 4:.1f}">{text}</text></g>'
            )


def _listed(steps: Sequence[TraceStep]) -> list[str]:
    lines = [_step_text(step) for step in steps[:MAX_LISTED_STEPS]]
    left_out = len(steps) - len(lines)
    return lines + ([f"… and {left_out} more: see the text form"] if left_out else [])


def _step_text(step: TraceStep) -> str:
    guard = f" [{step.guard}]" if step.guard else ""
    return f"{step.number}  {step.source} → {step.target}: {step.trigger}{guard} after {duration_text(step.spent_ns)}"


def _step_list(lines: Sequence[str], top: float, width: float) -> Iterator[str]:
    half = (len(lines) + 1) // 2
    for index, line in enumerate(lines):
        column, row = divmod(index, half)
        yield _text(MARGIN + column * (width / 2 - 10), top + row * STEP_HEIGHT, "step", line)


def _legend(chart: Chart, layout: Layout) -> str:
    words = ["▸ activity of the state", "clock: its timeout"] if chart.activities else []
    words += ["[guard]: only if it holds"] if chart.guards else []
    words += ["pale lines: ways out that many states share"] if any(wire.is_quiet for wire in layout.wires) else []
    return " · ".join(words)
