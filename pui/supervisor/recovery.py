"""What a start of the app does about tasks that an earlier app left unfinished.

In: journals on disk, the process table. Out: a report per task; orphans ended, work files removed, a `recovered`
record.
Never: a process named by its pid alone, a task that another running app owns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pui.domain.errors import CODES, PuiError
from pui.domain.events import JsonValue
from pui.domain.journal import Record, TaskView, fold, parse_journal
from pui.domain.views import OVER
from pui.ports import Clock, ProcessIdentity, ProcessTable, TaskFiles
from pui.supervisor.task_journal import TaskJournal


@dataclass(frozen=True)
class StoredTask:
    """A task as found on disk. `error` instead of records when its journal cannot be read."""

    task_id: str
    records: tuple[Record, ...]
    view: TaskView
    error: PuiError | None = None


@dataclass(frozen=True)
class RecoveryReport:
    """What was found and done for one task; `did` has a sentence per act."""

    task_id: str
    was_in: str
    did: tuple[str, ...]


def load_task(files: TaskFiles, task_id: str) -> StoredTask:
    """Never raises for a bad journal: such a task is shown with its error."""
    try:
        records = parse_journal(files.read_journal(task_id)).records
    except PuiError as fault:
        return StoredTask(task_id, (), TaskView(state="broken"), fault)
    return StoredTask(task_id, records, fold(records))


def identity_of(fields: Mapping[str, JsonValue]) -> ProcessIdentity | None:
    """The process that a record names, or None when it names none."""
    pid, ticks, executable = fields.get("pid"), fields.get("start_ticks"), fields.get("executable")
    if type(pid) is not int or type(ticks) is not int or not isinstance(executable, str):
        return None
    return ProcessIdentity(pid, ticks, executable)


def identity_record(identity: ProcessIdentity) -> dict[str, JsonValue]:
    """The fields by which a record names a process: the reverse of identity_of."""
    return {"pid": identity.pid, "start_ticks": identity.start_ticks, "executable": identity.executable}


def is_owned_by_running_app(view: TaskView, table: ProcessTable) -> bool:
    """True while the app that created the task is alive (pid and start time)."""
    owner = identity_of(view.app)
    return owner is not None and table.is_alive(owner)


def is_run_elsewhere(view: TaskView, table: ProcessTable) -> bool:
    """True for a stored task that another running app has at work."""
    return view.state not in OVER and is_owned_by_running_app(view, table)


def needs_recovery(task: StoredTask, table: ProcessTable) -> bool:
    """True for a task that is neither finished nor owned by an app that runs."""
    if task.error is not None or not task.records or task.view.state == "finished":
        return False
    return not is_owned_by_running_app(task.view, table)


def recover_all(
    files: TaskFiles, table: ProcessTable, clock: Clock, on_unclean: Callable[[], None] | None = None
) -> list[RecoveryReport]:
    """Recover every task that needs it. A second run right after finds nothing to do.

    `on_unclean` is called before the first one is touched, so that a second crash cannot lose the news.
    """
    stored = [load_task(files, task_id) for task_id in files.task_ids()]
    left = [task for task in stored if needs_recovery(task, table)]
    if left and on_unclean is not None:
        on_unclean()
    reports = [_recover(task.task_id, files, table, clock) for task in left]
    return [report for report in reports if report is not None]


def recover_task(
    files: TaskFiles, table: ProcessTable, clock: Clock, task_id: str, on_unclean: Callable[[], None] | None = None
) -> RecoveryReport | None:
    """The same for one task, of which the caller knows that its app is gone: read after that, its journal is final."""
    if not needs_recovery(load_task(files, task_id), table):
        return None
    if on_unclean is not None:
        on_unclean()
    return _recover(task_id, files, table, clock)


def _recover(task_id: str, files: TaskFiles, table: ProcessTable, clock: Clock) -> RecoveryReport | None:
    """None when another app does it at this moment, or has just done it."""
    with files.hold_journal(task_id) as is_ours:
        task = load_task(files, task_id)
        return _end(task, files, table, clock) if is_ours and needs_recovery(task, table) else None


def _end(task: StoredTask, files: TaskFiles, table: ProcessTable, clock: Clock) -> RecoveryReport:
    did = _end_orphans(task.view, table)
    did += [f"removed {name}" for name in files.remove_work_files(task.task_id)]
    files.remove_runtime_dir(task.task_id)
    journal = TaskJournal(files.journal(task.task_id), clock, task.records)
    try:
        _write_end(journal, task, did)
    finally:
        journal.close()
    return RecoveryReport(task.task_id, task.view.state, tuple(did))


def _write_end(journal: TaskJournal, task: StoredTask, did: list[str]) -> None:
    cause = task.view.last_seq
    journal.write("recovered", cause, {"was_in": task.view.state, "did": list(did)})
    if task.view.outcome is None:
        info = CODES["task.app_ended"]
        message = f"the app ended while the task was in the state {task.view.state}"
        fields: dict[str, JsonValue] = {"result": "failed", "code": "task.app_ended", "message": message}
        journal.write("outcome", cause, fields | {"hint": info.hint})


def _end_orphans(view: TaskView, table: ProcessTable) -> list[str]:
    """Newest first, as teardown would have done it."""
    did = []
    for name, record in reversed(list(view.held.items())):
        identity = identity_of(record.fields)
        if identity is not None and table.kill(identity):
            did.append(f"ended {name} (process {identity.pid})")
    return did
