"""The aarch64 pack: built here, its host programs complete, its guest booted to pi's answer under emulation.

In: the person's download cache. Out: verdicts. Never: a program of the pack's host part run here (it is for another
processor): QEMU for the test comes from the lock's own part for cross building.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from pui.adapters.paths import app_paths
from pui.domain import pack_layout
from pui.domain.guest_config import GuestSetup, plan_guest_config
from pui.domain.handshake import CtlDecoder, Ok
from pui.domain.launch_plan import PORT_NAMES, ChannelInput, LaunchInputs, ListenPath, plan_launch
from pui.domain.model_policy import DEMO_CHOICE, SecretText
from pui.domain.platforms import find_platform
from pui.domain.qemu_args import qemu_argv
from pui.packbuild import elf, tools
from pui.packbuild.deb import unpack_deb
from pui.packbuild.inputs import PACKAGED_LOCK, lock_in_use
from pui.packbuild.targets import find_target
from pui.packbuild.tree import Tree
from tests.guest.machine import Machine
from tests.packbuild.test_whole_build import unpack_pack

pytestmark = [pytest.mark.vm, pytest.mark.slow, pytest.mark.timeout(1800)]

TARGET = find_target("linux-aarch64")
ANSWER_LIMIT_S = 900.0
BUILD = """
import sys
from pathlib import Path
from pui.packbuild.build import BuildOptions, build_pack
cache, out, key = map(Path, sys.argv[1:])
build_pack(BuildOptions(out, cache, key, level=1, platform="linux-aarch64"), lambda progress: None)
"""


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pack, unpacked."""
    folder = tmp_path_factory.mktemp("arm")
    argv = [sys.executable, "-c", BUILD, str(app_paths().cache), str(folder / "out"), str(folder / "key.pem")]
    subprocess.run(argv, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, check=True)
    (archive,) = (folder / "out").glob("*.tar.zst")
    unpack_pack(archive, folder / "pack")
    return folder / "pack"


def test_the_host_programs_are_complete_and_for_aarch64(pack: Path) -> None:
    libraries = {path.name: path.read_bytes() for path in (pack / pack_layout.QEMU_LIB_DIR).iterdir()}
    programs = [pack_layout.QEMU_SYSTEM, pack_layout.QEMU_IMG, pack_layout.VIRTIOFSD]
    files = {name: (pack / name).read_bytes() for name in programs}
    assert elf.missing_libraries(files.items(), frozenset({*libraries, TARGET.arch.loader})) == []
    assert elf.missing_libraries(libraries.items(), frozenset({*libraries, TARGET.arch.loader})) == []
    machines = {ELFFile(io.BytesIO(raw)).get_machine_arch() for raw in [*files.values(), *libraries.values()]}
    assert machines == {"AArch64"}
    assert (pack / pack_layout.KERNEL).read_bytes()[0x38:0x3C] == b"ARMd"


def _emulator(folder: Path) -> tools.Tools:
    """QEMU for aarch64 guests that runs on this computer."""
    lock = lock_in_use(PACKAGED_LOCK, app_paths().cache, frozen=False).narrowed(TARGET.lock_suffixes)
    tree = Tree()
    for item in lock.of_part("cross"):
        unpack_deb(app_paths().cache / "downloads" / item.sha256, tree, tools.is_wanted)
    return tools.CrossTools(tree, folder).tools


class EmulatedMachine(Machine):
    """A task's machine as the launch plan wants it on linux-aarch64 without KVM; only the program is another one."""

    def __init__(self, pack: Path, folder: Path, emulator: tools.Tools) -> None:
        self._pack, self._folder = pack, folder
        self._orders, self.seen, self._sockets, self._decoder = 0, [], {}, CtlDecoder()
        base, overlay = pack / pack_layout.BASE_IMAGE, folder / "overlay.qcow2"
        create = ["create", "-q", "-f", "qcow2", "-b", str(base), "-F", "qcow2", str(overlay)]
        subprocess.run([*emulator.command("qemu-img"), *create], check=True)
        inputs = LaunchInputs(
            pack_root=pack,
            platform=find_platform("linux", "aarch64"),
            accelerator="tcg",
            share_kind=None,
            task_id="arm",
            memory_mib=768,
            cpu_count=2,
            base_image=base,
            overlay=overlay,
            shares=(),
            channels=tuple(ChannelInput(n, ListenPath(folder / n.removeprefix("pui."))) for n in PORT_NAMES),
            qmp=ListenPath(folder / "qmp"),
            serial_log=folder / "console",
        )
        argv = qemu_argv(plan_launch(inputs))
        options = argv[argv.index(str(pack / pack_layout.QEMU_SYSTEM)) + 1 :]
        self.process = subprocess.Popen([*emulator.command("qemu-system-aarch64"), *options], cwd=folder, env={})


def _answer(machine: Machine) -> dict[str, object]:
    """pi's answer to get_state; what it says by itself before is passed over."""
    rpc = machine.port("rpc")
    rpc.settimeout(ANSWER_LIMIT_S)
    rpc.sendall(json.dumps({"id": "1", "type": "get_state"}).encode() + b"\n")
    received = b""
    while True:
        data = rpc.recv(65536)
        assert data, machine.console()
        received += data
        for line in received.split(b"\n")[:-1]:
            value = json.loads(line)
            if value.get("id") == "1":
                return dict(value)


def test_the_guest_boots_to_pis_answer(pack: Path, tmp_path: Path) -> None:
    machine = EmulatedMachine(pack, tmp_path, _emulator(tmp_path / "tools"))
    try:
        for name in ("ctl", "rpc", "model"):
            machine.port(name).settimeout(ANSWER_LIMIT_S)
        assert machine.hello().kernel.endswith("-arm64")
        setup = GuestSetup("arm", time.time_ns(), os.urandom(32), (), "/workspace", DEMO_CHOICE, SecretText("token"))
        for order in plan_guest_config(setup):
            assert isinstance(machine.ask(order.verb, order.pairs), Ok), order.verb
        answer = _answer(machine)
        assert answer["success"] is True
        assert answer["command"] == "get_state"
        assert isinstance(machine.ask("poweroff"), Ok)
        assert machine.process.wait(ANSWER_LIMIT_S) == 0
    finally:
        machine.close()


def test_the_archive_is_for_this_platform_only(pack: Path) -> None:
    assert (pack / pack_layout.SBOM).read_bytes().count(b"arch=arm64") > 100
    assert b"@" not in b"".join(
        line.partition(b'"parts": ')[2].partition(b"]")[0]
        for line in (pack / pack_layout.LOCK).read_bytes().split(b"\n")
    )
