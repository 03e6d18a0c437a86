"""Fifty launches and teardowns in one app: nothing grows.

In: the real adapters over the fake pack. Out: counts before and after. Never: a limit on time.
"""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from tests.support.app_process import Base, processes_of, real_services, supervisor_of
from tests.support.fake_guest import FakeScript
from tests.support.playbook import check_over, files_below

CYCLES = 50
WARM_UP = 5
RSS_LIMIT_BYTES = 8 * 1024 * 1024
"""What Python's allocator may keep; one leaked task (its journal, session and feeds) would be about 0.3 MiB."""


def rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def counts(base: Base) -> tuple[int, int, int, int]:
    """Descriptors, threads, processes of the task, asyncio tasks."""
    fds = len(list(Path("/proc/self/fd").iterdir()))
    return fds, threading.active_count(), len(processes_of(base.folder)), len(asyncio.all_tasks())


@pytest.mark.threat("J7")
def test_fifty_cycles_leave_nothing_behind(base: Base) -> None:
    base.prepare(FakeScript(recording="net-offline-prompt"))

    async def main() -> None:
        services = real_services(base)
        supervisor = supervisor_of(services)
        before, rss_before = (0, 0, 0, 0), 0
        for number in range(CYCLES):
            task_id = supervisor.create(base.spec)
            supervisor.trigger(task_id, "start")
            view = await asyncio.wait_for(supervisor.wait(task_id), 60)
            check_over(services.files, task_id, view)
            if number == WARM_UP:
                before, rss_before = counts(base), rss_bytes()
        assert counts(base) == before
        assert rss_bytes() - rss_before < RSS_LIMIT_BYTES
        assert files_below(base.paths.runtime) == []
        assert len(services.files.task_ids()) == CYCLES

    asyncio.run(main())
