"""A story as a script: what happens, and exactly which journal records follow. A surplus or missing record fails.

In: a Supervisor with its task, steps. Out: assertions; `check_over` for what must hold at every end of a task.
Never: a sleep that is not bounded by a deadline.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from pui.domain.journal import RECORD_TYPES, Record, TaskView, fold, parse_journal
from pui.ports import TaskFiles
from pui.supervisor.supervisor import Supervisor
from tests.support.simulated import settle

LIMIT_S = 15.0
KEPT_FILES = {
    "journal.jsonl",
    "transcript.jsonl",
    "session.jsonl",
    "qemu.log",
    "serial.log",
    "changes.diff",
    "changes.json",
    "qmp.jsonl",
    "serial.log.muted",
}

Deed = Callable[[], object]


def short(record: Record) -> str:
    """One record as a line of a playbook."""
    fields = record.fields
    match record.type:
        case "event":
            what = {"triggered": fields.get("trigger"), "failed": fields.get("code")}.get(str(fields["event"]))
            return f"event {fields['event']} {what}" if what else f"event {fields['event']}"
        case "transition":
            return f"{fields['from']} -> {fields['to']}"
        case "activity-started":
            return f"start {fields['activity']}"
        case "acquired" | "released" | "release-failed":
            return f"{ {'acquired': '+', 'released': '-'}.get(record.type, '!') } {fields['name']}"
        case "fact":
            facts = fields["facts"]
            assert isinstance(facts, dict)
            return "fact " + ",".join(sorted(facts))
        case "outcome":
            return f"outcome {fields['result']} {fields['code']}".strip()
        case _:
            return record.type


class Playbook:
    """Plays steps on one task. `expect` strings are those of `short`, one a record, none left out."""

    def __init__(self, supervisor: Supervisor, task_id: str) -> None:
        self._supervisor = supervisor
        self._task_id = task_id
        self._seen = 0

    @property
    def lines(self) -> list[str]:
        records, _ = self._supervisor.live(self._task_id).journal.feed.since(self._seen)
        return [short(record) for record in records]

    async def step(self, deed: Deed | None, *expected: str) -> None:
        """Do `deed`; then exactly `expected` is recorded, and nothing more once all is quiet."""
        if deed is not None:
            outcome = deed()
            if isinstance(outcome, Awaitable):
                await outcome
        await until(lambda: len(self.lines) >= len(expected), lambda: f"{expected} never came, but {self.lines}")
        await settle()
        assert self.lines == list(expected)
        self._seen += len(expected)


async def until(condition: Callable[[], bool], what: Callable[[], str] | str, limit_s: float = LIMIT_S) -> None:
    """Wait for a condition that some other task or process brings about."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, what if isinstance(what, str) else what()
        await asyncio.sleep(0.005)


async def until_state(supervisor: Supervisor, task_id: str, state: str) -> None:
    live = supervisor.live(task_id)
    await until(
        lambda: live.runner.state == state or live.loop_task.done(),
        lambda: f"never in {state}, still in {live.journal.view.state}",
    )
    assert live.runner.state == state, f"never in {state}: {live.journal.view.outcome}"


def check_over(files: TaskFiles, task_id: str, shown: TaskView) -> tuple[Record, ...]:
    """What holds at the end of every task, read from the disk: order, causes, nothing held, nothing left."""
    parsed = parse_journal(files.read_journal(task_id))
    assert not parsed.is_torn
    assert fold(parsed.records) == shown, "the journal on disk says something else than what was shown"
    _check_causes(parsed.records)
    _check_order(parsed.records)
    assert not shown.held and shown.state == "finished"
    _check_files(files, task_id)
    return parsed.records


def _check_causes(records: Sequence[Record]) -> None:
    kinds = {record.seq: record.type for record in records}
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    for record in records:
        assert record.type in RECORD_TYPES
        if record.cause is None:
            assert record.type in {"created", "event"}, f"{record} has no cause"
        else:
            assert record.cause in kinds and record.cause < record.seq, f"{record} has no valid cause"


def _check_order(records: Sequence[Record]) -> None:
    """Released in exact reverse order, and only in teardown; transitions form one path."""
    acquired = [str(record.fields["name"]) for record in records if record.type == "acquired"]
    released = [str(record.fields["name"]) for record in records if record.type == "released"]
    assert len(set(acquired)) == len(acquired), "a resource was acquired twice under one name"
    assert released == acquired[::-1]
    state = "created"
    for record in records:
        if record.type == "transition":
            assert record.fields["from"] == state
            state = str(record.fields["to"])
        assert record.type != "released" or state == "teardown"


def _check_files(files: TaskFiles, task_id: str) -> None:
    folder = files.path(task_id, "journal.jsonl").parent
    left = {path.name for path in folder.iterdir()} - KEPT_FILES
    assert not {name for name in left if not name.startswith("virtiofsd-")}, f"left in the task's folder: {left}"


def files_below(folder: Path) -> list[str]:
    """Every name below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) if folder.exists() else []
