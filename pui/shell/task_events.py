"""Tells the page what becomes of tasks: rows of all of them, and everything of those it has open.

In: the supervisor's news, feeds of open tasks. Out: events `task`, `task_removed`, `record`, `entry`, `agent`,
`notice` on the desk. Never: an event of a task that no page has open, a wait that holds up a task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from pui.domain.events import JsonValue
from pui.domain.rpc import Notice
from pui.domain.scrub import scrub_text
from pui.domain.transcript import Change, coalesce
from pui.domain.views import entry_view, record_view
from pui.shell.desk import Desk
from pui.supervisor.board import OpenTask, TaskBoard
from pui.supervisor.feed import Feed
from pui.supervisor.session import OddBytes, SessionEvent
from pui.supervisor.supervisor import LiveTask
from pui.supervisor.watching import log_fault

FLUSH_S = 0.03
"""How long news is gathered, so that a burst is one event."""
ROW_FLUSH_S = 0.1
NOTICE_LIMIT, NOTICE_LIMIT_CHARS = 10, 4000
"""notify() of an extension: this many in one flush, the others are not shown."""


class TaskEvents:
    """Of one desk. `start` once its loop runs; the work ends with the supervisor's feeds."""

    def __init__(self, desk: Desk, board: TaskBoard) -> None:
        self._desk = desk
        self._board = board
        self._rows: asyncio.Task[None] | None = None
        self._open: dict[str, list[asyncio.Task[None]]] = {}

    def start(self) -> None:
        """Follow the news of all tasks from now on. Idempotent."""
        if self._rows is None or self._rows.done():
            self._rows = asyncio.create_task(self._follow_rows(self._desk.supervisor.news.end), name="task-rows")
            self._rows.add_done_callback(log_fault("events of tasks ended"))

    def open(self, task_id: str, shown: OpenTask) -> None:
        """Follow one task from behind what the page was given; what followed it before ends."""
        self.close(task_id)
        self._desk.open_tasks.add(task_id)
        if shown.live is not None:
            following = [
                self._follow_journal(task_id, shown.live, shown.record_cursor),
                self._follow_session(task_id, shown.live, shown.event_cursor),
            ]
            self._open[task_id] = [self._begin(task_id, work) for work in following]

    def close(self, task_id: str) -> None:
        """The page has left the task."""
        self._desk.open_tasks.discard(task_id)
        for task in self._open.pop(task_id, []):
            task.cancel()

    def _begin(self, task_id: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=f"open-{task_id}")
        task.add_done_callback(log_fault("events of tasks ended"))
        return task

    async def _follow_rows(self, cursor: int) -> None:
        news = self._desk.supervisor.news
        while await news.wait(cursor):
            await asyncio.sleep(ROW_FLUSH_S)
            ids, cursor = news.since(cursor)
            for task_id in dict.fromkeys(ids):
                row = self._board.row(task_id)
                if row is not None:
                    self._desk.tell("task", row=row)
                elif task_id not in self._desk.supervisor.task_ids():
                    self._desk.tell("task_removed", task_id=task_id)

    async def _follow_journal(self, task_id: str, live: LiveTask, cursor: int) -> None:
        feed = live.journal.feed
        while await self._gathered(task_id, feed, cursor):
            records, cursor = feed.since(cursor)
            for record in records:
                self._desk.tell("record", task_id=task_id, record=record_view(record))

    async def _follow_session(self, task_id: str, live: LiveTask, cursor: int) -> None:
        feed = live.session.feed
        while await self._gathered(task_id, feed, cursor):
            events, cursor = feed.since(cursor)
            self._tell_session(task_id, live, events)

    async def _gathered(self, task_id: str, feed: Feed[Any], cursor: int) -> bool:
        """False when nothing more follows: the task is over, or the page has greeted anew and opened nothing yet."""
        if not await feed.wait(cursor):
            return False
        await asyncio.sleep(FLUSH_S)
        if task_id not in self._desk.open_tasks:
            return False
        if cursor < feed.first:  # more came than is kept: the page has to ask for the whole again
            self._desk.tell("resync")
        return True

    def _tell_session(self, task_id: str, live: LiveTask, events: Sequence[SessionEvent]) -> None:
        tell = self._desk.tell
        for change in coalesce(event for event in events if isinstance(event, Change)):
            tell(
                "entry",
                task_id=task_id,
                entry=entry_view(change.entry),
                delta=change.delta,
                is_replaced=change.is_replaced,
            )
        notices = [event for event in events if isinstance(event, Notice) and event.method == "notify"]
        for notice in notices[:NOTICE_LIMIT]:
            tell("notice", task_id=task_id, method="notify", text=_notice_text(notice))
        if any(not isinstance(event, Change | OddBytes) for event in events):
            tell("agent", task_id=task_id, agent=live.session.panel.to_json())


def _notice_text(notice: Notice) -> JsonValue:
    text = notice.fields.get("message")
    return scrub_text(text[: NOTICE_LIMIT_CHARS * 2])[:NOTICE_LIMIT_CHARS] if isinstance(text, str) else ""
