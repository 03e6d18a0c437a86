"""A real child process in QEMU's place: takes our argument list, listens, speaks QMP and plays the guest.

In: the argument list of pui.domain.qemu_args, `fake.json` beside it in a fake pack. Out: what QEMU, qemu-img and
virtiofsd would do, or the fault that the script names. Never: a package beyond the standard library.

`make_fake_pack` writes a pack whose `ld.so` is this program: so the whole argument list is tested, loader included.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from tests.support.fake_guest import Action, FakeGuest, FakeScript, PowerOff, Reached, Send

_CHANNELS = {"qmp": "qmp", "port-ctl-backend": "ctl", "port-rpc-backend": "rpc", "port-model-backend": "model"}


# One exec and no shell between: a process is known by its program, too.
_LOADER = """#!{python} -IS
import sys
sys.path.insert(0, {root!r})
from tests.support.fake_qemu import main
main(sys.argv)
"""


def make_fake_pack(root: Path, script: FakeScript | None = None) -> Path:
    """Files where pack_layout says; returns `root`. Programs are the ones below; kernel and disk are placeholders."""
    loader = root / "qemu/lib/ld.so"
    loader.parent.mkdir(parents=True)
    loader.write_text(_LOADER.format(python=sys.executable, root=str(Path(__file__).parents[2])))
    loader.chmod(0o755)
    for name in ("qemu/bin/qemu-system", "qemu/bin/qemu-img", "qemu/bin/virtiofsd", "kernel/vmlinux"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("placeholder\n")
    (root / "kernel/initrd.img").write_text("placeholder\n")
    (root / "guest").mkdir()
    (root / "guest/base.qcow2").write_bytes(b"QFI\xfb placeholder")
    write_script(root, script or FakeScript())
    return root


def write_script(root: Path, script: FakeScript) -> None:
    """What the next start of a program of this pack does."""
    (root / "fake.json").write_text(script.to_json())


class FakeQemu:
    """The machine: one selector loop, no thread."""

    def __init__(self, argv: list[str], script: FakeScript) -> None:
        self._script = script
        self._is_hanging = False
        self._selector = selectors.DefaultSelector()
        self._connections: dict[str, socket.socket] = {}
        self._has_capabilities = False
        self._status = "running" if script.status_after_s else script.status
        self._status_at = time.monotonic() + script.status_after_s
        self._qmp_buffer = b""
        self._serial: Path | None = None
        self._append = argv[argv.index("-append") + 1]
        self._folders = [_fields(v)["path"] for k, v in _pairs(argv) if k == "-fsdev"]
        self._guest = FakeGuest(script, Path(self._folders[0]) if self._folders else None)
        for key, value in _pairs(argv):
            if key == "-chardev":
                self._open_chardev(value)

    def _open_chardev(self, value: str) -> None:
        fields = _fields(value)
        if value.startswith("file,"):
            self._serial = Path(fields["path"])
            self._serial.write_text("fake: booting\n")
        elif "fd" in fields:
            listener = socket.socket(fileno=int(fields["fd"]))
            listener.setblocking(False)
            self._selector.register(listener, selectors.EVENT_READ, ("accept", _CHANNELS[fields["id"]]))
        else:  # the client of a mount server, as QEMU is
            client = socket.socket(socket.AF_UNIX)
            client.connect(fields["path"])
            self._connections[fields["id"]] = client

    def run(self) -> NoReturn:
        self._reach("start")
        if "pui.mode=probe" in self._append:
            self._probe()
        while True:
            self._take_status()
            for key, _ in self._selector.select(0.02 if self._script.status_after_s else None):
                what, channel = key.data
                if what == "accept":
                    self._accept(key.fileobj, channel)  # type: ignore[arg-type]
                else:
                    self._read(key.fileobj, channel)  # type: ignore[arg-type]

    def _take_status(self) -> None:
        """QEMU announces STOP for any run state in which it does not run; a panic has an event of its own."""
        if not self._script.status_after_s or self._status == self._script.status or time.monotonic() < self._status_at:
            return
        self._status = self._script.status
        if self._status == "guest-panicked":
            self._event("GUEST_PANICKED", action="pause")
        self._event("STOP")

    def _accept(self, listener: socket.socket, channel: str) -> None:
        connection, _ = listener.accept()
        self._connections[channel] = connection
        self._selector.register(connection, selectors.EVENT_READ, ("read", channel))
        if channel in self._script.garbage_on:
            self._send(channel, bytes(range(256)) * 8 + b"\n")
        if channel in self._script.oversized_on:
            self._send(channel, b"x" * self._script.oversized_bytes + b"\n")
        if channel == "qmp":
            self._reach("qmp")
            self._qmp_line({"QMP": {"version": {"qemu": {"micro": 0, "minor": 0, "major": 10}}, "capabilities": []}})
        if channel == "ctl" and "pui.mode=probe" not in self._append:
            time.sleep(self._script.hello_delay_s)
            self._do(self._guest.ctl_connected())

    def _read(self, connection: socket.socket, channel: str) -> None:
        try:
            data = connection.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(connection)
            connection.close()
            self._connections.pop(channel, None)
        elif self._is_hanging:
            return
        elif channel == "qmp":
            self._qmp_received(data)
        else:
            received: dict[str, Callable[[bytes], list[Action]]] = {
                "ctl": self._guest.ctl_received,
                "rpc": self._guest.rpc_received,
                "model": self._guest.model_received,
            }
            self._do(received[channel](data))

    def _qmp_received(self, data: bytes) -> None:
        *lines, self._qmp_buffer = (self._qmp_buffer + data).split(b"\n")
        for line in lines:
            self._qmp_command(json.loads(line))

    def _qmp_command(self, command: dict[str, Any]) -> None:
        name = command.get("execute") or command.get("exec-oob")
        tag = {"id": command["id"]} if "id" in command else {}
        if name != "qmp_capabilities" and not self._has_capabilities:
            error = {"class": "CommandNotFound", "desc": "Expecting capabilities negotiation with 'qmp_capabilities'"}
            self._qmp_line({"error": error, **tag})
        elif name == "query-status":
            self._qmp_line({"return": {"status": self._status, "running": self._status == "running"}, **tag})
        elif name == "quit":
            if "quit" not in self._script.ignores:
                self._qmp_line({"return": {}, **tag})
                self._shut_down("host-qmp-quit")
        else:
            self._has_capabilities = True
            if name == "chardev-change" and command["arguments"]["id"] == "serial" and self._serial:
                self._serial.with_name(self._serial.name + ".muted").touch()
            self._qmp_line({"return": {}, **tag})

    def _qmp_line(self, record: dict[str, Any]) -> None:
        self._send("qmp", json.dumps(record).encode() + b"\r\n")

    def _event(self, name: str, **data: object) -> None:
        now = time.time_ns()
        stamp = {"seconds": now // 10**9, "microseconds": now // 1000 % 10**6}
        self._qmp_line({"event": name, "data": data, "timestamp": stamp})

    def _shut_down(self, reason: str) -> NoReturn:
        self._event("SHUTDOWN", guest=reason.startswith("guest"), reason=reason)
        sys.exit(0)

    def _do(self, actions: list[Action]) -> None:
        for action in actions:
            if self._is_hanging:
                return
            match action:
                case Send(channel, data):
                    time.sleep(self._script.pause_ms / 1000)
                    self._send(channel, data)
                case Reached(phase):
                    self._reach(phase)
                case PowerOff():
                    self._shut_down("guest-shutdown")

    def _send(self, channel: str, data: bytes) -> None:
        if self._is_hanging or channel not in self._connections:
            return
        half = len(data) // 2 if self._script.half_lines else len(data)
        try:
            self._connections[channel].sendall(data[:half])
            if data[half:]:
                time.sleep(0.002)
                self._connections[channel].sendall(data[half:])
        except OSError:
            return  # the host is away

    def _reach(self, phase: str) -> None:
        if self._script.exit_in == phase:
            print(self._script.stderr or f"fake: told to end in {phase}", file=sys.stderr, flush=True)
            if self._script.exit_signal:
                os.kill(os.getpid(), self._script.exit_signal)
            sys.exit(self._script.exit_code)
        if self._script.hang_in == phase:
            self._is_hanging = True

    def _probe(self) -> None:
        """What a probe machine shows on its serial port and to its monitor."""
        assert self._serial is not None
        match self._script.probe:
            case "ok":
                self._serial.write_text("pui-probe: ok\n")
                sys.exit(0)
            case "exit":
                print(self._script.stderr or "fake: could not access the accelerator", file=sys.stderr, flush=True)
                sys.exit(self._script.exit_code)
            case "internal-error":
                print("KVM internal error. Suberror: 1\nemulation failure", file=sys.stderr, flush=True)
                self._status = "internal-error"
            case "panic":
                self._serial.write_text("Kernel panic - not syncing: fake\n")
                self._status = "guest-panicked"
            case other:
                assert other == "hang"


def _pairs(argv: list[str]) -> list[tuple[str, str]]:
    return list(zip(argv, argv[1:], strict=False))


def _fields(value: str) -> dict[str, str]:
    """`head,key=value,…`; a doubled comma is one comma."""
    marked = value.replace(",,", "\0")
    return dict(part.replace("\0", ",").partition("=")[::2] for part in marked.split(","))


def fake_mount_server(argv: list[str], script: FakeScript) -> NoReturn:
    """Stays until its one client has gone, as virtiofsd does."""
    options = dict(word.removeprefix("--").partition("=")[::2] for word in argv if word.startswith("--"))
    fault = script.mount_server_error_ro if "readonly" in options else ""
    if fault := fault or script.mount_server_error:
        print(fault, file=sys.stderr, flush=True)
        sys.exit(1)
    if not Path(options["shared-dir"]).is_dir():
        sys.exit("the shared directory does not exist")
    connection, _ = socket.socket(fileno=int(options["fd"])).accept()
    while request := connection.recv(12):  # GET_FEATURES of vhost-user, the only one that is asked
        features = b"" if len(request) < 12 else struct.pack("<IIIQ", 1, 5, 8, 1 << 30)
        connection.sendall(b"garbage garbage garbage" if script.mount_server_babbles else features)
    sys.exit(0)


def fake_image_tool(argv: list[str], script: FakeScript) -> NoReturn:
    if script.overlay_error:
        print(script.overlay_error, file=sys.stderr, flush=True)
        sys.exit(1)
    assert argv[:7] == ["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b"], argv
    Path(argv[8]).write_bytes(b"QFI\xfb overlay of " + os.fsencode(argv[7]))
    if script.overlay_hangs:
        time.sleep(600)
    sys.exit(0)


def main(argv: list[str]) -> NoReturn:
    """`argv` as ld.so gets it: its own path, --inhibit-cache, --library-path DIR, the program, the arguments."""
    root = Path(argv[0]).parents[2]
    script = FakeScript.from_json((root / "fake.json").read_text())
    assert argv[1:3] == ["--inhibit-cache", "--library-path"], argv
    program, arguments = Path(argv[4]).name, argv[5:]
    if "sigterm" in script.ignores:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if arguments == ["-device", "virtio-9p-pci,help"]:
        print("virtio-9p-pci options:\n  mount_tag=<str>")
        sys.exit(0)
    if arguments == ["--version"]:
        print("QEMU emulator version 10.0.0 (fake)")
        sys.exit(0)
    if program == "qemu-img":
        fake_image_tool(arguments, script)
    if program == "virtiofsd":
        fake_mount_server(arguments, script)
    if script.stderr and not script.exit_in:
        print(script.stderr, file=sys.stderr, flush=True)
    FakeQemu(arguments, script).run()
