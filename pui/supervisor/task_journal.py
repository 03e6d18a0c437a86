"""The journal of one running task: numbers each record, writes it, folds it, shows it.

In: facts to record. Out: the seq of the record, the TaskView so far, a feed. Never: a decision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from pui.domain.errors import HostError
from pui.domain.events import JsonValue
from pui.domain.journal import Record, TaskView, fold, fold_one
from pui.ports import Clock, JournalFile
from pui.supervisor.feed import Feed

DURABLE_TYPES = frozenset({"created", "acquired", "released", "outcome", "recovered"})


class TaskJournal:
    """Append-only. `view` is always the fold of what was recorded.

    A full disk must not keep teardown from running: records that cannot be written are kept, written with the next
    one that can, and `fault` says so; the runner then ends the task.
    """

    def __init__(self, file: JournalFile, clock: Clock, records: Iterable[Record] = ()) -> None:
        self._file = file
        self._clock = clock
        self._unwritten: list[Record] = []
        self.view: TaskView = fold(records)
        self.feed: Feed[Record] = Feed()
        self.fault: HostError | None = None
        self.on_fault: Callable[[], None] = lambda: None
        self.on_record: Callable[[], None] = lambda: None

    def write(self, type_: str, cause: int | None, fields: Mapping[str, JsonValue]) -> int:
        """Write one record before anything acts on it; returns its seq."""
        record = Record(self.view.last_seq + 1, self._clock.now_ns(), type_, cause, fields)
        self._unwritten.append(record)
        fault = self._write_out()
        self.view = fold_one(self.view, record)
        self.feed.append(record)
        self.on_record()
        if fault is not None and self.fault is None:
            self.fault = fault
            self.on_fault()
        return record.seq

    def close(self) -> None:
        """No more records; watchers end."""
        self._file.close()
        self.feed.close()

    def _write_out(self) -> HostError | None:
        try:
            while self._unwritten:
                record = self._unwritten[0]
                self._file.append(record.to_json(), durable=record.type in DURABLE_TYPES)
                del self._unwritten[0]
        except HostError as fault:
            return fault
        return None
