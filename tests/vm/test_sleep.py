"""After a sleep of the computer the clock of a real machine is right again.

In: a machine whose app has a clock that slept for two hours. Out: what `date` says in the guest. Never: a real sleep,
which no test can order.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from pui.adapters.clock import SystemClock
from pui.supervisor import sleep_watch
from tests.support.playbook import until
from tests.support.real_machine import RealApp, begin

pytestmark = pytest.mark.vm

SLEPT_S = 7200.0


class LaidDown(SystemClock):
    """The system's clock, and a sleep that a test adds."""

    added_s = 0.0

    def now_ns(self) -> int:
        return super().now_ns() + int(self.added_s * 1e9)

    def slept_s(self) -> float:
        return super().slept_s() + self.added_s


@pytest.mark.threat("J6")
def test_the_guest_has_the_time_of_day_again(real: RealApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sleep_watch, "LOOK_EVERY_S", 0.1)

    async def main() -> tuple[int, int]:
        clock = LaidDown()
        with real.composed() as app:
            task = begin(replace(app.services, clock=clock), {real.project("sleep"): False}, "@hang")
            try:
                await task.until_running()
                _, before = await task.sh("date +%s")
                clock.added_s = SLEPT_S
                await until(lambda: "slept_ms" in task.view.facts, "the sleep was not noticed", limit_s=60)
                await until(
                    lambda: "slept" in task.live.session.log.before(None, 1).entries[-1].text,
                    "nothing was told",
                    limit_s=60,
                )
                _, after = await task.sh("date +%s")
                return int(before), int(after)
            finally:
                await task.finish()

    before, after = asyncio.run(main())
    assert abs(before - time.time()) < 120
    assert abs(after - time.time() - SLEPT_S) < 120
