"""A cache volume in real machines: what one task puts there the next one of the folder finds, another folder's not.

In: the real pack. Out: what the guest reads. Never: a look at the volume's file system from the host.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pui.adapters.qemu.cache_volumes import CacheFolder
from pui.compose import App
from pui.domain.task import MountRequest, TaskSpec
from tests.support.real_machine import CPU_COUNT, RealApp, RunningTask

pytestmark = pytest.mark.vm

WRITE = (
    "mkdir -p $npm_config_cache && echo kept > $npm_config_cache/note && stat -c %U /cache && df -m /cache | tail -1"
)


async def in_task(app: App, folder: Path, *commands: str) -> tuple[list[tuple[int, str]], str]:
    """Commands as the agent in one task with a cache: exit codes, outputs, and what was told about the cache."""
    spec = TaskSpec("@hang", (MountRequest(folder),), cpu_count=CPU_COUNT, cache=True)
    task_id = app.supervisor.create(spec)
    app.supervisor.trigger(task_id, "start")
    task = RunningTask(app.supervisor, app.services, app.supervisor.live(task_id))
    try:
        await task.until_running()
        return [await task.sh(command) for command in commands], str(task.view.facts.get("cache"))
    finally:
        await task.finish()


def test_what_a_task_keeps_the_next_one_of_its_folder_finds(real: RealApp) -> None:
    async def main() -> None:
        with real.composed() as app:
            mine, other = real.project("mine"), real.project("other")
            ((code, output),), told = await in_task(app, mine, WRITE)
            assert code == 0 and output.startswith("agent\n"), output
            assert "new, empty" in told
            ((code, output),), told = await in_task(app, mine, "cat /cache/npm/note; grep ' /cache ' /proc/mounts")
            assert code == 0 and output.startswith("kept\n") and "nosuid,nodev" in output, output
            assert "earlier tasks" in told
            ((code, _),), told = await in_task(app, other, "cat /cache/npm/note")
            assert code != 0 and "new, empty" in told
            assert len(CacheFolder(app.paths).stored()) == 2

    asyncio.run(main())
