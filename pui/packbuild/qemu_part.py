"""The QEMU part: three programs, their libraries, the loader that finds them, firmware.

In: an unpacked tree of the qemu packages. Out: pack files. Never: a library of the building machine.
The programs are started as `qemu/lib/ld.so --library-path qemu/lib qemu/bin/NAME`, so neither the place of the pack nor
the host's C library matters.
"""

from __future__ import annotations

from pui.domain import pack_layout
from pui.packbuild import elf
from pui.packbuild.archive import PackFile
from pui.packbuild.targets import Arch, Target
from pui.packbuild.tree import Tree


def programs(target: Target) -> dict[str, str]:
    """Path in the packages to path in the pack."""
    return {
        target.qemu_program: pack_layout.QEMU_SYSTEM,
        "usr/bin/qemu-img": pack_layout.QEMU_IMG,
        "usr/libexec/virtiofsd": pack_layout.VIRTIOFSD,
    }


def loader_path(arch: Arch) -> str:
    return f"usr/lib/{arch.multiarch}/{arch.loader}"


def is_wanted(path: str, target: Target) -> bool:
    """Files of the qemu packages that can matter: programs, libraries, firmware."""
    return path in programs(target) or path in target.firmware or is_library(path)


def is_library(path: str) -> bool:
    """True for shared libraries and the folder links that lead to them."""
    return path in {"lib", "lib64", "usr/lib64"} or (path.startswith(("usr/lib/", "lib/")) and ".so" in path)


def find_library(tree: Tree, soname: str, multiarch: str) -> bytes | None:
    """Bytes of a library by soname, links followed."""
    for folder in (f"usr/lib/{multiarch}", f"usr/lib/{multiarch}/libfakeroot", "usr/lib"):
        path = tree.resolve(f"{folder}/{soname}")
        if path in tree:
            return tree.content(path)
    return None


def qemu_files(tree: Tree, target: Target) -> list[PackFile]:
    """All files of the part. Raises PuiError("pack.build") naming a missing file or library."""
    arch, names = target.arch, programs(target)
    contents = {source: tree.content(source) for source in names}
    libraries = elf.library_closure(contents, lambda soname: find_library(tree, soname, arch.multiarch))
    libraries.pop(arch.loader, None)
    files = [PackFile(pack_layout.QEMU_LOADER, tree.content(loader_path(arch)), executable=True)]
    files += [PackFile(name, contents[source], executable=True) for source, name in names.items()]
    files += [PackFile(f"{pack_layout.QEMU_LIB_DIR}/{soname}", raw) for soname, raw in libraries.items()]
    files += [
        PackFile(f"{pack_layout.FIRMWARE_DIR}/{name}", tree.content(source)) for source, name in target.firmware.items()
    ]
    return files
