"""Programs from the lock's own packages, run on the building machine through their own loader and libraries.

In: an unpacked tree of the tools packages. Out: their output, the same on every builder. Never: the builder's
own copy of a tool whose version could change the pack's bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pui.packbuild import elf, qemu_part
from pui.packbuild.run import CLEAN_ENVIRONMENT, run
from pui.packbuild.tree import Tree

PROGRAMS: Mapping[str, str] = {"mke2fs": "usr/sbin/mke2fs", "strip": "usr/bin/x86_64-linux-gnu-strip"}
OPENED_AT_RUN_TIME: Mapping[str, str] = {"mke2fs": "libarchive.so.13"}
"""mke2fs opens libarchive by dlopen to read a tar for `-d`."""


def is_wanted(path: str) -> bool:
    return path in PROGRAMS.values() or qemu_part.is_library(path)


class Tools:
    """The tools, written below `folder`."""

    def __init__(self, tree: Tree, folder: Path) -> None:
        self._folder = folder
        (folder / "lib").mkdir(parents=True)
        programs = {name: tree.content(path) for name, path in PROGRAMS.items()}
        libraries = elf.library_closure(programs, lambda soname: qemu_part.find_library(tree, soname))
        for soname in OPENED_AT_RUN_TIME.values():
            raw = qemu_part.find_library(tree, soname) or b""
            libraries |= {
                soname: raw,
                **elf.library_closure({soname: raw}, lambda name: qemu_part.find_library(tree, name)),
            }
        for name, raw in {**programs, "ld.so": tree.content(qemu_part.LOADER)}.items():
            _write_executable(folder / name, raw)
        for soname, raw in libraries.items():
            _write_executable(folder / "lib" / soname, raw)

    def run(
        self, program: str, arguments: Sequence[str], *, purpose: str, env: Mapping[str, str] | None = None
    ) -> bytes:
        """Standard output. Raises PuiError("pack.build")."""
        start = [str(self._folder / "ld.so"), "--library-path", str(self._folder / "lib"), str(self._folder / program)]
        return run([*start, *arguments], purpose=purpose, env={**CLEAN_ENVIRONMENT, **(env or {})})


def _write_executable(path: Path, raw: bytes) -> None:
    path.write_bytes(raw)
    path.chmod(0o755)
