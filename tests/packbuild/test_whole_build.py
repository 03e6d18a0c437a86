"""The whole builder: the same bytes in another place, the programs without any library of this machine.

Takes the inputs from the person's own download cache, so that a built pack needs no second download.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import zstandard

from pui.adapters.paths import app_paths
from pui.domain import pack_layout
from pui.domain.manifest import parse_manifest
from pui.packbuild.rebuild import rebuild_pack
from pui.packbuild.run import find_program

pytestmark = [pytest.mark.vm, pytest.mark.slow, pytest.mark.timeout(1200)]

BUILD = """
import sys
from pathlib import Path
from pui.packbuild.build import BuildOptions, build_pack
cache, out, key = map(Path, sys.argv[1:])
build_pack(BuildOptions(out, cache, key, level=1), lambda progress: None)
"""
PROBE = "console=ttyS0 quiet loglevel=3 reboot=t panic=-1 cryptomgr.notests pui.mode=probe"


def _build(cache: Path, out: Path, key: Path, *, zone: str, umask: int, prefix: tuple[str, ...] = ()) -> Path:
    environment = {**os.environ, "TZ": zone, "PYTHONPATH": os.pathsep.join(sys.path), "LC_ALL": "C"}
    out.mkdir()
    argv = [*prefix, sys.executable, "-c", BUILD, str(cache), str(out), str(key)]
    subprocess.run(argv, cwd=out, env=environment, umask=umask, check=True)
    (archive,) = out.glob("*.tar.zst")
    return archive


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack built once for this module, with the cache of this person."""
    folder = tmp_path_factory.mktemp("packs")
    return _build(app_paths().cache, folder / "first", folder / "key.pem", zone="UTC", umask=0o022)


def _without_network() -> tuple[str, ...]:
    """`unshare -n` where this machine allows it: the second build may not need the network."""
    prefix = ("unshare", "-n") if os.geteuid() == 0 else ("unshare", "-rn")
    works = shutil.which("unshare") and subprocess.run([*prefix, "true"], check=False).returncode == 0
    if not works:
        pytest.skip("no network namespaces on this machine")
    return prefix


def test_a_second_build_elsewhere_offline_gives_the_same_bytes(built: Path) -> None:
    folder = built.parent.parent
    prefix = _without_network()
    again = _build(
        app_paths().cache, folder / "second", folder / "key.pem", zone="Asia/Tokyo", umask=0o077, prefix=prefix
    )
    assert again.read_bytes() == built.read_bytes()
    envelope = built.name.replace(".tar.zst", ".envelope.json")
    assert again.with_name(envelope).read_bytes() == built.with_name(envelope).read_bytes()


def unpack_pack(archive_path: Path, pack: Path) -> None:
    with (
        archive_path.open("rb") as file,
        zstandard.ZstdDecompressor().stream_reader(file) as plain,
        tarfile.open(fileobj=plain, mode="r|") as archive,
    ):
        for info in archive:
            source = archive.extractfile(info)
            assert source is not None
            target = pack / info.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read())
            target.chmod(info.mode)


@pytest.fixture(scope="module")
def empty_root(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root file system that holds the pack at an odd place and nothing else: no loader, no library, no QEMU."""
    root = tmp_path_factory.mktemp("root")
    unpack_pack(built, root / "some where" / "pack")
    (root / "tmp").mkdir()
    return root


def _run_inside(root: Path, program: str, *arguments: str) -> str:
    chroot = find_program("chroot")
    assert chroot is not None
    enter = [chroot, str(root)]
    if os.geteuid() != 0:
        enter = [shutil.which("unshare") or "unshare", "-r", *enter]
    pack = "/some where/pack"
    start = [f"{pack}/{pack_layout.QEMU_LOADER}", "--library-path", f"{pack}/{pack_layout.QEMU_LIB_DIR}"]
    argv = [*enter, *start, f"{pack}/{program}", *arguments]
    return subprocess.run(argv, env={}, capture_output=True, text=True, check=True, timeout=120).stdout


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (pack_layout.QEMU_SYSTEM, "QEMU emulator version 10."),
        (pack_layout.QEMU_IMG, "qemu-img version 10."),
        (pack_layout.VIRTIOFSD, "virtiofsd 1."),
    ],
)
def test_each_program_starts_in_an_empty_root(empty_root: Path, program: str, words: str) -> None:
    assert words in _run_inside(empty_root, program, "--version")


def test_a_probe_machine_boots_in_an_empty_root(empty_root: Path) -> None:
    pack = "/some where/pack"
    output = _run_inside(
        empty_root, pack_layout.QEMU_SYSTEM, "-L", f"{pack}/{pack_layout.FIRMWARE_DIR}", "-nodefaults",
        "-no-user-config", "-display", "none", "-no-reboot", "-machine", "q35,accel=tcg", "-cpu", "max", "-m", "256",
        "-kernel", f"{pack}/{pack_layout.KERNEL}", "-initrd", f"{pack}/{pack_layout.INITRD}", "-append", PROBE,
        "-serial", "stdio",
    )  # fmt: skip
    assert "pui-probe: ok" in output


def test_the_packs_own_lock_gives_the_same_bytes_again(built: Path, empty_root: Path) -> None:
    envelope = built.with_name(built.name.replace(".tar.zst", ".envelope.json"))
    manifest = parse_manifest(base64.b64decode(json.loads(envelope.read_bytes())["payload"]))
    lock = (empty_root / "some where/pack" / pack_layout.LOCK).read_bytes()
    assert rebuild_pack(manifest, lock, app_paths().cache, lambda progress: None) == manifest
