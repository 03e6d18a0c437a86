"""Notices that the computer has slept.

In: a clock. Out: a call after each sleep, with how long it was. Never: a guess from a late timer (a busy computer is
not one that slept).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NoReturn

from pui.ports import Clock

LOOK_EVERY_S = 5.0
TOLD_FROM_S = 1.0


async def follow_sleep(clock: Clock, woken: Callable[[float], Awaitable[None]]) -> NoReturn:
    """Wait for `woken(slept_s)` after each sleep of at least a second; until it is cancelled."""
    before_s = clock.slept_s()
    while True:
        await clock.sleep(LOOK_EVERY_S)
        now_s = clock.slept_s()
        if now_s - before_s >= TOLD_FROM_S:
            await woken(now_s - before_s)
        before_s = now_s
