"""The window's carrier: texts from the page to the router, replies and events back as scripts.

In: texts on the GUI's thread. Out: scripts for the back end. Never: a thread per call, a walk over attributes, more
waiting texts than the limit says, a second batch of events while the page still works on the first.
"""

from __future__ import annotations

import asyncio
import queue
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pui.domain.bridge_call import call_script, to_ascii_json
from pui.domain.events import JsonValue

if TYPE_CHECKING:  # the bridge is there before the app is imported
    from pui.shell.event_feed import EventFeed
    from pui.shell.router import Router
    from pui.shell.window_kit import WindowKit

TEXT_LIMIT = 256
"""Texts that wait for the loop; the router's own limits are below it."""
SCRIPT_DEADLINE_S = 10.0
GREETED = "the page has its whole state"
"""In the app's log: from here on the window can be used (tests/benchmarks/window.py waits for it)."""
REPLY, EVENTS = "pui._reply", "pui._events"


class WindowBridge:
    """`take` belongs to the GUI's thread, everything else to the supervisor's loop."""

    def __init__(self, kit: WindowKit, post: Callable[..., Any]) -> None:
        self._kit = kit
        self._post = post
        self._texts: queue.Queue[str] = queue.Queue(TEXT_LIMIT)
        self._router: Router | None = None
        self._feed: EventFeed | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._first_call_s = 0.0

    def take(self, text: str) -> None:
        """One text from the page. A flood is dropped: a page of ours has at most 64 calls open."""
        self._first_call_s = self._first_call_s or time.monotonic()
        try:
            self._texts.put_nowait(text)
        except queue.Full:
            return
        self._post(self._answer_waiting)

    def begin(self, router: Router, feed: EventFeed) -> None:
        """From now on calls are answered, those that wait already first."""
        self._router, self._feed = router, feed
        self._start(self._pump(feed))
        self._answer_waiting()

    async def end(self) -> None:
        """Calls that are still being answered are dropped."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _answer_waiting(self) -> None:
        while self._router is not None:
            try:
                text = self._texts.get_nowait()
            except queue.Empty:
                return
            self._start(self._answer(self._router, text))

    async def _answer(self, router: Router, text: str) -> None:
        reply = await router.answer(text)
        if reply is None:
            return
        script = call_script(REPLY, to_ascii_json(reply))
        if not _is_greeting(reply):
            self._kit.post_script(script, lambda: None)
            return
        self._kit.post_script(script, lambda: self._post(self._log_greeted))
        if self._feed is not None:
            self._feed.release()

    async def _pump(self, feed: EventFeed) -> None:
        async for batch in feed.follow(feed.cursor):
            if batch is not None:
                await self._deliver(call_script(EVENTS, f"[{','.join(batch)}]"))

    async def _deliver(self, script: str) -> None:
        """Until the page has taken it; a page that hangs or reloads is not waited for without end."""
        taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def settle() -> None:
            if not taken.done():
                taken.set_result(None)

        self._kit.post_script(script, lambda: self._post(settle))
        try:
            async with asyncio.timeout(SCRIPT_DEADLINE_S):
                await taken
        except TimeoutError:
            _log(f"the page did not take a batch of events within {SCRIPT_DEADLINE_S} s")

    def _log_greeted(self) -> None:
        _log(GREETED, after_its_first_call_ms=round((time.monotonic() - self._first_call_s) * 1000))

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _log(sentence: str, **fields: object) -> None:
    import structlog  # late, with the app: its import is slow

    structlog.get_logger().info(sentence, **fields)


def _is_greeting(reply: dict[str, JsonValue]) -> bool:
    """app.hello alone answers with a cursor: what follows it may go out now."""
    result = reply.get("result")
    return isinstance(result, dict) and "cursor" in result
