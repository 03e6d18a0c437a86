"""Charts and traces as text: Mermaid, tables for docs/statecharts.md, a trace for a terminal, an HTML page.

In: charts, perhaps a `Trace`. Out: text; the same for the same input.
Never: I/O, terminal colours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from pui.domain.chart_layout import label_lines
from pui.domain.chart_trace import Trace, duration_text, end_text, timeout_text
from pui.domain.statechart import Chart, State


def render_mermaid(chart: Chart, trace: Trace | None = None) -> str:
    """A Mermaid state diagram with guards, activities and timeouts; a trace numbers the moves and colours states."""
    lines = ["stateDiagram-v2", f"    [*] --> {_id(chart.initial)}"]
    for state in chart.states.values():
        lines.append(f'    state "{_mermaid_words(state)}" as {_id(state.name)}')
    for state in chart.states.values():
        lines += _mermaid_edges(state, trace)
        lines += [f"    {_id(state.name)} --> [*]"] if state.is_final else []
    if trace is not None:
        lines += _mermaid_classes(chart, trace)
    return "\n".join(lines) + "\n"


def _id(name: str) -> str:
    return name.replace("-", "_")  # Mermaid reads a hyphen as the start of an arrow


def _mermaid_words(state: State) -> str:
    words = [state.label.replace('"', "'"), state.name]
    if state.activity is not None:
        words.append(f"runs {state.activity}")
    if state.timeout_ms is not None:
        words.append(f"at most {timeout_text(state.timeout_ms)}")
    return "<br/>".join(words)


def _mermaid_edges(state: State, trace: Trace | None) -> Iterator[str]:
    for target in dict.fromkeys(branch.target for branch in state.branches):
        branches = [branch for branch in state.branches if branch.target == target]
        label = " · ".join(label_lines(state, branches))
        taken = () if trace is None else trace.steps_between(state.name, target, (b.trigger for b in branches))
        numbers = ",".join(str(step.number) for step in taken)
        yield f"    {_id(state.name)} --> {_id(target)} : {f'({numbers}) ' if numbers else ''}{label}"


def _mermaid_classes(chart: Chart, trace: Trace) -> Iterator[str]:
    yield "    classDef visited stroke:#7a3ff2,stroke-width:2px"
    yield "    classDef current stroke:#7a3ff2,stroke-width:4px"
    for name in chart.states:
        if name == trace.current:
            yield f"    class {_id(name)} current"
        elif trace.visits.get(name):
            yield f"    class {_id(name)} visited"


def render_trace_text(chart: Chart, trace: Trace) -> str:
    """The way of a task, one move a line, aligned; refused triggers and the outcome below."""
    rows = [("", chart.initial, "", "")]
    for step in trace.steps:
        guard = f" [{step.guard}]" if step.guard else ""
        rows.append((str(step.number), step.target, f"{step.trigger}{guard}", f"+{duration_text(step.spent_ns)}"))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = []
    for row, state in zip(rows, [row[1] for row in rows], strict=True):
        label = chart.states[state].label if state in chart.states else "(not in this chart)"
        number, name, trigger, after = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        lines.append(f"{number}  {after.strip().rjust(widths[3])}  {trigger}  {name}  {label}".rstrip())
    lines.append("")
    lines += [f"refused or late in {name}: {count}" for name, count in sorted(trace.refusals.items())]
    lines.append(f"{end_text(chart, trace)}, {duration_text(trace.total_ns)} in all")
    return "\n".join(lines) + "\n"


def render_html(chart: Chart, svg: str, trace: Trace | None = None, title: str = "") -> str:
    """One page that stands alone: the drawing, then the table of states."""
    rows = "\n".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in _cells(state)) + "</tr>"
        for state in chart.states.values()
    )
    head = "".join(f"<th>{name}</th>" for name in _HEAD)
    told = "" if trace is None else f"<pre>{escape(render_trace_text(chart, trace))}</pre>\n"
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{escape(title or chart.id)}</title>
<style>{_PAGE_STYLE}</style>
<main>
{svg}{told}<table>
<thead><tr>{head}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</main>
</html>
"""


_HEAD = ("State", "Shown as", "What it means", "Activity", "Timeout", "Ways out")
_PAGE_STYLE = (
    ":root{color-scheme:light dark}body{margin:24px;font:14px/1.5 system-ui,sans-serif}"
    "main{max-width:960px;margin:auto}svg{max-width:100%;height:auto}table{border-collapse:collapse;margin-top:24px}"
    "td,th{text-align:left;vertical-align:top;padding:6px 10px;border-bottom:1px solid #8884}"
)


def _cells(state: State) -> tuple[str, ...]:
    ways = [
        f"{' · '.join(label_lines(state, [b for b in state.branches if b.target == target]))} → {target}"
        for target in dict.fromkeys(branch.target for branch in state.branches)
    ]
    timeout = "" if state.timeout_ms is None else timeout_text(state.timeout_ms)
    end = ["(final)"] if state.is_final else []
    return (state.name, state.label, state.description, state.activity or "", timeout, "; ".join(ways + end))


def render_statecharts_doc(charts: Sequence[Chart]) -> str:
    """docs/statecharts.md: for each chart a Mermaid drawing and a table of its states."""
    parts = [
        "# Statecharts",
        "",
        "<!-- generated by `pui chart render --docs`; a test fails when it is stale -->",
        "",
        "Each chart is a file in `statecharts/`, in a subset of XState v5 JSON (`statecharts/schema.json`); "
        "the program runs the same file that is drawn here. "
        "Three triggers are reserved: `done` and `failed` report the activity of a state, `timed_out` its timeout. "
        "`[guard]` is a condition, `[else]` what happens when no condition of that trigger holds. "
        "Why this form: [adr/0005-statecharts.md](adr/0005-statecharts.md).",
    ]
    for chart in charts:
        parts += ["", f"## {chart.id}", "", chart.description, "", "```mermaid", render_mermaid(chart).rstrip(), "```"]
        parts += ["", *_table(_HEAD, (_cells(state) for state in chart.states.values()))]
    return "\n".join(parts) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + " --- |" * len(head)
    for row in rows:
        name, *others = (cell.replace("|", "\\|") for cell in row)
        yield f"| `{name}` | " + " | ".join(others) + " |"
