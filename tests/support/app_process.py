"""The app with its real adapters over a fake pack: in this process, or as a program that a test may kill.

In: a base folder, a FakeScript. Out: Services; as a program one line a transition on stdout.
Never: a real QEMU, a folder outside the base.

`python -m tests.support.app_process BASE` runs one task on BASE/project with BASE/pack and prints its states.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pui.adapters.clock import SystemClock
from pui.adapters.folder_facts import HostFolders
from pui.adapters.folder_scan import HostFolderScanner
from pui.adapters.model.gateway import HttpModelGateway
from pui.adapters.mounts.virtiofsd import VirtiofsdServers
from pui.adapters.packs.store import InstalledPacks
from pui.adapters.paths import AppPaths
from pui.adapters.process import LinuxProcessStarter
from pui.adapters.process_table import LinuxProcessTable, own_identity
from pui.adapters.qemu.hypervisor import QemuHypervisor
from pui.adapters.qemu.img import QemuImages
from pui.adapters.qemu.probe import LinuxHostProbe, ProbeSettings
from pui.adapters.task_files import TaskFolders
from pui.adapters.transport import UnixTransport
from pui.domain.facts import HostFacts
from pui.domain.model_policy import DEMO_CHOICE
from pui.domain.task import MountRequest, TaskSpec
from pui.ports import Clock, HostProbe, InstalledPack, PackStore
from pui.resources import load_chart
from pui.supervisor.services import Services
from pui.supervisor.supervisor import Supervisor
from tests.support.fake_guest import FakeScript
from tests.support.fake_qemu import make_fake_pack, write_script
from tests.support.machines import LINUX, fake_installed_pack
from tests.support.pack_simulator import APP
from tests.support.simulated_ports import FACTS, NO_VIRTIOFS

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Base:
    """The folders of one app under one short path: the pack, the person's project, the app's own."""

    folder: Path

    @property
    def pack(self) -> Path:
        """Where the store would have it, so that its lock is real too."""
        return self.paths.packs_dir / "linux-x86_64-1-000000000000"

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def paths(self) -> AppPaths:
        app = self.folder / "app"
        return AppPaths(app / "data", app / "cache", app / "run")

    def prepare(self, script: FakeScript | None = None) -> Base:
        """A fake pack that plays `script`, a project with one file."""
        if not self.pack.exists():
            make_fake_pack(self.pack)
            self.project.mkdir()
            (self.project / "README.md").write_text("hello\n")
        write_script(self.pack, script or FakeScript())
        return self

    @property
    def spec(self) -> TaskSpec:
        return TaskSpec("make it better", (MountRequest(self.project),))


@dataclass(frozen=True)
class FixedPack:
    """ports.PackStore: the fake pack, whose files no manifest lists."""

    root: Path

    def active(self) -> InstalledPack:
        return fake_installed_pack(self.root)


@dataclass(frozen=True)
class FixedFacts:
    """ports.HostProbe: what it is told."""

    facts: HostFacts

    async def probe(self, pack: InstalledPack, *, refresh: bool = False) -> HostFacts:
        return self.facts


def fixed_facts(share: str) -> FixedFacts:
    """A computer with KVM on which folders are shared in this way."""
    return FixedFacts(FACTS if share == "virtiofs" else NO_VIRTIOFS)


def real_probe(paths: AppPaths, clock: Clock, *, allow_tcg: bool) -> LinuxHostProbe:
    """The real probe; what it starts is the fake pack's."""
    settings = ProbeSettings("0.1.0", allow_tcg, lambda _: None)
    return LinuxHostProbe(LinuxProcessStarter(), UnixTransport(), paths, LINUX, clock, settings)


def real_services(
    base: Base,
    *,
    share: str = "9p",
    clock: Clock | None = None,
    packs: PackStore | None = None,
    host: HostProbe | None = None,
    machine_limit: int = 4,
    tcg_is_allowed: bool = False,
) -> Services:
    """Everything real but the pack's programs and, unless given, the verdicts on the computer."""
    paths, starter, transport = base.paths, LinuxProcessStarter(), UnixTransport()
    paths.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Services(
        packs=packs or FixedPack(base.pack),
        pack_lock=InstalledPacks(paths, APP),
        host=host or fixed_facts(share),
        disks=QemuImages(starter, LINUX),
        hypervisor=QemuHypervisor(starter, transport),
        mount_servers=VirtiofsdServers(starter, LINUX),
        transport=transport,
        files=TaskFolders(paths),
        folders=HostFolders(paths, LINUX),
        scanner=HostFolderScanner(),
        clock=clock or SystemClock(),
        process_table=LinuxProcessTable(),
        app=own_identity(),
        model=DEMO_CHOICE,
        new_gateway=HttpModelGateway,
        new_task_id=lambda: f"t-{secrets.token_hex(4)}",
        random_bytes=secrets.token_bytes,
        machine_limit=machine_limit,
        tcg_is_allowed=tcg_is_allowed,
    )


def supervisor_of(services: Services) -> Supervisor:
    return Supervisor(services, load_chart("task"), load_chart("agent"))


def processes_of(folder: Path, *, but: Sequence[int] = ()) -> dict[int, str]:
    """Every living process with `folder` in its argument list: pid -> argument list."""
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) in (os.getpid(), *but):
            continue
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if str(folder) in words:
            found[int(entry.name)] = words
    return found


@contextmanager
def app_program(base: Base) -> Iterator[subprocess.Popen[str]]:
    """The app as a process of its own; killed at the end if it still lives."""
    words = [sys.executable, "-m", "tests.support.app_process", str(base.folder)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_state(process: subprocess.Popen[str], state: str) -> None:
    """Read what the program says until it is in `state`."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line.strip())
        if said[-1] == state:
            return
    raise AssertionError(f"the app never came to {state}; it said {said}")


async def _main(base: Base) -> None:
    clock = SystemClock()
    host = real_probe(base.paths, clock, allow_tcg=True)
    share = "virtiofs" if (base.folder / "virtiofs").exists() else "9p"
    services = real_services(base, share=share, clock=clock, tcg_is_allowed=True)
    if (base.folder / "real-probe").exists():
        services = replace(services, host=host)
    supervisor = supervisor_of(services)
    task_id = supervisor.create(base.spec)
    print("created", flush=True)
    if not (base.folder / "do-not-start").exists():
        supervisor.trigger(task_id, "start")
    feed, cursor = supervisor.live(task_id).journal.feed, 0
    while await feed.wait(cursor):
        records, cursor = feed.since(cursor)
        for record in records:
            if record.type == "transition":
                print(record.fields["to"], flush=True)
                if record.fields["to"] == "running" and (base.folder / "cancel-when-running").exists():
                    supervisor.trigger(task_id, "cancel")
    await supervisor.wait(task_id)


if __name__ == "__main__":
    asyncio.run(_main(Base(Path(sys.argv[1]))))
