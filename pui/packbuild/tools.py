"""Programs from the lock's own packages, run on the building machine through their own loader and libraries.

In: an unpacked tree of the tools packages. Out: their output, the same on every builder. Never: the builder's
own copy of a tool whose version could change the pack's bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pui.packbuild import elf, qemu_part
from pui.packbuild.run import CLEAN_ENVIRONMENT, run
from pui.packbuild.targets import ARCHES, BUILDER_ARCH, Arch
from pui.packbuild.tree import Kind, Tree

MKE2FS = {"mke2fs": "usr/sbin/mke2fs"}
CROSS_PROGRAMS: Mapping[str, str] = {
    "qemu-img": "usr/bin/qemu-img",
    "python3": "usr/bin/python3.13",
    "qemu-system-aarch64": "usr/bin/qemu-system-aarch64",
}
OPENED_AT_RUN_TIME: Mapping[str, str] = {"mke2fs": "libarchive.so.13"}
"""mke2fs opens libarchive by dlopen to read a tar for `-d`."""


def programs(arch: Arch) -> dict[str, str]:
    """Name to path in the packages; "strip" is the one for files of `arch`."""
    return {**MKE2FS, "strip": arch.strip}


def is_wanted(path: str) -> bool:
    """Of the parts "tools" and "cross": programs, libraries, Python's own files."""
    known = {*MKE2FS.values(), *(arch.strip for arch in ARCHES.values()), *CROSS_PROGRAMS.values()}
    return path in known or qemu_part.is_library(path) or path.startswith("usr/lib/python3")


class Tools:
    """The tools, written below `folder`. `wanted` maps names to paths in `tree`."""

    def __init__(self, tree: Tree, folder: Path, wanted: Mapping[str, str]) -> None:
        self._folder = folder
        (folder / "lib").mkdir(parents=True)
        arch = ARCHES[BUILDER_ARCH]

        def find(soname: str) -> bytes | None:
            return qemu_part.find_library(tree, soname, arch.multiarch)

        contents = {name: tree.content(path) for name, path in wanted.items()}
        libraries = elf.library_closure(contents, find)
        for program, soname in OPENED_AT_RUN_TIME.items():
            if program in wanted:
                raw = find(soname) or b""
                libraries |= {soname: raw, **elf.library_closure({soname: raw}, find)}
        for name, raw in {**contents, "ld.so": tree.content(qemu_part.loader_path(arch))}.items():
            _write_executable(folder / name, raw)
        for soname, raw in libraries.items():
            _write_executable(folder / "lib" / soname, raw)

    def command(self, program: str) -> list[str]:
        """The start of a command line."""
        return [str(self._folder / "ld.so"), "--library-path", str(self._folder / "lib"), str(self._folder / program)]

    def run(
        self, program: str, arguments: Sequence[str], *, purpose: str, env: Mapping[str, str] | None = None
    ) -> bytes:
        """Standard output. Raises PuiError("pack.build")."""
        return run([*self.command(program), *arguments], purpose=purpose, env={**CLEAN_ENVIRONMENT, **(env or {})})


class CrossTools:
    """Programs of the builder's processor that do for a foreign guest what its own programs would do."""

    def __init__(self, tree: Tree, folder: Path) -> None:
        self.tools = Tools(tree, folder / "programs", CROSS_PROGRAMS)
        self._home = folder / "python"
        for path, entry in tree.items():
            if entry.kind is Kind.FILE and path.startswith("usr/lib/python3"):
                target = self._home / path.removeprefix("usr/")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(entry.content)

    def python(self) -> list[str]:
        """A Python of the guest's version, on the builder."""
        environment = [f"PYTHONHOME={self._home}", "PYTHONHASHSEED=0", "PYTHONDONTWRITEBYTECODE=1", "LC_ALL=C.UTF-8"]
        return ["/usr/bin/env", *environment, *self.tools.command("python3")]


def _write_executable(path: Path, raw: bytes) -> None:
    path.write_bytes(raw)
    path.chmod(0o755)
