"""The real app over the real pack, in folders of its own, and a shell in its guest.

In: the person's installed pack (copied, never written to). Out: RealApp, a running task, commands run as the agent.
Never: the person's tasks, keys or folders.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pui.adapters.packs.store import InstalledPacks
from pui.adapters.packs.this_app import this_app
from pui.adapters.paths import ENV_CACHE_DIR, ENV_DATA_DIR, ENV_RUNTIME_DIR, AppPaths, app_paths
from pui.compose import App, composed_app
from pui.domain.facts import HostFacts, ShareVerdict
from pui.domain.journal import TaskView
from pui.domain.task import MountRequest, TaskSpec
from pui.ports import HostProbe, InstalledPack
from pui.supervisor.services import Services
from pui.supervisor.supervisor import LiveTask, Supervisor
from tests.support.app_process import supervisor_of
from tests.support.playbook import until

READY_WITHIN_S = 280.0
"""Longer than any limit of the chart under emulation, so that the task's own outcome is what a test sees."""
_KEY_VARIABLES = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "PUI_MODEL", "PUI_MODEL_BASE_URL", "PUI_API_KEY_FILE")

CPU_COUNT = 1
"""Under emulation QEMU 10.0 with two processors dies or stalls in about one boot of a hundred (iotlb_to_section, its
multi-threaded TCG; docs/performance.md). A suite of fifty boots needs better; `pui run` keeps two."""


@dataclass(frozen=True)
class RealApp:
    """Folders of an app that has the person's pack. `folder` holds everything and is short enough for sockets."""

    folder: Path

    @property
    def env(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if key not in _KEY_VARIABLES}
        names = {ENV_DATA_DIR: "data", ENV_CACHE_DIR: "cache", ENV_RUNTIME_DIR: "run"}
        return kept | {key: str(self.folder / name) for key, name in names.items()}

    @property
    def paths(self) -> AppPaths:
        return app_paths(self.env)

    @contextmanager
    def composed(self) -> Iterator[App]:
        with composed_app(dict(self.env)) as app:
            yield app

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "pui", *arguments]

    def project(self, name: str) -> Path:
        """A new folder that may be mounted, with one file."""
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))
        (folder / "README.md").write_text("# A sample\n\nhello\n")
        return folder


def real_app(folder: Path) -> RealApp:
    """The pack, the trusted keys and the probe's cached verdict copied into `folder`.

    A copy, not hard links: one more link changes the ctime that the store has recorded for the person's files.
    Raises SetupError when the person has no usable pack.
    """
    person = app_paths()
    InstalledPacks(person, this_app()).active()
    app = RealApp(folder)
    app.paths.data.mkdir(mode=0o700)
    for name in ("runtime", "trust"):
        copy = ["cp", "-a", "--reflink=auto", str(person.data / name), str(app.paths.data / name)]
        subprocess.run(copy, check=True)
    if person.probe_cache.exists():
        shutil.copy(person.probe_cache, app.paths.probe_cache)
    InstalledPacks(app.paths, this_app()).verify()
    return app


@dataclass(frozen=True)
class WithoutVirtiofs:
    """ports.HostProbe: the real verdicts, but no virtiofs."""

    real: HostProbe

    async def probe(self, pack: InstalledPack, *, refresh: bool = False) -> HostFacts:
        facts = await self.real.probe(pack, refresh=refresh)
        shares = tuple(
            ShareVerdict("virtiofs", False, "made unusable by a test") if share.kind == "virtiofs" else share
            for share in facts.shares
        )
        return replace(facts, shares=shares)


@dataclass(frozen=True)
class RunningTask:
    """A task of the supervisor in this process. `live.session` talks to pi."""

    supervisor: Supervisor
    services: Services
    live: LiveTask

    @property
    def view(self) -> TaskView:
        return self.live.journal.view

    async def until_hello(self) -> None:
        await until(
            lambda: "guest" in self.view.facts or self.live.loop_task.done(), "no hello", limit_s=READY_WITHIN_S
        )
        assert "guest" in self.view.facts, f"{self.view.outcome}"

    async def until_running(self) -> None:
        live = self.live
        await until(
            lambda: live.runner.state == "running" or live.loop_task.done(), "never ran", limit_s=READY_WITHIN_S
        )
        assert live.runner.state == "running", f"{self.view.outcome}"

    async def sh(self, command: str) -> tuple[int, str]:
        """Run a command as the agent in its workspace: exit code and output."""
        async with asyncio.timeout(120):
            answer = await self.live.session.ask("bash", command=command)
        return int(str(answer.get("exitCode"))), str(answer.get("output"))

    async def finish(self) -> TaskView:
        """Cancel it if it still runs, and wait for the end."""
        if not self.live.loop_task.done():
            self.supervisor.trigger(self.live.task_id, "cancel")
        return await asyncio.wait_for(self.supervisor.wait(self.live.task_id), READY_WITHIN_S)


def begin(services: Services, folders: Mapping[Path, bool], prompt: str) -> RunningTask:
    """A started task; `folders` maps a folder to whether it is read-only."""
    supervisor = supervisor_of(services)
    mounts = tuple(MountRequest(folder, read_only) for folder, read_only in folders.items())
    task_id = supervisor.create(TaskSpec(prompt, mounts, cpu_count=CPU_COUNT))
    supervisor.trigger(task_id, "start")
    return RunningTask(supervisor, services, supervisor.live(task_id))


@asynccontextmanager
async def task_on(app: App, folders: Mapping[Path, bool], prompt: str = "@hang") -> AsyncIterator[RunningTask]:
    """A task whose model never answers (unless `prompt` says otherwise), so that it stays in `running`."""
    task = begin(app.services, folders, prompt)
    try:
        yield task
    finally:
        await task.finish()


def json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]
