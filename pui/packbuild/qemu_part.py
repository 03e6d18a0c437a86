"""The QEMU part: three programs, their libraries, the loader that finds them, firmware.

In: an unpacked tree of the qemu packages. Out: pack files. Never: a library of the building machine.
The programs are started as `qemu/lib/ld.so --library-path qemu/lib qemu/bin/NAME`, so neither the place of the pack nor
the host's C library matters.
"""

from __future__ import annotations

from collections.abc import Mapping

from pui.domain import pack_layout
from pui.packbuild import elf, recipe
from pui.packbuild.archive import PackFile
from pui.packbuild.tree import Tree

LIBRARY_FOLDERS = (f"usr/lib/{recipe.MULTIARCH}", f"usr/lib/{recipe.MULTIARCH}/libfakeroot", "usr/lib")
LOADER = f"usr/lib/{recipe.MULTIARCH}/ld-linux-x86-64.so.2"
LOADER_SONAME = "ld-linux-x86-64.so.2"
PROGRAMS: Mapping[str, str] = {
    "usr/bin/qemu-system-x86_64": pack_layout.QEMU_SYSTEM,
    "usr/bin/qemu-img": pack_layout.QEMU_IMG,
    "usr/libexec/virtiofsd": pack_layout.VIRTIOFSD,
}


def is_wanted(path: str) -> bool:
    """Files of the qemu packages that can matter: programs, libraries, firmware."""
    return path in PROGRAMS or path in recipe.FIRMWARE or is_library(path)


def is_library(path: str) -> bool:
    """True for shared libraries and the folder links that lead to them."""
    return path in {"lib", "lib64", "usr/lib64"} or (path.startswith(("usr/lib/", "lib/")) and ".so" in path)


def find_library(tree: Tree, soname: str) -> bytes | None:
    """Bytes of a library by soname, links followed."""
    for folder in LIBRARY_FOLDERS:
        path = tree.resolve(f"{folder}/{soname}")
        if path in tree:
            return tree.content(path)
    return None


def qemu_files(tree: Tree) -> list[PackFile]:
    """All files of the part. Raises PuiError("pack.build") naming a missing file or library."""
    programs = {source: tree.content(source) for source in PROGRAMS}
    libraries = elf.library_closure(programs, lambda soname: find_library(tree, soname))
    libraries.pop(LOADER_SONAME, None)
    files = [PackFile(pack_layout.QEMU_LOADER, tree.content(LOADER), executable=True)]
    files += [PackFile(target, programs[source], executable=True) for source, target in PROGRAMS.items()]
    files += [PackFile(f"{pack_layout.QEMU_LIB_DIR}/{soname}", raw) for soname, raw in libraries.items()]
    files += [
        PackFile(f"{pack_layout.FIRMWARE_DIR}/{target}", tree.content(source))
        for source, target in recipe.FIRMWARE.items()
    ]
    return files
