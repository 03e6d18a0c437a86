"""Kernel image, module order, initrd."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest
import zstandard

from pui.domain.errors import PuiError
from pui.packbuild import kernel
from pui.packbuild.cpio import render_cpio


def _elf_kernel(note: bytes = b"Xen\0") -> bytes:
    raw = bytearray(b"\x7fELF" + bytes(60) + note + bytes(60))
    struct.pack_into("<Q", raw, 0x28, 64)
    struct.pack_into("<HH", raw, 0x3A, 32, 2)
    return bytes(raw)


def _bz_image(payload: bytes) -> bytes:
    image = bytearray(1024)
    image[0x1F1] = 1
    image[0x202:0x206] = b"HdrS"
    struct.pack_into("<II", image, 0x248, 16, len(payload))
    return bytes(image) + bytes(16) + payload + b"trailer"


def test_the_kernel_is_cut_at_the_end_of_its_sections() -> None:
    packed = zstandard.ZstdCompressor().compress(_elf_kernel() + b"relocations") + struct.pack("<I", 99)
    assert kernel.extract_vmlinux(_bz_image(packed)) == _elf_kernel()[: 64 + 64]


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (bytes(4096), "not a bzImage"),
        (_bz_image(b"\x1f\x8bgzip"), "compression is not known"),
        (_bz_image(zstandard.ZstdCompressor().compress(b"no elf")), "not an ELF"),
        (_bz_image(zstandard.ZstdCompressor().compress(_elf_kernel(b"none"))), "no PVH entry"),
    ],
)
def test_other_images_are_named_errors(image: bytes, words: str) -> None:
    with pytest.raises(PuiError, match=words):
        kernel.extract_vmlinux(image)


def _kernel(monkeypatch: pytest.MonkeyPatch, depends: dict[str, str], built_in: set[str]) -> kernel.Kernel:
    monkeypatch.setattr("pui.packbuild.elf.module_info", lambda raw: {"depends": depends[raw.decode()]})
    modules = {name: name.encode() for name in depends}
    return kernel.Kernel("6.0-test", b"", modules, frozenset(built_in))


def test_dependencies_come_first_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    depends = {"ext4": "jbd2,crc16", "jbd2": "crc16", "crc16": "", "virtio_blk": "virtio-ring", "virtio_ring": ""}
    linux = _kernel(monkeypatch, depends, {"virtio_pci"})
    order = kernel.load_order(linux, ["virtio_pci", "virtio_blk", "ext4"])
    assert order == ["virtio_ring", "virtio_blk", "crc16", "jbd2", "ext4"]


def test_a_missing_module_is_a_named_error(monkeypatch: pytest.MonkeyPatch) -> None:
    linux = _kernel(monkeypatch, {"ext4": "gone"}, set())
    with pytest.raises(PuiError, match=r"6\.0-test has no module gone"):
        kernel.load_order(linux, ["ext4"])


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("boot/vmlinuz-6.1", True),
        ("boot/config-6.1", False),
        ("usr/lib/modules/6.1/kernel/fs/ext4/ext4.ko.xz", True),
        ("usr/lib/modules/6.1/kernel/lib/crc16.ko.xz", True),
        ("usr/lib/modules/6.1/kernel/sound/x.ko.xz", False),
        ("usr/lib/modules/6.1/modules.builtin", True),
    ],
)
def test_only_needed_files_are_read(path: str, wanted: bool) -> None:
    assert kernel.is_wanted(path) is wanted


FILES = [("init", 0o755, b"program"), ("modules.list", 0o644, b""), ("modules/a.ko", 0o644, b"abc")]


def test_the_archive_repeats_and_is_aligned() -> None:
    assert render_cpio(FILES) == render_cpio(list(FILES))
    assert len(render_cpio(FILES)) % 512 == 0


@pytest.mark.skipif(shutil.which("cpio") is None, reason="cpio is not installed")
def test_cpio_reads_the_archive(tmp_path: Path) -> None:
    subprocess.run(["cpio", "-idm", "--quiet"], input=render_cpio(FILES), cwd=tmp_path, check=True)
    assert (tmp_path / "modules" / "a.ko").read_bytes() == b"abc"
    assert (tmp_path / "init").stat().st_mode & 0o777 == 0o755
