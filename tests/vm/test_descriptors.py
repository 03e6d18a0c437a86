"""A guest that opens files without end uses up the descriptors of its own mount server, and of nothing else.

In: a real machine for each way of sharing folders, the server's limit made small. Out: verdicts on the host's processes
and on what the machine can do afterwards. Never: a host whose own table is filled.
"""

from __future__ import annotations

import asyncio
import os
import resource
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.app_process import processes_of
from tests.support.playbook import check_over
from tests.support.real_machine import RealApp, WithoutVirtiofs, begin

pytestmark = pytest.mark.vm

LIMIT = 400
"""More than a server needs for itself, far fewer than the guest opens."""
GREEDY = """
import errno, os
held, fault = [], 0
try:
    for number in range(3000):
        held.append(os.open(f"greedy/{number}", os.O_CREAT | os.O_RDWR))
except OSError as error:
    fault = error.errno
print(len(held), errno.errorcode.get(fault, "none"))
"""


def servers(folder: Path, kind: str) -> list[int]:
    program = {"virtiofs": "virtiofsd", "9p": "qemu-system"}[kind]
    return [pid for pid, words in processes_of(folder).items() if f"/qemu/bin/{program}" in words]


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@pytest.mark.parametrize("kind", ["virtiofs", "9p"])
@pytest.mark.threat("G12")
def test_greed_ends_at_the_servers_limit(real: RealApp, kind: str) -> None:
    project = real.project("greedy")
    (project / "greedy").mkdir()

    async def main() -> None:
        with real.composed() as app:
            services = app.services
            if kind == "9p":
                services = replace(services, host=WithoutVirtiofs(services.host))
            task = begin(services, {project: False}, "@hang")
            try:
                await task.until_running()
                assert (limited := servers(real.folder, kind))
                for pid in limited:
                    resource.prlimit(pid, resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
                (project / "greedy.py").write_text(GREEDY)
                _, said = await task.sh("ulimit -n $(ulimit -Hn); python3 greedy.py")
                for pid in limited:
                    assert descriptors(pid) <= LIMIT
                count, _, fault = said.strip().partition(" ")
                assert 0 < int(count) < LIMIT and fault == "EMFILE"
                code, said = await task.sh("rm -rf greedy && echo well > after.txt && cat after.txt")
                assert (code, said.strip()) == (0, "well")
            finally:
                view = await task.finish()
            check_over(app.files, task.live.task_id, view)
            assert view.outcome is not None and view.outcome.code == "task.cancelled"

    before = descriptors(os.getpid())
    asyncio.run(main())
    assert (project / "after.txt").read_text() == "well\n"
    assert descriptors(os.getpid()) == before
