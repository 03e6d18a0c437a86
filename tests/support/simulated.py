"""Simulated ports without I/O: time that moves when told, a journal in memory.

In: what a test says. Out: implementations of ports.Clock and ports.JournalFile. Never: real waiting.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

from pui.domain.errors import HostError


class SimulatedClock:
    """Time stands still until `advance`; sleepers wake in order of their deadlines."""

    def __init__(self) -> None:
        self._now_s = 1000.0
        self._slept_s = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now_ns(self) -> int:
        return int((self._now_s + self._slept_s) * 1e9)

    def monotonic_s(self) -> float:
        return self._now_s

    def slept_s(self) -> float:
        return self._slept_s

    async def sleep(self, delay_s: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._now_s + delay_s, future))
        await future

    def lay_down(self, slept_s: float) -> None:
        """The computer sleeps: the time of day goes on, no timer does."""
        self._slept_s += slept_s

    async def advance(self, delay_s: float) -> None:
        """Move time on and let everything that wakes up run to its next wait."""
        self._now_s += delay_s
        for deadline_s, future in sorted(self._sleepers, key=lambda sleeper: sleeper[0]):
            if deadline_s <= self._now_s and not future.done():
                future.set_result(None)
        self._sleepers = [sleeper for sleeper in self._sleepers if not sleeper[1].done()]
        await settle()


class MemoryJournal:
    """Records as the real journal would hold them; `full_from` makes the disk full from that record on."""

    def __init__(self, full_from: int | None = None) -> None:
        self.records: list[dict[str, object]] = []
        self.durable: list[bool] = []
        self.is_closed = False
        self.full_from = full_from

    def append(self, record: Mapping[str, object], *, durable: bool) -> None:
        if self.full_from is not None and len(self.records) >= self.full_from:
            raise HostError("host.disk_full", "no space left")
        if self.is_closed:
            raise HostError("host.permission", "the journal is closed")
        self.records.append(json.loads(json.dumps(record, allow_nan=False)))
        self.durable.append(durable)

    def close(self) -> None:
        self.is_closed = True

    def of(self, type_: str) -> list[dict[str, object]]:
        """Records of one type."""
        return [record for record in self.records if record["type"] == type_]


async def settle() -> None:
    """Let every task run until all of them wait for something outside."""
    for _ in range(50):
        await asyncio.sleep(0)
