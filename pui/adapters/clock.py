"""The real clock. In: nothing. Out: time. Never: a decision."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """ports.Clock."""

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic_s(self) -> float:
        return time.monotonic()

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
