"""Where the states and the lines of a chart are drawn: a small layered layout, top to bottom.

In: a `Chart`. Out: `Layout`: boxes and wires in px, the same for the same chart.
Never: colours, text formats, knowledge of a certain chart.

One column, the spine, holds the main way; other states stand left of it. A line that skips rows runs in a lane beside
the spine (right: downward, left: back up), and all lines to one target share one lane, so that the many `cancel` and
`timed_out` lines fold into one. docs/adr/0005-statecharts.md says why this is no library's work.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pui.domain.statechart import DONE, FAILED, TIMED_OUT, Branch, Chart, State

QUIET_TRIGGERS = frozenset({FAILED, TIMED_OUT, "cancel"})
SPINE_WIDTH = 252.0
SIDE_WIDTH = 210.0
LABEL_RISE = 6.0
FOLDED_SOURCES = 3
MARGIN = 24.0
ROW_GAP = 46.0
LANE_STEP = 20.0
LINE_HEIGHT = 15.0
CHAR_WIDTH = 6.0
BADGE_SPACE = 28.0
HEADER_HEIGHT = 108.0

Side = Literal["left", "right"]
Kind = Literal["down", "lane", "side"]
Anchor = Literal["start", "end"]
Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A state's rectangle, top left corner and size."""

    state: State
    row: int
    column: int
    x: float
    y: float
    width: float
    height: float

    @property
    def middle_x(self) -> float:
        return self.x + self.width / 2

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def right(self) -> float:
        return self.x + self.width


@dataclass(frozen=True)
class Wire:
    """One line from `source` to `target` that stands for `branches`.

    `label` is empty if another wire of the same lane says it for both. `label_at` is the start or the end of its
    first line of text, as `anchor` says.
    """

    source: str
    target: str
    branches: tuple[Branch, ...]
    is_quiet: bool
    points: tuple[Point, ...]
    label: tuple[str, ...]
    label_at: Point
    anchor: Anchor
    badge_at: Point

    @property
    def triggers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(branch.trigger for branch in self.branches))


@dataclass(frozen=True)
class Layout:
    """The whole drawing; `start` is the tip of the entry arrow."""

    width: float
    height: float
    boxes: Mapping[str, Box]
    wires: tuple[Wire, ...]
    start: Point


@dataclass(frozen=True)
class _Line:
    """A wire before it has a place."""

    source: str
    target: str
    branches: tuple[Branch, ...]
    kind: Kind
    side: Side
    is_quiet: bool
    label: tuple[str, ...]


def plan_layout(chart: Chart) -> Layout:
    """The layout of a chart without faults. Raises KeyError when it names a state that it lacks."""
    rows = _rows(chart)
    columns = _columns(chart, rows)
    lines = _lines(chart, rows, columns)
    lanes = {side: _lanes([ln for ln in lines if ln.kind == "lane" and ln.side == side], rows) for side in _SIDES}
    ports = _ports(lines, lanes)
    boxes = _boxes(chart, rows, columns, lines, lanes, ports)
    placed = [_placed(line, boxes, lanes, ports, lines) for line in lines]
    right = max(box.right for box in boxes.values()) + _zone(lines, lanes, "right")
    first = boxes[chart.initial]
    bottom = max(box.bottom for box in boxes.values())
    return Layout(right + MARGIN, bottom + MARGIN, boxes, tuple(placed), (first.middle_x, first.y))


_SIDES: tuple[Side, Side] = ("left", "right")
_Ports = Mapping[tuple[str, Side], Sequence[tuple[str, str]]]
_Lanes = Mapping[Side, Mapping[str, int]]


def _rows(chart: Chart) -> dict[str, int]:
    """Longest way from the start over edges that do not lead back (depth-first, in file order)."""
    forward: list[tuple[str, str]] = []
    seen: set[str] = set()
    order: list[str] = []

    def visit(name: str, path: tuple[str, ...]) -> None:
        seen.add(name)
        for branch in chart.states[name].branches:
            if branch.target not in (*path, name):
                forward.append((name, branch.target))
                if branch.target not in seen:
                    visit(branch.target, (*path, name))
        order.append(name)

    for name in (chart.initial, *chart.states):
        if name not in seen:
            visit(name, ())
    rows = dict.fromkeys(chart.states, 0)
    for name in reversed(order):
        for source, target in forward:
            if source == name:
                rows[target] = max(rows[target], rows[name] + 1)
    return rows


def _columns(chart: Chart, rows: Mapping[str, int]) -> dict[str, int]:
    """0 for the spine: the main way first, else the first state of a row; then 1, 2 … to the left."""
    spine = _main_way(chart, rows)
    columns: dict[str, int] = {}
    for row in sorted(set(rows.values())):
        names = sorted((name for name in rows if rows[name] == row), key=lambda name: name not in spine)
        columns |= {name: index for index, name in enumerate(names)}
    return columns


def _main_way(chart: Chart, rows: Mapping[str, int]) -> set[str]:
    way: set[str] = set()
    name: str | None = chart.initial
    while name is not None:
        way.add(name)
        downward = [b for b in chart.states[name].branches if rows[b.target] > rows[name]]
        best = [b for b in downward if b.trigger == DONE and b.guard is None] or downward
        name = best[0].target if best else None
    return way


def _lines(chart: Chart, rows: Mapping[str, int], columns: Mapping[str, int]) -> list[_Line]:
    found: list[_Line] = []
    for state in chart.states.values():
        for target in dict.fromkeys(branch.target for branch in state.branches):
            branches = [branch for branch in state.branches if branch.target == target]
            found += _lines_between(state, target, branches, rows, columns)
    return found


def _lines_between(
    state: State, target: str, branches: list[Branch], rows: Mapping[str, int], columns: Mapping[str, int]
) -> list[_Line]:
    down = rows[target] - rows[state.name]
    quiet = [branch for branch in branches if branch.trigger in QUIET_TRIGGERS]
    loud = [branch for branch in branches if branch.trigger not in QUIET_TRIGGERS]
    if columns[state.name] or columns[target]:
        return [_line(state, target, branches, "side", "left", not loud)]
    if down != 1:
        return [_line(state, target, branches, "lane", "right" if down > 1 else "left", not loud)]
    if not loud:
        return [_line(state, target, quiet, "down", "right", True)]
    found = [_line(state, target, loud, "down", "right", False)]
    return found + ([_line(state, target, quiet, "lane", "right", True)] if quiet else [])


def _line(state: State, target: str, branches: list[Branch], kind: Kind, side: Side, is_quiet: bool) -> _Line:
    return _Line(state.name, target, tuple(branches), kind, side, is_quiet, label_lines(state, branches))


def label_lines(state: State, branches: Iterable[Branch]) -> tuple[str, ...]:
    """What a line says: triggers without condition together, each conditional one with its [guard] or [else]."""
    plain: list[str] = []
    conditional: list[str] = []
    for branch in branches:
        if branch.guard is not None:
            conditional.append(f"{branch.trigger} [{branch.guard}]")
        elif any(other.guard is not None for other in state.branches_of(branch.trigger)):
            conditional.append(f"{branch.trigger} [else]")
        else:
            plain.append(branch.trigger)
    return tuple(conditional + ([" · ".join(plain)] if plain else []))


def _lanes(lines: Sequence[_Line], rows: Mapping[str, int]) -> dict[str, int]:
    """target -> lane number, 0 next to the spine; a short lane lies inside a long one."""
    spans: dict[str, tuple[int, int]] = {}
    for line in lines:
        ends = [rows[line.source], rows[line.target], *spans.get(line.target, ())]
        spans[line.target] = (min(ends), max(ends))
    taken: list[list[tuple[int, int]]] = []
    lanes: dict[str, int] = {}
    for target, (top, bottom) in sorted(spans.items(), key=lambda item: (item[1][1] - item[1][0], item[0])):
        free = (i for i, held in enumerate(taken) if all(bottom < t or top > b for t, b in held))
        number = next(free, len(taken))
        taken += [[]] if number == len(taken) else []
        taken[number].append((top, bottom))
        lanes[target] = number
    return lanes


def _ports(lines: Sequence[_Line], lanes: _Lanes) -> dict[tuple[str, Side], list[tuple[str, str]]]:
    """(state, side) -> the (direction, other end) of what touches that side, top to bottom, so that few lines cross."""
    found: dict[tuple[str, Side], dict[tuple[str, str], tuple[int, int]]] = {}
    for line in lines:
        if line.kind == "lane":
            lane = lanes[line.side][line.target]
            out, into = ((3, -lane), (0, 0)) if line.side == "right" else ((3, lane), (4, 0))
            found.setdefault((line.source, line.side), {})[("out", line.target)] = out
            found.setdefault((line.target, line.side), {})[("in", "lane")] = into
        elif line.kind == "side":
            found.setdefault((line.source, "left"), {})[("out", line.target)] = (1, 0)
            found.setdefault((line.target, "left"), {})[("in", line.source)] = (0, 0)
    return {key: sorted(items, key=lambda item: items[item]) for key, items in found.items()}


def _zone(lines: Sequence[_Line], lanes: _Lanes, side: Side) -> float:
    """Width that labels and lanes need beside the spine."""
    if not lanes[side]:
        return 0.0
    return _label_zone(lines, side) + LANE_STEP * (max(lanes[side].values()) + 1)


def _label_zone(lines: Sequence[_Line], side: Side) -> float:
    texts = [text for line in lines if line.kind == "lane" and line.side == side for text in line.label]
    return max((len(text) for text in texts), default=0) * CHAR_WIDTH + BADGE_SPACE


def _boxes(
    chart: Chart,
    rows: Mapping[str, int],
    columns: Mapping[str, int],
    lines: Sequence[_Line],
    lanes: _Lanes,
    ports: _Ports,
) -> dict[str, Box]:
    heights = {name: _height(state, lines, ports) for name, state in chart.states.items()}
    side_texts = [text for line in lines if line.kind == "side" for text in line.label]
    gap = max((len(text) for text in side_texts), default=0) * CHAR_WIDTH + BADGE_SPACE
    depth = max(columns.values())
    spine_x = MARGIN + depth * (SIDE_WIDTH + gap) + _zone(lines, lanes, "left")
    boxes: dict[str, Box] = {}
    y = HEADER_HEIGHT
    for row in sorted(set(rows.values())):
        names = [name for name in chart.states if rows[name] == row]
        for name in names:
            x = spine_x if columns[name] == 0 else MARGIN + (depth - columns[name]) * (SIDE_WIDTH + gap)
            width = SIDE_WIDTH if columns[name] else SPINE_WIDTH
            boxes[name] = Box(chart.states[name], row, columns[name], x, y, width, heights[name])
        y += max(heights[name] for name in names) + ROW_GAP
    return boxes


def _height(state: State, lines: Sequence[_Line], ports: _Ports) -> float:
    content = 54.0 if state.activity is None and state.timeout_ms is None else 76.0
    needs = [content]
    for side in _SIDES:
        slots = ports.get((state.name, side), ())
        needs.append(sum(_slot(state.name, slot, lines, side) for slot in slots) + 8)
    return max(needs)


def _slot(name: str, slot: tuple[str, str], lines: Sequence[_Line], side: Side) -> float:
    """Height that one port needs, its label included."""
    if slot[0] == "in":
        return LINE_HEIGHT
    own = [ln for ln in lines if ln.source == name and ln.target == slot[1] and ln.kind != "down" and ln.side == side]
    return max((len(line.label) for line in own), default=1) * LINE_HEIGHT + 5


def _port_y(box: Box, side: Side, slot: tuple[str, str], ports: _Ports, lines: Sequence[_Line]) -> float:
    slots = ports[(box.state.name, side)]
    sizes = [_slot(box.state.name, item, lines, side) for item in slots]
    spare = (box.height - sum(sizes)) / (len(slots) + 1)
    index = slots.index(slot)
    return box.y + spare * (index + 1) + sum(sizes[: index + 1]) - 3


def _placed(line: _Line, boxes: Mapping[str, Box], lanes: _Lanes, ports: _Ports, lines: Sequence[_Line]) -> Wire:
    source, target = boxes[line.source], boxes[line.target]
    label, anchor = line.label, _anchor(line, source, target)
    if line.kind == "down":
        points: tuple[Point, ...] = ((source.middle_x, source.bottom), (target.middle_x, target.y))
        middle = (source.bottom + target.y) / 2
        label_at = (source.middle_x + 14, middle + 4 - (len(label) - 1) * LINE_HEIGHT / 2)
        badge_at = (source.middle_x, middle)
    elif line.kind == "lane":
        points, label, label_at, badge_at = _lane_wire(line, source, target, lanes, ports, lines)
    else:
        points, label_at, badge_at = _side_wire(line, source, target, ports, lines)
    is_quiet = line.is_quiet or len(_lane_mates(line, lines)) >= FOLDED_SOURCES
    return Wire(line.source, line.target, line.branches, is_quiet, points, label, label_at, anchor, badge_at)


def _anchor(line: _Line, source: Box, target: Box) -> Anchor:
    """Text left of its box ends there, other text starts there."""
    if line.kind == "side":
        return "start" if source.column > target.column and target.row >= source.row else "end"
    return "end" if line.kind == "lane" and line.side == "left" else "start"


def _lane_mates(line: _Line, lines: Sequence[_Line]) -> list[_Line]:
    """The lines that share a lane and say the same, this one included; empty for a line of its own."""
    if line.kind != "lane":
        return []
    mates = [ln for ln in lines if ln.kind == "lane" and (ln.side, ln.target) == (line.side, line.target)]
    return mates if len(mates) > 1 and len({mate.label for mate in mates}) == 1 else []


def _lane_wire(
    line: _Line, source: Box, target: Box, lanes: _Lanes, ports: _Ports, lines: Sequence[_Line]
) -> tuple[tuple[Point, ...], tuple[str, ...], Point, Point]:
    out_y = _port_y(source, line.side, ("out", line.target), ports, lines)
    in_y = _port_y(target, line.side, ("in", "lane"), ports, lines)
    reach = _label_zone(lines, line.side) + LANE_STEP * (lanes[line.side][line.target] + 0.5)
    sign, start, end = (1, source.right, target.right) if line.side == "right" else (-1, source.x, target.x)
    lane_x = start + sign * reach
    points = ((start, out_y), (lane_x, out_y), (lane_x, in_y), (end, in_y))
    badge_at = (start + sign * 14, out_y)
    label, label_y, label_x = line.label, out_y, start
    if mates := _lane_mates(line, lines):  # folded: said once, where the lane arrives
        label = line.label if mates[0] is line else ()
        label_y, label_x = in_y, end
    return points, label, (label_x + sign * (BADGE_SPACE - 4), _above(label_y, label)), badge_at


def _above(y: float, label: Sequence[str]) -> float:
    """Baseline of the first line of a label that stands on a line at `y`."""
    return y - LABEL_RISE - (len(label) - 1) * LINE_HEIGHT


def _side_wire(
    line: _Line, source: Box, target: Box, ports: _Ports, lines: Sequence[_Line]
) -> tuple[tuple[Point, ...], Point, Point]:
    if source.column < target.column and target.row > source.row:  # out to the left, down onto the side state
        y = _port_y(source, "left", ("out", line.target), ports, lines)
        x = target.middle_x + 30
        label_at = (source.x - BADGE_SPACE + 4, _above(y, line.label))
        return ((source.x, y), (x, y), (x, target.y)), label_at, (source.x - 14, y)
    y = _port_y(target, "left", ("in", line.source), ports, lines)
    if source.column > target.column and target.row < source.row:  # up, then right into the spine
        x = source.middle_x - 30
        label_at = (target.x - BADGE_SPACE + 4, _above(y, line.label))
        return ((x, source.y), (x, y), (target.x, y)), label_at, (x, source.y - 14)
    if source.column > target.column:  # out to the right, down beside the spine, into it
        x, out_y = target.x - 20, source.bottom - 16
        label_at = (source.right + BADGE_SPACE - 4, _above(out_y, line.label))
        return ((source.right, out_y), (x, out_y), (x, y), (target.x, y)), label_at, (source.right + 14, out_y)
    ends = ((source.middle_x, source.bottom), (target.middle_x, target.y))
    middle = ((ends[0][0] + ends[1][0]) / 2, (ends[0][1] + ends[1][1]) / 2)
    return ends, (middle[0] + 8, middle[1]), middle
