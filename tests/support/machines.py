"""Short ways to the real adapters over a fake pack, for tests that start machines.

In: a folder, a FakeScript. Out: plans and endpoints as the supervisor would make them. Never: a real QEMU.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pui.adapters.process import LinuxProcessStarter
from pui.adapters.qemu.hypervisor import QemuHypervisor, QemuMachine
from pui.adapters.transport import SocketChannel, UnixTransport
from pui.domain import pack_layout
from pui.domain.launch_plan import (
    PORT_NAMES,
    ChannelInput,
    LaunchInputs,
    LaunchPlan,
    ListenerFd,
    ShareInput,
    plan_launch,
)
from pui.domain.manifest import Compatibility, Manifest, Payload
from pui.domain.platforms import find_platform
from pui.ports import InstalledPack, SocketEndpoint
from tests.support.fake_guest import FakeScript
from tests.support.fake_qemu import make_fake_pack

LINUX = find_platform("linux", "x86_64")


def fake_installed_pack(root: Path) -> InstalledPack:
    """`root` as the store would hand it out; nothing of its manifest is true."""
    manifest = Manifest(
        pack_version=1,
        platform="linux-x86_64",
        created="2026-01-02T03:04:05Z",
        compatibility=Compatibility("0.1.0", 1),
        components={"qemu": "10.0.0"},
        files=(),
        total_size_bytes=0,
        payload=Payload("fake.tar.zst", 1, "0" * 64),
    )
    return InstalledPack("linux-x86_64-1-000000000000", root, manifest, "test key")


@contextmanager
def short_folder() -> Iterator[Path]:
    """A 0700 folder with a path short enough for sockets; pytest's own may be too long."""
    folder = Path(tempfile.mkdtemp(prefix="pui-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@dataclass
class Bench:
    """A fake pack, a transport, and the endpoints of one machine."""

    folder: Path
    script: FakeScript = field(default_factory=FakeScript)
    monitor_limit_s: float = 20.0
    shares: tuple[ShareInput, ...] = ()

    def __post_init__(self) -> None:
        self.pack_root = self.folder / "pack"
        if not self.pack_root.exists():
            make_fake_pack(self.pack_root, self.script)
        self.transport = UnixTransport()
        self.starter = LinuxProcessStarter()
        self.endpoints: dict[str, SocketEndpoint] = {}
        self.log = self.folder / "qemu.log"

    def plan(self) -> LaunchPlan:
        """Listens on all ports and plans a machine for them."""
        for name in ("qmp", *PORT_NAMES):
            self.endpoints[name] = self.transport.listen(self.folder / "run", name.removeprefix("pui."))
        return plan_launch(
            LaunchInputs(
                pack_root=self.pack_root,
                platform=LINUX,
                accelerator="kvm",
                share_kind="9p" if self.shares else None,
                task_id="t1",
                memory_mib=256,
                cpu_count=1,
                base_image=self.pack_root / pack_layout.BASE_IMAGE,
                overlay=self.folder / "overlay.qcow2",
                shares=self.shares,
                channels=tuple(ChannelInput(name, ListenerFd(self.endpoints[name].listener_fd)) for name in PORT_NAMES),
                qmp=ListenerFd(self.endpoints["qmp"].listener_fd),
                serial_log=self.folder / "serial.log",
            )
        )

    async def start(self) -> QemuMachine:
        """A machine whose monitor answered; our copies of the listeners are closed in any case."""
        plan = self.plan()
        try:
            return await QemuHypervisor(self.starter, self.transport, self.monitor_limit_s).start(
                plan, qmp=self.endpoints["qmp"], log_path=self.log
            )
        finally:
            for endpoint in self.endpoints.values():
                self.transport.unlisten(endpoint)

    def endpoint_at(self, name: str) -> SocketEndpoint:
        """For our own connect only."""
        return SocketEndpoint(self.folder / "run" / f"{name}.sock", -1)

    async def connect(self, port: str) -> SocketChannel:
        return await self.transport.connect(self.endpoints[f"pui.{port}"], 5.0)
