"""A real machine of the installed pack with the guest program in it, and the host's ends of its ports.

In: the active pack. Out: orders and answers over `pui.ctl`, bytes over `pui.rpc`. Never: pi (an agent of the test's own
takes its place), an accelerator (a broken one would hang: software emulation is slow and sure).
"""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

from pui.domain import pack_layout
from pui.domain.handshake import CtlDecoder, CtlEvent, ErrorReply, Hello, Ok, Value, ctl_line

TIMEOUT_S = 60.0
PORTS = ("ctl", "rpc", "model")


class Machine:
    """One boot. `close` ends it however far it came. All waits have TIMEOUT_S."""

    def __init__(self, pack: Path, folder: Path, share: Path, append: str = "") -> None:
        self._pack, self._folder = pack, folder
        self._orders = 0
        self.seen: list[CtlEvent] = []
        self._run(pack_layout.QEMU_IMG, *_overlay_args(pack, folder))
        argv = self._argv(pack_layout.QEMU_SYSTEM, *_qemu_args(pack, folder, share, append))
        self.process = subprocess.Popen(
            argv, cwd=folder, env={"QEMU_MODULE_DIR": str(pack / pack_layout.QEMU_MODULE_DIR)}
        )
        self._sockets: dict[str, socket.socket] = {}
        self._decoder = CtlDecoder()

    def _argv(self, program: str, *args: str) -> list[str]:
        library_dir = self._pack / pack_layout.QEMU_LIB_DIR
        loader = self._pack / pack_layout.QEMU_LOADER
        return [str(loader), "--library-path", str(library_dir), str(self._pack / program), *args]

    def _run(self, program: str, *args: str) -> None:
        subprocess.run(self._argv(program, *args), check=True, cwd=self._folder)

    def console(self) -> str:
        return (self._folder / "console").read_text(errors="replace")

    def port(self, name: str) -> socket.socket:
        """The open connection, made when there is none."""
        if name not in self._sockets:
            self._sockets[name] = self._connect(name)
        return self._sockets[name]

    def _connect(self, name: str) -> socket.socket:
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            port = socket.socket(socket.AF_UNIX)
            try:
                port.connect(str(self._folder / name))
            except OSError:
                port.close()
                assert self.process.poll() is None, self.console()
                assert time.monotonic() < deadline
                time.sleep(0.02)
                continue
            port.settimeout(TIMEOUT_S)
            return port

    def leave(self, name: str) -> None:
        """Close the host's end, long enough for the guest to notice (protocol.md, Reconnecting)."""
        self._sockets.pop(name).close()
        if name == "ctl":
            self._decoder = CtlDecoder()
        time.sleep(0.5)

    def report(self) -> CtlEvent:
        """The next line of the guest, from `seen` no more than once."""
        while True:
            data = self.port("ctl").recv(65536)
            assert data, f"the machine has ended: {self.console()}"
            events = self._decoder.feed(data)
            self.seen += events
            if events:
                return events[-1]

    def wait_for(self, kind: type[CtlEvent]) -> CtlEvent:
        """The first `kind` seen, now or later."""
        while not (found := [event for event in self.seen if isinstance(event, kind)]):
            self.report()
        return found[0]

    def ask(self, verb: str, pairs: tuple[tuple[str, Value], ...] = (), **keys: Value) -> Ok | ErrorReply:
        """One order and its answer; everything else that comes meanwhile is in `seen`."""
        self._orders += 1
        words = "".join(ctl_line("x", 0, **{key: value}).decode()[6:].rstrip("\n") for key, value in pairs)
        line = ctl_line(verb, self._orders, **keys).decode().rstrip("\n") + words + "\n"
        self.port("ctl").sendall(line.encode())
        while True:
            for event in self.seen:
                if isinstance(event, Ok | ErrorReply) and event.id == self._orders:
                    return event
            self.report()

    def hello(self) -> Hello:
        greeting = self.wait_for(Hello)
        assert isinstance(greeting, Hello)
        return greeting

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for port in self._sockets.values():
            port.close()


def _overlay_args(pack: Path, folder: Path) -> tuple[str, ...]:
    base = str(pack / pack_layout.BASE_IMAGE)
    return ("create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", str(folder / "overlay"))


def _qemu_args(pack: Path, folder: Path, share: Path, append: str) -> list[str]:
    args = ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-machine", "q35", "-accel", "tcg"]
    args += ["-cpu", "max", "-smp", "1", "-m", "512", "-L", str(pack / pack_layout.FIRMWARE_DIR)]
    args += ["-kernel", str(pack / pack_layout.KERNEL), "-initrd", str(pack / pack_layout.INITRD)]
    args += ["-append", f"console=ttyS0 quiet loglevel=3 reboot=t panic=-1 cryptomgr.notests {append}"]
    args += [
        "-serial",
        "file:console",
        "-drive",
        "if=none,id=disk,file=overlay",
        "-device",
        "virtio-blk-pci,drive=disk",
    ]
    args += [
        "-fsdev",
        f"local,id=fs,path={share},security_model=none",
        "-device",
        "virtio-9p-pci,fsdev=fs,mount_tag=ws",
    ]
    args += ["-device", "virtio-serial-pci,max_ports=8"]
    for number, name in enumerate(PORTS, start=1):
        args += ["-chardev", f"socket,id={name},path={name},server=on,wait=off"]
        args += ["-device", f"virtserialport,nr={number},chardev={name},name=pui.{name}"]
    return args
