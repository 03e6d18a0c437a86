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

    def slept_s(self) -> float:
        """clock_gettime(2): CLOCK_BOOTTIME is CLOCK_MONOTONIC and the time of sleep. macOS and Windows do not tell."""
        boottime = getattr(time, "CLOCK_BOOTTIME", None)
        return 0.0 if boottime is None else time.clock_gettime(boottime) - time.clock_gettime(time.CLOCK_MONOTONIC)

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
