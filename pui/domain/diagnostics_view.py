"""What is shown of a task to somebody who looks for a fault: DiagnosticsView of docs/bridge.md.

In: the journal, the tails of the task's logs as bytes, the tail of the app's log. Out: JSON with scrubbed text.
Never: more than the limits say, a byte that was not scrubbed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pui.domain.boot_timeline import BootStage, boot_timeline
from pui.domain.chart_trace import trace_of
from pui.domain.events import JsonValue
from pui.domain.journal import Record
from pui.domain.qmp_log import parse_qmp_log
from pui.domain.scrub import scrub_text
from pui.domain.statechart import Chart

TAIL_LIMIT_BYTES = 64 * 1024
APP_LOG_LIMIT_BYTES = 512 * 1024
"""How much of the app's log is searched for a task's lines."""
APP_LOG_SHOWN_CHARS = 48 * 1024
QMP_SHOWN = 500
FILES_SHOWN = 100


@dataclass(frozen=True)
class TaskLogTails:
    """The last bytes of each log, empty where there is none; `files` are all files of the task with their sizes."""

    serial: bytes = b""
    qemu: bytes = b""
    qmp: bytes = b""
    app: bytes = b""
    files: tuple[tuple[str, int], ...] = ()


def diagnostics_view(
    task_id: str, records: Sequence[Record], chart: Chart, tails: TaskLogTails
) -> dict[str, JsonValue]:
    """DiagnosticsView. `chart` is the task chart: it has the words for the states."""
    trace = trace_of(records)
    states: list[JsonValue] = [
        {"state": name, "label": chart.states[name].label, "spent_ms": spent_ns // 1_000_000}
        for name, spent_ns in trace.spent_ns.items()
        if name in chart.states
    ]
    files: list[JsonValue] = [{"name": name, "size_bytes": size} for name, size in tails.files[:FILES_SHOWN]]
    return {
        "boot": [_stage(stage) for stage in boot_timeline(records)],
        "states": states,
        "serial": log_text(tails.serial),
        "qemu_log": log_text(tails.qemu),
        "qmp_events": [
            {"at_ms": event.at_ms, "name": event.name, "text": event.text}
            for event in parse_qmp_log(tails.qmp)[-QMP_SHOWN:]
        ],
        "app_log": app_log_text(tails.app, task_id),
        "files": files,
    }


def _stage(stage: BootStage) -> JsonValue:
    spent_ms = None if stage.spent_ns is None else stage.spent_ns // 1_000_000
    return {"stage": stage.stage, "at_ms": stage.at_ns // 1_000_000, "spent_ms": spent_ms}


def log_text(data: bytes) -> str:
    """A log of a stranger as text: scrubbed, and short of bytes that are no UTF-8."""
    return scrub_text(data.decode("utf-8", "replace"))


def app_log_text(data: bytes, task_id: str) -> str:
    """The lines of the app's own log that name the task, the newest APP_LOG_SHOWN_CHARS of them."""
    lines = [line for line in log_text(data).split("\n") if f'"task_id":"{task_id}"' in line.replace('": "', '":"')]
    return "\n".join(lines)[-APP_LOG_SHOWN_CHARS:]
