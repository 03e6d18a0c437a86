"""Every port of the supervisor without a process, a socket or a disk image: a whole task in one event loop.

In: a FakeScript (what the guest does), faults by the name of a place, gates that hold a place until a test opens it.
Out: Services, and `leftovers()`: what was started, opened or made and is still there. Never: real waiting, a promise
that the real adapters do not keep: tests/contract runs the same assertions on these ports and on the real ones.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from pui.adapters.paths import SOCKET_PATH_LIMIT_BYTES, AppPaths
from pui.adapters.task_files import TaskFolders
from pui.domain.errors import CallerError, HostError, LaunchError, OutcomeUnknownError, PuiError
from pui.domain.facts import AcceleratorVerdict, HostFacts, ShareVerdict
from pui.domain.folder_diff import FolderEntry, FolderSnapshot
from pui.domain.launch_plan import LaunchPlan, ShareInput
from pui.domain.model_policy import DEMO_CHOICE, ModelChoice, SecretText
from pui.domain.task import MountRequest
from pui.ports import BusyFolder, ByteChannel, ChosenFolder, InstalledPack, ProcessIdentity, SocketEndpoint
from pui.supervisor.services import Services
from tests.support.fake_guest import Action, FakeGuest, FakeScript, PowerOff, Reached, Send
from tests.support.machines import fake_installed_pack
from tests.support.simulated import SimulatedClock

APP = ProcessIdentity(1, 1, "/the/test")

FACTS = HostFacts(
    os="linux",
    arch="x86_64",
    kernel_release="6.1",
    cpu_model="simulated",
    cpu_count=2,
    memory_total_mib=8192,
    memory_available_mib=8192,
    disk_free_bytes=1 << 40,
    qemu_version="10.0.0",
    accelerators=(AcceleratorVerdict("kvm", "works", "a probe machine booted"),),
    shares=(ShareVerdict("virtiofs", True, "it answers"), ShareVerdict("9p", True, "QEMU serves it")),
    user_id=1000,
    probed_at_ns=0,
    from_cache=True,
)
NO_VIRTIOFS = replace(FACTS, shares=(ShareVerdict("virtiofs", False, "as told"), FACTS.shares[1]))


class SimProcess:
    """A child that runs until `die`; `log` is its log file."""

    def __init__(self, world: SimulatedPorts, name: str) -> None:
        self._world = world
        self.name = name
        self.log = ""
        self.identity = ProcessIdentity(next(world.numbers), 7, f"/{name}")
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        world.processes[name] = self

    @property
    def exit_code(self) -> int | None:
        return self._ended.result() if self._ended.done() else None

    def die(self, code: int) -> None:
        if not self._ended.done():
            self._ended.set_result(code)
            self._world.processes.pop(self.name, None)

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    async def stop(self, grace_s: float) -> int:
        return await self._end(-15)

    async def _end(self, code: int) -> int:
        """A cancelled end kills at once; nobody waits for the dead."""
        try:
            if self.exit_code is None:
                await self._world.pass_by(f"stop {self.name}")
        except asyncio.CancelledError:
            self.die(-9)
            raise
        self.die(code)
        return await self.wait()

    def log_tail(self, limit_bytes: int = 4096) -> str:
        return self.log[-limit_bytes:]


class SimMachine(SimProcess):
    """A QEMU whose monitor answered; its guest is a FakeGuest."""

    def __init__(self, world: SimulatedPorts) -> None:
        super().__init__(world, "qemu")
        self._trouble: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def trouble(self) -> str:
        return await asyncio.shield(self._trouble)

    def report(self, reason: str) -> None:
        self._trouble.set_result(reason)

    def die(self, code: int) -> None:
        super().die(code)
        for channel in list(self._world.channels.values()):
            channel.guest_closes()

    async def quit(self, grace_s: float) -> None:
        await self._end(0)


class SimChannel:
    """The host's end of a port."""

    def __init__(self, world: SimulatedPorts, port: str) -> None:
        self._world = world
        self._port = port
        self._incoming: asyncio.Queue[bytes] = asyncio.Queue()
        self._is_cut = False
        world.channels[port] = self

    def deliver(self, data: bytes) -> None:
        self._incoming.put_nowait(data)

    def guest_closes(self) -> None:
        self._is_cut = True
        self._incoming.put_nowait(b"")

    async def read(self) -> bytes:
        data = await self._incoming.get()
        if not data:
            self._incoming.put_nowait(b"")  # the end stays the end
        return data

    async def write(self, data: bytes) -> None:
        if self._is_cut:
            raise OutcomeUnknownError("channel.lost_after_send", f"{self._port} broke")
        await self._world.pass_by(f"write {self._port}")
        self._world.guest_hears(self._port, data)

    async def close(self) -> None:
        if self._world.channels.get(self._port) is self:
            del self._world.channels[self._port]
            self.guest_closes()


class SimGateway:
    """Serves nothing; the fake guest asks nothing unless told."""

    label = "demo model (scripted)"
    is_demo = True

    def __init__(self, world: SimulatedPorts) -> None:
        self._world = world
        world.gateways.append(self)

    async def serve(self, channel: ByteChannel) -> None:
        while await channel.read():
            await self._world.pass_by("gateway")

    async def close(self) -> None:
        if self in self._world.gateways:
            self._world.gateways.remove(self)


@dataclass
class SimulatedPorts:
    """All ports but the task's files, which are real. Places: pack, probe, lock, overlay, mount-server, listen NAME,
    qemu, connect NAME, write NAME, gateway, new-gateway, scan, stop NAME.

    `trees`: the text files of each folder of the host.

    `faults`: place -> the error to raise there, once. `held`: places that wait until `let` is called.
    """

    folder: Path
    script: FakeScript = field(default_factory=FakeScript)
    facts: HostFacts = FACTS
    faults: dict[str, BaseException] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    machine_limit: int = 4

    def __post_init__(self) -> None:
        self.paths = AppPaths(self.folder / "data", self.folder / "cache", self.folder / "run")
        self.files = TaskFolders(self.paths)
        self.clock = SimulatedClock()
        self.numbers = count(100)
        self.processes: dict[str, SimProcess] = {}
        self.channels: dict[str, SimChannel] = {}
        self.gateways: list[SimGateway] = []
        self.listeners: dict[int, str] = {}
        self.sockets: set[Path] = set()
        self.locks: list[str] = []
        self.folder_facts: dict[str, tuple[int, int]] = {}
        self.trees: dict[str, dict[str, str]] = {}
        self.guest = FakeGuest(self.script)
        self.app = APP
        self._is_hanging = False
        self._gates: dict[str, asyncio.Event] = {}
        self._ids = count(1)

    def services(self) -> Services:
        return Services(
            packs=self,
            pack_lock=self,
            host=self,
            disks=self,
            hypervisor=_Hypervisor(self),
            mount_servers=_MountServers(self),
            transport=self,
            files=self.files,
            folders=self,
            scanner=self,
            clock=self.clock,
            process_table=self,
            app=self.app,
            model=DEMO_CHOICE,
            new_gateway=self.new_gateway,
            new_task_id=lambda: f"t{next(self._ids)}",
            random_bytes=lambda size: b"\x5a" * size,
            machine_limit=self.machine_limit,
            tcg_is_allowed=False,
        )

    # faults and gates

    async def pass_by(self, place: str) -> None:
        """Where a port does its work: waits for its gate, then raises the fault of the place."""
        if place in self.held:
            await self._gates.setdefault(place, asyncio.Event()).wait()
        self._fail_at(place)

    def let(self, place: str) -> None:
        """Open the gate of a place for good."""
        self.held.discard(place)
        self._gates.setdefault(place, asyncio.Event()).set()

    def _fail_at(self, place: str) -> None:
        fault = self.faults.pop(place, None)
        if fault is not None:
            raise fault

    def leftovers(self) -> list[str]:
        """What is still there of all that was made."""
        found = [f"process {name}" for name in self.processes] + [f"channel {name}" for name in self.channels]
        found += [f"gateway {n}" for n, _ in enumerate(self.gateways)]
        found += [f"listener {name}" for name in self.listeners.values()] + [f"lock {name}" for name in self.locks]
        return found

    # the guest

    def guest_hears(self, port: str, data: bytes) -> None:
        hears = {"ctl": self.guest.ctl_received, "rpc": self.guest.rpc_received, "model": self.guest.model_received}
        if not self._is_hanging:
            self.guest_does(hears[port](data))

    def guest_does(self, actions: Sequence[Action]) -> None:
        """Everything up to the place where the script lets it hang or die."""
        for action in actions:
            if self._is_hanging:
                return
            if isinstance(action, Send):
                if action.channel in self.channels:
                    self.channels[action.channel].deliver(action.data)
            elif isinstance(action, Reached):
                self.reach(action.phase)
            elif isinstance(action, PowerOff):
                self.processes["qemu"].die(0)

    def reach(self, phase: str) -> None:
        """Where the script lets the machine die or hang, if this is the place."""
        if phase == self.script.exit_in:
            qemu = self.processes["qemu"]
            qemu.log += self.script.stderr
            qemu.die(-self.script.exit_signal or self.script.exit_code)
        self._is_hanging = self._is_hanging or phase in (self.script.hang_in, self.script.exit_in)

    # ports.PackStore, PackLock, HostProbe, DiskImages, Folders, ProcessTable

    def active(self) -> InstalledPack:
        self._fail_at("pack")
        return fake_installed_pack(self.folder / "pack")

    @contextmanager
    def hold(self, pack_id: str) -> Iterator[None]:
        self._fail_at("lock")
        self.locks.append(pack_id)
        try:
            yield
        finally:
            self.locks.remove(pack_id)

    async def probe(self, pack: InstalledPack, *, refresh: bool = False) -> HostFacts:
        await self.pass_by("probe")
        return self.facts

    async def create_overlay(self, pack: InstalledPack, overlay: Path) -> None:
        if overlay.exists() or self.script.overlay_error:  # noqa: ASYNC240 - one look into a folder of the test
            raise LaunchError("launch.overlay", f"{overlay} cannot be made", detail=self.script.overlay_error)
        overlay.write_bytes(b"QFI\xfb")  # noqa: ASYNC240 - the file is there before the tool has ended, as with qemu-img
        await self.pass_by("overlay")

    def decide(self, mounts: Sequence[MountRequest], busy: Sequence[BusyFolder]) -> tuple[ChosenFolder, ...]:
        chosen = []
        for mount in mounts:
            path = Path(mount.folder)
            if any(item.path == path and not (item.read_only and mount.read_only) for item in busy):
                raise CallerError("mount.refused", f"{path} is in use by another task")
            device, inode = self.folder_facts.get(str(path), (1, 1))
            chosen.append(ChosenFolder(path, mount.read_only, device, inode))
        return tuple(chosen)

    def scan(self, folder: Path, known: FolderSnapshot | None = None) -> FolderSnapshot:
        self._fail_at("scan")
        tree = self.trees.get(str(folder), {})
        return FolderSnapshot({name: FolderEntry("file", len(text), (1,), text=text) for name, text in tree.items()})

    def names(self, folder: Path) -> list[str]:
        return list(self.trees.get(str(folder), {}))

    def is_alive(self, identity: ProcessIdentity) -> bool:
        return identity == self.app or any(process.identity == identity for process in self.processes.values())

    def kill(self, identity: ProcessIdentity) -> bool:
        for process in list(self.processes.values()):
            if process.identity == identity:
                process.die(-9)
                return True
        return False

    # ports.Transport, and what serves on it

    def listen(self, directory: Path, name: str) -> SocketEndpoint:
        self._fail_at(f"listen {name}")
        path, number = directory / f"{name}.sock", next(self.numbers)
        if len(os.fsencode(path)) > SOCKET_PATH_LIMIT_BYTES:
            raise HostError("host.path_too_long", f"{path} is too long")
        self.listeners[number] = name
        self.sockets.add(path)
        return SocketEndpoint(path, number)

    def unlisten(self, endpoint: SocketEndpoint) -> None:
        self.listeners.pop(endpoint.listener_fd, None)

    async def connect(self, endpoint: SocketEndpoint, timeout_s: float) -> SimChannel:
        port = endpoint.path.stem
        await self.pass_by(f"connect {port}")
        if endpoint.path not in self.sockets or "qemu" not in self.processes:
            raise LaunchError("launch.timeout", f"nobody listens on {port}")
        channel = SimChannel(self, port)
        if port in self.script.garbage_on:
            channel.deliver(bytes(range(256)) * 8 + b"\n")
        if port in self.script.oversized_on:
            channel.deliver(b"x" * self.script.oversized_bytes + b"\n")
        if port == "ctl" and self.guest.is_started:  # another machine
            self.guest = FakeGuest(self.script)
        if port == "ctl":
            self.guest_does(self.guest.ctl_connected())
        return channel

    def new_gateway(self, choice: ModelChoice, token: SecretText) -> SimGateway:
        self._fail_at("new-gateway")
        return SimGateway(self)


@dataclass(frozen=True)
class _Hypervisor:
    world: SimulatedPorts

    async def start(self, plan: LaunchPlan, *, qmp: SocketEndpoint, log_path: Path) -> SimMachine:
        await self.world.pass_by("qemu")
        machine = SimMachine(self.world)
        for phase in ("start", "qmp"):
            if machine.exit_code is None:
                self.world.reach(phase)
        if machine.exit_code is not None:
            raise LaunchError("launch.qemu_exit", f"QEMU ended with {machine.exit_code}", detail=machine.log_tail())
        return machine


@dataclass(frozen=True)
class _MountServers:
    world: SimulatedPorts

    async def start(self, pack: InstalledPack, share: ShareInput, log_path: Path) -> SimProcess:
        await self.world.pass_by("mount-server")
        server = SimProcess(self.world, f"virtiofsd-{share.tag}")
        if self.world.script.mount_server_error:
            server.log = self.world.script.mount_server_error + "\n"
            server.die(1)
        return server


def fault(code: str) -> PuiError:
    """The error of a code, as an adapter would raise it."""
    return PuiError(code, f"made to fail with {code}")
