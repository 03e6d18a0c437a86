"""Events on their way to the one page: bounded, merged, numbered as they leave.

In: events, appended on the supervisor's loop. Out: batches of JSON texts with gapless `seq`.
Never: a second listener, a thread, growth without limit: a page that does not read gets one `resync` instead.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from pui.domain.bridge_call import BATCH_LIMIT_BYTES, to_ascii_json
from pui.domain.events import JsonValue

Event = dict[str, JsonValue]

PENDING_LIMIT_BYTES = 16 * 1024 * 1024
PENDING_LIMIT_EVENTS = 50_000
MERGED_DELTA_LIMIT_CHARS = 64 * 1024
PACE_S = 0.016


class EventFeed:
    """One per app. Every method belongs to the supervisor's loop."""

    def __init__(self) -> None:
        self._pending: deque[str] = deque()  # events as JSON without their seq
        self._pending_bytes = 0
        self._tail: Event | None = None  # the newest event, still open for a merge
        self._last_seq = 0
        self._changed = asyncio.Event()
        self._is_closed = False
        self._is_held = False
        self._follower = 0  # the number of the newest one
        self._following = 0

    def append(self, event: Event) -> None:
        """Add one event: a dict with `type` and its fields, owned by the feed from now on."""
        if self._tail is not None and _merge(self._tail, event):
            return
        self._seal_tail()
        self._tail = event
        if self._pending_bytes > PENDING_LIMIT_BYTES or len(self._pending) > PENDING_LIMIT_EVENTS:
            self._drop()
            self._tail = {"type": "resync"}
        self._changed.set()

    @property
    def cursor(self) -> int:
        """The seq of the newest event that left."""
        return self._last_seq

    def mark(self) -> int:
        """The seq of the newest event so far, sent or not: what is appended from now on has a larger one."""
        self._seal_tail()
        return self._last_seq + len(self._pending)

    @property
    def is_followed(self) -> bool:
        return self._following > 0

    @property
    def was_followed(self) -> bool:
        return self._follower > 0

    def restart(self) -> int:
        """Forget what is pending, as the page asks for the whole state now.

        Returns the cursor: events with a larger seq follow, once `release` or a new follower says that the page
        has the answer.
        """
        self._drop()
        self._is_held = True
        return self._last_seq

    def release(self) -> None:
        """The page has its whole state: events may follow."""
        self._is_held = False
        self._changed.set()

    async def follow(self, after: int, keepalive_s: float | None = None) -> AsyncIterator[list[str] | None]:
        """Batches of JSON texts with their `seq`, at most one per PACE_S; None when `keepalive_s` passed without one.

        Ends when the feed is closed or another follower takes over. `after` is the listener's cursor: if it is not
        where the feed is, events were lost on the way and the listener is told to resync.
        """
        self._follower += 1
        mine = self._follower
        self.release()  # and an earlier follower ends
        if after != self._last_seq:
            self._drop()
            self.append({"type": "resync"})
        self._following += 1
        try:
            while mine == self._follower:
                if (self._pending or self._tail is not None) and not self._is_held:
                    yield self._take()
                    await asyncio.sleep(PACE_S)
                elif self._is_closed:
                    return
                else:
                    self._changed.clear()
                    if not await self._is_changed_within(keepalive_s):
                        yield None
        finally:
            self._following -= 1

    async def _is_changed_within(self, limit_s: float | None) -> bool:
        try:
            async with asyncio.timeout(limit_s):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """No more batches but those pending."""
        self._is_closed = True
        self._changed.set()

    def _take(self) -> list[str]:
        self._seal_tail()
        batch: list[str] = []
        size = 0
        while self._pending and (not batch or size + len(self._pending[0]) <= BATCH_LIMIT_BYTES - 32 * len(batch)):
            text = self._pending.popleft()
            self._pending_bytes -= len(text)
            size += len(text)
            self._last_seq += 1
            batch.append(f'{{"seq":{self._last_seq},{text[1:]}')
        return batch

    def _seal_tail(self) -> None:
        if self._tail is not None:
            text = to_ascii_json(self._tail)
            self._pending.append(text)
            self._pending_bytes += len(text)
            self._tail = None

    def _drop(self) -> None:
        self._pending.clear()
        self._pending_bytes = 0
        self._tail = None


def _merge(before: Event, event: Event) -> bool:
    """Append the delta of `event` to `before`, when both are text of the same entry that goes on streaming."""
    if event.get("type") != "entry" or not _is_streaming(event) or not _is_streaming(before):
        return False
    old, new = before["entry"], event["entry"]
    if not isinstance(old, dict) or not isinstance(new, dict):
        return False
    if (before.get("task_id"), old.get("key")) != (event.get("task_id"), new.get("key")):
        return False
    delta = f"{before['delta']}{event['delta']}"
    if len(delta) > MERGED_DELTA_LIMIT_CHARS:
        return False
    before.update(event, delta=delta)
    return True


def _is_streaming(event: Event) -> bool:
    entry = event.get("entry")
    if not isinstance(entry, dict) or entry.get("is_final") is True or event.get("is_replaced") is True:
        return False
    return isinstance(event.get("delta"), str) and event["delta"] != ""
