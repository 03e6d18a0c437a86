"""`pui chart`: draw a statechart, check chart files, show the way that a task took.

In: arguments, chart files, the journal of a task. Out: drawings and texts on stdout or in a file; an exit code.
Never: a change of a chart or of a journal.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pui.adapters.paths import app_paths
from pui.adapters.task_files import TaskFolders
from pui.cli.output import clean, note, say
from pui.domain.chart_names import CHART_IDS
from pui.domain.chart_svg import render_svg
from pui.domain.chart_text import render_html, render_mermaid, render_statecharts_doc, render_trace_text
from pui.domain.chart_trace import Trace, trace_of
from pui.domain.errors import CallerError, HostError
from pui.domain.journal import parse_journal
from pui.domain.statechart import Chart, Fault
from pui.resources import check_file, data, load_chart

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

OK, FAULTS, USAGE = 0, 1, 2
DOC_FILES = ("statecharts.md", "task-states.svg")
_RENDER_EPILOG = """\
examples:
  pui chart render task                          Mermaid text, ready for a README
  pui chart render task --format svg --out t.svg a drawing for light and dark screens
  pui chart render my-chart.json --format html   any chart file of this form
"""
_TRACE_EPILOG = """\
examples:
  pui chart trace 3f2a91                          one move a line: when, why, into which state
  pui chart trace 3f2a91 --format svg --out t.svg the same as a drawing; `pui tasks list` names the tasks
"""


def add_parser(subparsers: Subparsers) -> None:
    """Adds `chart` with its three actions; each sets `handler`, which returns an exit code."""
    chart = subparsers.add_parser("chart", help="draw, check and trace the statecharts that run pui")
    actions = chart.add_subparsers(dest="action", metavar="ACTION", required=True)

    render = _action(actions, "render", "draw a chart as Mermaid, SVG or an HTML page", _RENDER_EPILOG)
    render.add_argument("chart", nargs="?", metavar="CHART", help=f"{', '.join(CHART_IDS)}, or a chart file")
    render.add_argument("--format", choices=("mermaid", "svg", "html"), default="mermaid")
    render.add_argument("--out", type=Path, metavar="FILE", help="write there instead of printing")
    render.add_argument("--docs", type=Path, metavar="DIR", help=f"write {' and '.join(DOC_FILES)} into DIR (no CHART)")
    render.set_defaults(handler=_render)

    check = _action(actions, "check", "list every fault of chart files, with its place", "exit status: 1 on faults\n")
    check.add_argument("files", nargs="*", type=Path, metavar="FILE", help="chart files; without any: pui's own")
    check.set_defaults(handler=_check)

    trace = _action(actions, "trace", "show the way that a task took through its chart", _TRACE_EPILOG)
    trace.add_argument("task", metavar="TASK", help="id of a task")
    trace.add_argument("--format", choices=("text", "mermaid", "svg", "html"), default="text")
    trace.add_argument("--out", type=Path, metavar="FILE", help="write there instead of printing")
    trace.set_defaults(handler=_trace)


def _action(actions: Subparsers, name: str, about: str, epilog: str) -> argparse.ArgumentParser:
    style = argparse.RawDescriptionHelpFormatter
    return actions.add_parser(
        name, help=about, description=about[0].upper() + about[1:] + ".", epilog=epilog, formatter_class=style
    )


def _render(arguments: argparse.Namespace) -> int:
    if (arguments.chart is None) == (arguments.docs is None):
        note("pui chart render: give either a CHART or --docs DIR")
        return USAGE
    if arguments.docs is not None:
        return _write_docs(arguments.docs)
    chart, faults = _read(_file_of(arguments.chart))
    if faults:
        return _tell(faults)
    _put(_picture(chart, arguments.format), arguments.out)
    return OK


def _check(arguments: argparse.Namespace) -> int:
    files = arguments.files or [_file_of(chart_id) for chart_id in CHART_IDS]
    found: list[Fault] = []
    for file in files:
        chart, faults = _read(file)
        found += faults
        if not faults:
            names = "" if chart.id in CHART_IDS else " (not a chart of pui: names of guards and activities not judged)"
            say(f"{file}: {len(chart.states)} states, no fault{names}")
    return _tell(found)


def _trace(arguments: argparse.Namespace) -> int:
    chart = load_chart("task")
    trace = _read_trace(arguments.task)
    if arguments.format == "text":
        _put(clean(render_trace_text(chart, trace)), arguments.out)
    else:
        _put(_picture(chart, arguments.format, trace, f"task {arguments.task}"), arguments.out)
    return OK


def _read_trace(task_id: str) -> Trace:
    folders = TaskFolders(app_paths())
    if task_id not in folders.task_ids():
        raise CallerError("caller.bad_request", f"there is no task {task_id!r}", hint="`pui tasks list` names them.")
    journal = parse_journal(folders.read_journal(task_id))
    if journal.is_torn:
        note("the last line of the journal is cut: the app ended while it wrote")
    return trace_of(journal.records)


def _picture(chart: Chart, kind: str, trace: Trace | None = None, title: str = "") -> str:
    if kind == "mermaid":
        return render_mermaid(chart, trace)
    svg = render_svg(chart, (data("ui") / "chart.css").read_text("utf-8"), trace, title)
    return svg if kind == "svg" else render_html(chart, svg, trace, title)


def render_docs() -> dict[str, str]:
    """The generated files of docs/ by name; a test compares them with what is committed."""
    charts = [load_chart(chart_id) for chart_id in CHART_IDS]
    return dict(zip(DOC_FILES, (render_statecharts_doc(charts), _picture(charts[0], "svg")), strict=True))


def _write_docs(folder: Path) -> int:
    for name, content in render_docs().items():
        _put(content, folder / name)
    return OK


def _file_of(name: str) -> Path:
    return data("statecharts") / f"{name}.json" if name in CHART_IDS else Path(name)


def _read(file: Path) -> tuple[Chart, list[Fault]]:
    try:
        return check_file(file)
    except OSError as error:
        hint = f"Give a chart file, or one of: {', '.join(CHART_IDS)}."
        raise CallerError("caller.bad_request", f"cannot read {file}: {error.strerror}", hint=hint) from error


def _tell(faults: list[Fault]) -> int:
    for fault in faults:
        say(str(fault))
    return FAULTS if faults else OK


def _put(text: str, out: Path | None) -> None:
    if out is None:
        print(text, end="")
        return
    try:
        out.write_text(text, "utf-8")
    except OSError as error:
        raise HostError("host.permission", f"cannot write {out}: {error.strerror}") from error
    note(f"wrote {out}")
