"""Waits for something that another process does, with a deadline and a name.

In: a condition. Out: nothing, or an AssertionError that says what never happened. Never: a measured time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.01)


def state_of(pid: int) -> bytes:
    """The letter of proc_pid_stat(5): R, S, D, T, Z ...; X for one that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return b"X"


def is_running(pid: int) -> bool:
    """True for a process that is neither gone nor a zombie."""
    return state_of(pid) not in (b"Z", b"X")
