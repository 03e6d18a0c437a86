"""The real clock tells how long the computer has slept.

In: a time namespace (time_namespaces(7)) whose CLOCK_BOOTTIME is ahead. Out: verdicts. Never: a sleep.
"""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from pui.adapters.clock import SystemClock

SAY = "from pui.adapters.clock import SystemClock; print(SystemClock().slept_s())"


def test_it_follows_the_system() -> None:
    slept_s = time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
    assert SystemClock().slept_s() == pytest.approx(slept_s, abs=0.5)


@pytest.mark.threat("J6")
def test_a_sleep_is_told() -> None:
    before_s = SystemClock().slept_s()
    in_namespace = ["unshare", "--map-root-user", "--time", "--boottime", "7200", "--fork", sys.executable, "-c", SAY]
    done = subprocess.run(in_namespace, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) - before_s == pytest.approx(7200, abs=0.5)


def test_a_system_that_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(time, "CLOCK_BOOTTIME")
    assert SystemClock().slept_s() == 0.0
