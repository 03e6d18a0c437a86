"""The verbs of the state diagram: a chart as data for the page, or as a text to save.

In: the desk; which chart, of which task or pack. Out: verbs. Never: another chart than those that run, a path.
"""

from __future__ import annotations

import asyncio

from pui.domain.chart_names import CHART_IDS
from pui.domain.chart_trace import Trace, agent_trace, pack_trace, trace_of
from pui.domain.errors import CallerError
from pui.domain.events import JsonValue
from pui.domain.task_files import TRANSCRIPT
from pui.shell.desk import Desk
from pui.shell.verbs import TASK_ID, Schema, Verb, choice_schema, object_schema

AGENT_TRAIL_LIMIT_BYTES = 16 * 1024 * 1024
"""How much of a transcript is searched for the states of pi; older moves are left out."""
PACK_ID: Schema = {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,79}$"}
_SUFFIXES = {"svg": "svg", "mermaid": "mmd"}


def chart_verbs(desk: Desk) -> tuple[Verb, ...]:
    """chart.get and chart.export. Without a task or pack the chart comes without a way."""

    async def get(chart: str, task_id: str | None = None, pack_id: str | None = None) -> JsonValue:
        from pui.domain.chart_view import chart_view  # late, as what draws: the window waits for this module

        trace = await asyncio.to_thread(_trace, desk, chart, task_id, pack_id)
        title = f"{chart} {task_id or pack_id or ''}".strip()
        return chart_view(desk.archive.charts[chart], trace, title)

    async def export(
        chart: str, format: str, task_id: str | None = None, pack_id: str | None = None
    ) -> JsonValue:  # the params' own names
        from pui.domain.chart_svg import render_svg
        from pui.domain.chart_text import render_mermaid

        trace = await asyncio.to_thread(_trace, desk, chart, task_id, pack_id)
        title = f"{chart} {task_id or pack_id or ''}".strip()
        drawn = desk.archive.charts[chart]
        text = render_mermaid(drawn, trace)
        if format == "svg":
            text = render_svg(drawn, desk.archive.chart_style, trace, title)
        return {"text": text, "name": f"{title.replace(' ', '-')}.{_SUFFIXES[format]}"}

    which = {"chart": choice_schema(*CHART_IDS), "task_id": TASK_ID, "pack_id": PACK_ID}
    optional = ["task_id", "pack_id"]
    return (
        Verb("chart.get", object_schema(which, optional), get),
        Verb("chart.export", object_schema({**which, "format": choice_schema(*_SUFFIXES)}, optional), export),
    )


def _trace(desk: Desk, chart: str, task_id: str | None, pack_id: str | None) -> Trace | None:
    """The way that fits the chart; None when nothing was named. Blocks. Raises CallerError, PuiError, HostError."""
    if (pack_id is not None and chart != "pack") or (task_id is not None and chart in ("pack", "setup")):
        raise CallerError("caller.bad_request", f"the {chart} chart does not belong to what was named")
    if chart == "setup":
        return None if desk.upkeep is None else desk.upkeep.setup.trace()
    archive = desk.archive
    if pack_id is not None:
        return pack_trace(archive.pack_records(), pack_id, archive.charts[chart].initial)
    if task_id is None:
        return None
    records = archive.diagnosis.records(task_id)
    if chart == "task":
        return trace_of(records)
    data = archive.diagnosis.logs.tail(task_id, TRANSCRIPT, AGENT_TRAIL_LIMIT_BYTES)
    return agent_trace(data, archive.charts[chart])
