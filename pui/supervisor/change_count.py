"""How many files a running task has changed, kept fresh for the list and the tabs without a look per second.

In: words that pi has worked (a tool has ended, it has settled). Out: the fact `changes` of the journal.
Never: a count nobody gave a reason for, two within PAUSE_S, more than a twentieth of the time spent on counting.
"""

from __future__ import annotations

import asyncio

import structlog

from pui.domain.errors import PuiError
from pui.ports import Clock
from pui.supervisor.changes import FolderChanges
from pui.supervisor.task_journal import TaskJournal
from pui.supervisor.watching import log_fault

PAUSE_S = 10.0
COST_SHARE = 20
"""The pause after a count is at least so many times as long as the count took."""


class ChangeCount:
    """Of one task. `want` may be called as often as one likes; what `begin` returns works until it is cancelled."""

    def __init__(self, changes: FolderChanges, journal: TaskJournal, clock: Clock) -> None:
        self._changes = changes
        self._journal = journal
        self._clock = clock
        self._is_wanted = asyncio.Event()

    def want(self) -> None:
        """Something may have changed."""
        self._is_wanted.set()

    def begin(self, name: str) -> asyncio.Task[None]:
        """The work, as a task of the loop."""
        work = asyncio.create_task(self._run(), name=name)
        work.add_done_callback(log_fault("changes are not counted any more"))
        return work

    async def _run(self) -> None:
        """The first reason is followed at once, those that come in the pause after it at its end."""
        while True:
            await self._is_wanted.wait()
            self._is_wanted.clear()
            began_s = self._clock.monotonic_s()
            try:
                await self._count()
            except PuiError as fault:
                structlog.get_logger().warning("changes were not counted", code=fault.code, reason=fault.message)
            await self._clock.sleep(max(PAUSE_S, COST_SHARE * (self._clock.monotonic_s() - began_s)))

    async def _count(self) -> None:
        counts = await self._changes.count()
        known = self._journal.view.facts.get("changes")
        if counts is None or counts == known or (known is None and not counts["changed"]):
            return
        self._journal.write("fact", self._journal.view.last_seq, {"facts": {"changes": counts}})
