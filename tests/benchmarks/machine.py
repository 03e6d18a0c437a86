"""One real machine, started as a task starts it, with a clock on every stage.

In: the installed pack, a folder to share, what runs in pi's place. Out: seconds since QEMU's process start, QEMU's CPU
seconds. Never: the supervisor (its own cost is measured apart), an accelerator but TCG, a retry.
"""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pui.adapters.transport import UnixTransport
from pui.domain.facts import ShareKind
from pui.domain.guest_config import GuestMount, GuestSetup, plan_guest_config
from pui.domain.handshake import CtlCommand, CtlDecoder, CtlEvent, ErrorReply, Exited, Hello, Mark, Ok
from pui.domain.launch_plan import (
    PORT_NAMES,
    ChannelInput,
    LaunchInputs,
    ListenerFd,
    MountServerSocket,
    ShareInput,
    plan_launch,
)
from pui.domain.model_policy import DEMO_CHOICE, SecretText
from pui.domain.pack_layout import BASE_IMAGE
from pui.domain.platforms import find_platform
from pui.domain.qemu_args import overlay_argv, qemu_argv, qemu_env, virtiofsd_argv
from pui.domain.rpc import RpcClient
from pui.ports import SocketEndpoint

LIMIT_S = 120.0
MEMORY_MIB = 768
PLATFORM = find_platform("linux", "x86_64")


def cpu_seconds(pid: int) -> float:
    """User and system time that the process has used so far."""
    words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


@dataclass
class Timed:
    """Seconds since QEMU's process start by stage, and QEMU's CPU seconds at some of them."""

    wall_s: dict[str, float] = field(default_factory=dict)
    cpu_s: dict[str, float] = field(default_factory=dict)


class Machine:
    """A running QEMU with the host's ends of its ports."""

    def __init__(
        self, process: subprocess.Popen[bytes], started_s: float, endpoints: dict[str, SocketEndpoint]
    ) -> None:
        self.process = process
        self.timed = Timed()
        self._started_s = started_s
        self._endpoints = endpoints
        self._sockets: dict[str, socket.socket] = {}
        self._decoder = CtlDecoder()
        self._seen: list[CtlEvent] = []
        self._orders = 0

    def note(self, stage: str) -> None:
        self.timed.wall_s[stage] = time.monotonic() - self._started_s
        self.timed.cpu_s[stage] = cpu_seconds(self.process.pid)

    def connect(self, name: str) -> socket.socket:
        port = socket.socket(socket.AF_UNIX)
        port.settimeout(LIMIT_S)
        port.connect(str(self._endpoints[name].path))
        self._sockets[name] = port
        return port

    def hello(self) -> None:
        """Connect all ports in the supervisor's order and wait for the guest."""
        self.connect("qmp").recv(65536)
        self.note("monitor")
        self._sockets["qmp"].sendall(b'{"execute":"qmp_capabilities"}\n')
        self.connect("pui.ctl")
        greeting = self.until(Hello)
        self.note("hello")
        assert isinstance(greeting, Hello)
        self._guest_zero_s = self.timed.wall_s["hello"] - greeting.uptime_ms / 1000
        self.connect("pui.model")
        self.connect("pui.rpc")

    def until(self, kind: type[CtlEvent]) -> CtlEvent:
        """The first event of `kind`."""
        while True:
            for event in self._seen:
                if isinstance(event, kind):
                    return event
            self._read()

    def _read(self) -> None:
        data = self._sockets["pui.ctl"].recv(65536)
        if not data:
            raise RuntimeError("the guest's control port closed")
        events = self._decoder.feed(data)
        self._seen += events
        for event in events:
            if isinstance(event, ErrorReply):
                raise RuntimeError(f"the guest refused an order: {event}")

    def order(self, commands: tuple[CtlCommand, ...]) -> None:
        """Send all in one write, wait until all are done."""
        first = self._orders + 1
        self._orders += len(commands)
        lines = (command.line(first + number) for number, command in enumerate(commands))
        self._sockets["pui.ctl"].sendall(b"".join(lines))
        while sum(isinstance(event, Ok) for event in self._seen) < self._orders:
            self._read()

    def configure(self, share_kind: ShareKind, agent: tuple[str, ...] | None) -> None:
        """Everything of a task; `agent` instead of pi's command line."""
        mount = GuestMount("pui0", "/workspace", share_kind, False)
        token = SecretText("x" * 48)
        setup = GuestSetup("pui", time.time_ns(), os.urandom(32), (mount,), "/workspace", DEMO_CHOICE, token)
        *orders, start = plan_guest_config(setup)
        if agent is not None:
            argv = tuple(("argv", word) for word in agent)
            start = CtlCommand("start", (*argv, *(pair for pair in start.pairs if pair[0] != "argv")))
        self.order((*orders, start))
        self.note("configured")

    def ask_pi(self) -> None:
        """get_state, as the supervisor's handshake does."""
        client, rpc = RpcClient(), self._sockets["pui.rpc"]
        sent = client.command("get_state")
        rpc.sendall(sent.line)
        while not any(getattr(event, "id", None) == sent.id for event in client.feed(self._receive(rpc))):
            pass
        self.note("answer")

    def output_of_agent(self) -> bytes:
        """All that the program in pi's place writes, once it has ended."""
        exited = self.until(Exited)
        self.note("exited")
        assert isinstance(exited, Exited)
        if exited.code != 0:
            raise RuntimeError(f"the program in the guest ended with {exited}")
        rpc, output = self._sockets["pui.rpc"], b""
        while b"\n" not in output:
            output += self._receive(rpc)
        return output

    def _receive(self, port: socket.socket) -> bytes:
        data = port.recv(65536)
        if not data:
            raise RuntimeError("the machine has ended")
        return data

    def power_off(self) -> float:
        """Seconds from the order to the end of QEMU's process."""
        before = time.monotonic()
        self._orders += 1
        self._sockets["pui.ctl"].sendall(CtlCommand("poweroff").line(self._orders))
        self.process.wait(LIMIT_S)
        return time.monotonic() - before

    def guest_marks(self) -> dict[str, float]:
        """The guest's own marks on the host's clock; "kernel" is where the guest's clock began."""
        marks = {event.stage: event.uptime_ms / 1000 for event in self._seen if isinstance(event, Mark)}
        return {"kernel": self._guest_zero_s} | {stage: self._guest_zero_s + at for stage, at in marks.items()}

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for port in self._sockets.values():
            port.close()


@contextmanager
def shared_folder() -> Iterator[Path]:
    """An empty folder that the guest's agent may write to, whoever runs the benchmark."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)  # noqa: S103 - the agent has another uid than root
        yield Path(name)


@contextmanager
def running(pack: Path, folder: Path, share_kind: ShareKind = "9p", append: str = "") -> Iterator[Machine]:
    """A machine on a fresh overlay that shares `folder`; `append` adds words to the kernel's command line."""
    transport = UnixTransport()
    with tempfile.TemporaryDirectory(prefix="pui-b") as name:
        work = Path(name)
        endpoints = {port: transport.listen(work / "run", port.removeprefix("pui.")) for port in ("qmp", *PORT_NAMES)}
        server_socket = transport.listen(work / "run", "fs") if share_kind == "virtiofs" else None
        share = _share(folder, server_socket)
        server = None if server_socket is None else _serve(pack, share, server_socket)
        machine = _start(pack, work, endpoints, share, share_kind, append)
        for endpoint in endpoints.values():
            transport.unlisten(endpoint)
        try:
            yield machine
        finally:
            machine.close()
            if server is not None:
                server.kill()
                server.wait()


def _share(folder: Path, endpoint: SocketEndpoint | None) -> ShareInput:
    where = None if endpoint is None else MountServerSocket(endpoint.path, endpoint.listener_fd)
    return ShareInput("pui0", folder, False, where)


def _serve(pack: Path, share: ShareInput, endpoint: SocketEndpoint) -> subprocess.Popen[bytes]:
    """As this user, not in the namespace that a task's server lives in: who owns a file costs no time."""
    argv = virtiofsd_argv(pack, PLATFORM, share)
    server = subprocess.Popen(argv, env={"LC_ALL": "C"}, pass_fds=[endpoint.listener_fd])
    UnixTransport().unlisten(endpoint)
    return server


def _start(
    pack: Path, work: Path, endpoints: dict[str, SocketEndpoint], share: ShareInput, kind: ShareKind, append: str
) -> Machine:
    base, overlay = pack / BASE_IMAGE, work / "overlay.qcow2"
    subprocess.run(overlay_argv(pack, PLATFORM, base, overlay), check=True, stdout=subprocess.DEVNULL)
    plan = plan_launch(
        LaunchInputs(
            pack_root=pack,
            platform=PLATFORM,
            accelerator="tcg",
            share_kind=kind,
            task_id="benchmark",
            memory_mib=MEMORY_MIB,
            cpu_count=2,
            base_image=base,
            overlay=overlay,
            shares=(share,),
            channels=tuple(ChannelInput(name, ListenerFd(endpoints[name].listener_fd)) for name in PORT_NAMES),
            qmp=ListenerFd(endpoints["qmp"].listener_fd),
            serial_log=work / "serial.log",
        )
    )
    argv = list(qemu_argv(plan))
    argv[argv.index("-append") + 1] += f" {append}" if append else ""
    descriptors = [endpoint.listener_fd for endpoint in endpoints.values()]
    started_s = time.monotonic()
    process = subprocess.Popen(argv, env=dict(qemu_env(plan)), pass_fds=descriptors)
    return Machine(process, started_s, endpoints)
