"""Tells a person who looks elsewhere that a task needs them, is done, or failed.

In: news of this app's tasks, whether the person is at the page, settings. Out: notifications; a click as a task id.
Never: a notification about a task of another app, one while the person is at the page, an action.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any

import structlog

from pui.domain.errors import HostError
from pui.domain.events import JsonValue
from pui.domain.notifications import Notification, decide_notification, is_wanted
from pui.ports import Clock, Notifier
from pui.ports.upkeep import SettingsStore
from pui.supervisor.board import TaskBoard
from pui.supervisor.supervisor import Supervisor
from pui.supervisor.watching import log_fault

GATHER_S = 1.0
"""How long a notification is held: what is over within it (a question answered at once) is not shown."""
QUIET_S = 10.0
"""A guest that asks again and again is heard at this pace, one notification a task."""

Row = Mapping[str, JsonValue]


class Attention:
    """One per app. `open_task` is called with the task whose notification was clicked; `is_followed` says whether a
    page is there at all."""

    def __init__(self, supervisor: Supervisor, notifier: Notifier, settings: SettingsStore, clock: Clock) -> None:
        self._supervisor = supervisor
        self._notifier = notifier
        self._settings = settings
        self._clock = clock
        self._rows: dict[str, Row] = {}
        self._held: dict[str, Notification] = {}
        self._shown_s: dict[str, float] = {}
        self._is_here = False
        self._work: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None
        self.open_task: Callable[[str], None] = lambda task_id: None
        self.is_followed: Callable[[], bool] = lambda: True

    def start(self, board: TaskBoard) -> None:
        """Follow what is news from now on, until `close`."""
        if self._task is None:
            self._notifier.on_click = lambda task_id: self.open_task(task_id)
            self._task = asyncio.create_task(self._follow(board, self._supervisor.news.end), name="attention")
            self._task.add_done_callback(log_fault("notifications ended"))

    async def close(self) -> None:
        """Idempotent; nothing stays on the desktop, where a click would lead nowhere."""
        left = [*self._work] if self._task is None else [self._task, *self._work]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        self._task = None
        await self._notifier.close()

    async def problem(self) -> str:
        """Why nobody can be notified on this computer, in words; "" when it works."""
        return await self._notifier.problem()

    def set_presence(self, *, is_here: bool) -> None:
        """The page has the focus, or lost it. Who comes back needs no notification any more."""
        self._is_here = is_here
        if is_here and self._shown_s:
            self._shown_s.clear()
            self._begin(self._withdraw())

    async def _follow(self, board: TaskBoard, cursor: int) -> None:
        news = self._supervisor.news
        while await news.wait(cursor):
            ids, cursor = news.since(cursor)
            for task_id in dict.fromkeys(ids):
                self._look(board, task_id)

    def _look(self, board: TaskBoard, task_id: str) -> None:
        """What an app finds on disk is not news of its own; a task that it runs is, from its beginning."""
        row, before = board.row(task_id), self._rows.pop(task_id, None)
        if row is None:
            self._held.pop(task_id, None)
            return
        self._rows[task_id] = row
        if self._supervisor.find_live(task_id) is None:
            return
        found = decide_notification(before, row)
        if found is not None:
            if not self._held:
                self._begin(self._show_held())
            self._held[task_id] = found
        elif not row["needs_you"] and not row["is_over"]:
            self._held.pop(task_id, None)

    async def _show_held(self) -> None:
        await self._clock.sleep(GATHER_S)
        held, self._held = self._held, {}
        for found in held.values():
            if self._may_show(found):
                await self._show(found)

    def _may_show(self, found: Notification) -> bool:
        if self._is_here and self.is_followed():
            return False
        shown_s = self._shown_s.get(found.task_id)
        is_quiet = shown_s is not None and self._clock.monotonic_s() - shown_s < QUIET_S
        return is_wanted(self._settings.current(), found.kind) and not (is_quiet and found.kind == "needs_you")

    async def _show(self, found: Notification) -> None:
        self._shown_s[found.task_id] = self._clock.monotonic_s()
        try:
            await self._notifier.show(found)
        except HostError as fault:
            structlog.get_logger().info("nobody could be notified", task_id=found.task_id, reason=fault.message)

    async def _withdraw(self) -> None:
        with suppress(HostError):  # a desktop that is gone shows nothing
            await self._notifier.withdraw()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="attention-work")
        task.add_done_callback(log_fault("notifications ended"))
        self._work.add(task)
        task.add_done_callback(self._work.discard)
