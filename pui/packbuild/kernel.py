"""The kernel part: an uncompressed vmlinux for PVH boot, an initrd, modules for later.

In: the kernel package, the guest program. Out: bytes. Never: a module that is not needed.
Source: Linux Documentation/arch/x86/boot.rst (payload_offset, payload_length), Documentation/arch/arm64/booting.rst
(magic), modules' `.modinfo`.
"""

from __future__ import annotations

import lzma
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import zstandard

from pui.domain.errors import PuiError
from pui.packbuild import elf, recipe
from pui.packbuild.cpio import render_cpio
from pui.packbuild.tools import Tools
from pui.packbuild.tree import Kind, Tree

_ZSTD_MAGIC, _XZ_MAGIC = b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\x00"
VMLINUX_LIMIT_BYTES = 256 << 20
_PVH_NOTE = b"Xen\0"
_ARM64_MAGIC = b"ARMd"
_UNREAD_SECTIONS = (".BTF", ".BTF.base", ".orc_unwind", ".orc_unwind_ip", ".orc_header", ".comment", ".note.Linux")
_STRIP = ("--strip-unneeded", "-D", *(f"--remove-section={name}" for name in _UNREAD_SECTIONS))
_MODULE_FOLDERS = (
    "fs/ext4/", "fs/jbd2/", "fs/mbcache", "fs/9p/", "fs/netfs/", "fs/fuse/", "net/9p/9pnet.", "net/9p/9pnet_virtio",
    "lib/", "crypto/crc", "drivers/virtio/", "drivers/block/virtio_blk", "drivers/char/virtio_console",
)  # fmt: skip


@dataclass(frozen=True)
class Kernel:
    """`release` is `uname -r`; `modules` maps a normalised name to the uncompressed, unsigned module."""

    release: str
    vmlinux: bytes
    modules: Mapping[str, bytes]
    built_in: frozenset[str]


def is_wanted(path: str) -> bool:
    """The files of the kernel package that the builder reads: the rest (thousands of modules) is skipped unread."""
    if path.startswith("boot/vmlinuz-") or path.endswith("/modules.builtin"):
        return True
    return path.endswith(".ko.xz") and path.partition("/kernel/")[2].startswith(_MODULE_FOLDERS)


def read_kernel(tree: Tree) -> Kernel:
    """The kernel out of its unpacked package."""
    files = {path: entry.content for path, entry in tree.items() if entry.kind is Kind.FILE}
    image = next((path for path in files if path.startswith("boot/vmlinuz-")), None)
    builtin = next((path for path in files if path.endswith("/modules.builtin")), None)
    if image is None or builtin is None:
        raise PuiError("pack.build", "the kernel package has no image or no list of built-in modules")
    modules = {
        module_name(path): elf.without_signature(lzma.decompress(raw))
        for path, raw in files.items()
        if path.endswith(".ko.xz")
    }
    built_in = frozenset(module_name(line) for line in files[builtin].decode().split())
    return Kernel(image.removeprefix("boot/vmlinuz-"), bootable_kernel(files[image]), modules, built_in)


def module_name(path: str) -> str:
    """`…/crc32c-intel.ko.xz` to `crc32c_intel`: the kernel treats - and _ alike."""
    return path.rsplit("/", 1)[-1].split(".ko", 1)[0].replace("-", "_")


def bootable_kernel(image: bytes) -> bytes:
    """What QEMU starts directly: the ELF kernel out of a bzImage, or an arm64 Image as it is (it is uncompressed)."""
    if image[0x38:0x3C] == _ARM64_MAGIC:
        return image
    return extract_vmlinux(image)


def extract_vmlinux(image: bytes) -> bytes:
    """The ELF kernel inside a bzImage. Raises PuiError("pack.build") on another format or without PVH entry."""
    if image[0x202:0x206] != b"HdrS":
        raise PuiError("pack.build", "the kernel image is not a bzImage")
    (payload_offset, payload_bytes) = struct.unpack_from("<II", image, 0x248)
    start = ((image[0x1F1] or 4) + 1) * 512 + payload_offset
    payload = image[start : start + payload_bytes]
    vmlinux = _without_relocations(_decompress(payload))
    if _PVH_NOTE not in vmlinux:
        raise PuiError("pack.build", "the kernel has no PVH entry")
    return vmlinux


def _decompress(payload: bytes) -> bytes:
    if payload.startswith(_ZSTD_MAGIC):
        return zstandard.ZstdDecompressor(max_window_size=1 << 31).decompressobj().decompress(payload)
    if payload.startswith(_XZ_MAGIC):
        return lzma.LZMADecompressor().decompress(payload, VMLINUX_LIMIT_BYTES)
    raise PuiError("pack.build", f"the kernel's compression is not known (starts with {payload[:6].hex()})")


def _without_relocations(raw: bytes) -> bytes:
    """The payload is the ELF file followed by relocations for the decompressor, which PVH boot does not use."""
    if not elf.is_elf(raw):
        raise PuiError("pack.build", "the kernel's payload is not an ELF file")
    section_offset = struct.unpack_from("<Q", raw, 0x28)[0]
    entry_bytes, entries = struct.unpack_from("<HH", raw, 0x3A)
    return raw[: section_offset + entry_bytes * entries]


def load_order(kernel: Kernel, names: Iterable[str]) -> list[str]:
    """`names` and what they depend on, dependencies first, without what is built in. Raises PuiError("pack.build")."""
    order: list[str] = []
    for name in names:
        _visit(kernel, name, order)
    return order


def _visit(kernel: Kernel, name: str, order: list[str]) -> None:
    if name in kernel.built_in or name in order:
        return
    if name not in kernel.modules:
        raise PuiError("pack.build", f"the kernel {kernel.release} has no module {name}")
    for dependency in filter(None, elf.module_info(kernel.modules[name]).get("depends", "").split(",")):
        _visit(kernel, dependency.replace("-", "_"), order)
    order.append(name)


def slim_modules(kernel: Kernel, tools: Tools, work: Path) -> Kernel:
    """Only the modules that the pack ships, without what just debuggers, tracers and stack unwinders read.

    The kernel sorts the unwind tables of each module that it loads: without them (and the larger part of an initrd) a
    boot took 0.4 s less of processor time without acceleration.
    """
    late = [name for names in recipe.LATE_MODULES.values() for name in names]
    file = work / "module.ko"
    modules = {}
    for name in load_order(kernel, [*recipe.INITRD_MODULES, *late]):
        file.write_bytes(kernel.modules[name])
        tools.run("strip", [*_STRIP, str(file)], purpose=f"stripping the module {name}")
        modules[name] = file.read_bytes()
    file.unlink(missing_ok=True)
    return replace(kernel, modules=modules)


def render_initrd(kernel: Kernel, guest_program: bytes) -> bytes:
    """`/init`, `/modules.list` and the modules before the root file system. Uncompressed: quicker to boot, and the pack
    is compressed as a whole."""
    order = load_order(kernel, recipe.INITRD_MODULES)
    listing = "".join(f"{name}.ko\n" for name in order).encode()
    files = [("init", 0o755, guest_program), ("modules.list", 0o644, listing)]
    return render_cpio([*files, *((f"modules/{name}.ko", 0o644, kernel.modules[name]) for name in order)])


def add_late_modules(kernel: Kernel, tree: Tree) -> None:
    """Modules of the mount types into the root file system, with `modules.list` lines `TYPE: a.ko b.ko`."""
    early = set(load_order(kernel, recipe.INITRD_MODULES))
    lines = []
    for file_system, names in recipe.LATE_MODULES.items():
        order = [name for name in load_order(kernel, names) if name not in early]
        lines.append(f"{file_system}: {' '.join(f'{name}.ko' for name in order)}".rstrip() + "\n")
        for name in order:
            tree.file(f"{recipe.GUEST_MODULES}/{name}.ko", kernel.modules[name])
    tree.file(f"{recipe.GUEST_MODULES}/modules.list", "".join(lines))
