"""The events of one QEMU's monitor, kept in a file of the task.

In: events, as the monitor takes them. Out: lines of qmp.jsonl. Never: more than EVENT_LIMIT of them, an open
descriptor, a task that ends because a disk is full: the app's log says then that events are missing.
"""

from __future__ import annotations

from pathlib import Path

import structlog

from pui.adapters.journal_file import JsonlFile
from pui.domain.errors import HostError
from pui.domain.qmp import QmpEvent
from pui.domain.qmp_log import EVENT_LIMIT, FULL, event_line


class EventLog:
    """A Monitor's witness is its `note`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._count = 0

    def note(self, event: QmpEvent) -> None:
        """Append one event; the one after the last that is kept says so."""
        self._count += 1
        if self._count > EVENT_LIMIT + 1:
            return
        try:
            file = JsonlFile(self._path)
            try:
                file.append(event_line(event if self._count <= EVENT_LIMIT else QmpEvent(FULL)), durable=False)
            finally:
                file.close()
        except HostError as fault:
            self._count = EVENT_LIMIT + 1
            structlog.get_logger().warning("events of QEMU are not kept any more", code=fault.code, why=fault.message)
