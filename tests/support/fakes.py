"""Every port in memory, with faults by the name of a call: for stories of the supervisor.

In: a FakeScript for the guest, faults per call. Out: implementations of pui/ports.py that share one log of calls.
Never: a process, a socket, a file, a real wait (the contract tests run them beside the real adapters).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pui.adapters.paths import SOCKET_PATH_LIMIT_BYTES, checked_task_id
from pui.domain.errors import CallerError, HostError, LaunchError, OutcomeUnknownError, PuiError
from pui.domain.facts import AcceleratorVerdict, HostFacts, ShareVerdict
from pui.domain.launch_plan import LaunchPlan, ShareInput
from pui.domain.task import MountRequest
from pui.domain.task_files import WORK_FILES
from pui.ports import BusyFolder, ByteChannel, ChosenFolder, InstalledPack, ProcessIdentity, SocketEndpoint
from tests.support.fake_guest import Action, FakeGuest, FakeScript, PowerOff, Reached, Send
from tests.support.machines import fake_installed_pack
from tests.support.simulated import MemoryJournal, SimulatedClock

ROOT = Path("/fake")


@dataclass(frozen=True)
class Fail:
    """The call raises this."""

    error: PuiError


@dataclass(frozen=True)
class Hang:
    """The call never returns; it can be cancelled."""


@dataclass(frozen=True)
class Slow:
    """The call takes this long on the world's clock."""

    delay_s: float


Fault = Fail | Hang | Slow


@dataclass
class World:
    """What all fakes of one test share. `faults` by call ("disks.create_overlay"); `calls` is the log of all calls."""

    script: FakeScript = field(default_factory=FakeScript)
    faults: dict[str, Fault] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    clock: SimulatedClock = field(default_factory=SimulatedClock)
    processes: dict[int, FakeProcess] = field(default_factory=dict)
    listeners: dict[Path, FakeMachine | None] = field(default_factory=dict)
    tcg_only: bool = False

    async def call(self, name: str) -> None:
        self.calls.append(name)
        match self.faults.get(name):
            case Fail(error):
                raise error
            case Hang():
                await asyncio.get_running_loop().create_future()
            case Slow(delay_s):
                await self.clock.sleep(delay_s)

    def call_now(self, name: str) -> None:
        """A call that cannot wait: only Fail has an effect."""
        self.calls.append(name)
        fault = self.faults.get(name)
        if isinstance(fault, Fail):
            raise fault.error

    @property
    def alive(self) -> list[str]:
        """Names of processes that run."""
        return [process.name for process in self.processes.values() if process.exit_code is None]


class FakeProcess:
    """ports.Process. `die` is what the world does to it."""

    def __init__(self, world: World, name: str, log: str = "") -> None:
        self.name = name
        self._world = world
        self._log = log
        self._ended = asyncio.Event()
        self._code: int | None = None
        self._identity = ProcessIdentity(1000 + len(world.processes), 77, f"/fake/{name}")
        world.processes[self._identity.pid] = self

    @property
    def identity(self) -> ProcessIdentity:
        return self._identity

    @property
    def exit_code(self) -> int | None:
        return self._code

    def die(self, code: int, log: str = "") -> None:
        if self._code is None:
            self._code, self._log = code, self._log + log
            self._ended.set()

    async def wait(self) -> int:
        await self._ended.wait()
        assert self._code is not None
        return self._code

    async def stop(self, grace_s: float) -> int:
        try:
            await self._world.call(f"{self.name}.stop")
        except asyncio.CancelledError:
            self.die(-9)
            raise
        self.die(-15)
        return await self.wait()

    def log_tail(self, limit_bytes: int = 4096) -> str:
        return self._log[-limit_bytes:]


class MemoryChannel:
    """ports.ByteChannel: the near end. The far end is `incoming` and `on_write`."""

    def __init__(self, machine: FakeMachine, name: str) -> None:
        self.name = name
        self.incoming: asyncio.Queue[bytes] = asyncio.Queue()
        self._machine = machine
        self._is_closed = False

    async def read(self) -> bytes:
        if self._is_closed:
            return b""
        data = await self.incoming.get()
        if not data:
            self.incoming.put_nowait(b"")
        return data

    async def write(self, data: bytes) -> None:
        await self._machine.world.call(f"{self.name}.write")
        if self._is_closed or self._machine.exit_code is not None:
            raise OutcomeUnknownError("channel.lost_after_send", f"{self.name} is gone")
        self._machine.received(self.name, data)

    async def close(self) -> None:
        self._is_closed = True
        self.incoming.put_nowait(b"")
        self._machine.channels.pop(self.name, None)


class FakeMachine(FakeProcess):
    """ports.VirtualMachine with a FakeGuest inside."""

    def __init__(self, world: World, plan: LaunchPlan) -> None:
        super().__init__(world, "qemu")
        self.world = world
        self.plan = plan
        shared = [Path(share.host_path) for share in plan.shares]
        self.guest = FakeGuest(world.script, shared[0] if shared else None)
        self.channels: dict[str, MemoryChannel] = {}
        self._is_hanging = False
        self._trouble: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def die(self, code: int, log: str = "") -> None:
        super().die(code, log)
        for channel in self.channels.values():
            channel.incoming.put_nowait(b"")

    def get_into_trouble(self, reason: str) -> None:
        self._trouble.set_result(reason)

    async def trouble(self) -> str:
        return await asyncio.shield(self._trouble)

    async def quit(self, grace_s: float) -> None:
        try:
            await self.world.call("qemu.quit")
        except asyncio.CancelledError:
            self.die(-9)
            raise
        self.die(0)

    def connected(self, name: str) -> MemoryChannel:
        channel = self.channels[name] = MemoryChannel(self, name)
        script = self.world.script
        if name in script.garbage_on:
            channel.incoming.put_nowait(bytes(range(256)) * 8 + b"\n")
        if name in script.oversized_on:
            channel.incoming.put_nowait(b"x" * script.oversized_bytes + b"\n")
        if name == "ctl":
            self._play(self.guest.ctl_connected())
        return channel

    def received(self, name: str, data: bytes) -> None:
        feeds = {"ctl": self.guest.ctl_received, "rpc": self.guest.rpc_received, "model": self.guest.model_received}
        if not self._is_hanging:
            self._play(feeds[name](data))

    def reach(self, phase: str) -> None:
        script = self.world.script
        if script.exit_in == phase:
            self.die(-script.exit_signal if script.exit_signal else script.exit_code, script.stderr)
        self._is_hanging = self._is_hanging or script.hang_in == phase

    def _play(self, actions: list[Action]) -> None:
        for action in actions:
            if self._is_hanging or self.exit_code is not None:
                return
            match action:
                case Send(channel, data):
                    if channel in self.channels:
                        self.channels[channel].incoming.put_nowait(data)
                case Reached(phase):
                    self.reach(phase)
                case PowerOff():
                    self.die(0)


class FakeHypervisor:
    """ports.Hypervisor. `machine` is the newest one."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.machine: FakeMachine | None = None

    async def start(self, plan: LaunchPlan, *, qmp: SocketEndpoint, log_path: Path) -> FakeMachine:
        await self._world.call("hypervisor.start")
        machine = self.machine = FakeMachine(self._world, plan)
        for phase in ("start", "qmp"):
            machine.reach(phase)
        if machine.exit_code is not None:
            raise LaunchError("launch.qemu_exit", f"QEMU ended with {machine.exit_code}", detail=machine.log_tail())
        for path in self._world.listeners:
            if path.parent == qmp.path.parent:
                self._world.listeners[path] = machine
        return machine


class FakeTransport:
    """ports.Transport: a listener belongs to the machine that started after it in the same folder."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._last_fd = 99

    def listen(self, directory: Path, name: str) -> SocketEndpoint:
        self._world.call_now("transport.listen")
        path = directory / f"{name}.sock"
        if len(str(path)) > SOCKET_PATH_LIMIT_BYTES:
            raise HostError("host.path_too_long", f"{path} is too long")
        self._last_fd += 1
        self._world.listeners[path] = None
        return SocketEndpoint(path, self._last_fd)

    def unlisten(self, endpoint: SocketEndpoint) -> None:
        self._world.call_now("transport.unlisten")

    async def connect(self, endpoint: SocketEndpoint, timeout_s: float) -> MemoryChannel:
        await self._world.call(f"connect.{endpoint.path.stem}")
        machine = self._world.listeners.get(endpoint.path)
        if machine is None or machine.exit_code is not None:
            raise LaunchError("launch.timeout", f"nobody listens on {endpoint.path}")
        return machine.connected(endpoint.path.stem)


class FakeMountServers:
    """ports.MountServers."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.servers: dict[str, FakeProcess] = {}

    async def start(self, pack: InstalledPack, share: ShareInput, log_path: Path) -> FakeProcess:
        await self._world.call("mount_servers.start")
        server = self.servers[share.tag] = FakeProcess(self._world, f"virtiofsd-{share.tag}")
        if self._world.script.mount_server_error:
            server.die(1, self._world.script.mount_server_error + "\n")
        return server


class FakeDisks:
    """ports.DiskImages."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.overlays: list[Path] = []

    async def create_overlay(self, pack: InstalledPack, overlay: Path) -> None:
        await self._world.call("disks.create_overlay")
        if self._world.script.overlay_error or overlay in self.overlays:
            raise LaunchError("launch.overlay", "no overlay", detail=self._world.script.overlay_error)
        self.overlays.append(overlay)


class FakeProcessTable:
    """ports.ProcessTable over the world's processes."""

    def __init__(self, world: World) -> None:
        self._world = world

    def is_alive(self, identity: ProcessIdentity) -> bool:
        process = self._world.processes.get(identity.pid)
        return process is not None and process.exit_code is None and process.identity == identity

    def kill(self, identity: ProcessIdentity) -> bool:
        self._world.call_now("process_table.kill")
        if not self.is_alive(identity):
            return False
        self._world.processes[identity.pid].die(-9)
        return True


class FakeHostProbe:
    """ports.HostProbe: a computer on which everything works, or only emulation (`tcg_only`)."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def probe(self, pack: InstalledPack, *, refresh: bool = False) -> HostFacts:
        await self._world.call("host.probe")
        works = AcceleratorVerdict("kvm", "works", "a probe machine booted", boot_ms=150)
        broken = AcceleratorVerdict("kvm", "broken", "the probe machine printed nothing within 5 s", "hang")
        emulated = AcceleratorVerdict("tcg", "works", "a probe machine booted", boot_ms=900)
        accelerators = (broken, emulated) if self._world.tcg_only else (works,)
        shares = (ShareVerdict("virtiofs", True, "it answers"), ShareVerdict("9p", True, "built in"))
        return HostFacts(
            os="linux",
            arch="x86_64",
            kernel_release="6.12",
            cpu_model="fake",
            cpu_count=8,
            memory_total_mib=65_536,
            memory_available_mib=32_768,
            disk_free_bytes=1 << 40,
            qemu_version="10.0.0",
            accelerators=accelerators,
            shares=shares,
            user_id=1000,
            probed_at_ns=self._world.clock.now_ns(),
            from_cache=False,
        )


class FakePacks:
    """ports.PackStore and ports.PackLock."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.held: list[str] = []

    def active(self) -> InstalledPack:
        self._world.call_now("packs.active")
        return fake_installed_pack(ROOT / "pack")

    @contextmanager
    def hold(self, pack_id: str) -> Iterator[None]:
        self._world.call_now("pack_lock.hold")
        self.held.append(pack_id)
        try:
            yield
        finally:
            self.held.remove(pack_id)


class FakeFolders:
    """ports.Folders: everything may be mounted but what `refused` names; identities can be changed by a test."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.refused: set[Path] = set()
        self.inodes: dict[Path, int] = {}

    def decide(self, mounts: Sequence[MountRequest], busy: Sequence[BusyFolder]) -> tuple[ChosenFolder, ...]:
        self._world.call_now("folders.decide")
        for mount in mounts:
            if Path(mount.folder) in self.refused:
                raise CallerError("mount.refused", f"{mount.folder} is refused")
        paths = [(Path(mount.folder), mount.read_only) for mount in mounts]
        return tuple(ChosenFolder(path, ro, 1, self.inodes.get(path, 2)) for path, ro in paths)


class MemoryTaskFiles:
    """ports.TaskFiles without a disk. `work_files` and `runtime_dirs` are what a test finds left over."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.journals: dict[str, MemoryJournal] = {}
        self.transcripts: dict[str, MemoryJournal] = {}
        self.work_files: dict[str, set[str]] = {}
        self.runtime_dirs: set[str] = set()
        self.raw: dict[str, bytes] = {}

    def create(self, task_id: str) -> None:
        self._world.call_now("files.create")
        if checked_task_id(task_id) in self.journals:
            raise CallerError("caller.bad_request", f"there is a task {task_id} already")
        self.journals[task_id], self.transcripts[task_id] = MemoryJournal(), MemoryJournal()

    def journal(self, task_id: str) -> MemoryJournal:
        return self.journals[checked_task_id(task_id)]

    def transcript(self, task_id: str) -> MemoryJournal:
        return self.transcripts[checked_task_id(task_id)]

    def read_journal(self, task_id: str) -> bytes:
        """`raw` stands for a damaged file."""
        if task_id in self.raw:
            return self.raw[task_id]
        if not self.journals.get(checked_task_id(task_id), MemoryJournal()).records:
            raise HostError("journal.unreadable", f"no journal of {task_id}")
        return b"".join(json.dumps(record).encode() + b"\n" for record in self.journals[task_id].records)

    def task_ids(self) -> Sequence[str]:
        return sorted(self.journals)

    def path(self, task_id: str, name: str) -> Path:
        if Path(name).name != name or name in ("", ".", ".."):
            raise CallerError("caller.bad_request", f"{name!r} is not a file name")
        if name in WORK_FILES:
            self.work_files.setdefault(task_id, set()).add(name)
        return ROOT / "tasks" / checked_task_id(task_id) / name

    def runtime_dir(self, task_id: str) -> Path:
        self._world.call_now("files.runtime_dir")
        self.runtime_dirs.add(checked_task_id(task_id))
        return ROOT / "run" / task_id

    def remove_runtime_dir(self, task_id: str) -> None:
        self._world.call_now("files.remove_runtime_dir")
        self.runtime_dirs.discard(checked_task_id(task_id))

    def remove_work_files(self, task_id: str) -> Sequence[str]:
        self._world.call_now("files.remove_work_files")
        return sorted(self.work_files.pop(checked_task_id(task_id), set()))

    def remove_task(self, task_id: str) -> None:
        self._world.call_now("files.remove_task")
        for kept in (self.journals, self.transcripts, self.work_files):
            kept.pop(checked_task_id(task_id), None)


class FakeGateway:
    """ports.ModelGateway: takes what the guest says and answers each request with a FIN on its stream."""

    label = "fake model"
    is_demo = True

    def __init__(self, world: World) -> None:
        self._world = world
        self.is_closed = False

    async def serve(self, channel: ByteChannel) -> None:
        await self._world.call("gateway.serve")
        while await channel.read():
            await channel.write(b"\0\0\0\x01\x03\0\0\0")

    async def close(self) -> None:
        await self._world.call("gateway.close")
        self.is_closed = True
