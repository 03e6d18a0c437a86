"""Cache volumes on disk: one holder, a checked header, what is damaged begins anew.

In: a template with the header that qemu-img writes. Out: verdicts. Never: QEMU (tests/vm boots with a real one).
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from pui.adapters.paths import AppPaths
from pui.adapters.qemu.cache_volumes import IN_USE, NO_TEMPLATE, CacheFolder
from pui.domain import pack_layout
from pui.domain.qcow2_header import HEADER_READ_BYTES
from pui.ports import InstalledPack
from tests.support.machines import fake_installed_pack

FILE_BYTES = 4 * HEADER_READ_BYTES
HEADER = struct.pack(
    ">4sIQIIQIIQQIIQQQQII",
    *(b"QFI\xfb", 3, 0, 0, 16, pack_layout.CACHE_VOLUME_BYTES, 0, 16, 0x30000, 0x10000, 1, 0, 0, 0, 0, 0, 4, 104),
)
TEMPLATE = HEADER.ljust(FILE_BYTES, b"\0")
A, B = Path("/home/me/a"), Path("/home/me/b")


@pytest.fixture
def folder(tmp_path: Path) -> CacheFolder:
    return CacheFolder(AppPaths(tmp_path / "data", tmp_path / "cache", tmp_path / "run"))


@pytest.fixture
def pack(tmp_path: Path) -> InstalledPack:
    found = fake_installed_pack(tmp_path / "pack")
    template = found.root / pack_layout.CACHE_TEMPLATE
    template.parent.mkdir(parents=True, exist_ok=True)
    template.write_bytes(TEMPLATE)
    return found


def _volume(folder: CacheFolder, pack: InstalledPack, workspace: Path = A) -> Path:
    with folder.hold(pack, workspace) as volume:
        assert volume.path is not None, volume.note
        return volume.path


def test_a_volume_is_made_once_and_kept(folder: CacheFolder, pack: InstalledPack) -> None:
    with folder.hold(pack, A) as volume:
        assert volume.path is not None and "new, empty" in volume.note
        with volume.path.open("r+b") as file:
            file.seek(HEADER_READ_BYTES)
            file.write(b"kept")
        assert volume.path.stat().st_mode & 0o777 == 0o600
    with folder.hold(pack, A) as again:
        assert again.path == volume.path and "earlier tasks" in again.note
        assert b"kept" in volume.path.read_bytes()


def test_folders_do_not_share_a_volume(folder: CacheFolder, pack: InstalledPack) -> None:
    assert _volume(folder, pack, A) != _volume(folder, pack, B)
    assert "me" not in _volume(folder, pack, A).name


def test_one_task_at_a_time(folder: CacheFolder, pack: InstalledPack) -> None:
    with folder.hold(pack, A) as first, folder.hold(pack, A) as second:
        assert first.path is not None
        assert (second.path, second.note) == (None, IN_USE)
    assert _volume(folder, pack) == first.path


def test_a_pack_without_a_template_has_no_volume(folder: CacheFolder, pack: InstalledPack) -> None:
    (pack.root / pack_layout.CACHE_TEMPLATE).unlink()
    with folder.hold(pack, A) as volume:
        assert (volume.path, volume.note) == (None, NO_TEMPLATE)


def _backing(path: Path) -> None:
    name = b"/etc/passwd"
    head = bytearray(TEMPLATE)
    head[8:20] = struct.pack(">QI", 512, len(name))
    head[512 : 512 + len(name)] = name
    path.write_bytes(head)


def _link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


DAMAGE = {
    "D1-backing-file": _backing,
    "D2-data-file": lambda path: path.write_bytes(TEMPLATE[:72] + struct.pack(">Q", 4) + TEMPLATE[80:]),
    "D4-raw": lambda path: path.write_bytes(b"raw" * 100_000),
    "D7-cut": lambda path: path.write_bytes(TEMPLATE[:50]),
    "other-size": lambda path: path.write_bytes(TEMPLATE[:24] + struct.pack(">Q", 1 << 50) + TEMPLATE[32:]),
    "empty": lambda path: path.write_bytes(b""),
    "link": _link,
    "fifo": lambda path: (path.unlink(), os.mkfifo(path)),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_what_is_not_ours_begins_anew(folder: CacheFolder, pack: InstalledPack, kind: str) -> None:
    path = _volume(folder, pack)
    DAMAGE[kind](path)
    with folder.hold(pack, A) as volume:
        assert volume.path == path and "begins anew" in volume.note
        assert path.read_bytes() == TEMPLATE and not path.is_symlink()


def test_a_dropped_volume_begins_anew(folder: CacheFolder, pack: InstalledPack) -> None:
    with folder.hold(pack, A) as volume:
        folder.drop(volume)
        folder.drop(volume)
    with folder.hold(pack, A) as again:
        assert "new, empty" in again.note


def test_clear_leaves_what_a_task_holds(folder: CacheFolder, pack: InstalledPack) -> None:
    kept, gone = _volume(folder, pack, A), _volume(folder, pack, B)
    assert {volume.name for volume in folder.stored()} == {kept.stem, gone.stem}
    with folder.hold(pack, A):
        removed, busy = folder.clear()
    assert ([volume.name for volume in removed], busy) == ([gone.stem], (kept.stem,))
    assert kept.exists() and not gone.exists()


def test_a_copy_that_was_interrupted_is_no_volume(folder: CacheFolder, pack: InstalledPack) -> None:
    path = _volume(folder, pack)
    path.rename(path.with_suffix(".partial"))
    with folder.hold(pack, A) as volume:
        assert "new, empty" in volume.note
    assert not path.with_suffix(".partial").exists()
