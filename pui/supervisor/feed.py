"""A growing list with cursors: how watchers follow a task without being called back.

In: items, appended by the one owner. Out: the items since a cursor. Never: a callback, a copy per watcher.
"""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Feed(Generic[Item]):
    """Items of one task in order. Keeps the newest `keep`; a cursor that is too old gets what is still there."""

    def __init__(self, keep: int = 20_000) -> None:
        self._items: list[Item] = []
        self._first = 0
        self._keep = keep
        self._changed = asyncio.Event()
        self._is_closed = False

    @property
    def first(self) -> int:
        """The cursor of the oldest item that is still there."""
        return self._first

    @property
    def end(self) -> int:
        """The cursor behind the newest item."""
        return self._first + len(self._items)

    def append(self, item: Item) -> None:
        """Add one item and wake the watchers."""
        self._items.append(item)
        surplus = len(self._items) - self._keep
        if surplus > self._keep // 10:  # in blocks, so that trimming stays cheap
            del self._items[:surplus]
            self._first += surplus
        self._wake()

    def close(self) -> None:
        """No more items will come; watchers get what is left and then return."""
        self._is_closed = True
        self._wake()

    def since(self, cursor: int) -> tuple[list[Item], int]:
        """Items from `cursor` on, and the cursor behind them."""
        start = max(cursor - self._first, 0)
        return self._items[start:], self._first + len(self._items)

    async def wait(self, cursor: int) -> bool:
        """Until there is something behind `cursor`; False when the feed is closed and exhausted."""
        while self._first + len(self._items) <= cursor:
            if self._is_closed:
                return False
            await self._changed.wait()
        return True

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
