"""Tasks that another pui of this person runs (`pui run` beside the window): followed by their files.

In: sizes and times of the files of tasks, the process table. Out: news of tasks whose files changed; an end for tasks
whose app has died. Never: a write to a task that another app runs, a look at its processes but for its owner's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import structlog

from pui.domain.errors import PuiError
from pui.domain.journal import TaskView
from pui.domain.views import OVER
from pui.supervisor.board import TaskBoard
from pui.supervisor.recovery import is_owned_by_running_app
from pui.supervisor.services import Services
from pui.supervisor.supervisor import Supervisor
from pui.supervisor.watching import log_fault

LOOK_INTERVAL_S = 2.0

Stamps = Mapping[str, tuple[int, ...]]


class Neighbours:
    """One per app. `is_followed` says whether somebody sees the list: else nobody looks."""

    def __init__(self, supervisor: Supervisor, services: Services, board: TaskBoard) -> None:
        self._supervisor = supervisor
        self._services = services
        self._board = board
        self._known: Stamps | None = None
        self._running: dict[str, TaskView] = {}
        self._task: asyncio.Task[None] | None = None
        self.is_followed: Callable[[], bool] = lambda: True

    def start(self) -> None:
        """Look every LOOK_INTERVAL_S from now on, until `close`."""
        if self._task is None:
            self._task = asyncio.create_task(self._follow(), name="neighbours")
            self._task.add_done_callback(log_fault("tasks of other apps are not followed any more"))

    async def close(self) -> None:
        """Idempotent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def look(self) -> None:
        """One round: what changed since the last one is news, whose app died is ended as at a start of pui."""
        stamps = await asyncio.to_thread(self._services.files.task_stamps)
        known, self._known = self._known, stamps
        changed = stamps.keys() if known is None else _changed(known, stamps)
        strange = [task_id for task_id in changed if self._supervisor.find_live(task_id) is None]
        for task_id in strange:
            if known is not None:
                self._supervisor.forget(task_id)
            await self._sort(task_id)
        table = self._services.process_table
        for task_id in [id_ for id_, view in self._running.items() if not is_owned_by_running_app(view, table)]:
            await self._end(task_id)

    async def _follow(self) -> None:
        while True:
            if self.is_followed():
                await self.look()
            await self._services.clock.sleep(LOOK_INTERVAL_S)

    async def _sort(self, task_id: str) -> None:
        """Is it one whose owner has to be watched? It may be dead by now: that is seen next."""
        view = (await asyncio.to_thread(self._supervisor.load, task_id)).view
        if view.state in OVER:
            self._running.pop(task_id, None)
        else:
            self._running[task_id] = view

    async def _end(self, task_id: str) -> None:
        """Its owner is gone and writes no more: the task is ended as at a start of pui, and compared."""
        del self._running[task_id]
        try:
            if self._supervisor.recover_one(task_id) is not None:
                await self._board.changes(task_id)
        except PuiError as fault:
            log = structlog.get_logger()
            log.warning("a task of a dead app was not ended", task_id=task_id, code=fault.code, reason=fault.message)


def _changed(known: Stamps, stamps: Stamps) -> set[str]:
    """New, gone, or written to."""
    return {task_id for task_id in known.keys() | stamps.keys() if known.get(task_id) != stamps.get(task_id)}
