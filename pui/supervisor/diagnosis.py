"""What is known of one task's faults, read from its folder: for the page, for a bundle, for the command line.

In: a task id, the files of the task. Out: DiagnosticsView; the members of a bundle. Never: a write but of the bundle
that was asked for, a word of the conversation that was not asked for. Everything here blocks: run it in a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pui.domain.bundle_plan import BundleInput, Member, plan_bundle
from pui.domain.diagnostics_view import APP_LOG_LIMIT_BYTES, TAIL_LIMIT_BYTES, TaskLogTails, diagnostics_view
from pui.domain.errors import CallerError
from pui.domain.events import JsonValue
from pui.domain.journal import Record, parse_journal
from pui.domain.private_words import PrivateWords
from pui.domain.statechart import Chart
from pui.domain.task_files import QEMU_LOG, QMP_LOG, SERIAL_LOG, TRANSCRIPT
from pui.ports import TaskFiles, TaskLogs

QMP_LIMIT_BYTES = 1024 * 1024
BUNDLE_TAIL_LIMIT_BYTES = 512 * 1024
TRANSCRIPT_LIMIT_BYTES = 8 * 1024 * 1024
OTHER_LOGS = 16
_KNOWN = frozenset({SERIAL_LOG, QEMU_LOG})


@dataclass(frozen=True)
class Diagnosis:
    """`chart` is the task chart; `about` are lines about app and computer for a bundle; `words` tells what must not
    leave this computer, as it is at that moment."""

    files: TaskFiles
    logs: TaskLogs
    chart: Chart
    words: Callable[[], PrivateWords]
    about: Sequence[str]

    def records(self, task_id: str) -> tuple[Record, ...]:
        """The journal. Raises CallerError for a task that there is none of, PuiError("journal.unreadable")."""
        if task_id not in self.files.task_ids():
            raise CallerError(
                "caller.bad_request", f"there is no task {task_id!r}", hint="`pui tasks list` names them."
            )
        return parse_journal(self.files.read_journal(task_id)).records

    def view(self, task_id: str) -> dict[str, JsonValue]:
        """DiagnosticsView. Raises as `records`, and HostError host.permission."""
        return diagnostics_view(task_id, self.records(task_id), self.chart, self._tails(task_id, TAIL_LIMIT_BYTES))

    def bundle(self, task_id: str, *, with_transcript: bool) -> tuple[Member, ...]:
        """The members of a bundle, everything private replaced. Raises as `view`."""
        records, tails = self.records(task_id), self._tails(task_id, BUNDLE_TAIL_LIMIT_BYTES)
        named = [name for name, _ in tails.files if name.endswith(".log") and name not in _KNOWN]
        tail = self.logs.tail
        given = BundleInput(
            task_id=task_id,
            records=records,
            diagnostics=diagnostics_view(task_id, records, self.chart, tails),
            tails=tails,
            other_logs={name: tail(task_id, name, BUNDLE_TAIL_LIMIT_BYTES) for name in named[:OTHER_LOGS]},
            transcript=tail(task_id, TRANSCRIPT, TRANSCRIPT_LIMIT_BYTES) if with_transcript else None,
            about=self.about,
        )
        return plan_bundle(given, self.words())

    def _tails(self, task_id: str, limit_bytes: int) -> TaskLogTails:
        tail = self.logs.tail
        return TaskLogTails(
            serial=tail(task_id, SERIAL_LOG, limit_bytes),
            qemu=tail(task_id, QEMU_LOG, limit_bytes),
            qmp=tail(task_id, QMP_LOG, QMP_LIMIT_BYTES),
            app=self.logs.app_log_tail(APP_LOG_LIMIT_BYTES),
            files=tuple(self.logs.sizes(task_id)),
        )
