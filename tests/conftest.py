"""Fixtures for every test: a leak of threads, children, file descriptors or sockets fails the test that made it.

In: nothing. Out: an automatic fixture and `data_dir`. Never: a skip.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from pui.logs import drop_events

pytest_plugins = ["tests.support.security_record"]
settings.register_profile("pui", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("pui")  # no test may fail because the machine is busy
structlog.configure(processors=[drop_events])
# Children of tests print as those of a person do, into a pipe that Python buffers.
os.environ.pop("PYTHONUNBUFFERED", None)


def _children() -> set[int]:
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        try:
            found |= {int(pid) for pid in (task / "children").read_text().split()}
        except OSError:
            continue
    return found


def _descriptors() -> dict[str, str]:
    held: dict[str, str] = {}
    for link in Path("/proc/self/fd").iterdir():
        try:
            held[link.name] = str(link.readlink())
        except OSError:
            continue  # the descriptor of this very listing
    return held


def _leaks(threads: set[int | None], children: set[int], fds: dict[str, str]) -> list[str]:
    found = [f"thread {t.name}" for t in threading.enumerate() if t.ident not in threads]
    found += [f"child process {pid}" for pid in _children() - children]
    found += [f"descriptor {n} -> {to}" for n, to in _descriptors().items() if fds.get(n) != to]
    return found


@pytest.fixture(autouse=True)
def no_leaks() -> Iterator[None]:
    """Threads, children and descriptors after the test equal those before it (a short settling time allowed)."""
    threads: set[int | None] = {t.ident for t in threading.enumerate()}
    children, fds = _children(), _descriptors()
    yield
    deadline = time.monotonic() + 2.0
    while (leaks := _leaks(threads, children, fds)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not leaks, "left behind: " + "; ".join(leaks)


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A private data, cache and runtime folder, so that no test touches the person's own."""
    data = tmp_path / "data"
    monkeypatch.setenv("PUI_DATA_DIR", str(data))
    monkeypatch.setenv("PUI_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PUI_RUNTIME_DIR", str(tmp_path / "run"))
    return data
