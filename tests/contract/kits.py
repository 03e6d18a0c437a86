"""The same handful of ports twice: real adapters over a fake pack, and the simulated ones that the stories run on.

In: a FakeScript. Out: a Kit. Never: an assertion (those are the same for both: test_ports.py), a fake of its own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from pui.adapters.journal_file import JsonlFile
from pui.adapters.mounts.virtiofsd import VirtiofsdServers
from pui.adapters.paths import AppPaths
from pui.adapters.process import LinuxProcessStarter
from pui.adapters.process_table import LinuxProcessTable
from pui.adapters.qemu.hypervisor import QemuHypervisor
from pui.adapters.qemu.img import QemuImages
from pui.adapters.task_files import TaskFolders
from pui.adapters.transport import UnixTransport
from pui.domain.launch_plan import PORT_NAMES, ChannelInput, LaunchPlan, ListenerFd, plan_launch
from pui.ports import (
    DiskImages,
    Hypervisor,
    InstalledPack,
    JournalFile,
    MountServers,
    ProcessTable,
    SocketEndpoint,
    TaskFiles,
    Transport,
    VirtualMachine,
)
from tests.support.fake_guest import FakeScript
from tests.support.fake_qemu import make_fake_pack
from tests.support.launch_inputs import INPUTS
from tests.support.machines import LINUX, fake_installed_pack, short_folder
from tests.support.simulated import MemoryJournal
from tests.support.simulated_ports import SimulatedPorts


@dataclass
class Kit:
    """`kill` ends a process as the world would, by its pid. `folder` is where sockets and overlays go.

    `written` is what is in the file that `open_journal` opens by now, one JSON line a record.
    """

    folder: Path
    pack: InstalledPack
    transport: Transport
    hypervisor: Hypervisor
    servers: MountServers
    disks: DiskImages
    table: ProcessTable
    files: TaskFiles
    open_journal: Callable[[], JournalFile]
    written: Callable[[], bytes]
    kill: Callable[[int], None]
    endpoints: dict[str, SocketEndpoint] = field(default_factory=dict)

    def plan(self) -> LaunchPlan:
        """Listens on the monitor and all ports; plans a machine without shares."""
        for name in ("qmp", *PORT_NAMES):
            self.endpoints[name] = self.transport.listen(self.folder / "run", name.removeprefix("pui."))
        inputs = replace(
            INPUTS,
            pack_root=self.pack.root,
            overlay=self.folder / "overlay.qcow2",
            base_image=self.pack.root / "guest/base.qcow2",
            serial_log=self.folder / "serial.log",
            shares=(),
            share_kind=None,
            channels=tuple(ChannelInput(name, ListenerFd(self.endpoints[name].listener_fd)) for name in PORT_NAMES),
            qmp=ListenerFd(self.endpoints["qmp"].listener_fd),
        )
        return plan_launch(inputs)

    async def start(self) -> VirtualMachine:
        """A machine, as the supervisor starts it."""
        plan = self.plan()
        try:
            return await self.hypervisor.start(plan, qmp=self.endpoints["qmp"], log_path=self.folder / "qemu.log")
        finally:
            for endpoint in self.endpoints.values():
                self.transport.unlisten(endpoint)


@contextmanager
def real_kit(script: FakeScript) -> Iterator[Kit]:
    with short_folder() as folder:
        starter, transport = LinuxProcessStarter(), UnixTransport()
        yield Kit(
            folder,
            fake_installed_pack(make_fake_pack(folder / "pack", script)),
            transport,
            QemuHypervisor(starter, transport),
            VirtiofsdServers(starter, LINUX),
            QemuImages(starter, LINUX),
            LinuxProcessTable(),
            TaskFolders(AppPaths(folder / "data", folder / "cache", folder / "tasks-run")),
            lambda: JsonlFile(folder / "one.jsonl"),
            (folder / "one.jsonl").read_bytes,
            lambda pid: os.kill(pid, 9),
        )


@contextmanager
def fake_kit(script: FakeScript) -> Iterator[Kit]:
    """The ports exactly as a story hands them to the supervisor. The tasks' files are the real ones there too.

    A QEMU that ignores SIGTERM is one whose stop is held.
    """
    with short_folder() as folder:
        held = {"stop qemu"} if "sigterm" in script.ignores else set()
        world, journal = SimulatedPorts(folder, script, held=held), MemoryJournal()
        services = world.services()
        yield Kit(
            folder,
            services.packs.active(),
            services.transport,
            services.hypervisor,
            services.mount_servers,
            services.disks,
            services.process_table,
            services.files,
            lambda: journal,
            lambda: b"".join(json.dumps(record).encode() + b"\n" for record in journal.records),
            lambda pid: next(p for p in world.processes.values() if p.identity.pid == pid).die(-9),
        )
