"""Collects, while a pack is built, where everything comes from; then writes the three files that say so.

In: unpacked trees, tarballs, sizes. Out: `LICENCES.txt`, `sbom.cdx.json`, `versions.lock` of the pack.
Never: a component without a licence.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pui.domain import pack_layout
from pui.packbuild.archive import PackFile
from pui.packbuild.licences import debian_texts, licence_names, npm_text, render_licences
from pui.packbuild.lock import Lock, LockedInput, deb_name, render_lock
from pui.packbuild.sbom import MadePart, render_sbom
from pui.packbuild.tree import Tree

_COMPILER_TEXTS = {
    "musl (linked into the guest program)": "lib/libc/musl/COPYRIGHT",
    "zig's compiler runtime (linked into the guest program)": "LICENSE",
}


class Provenance:
    """What the parts of one build report."""

    def __init__(self, lock: Lock) -> None:
        self._lock = lock
        self._texts: dict[str, bytes] = {}
        self._licences: dict[str, tuple[str, ...]] = {}
        self._installed: dict[str, int] = {}
        self._made: list[MadePart] = []

    def add_debian(self, tree: Tree, part: str) -> None:
        """The licences of a part that was unpacked into `tree`. Raises PuiError("pack.build") for a missing one."""
        items = self._lock.of_part(part)
        texts = debian_texts(tree, {deb_name(item): item.version for item in items})
        self._texts |= texts
        for item in items:
            self._licences[item.name] = licence_names(texts[f"{deb_name(item)} {item.version}"])

    def add_npm(self, item: LockedInput, tarball: Path) -> None:
        """The licence of an npm package. Raises PuiError("pack.build") when it names none."""
        text, name = npm_text(tarball, item.name)
        self._texts[f"{item.name} {item.version}"] = text
        self._licences[item.name] = (name,)

    def add_compiler(self, item: LockedInput, folder: Path) -> None:
        """What the compiler links into the guest program; `folder` is the one of its wheel's package."""
        self._texts |= {name: (folder / path).read_bytes() for name, path in _COMPILER_TEXTS.items()}
        self._licences[item.name] = ("MIT",)

    def add_installed(self, name: str, size_bytes: int) -> None:
        """What an input takes up inside the root file system."""
        self._installed[name] = self._installed.get(name, 0) + size_bytes

    @contextmanager
    def measured(self, tree: Tree, name: str) -> Iterator[None]:
        """What is added to `tree` inside belongs to the input `name`."""
        before = tree.size_bytes()
        yield
        self.add_installed(name, tree.size_bytes() - before)

    @contextmanager
    def made(self, tree: Tree, name: str, version: str, licences: tuple[str, ...]) -> Iterator[None]:
        """What is added to `tree` inside was made by the builder."""
        before = tree.size_bytes()
        yield
        self._made.append(MadePart(name, version, "rootfs", licences, tree.size_bytes() - before))

    def licences_of(self, name: str) -> tuple[str, ...]:
        return self._licences.get(name, ())

    def files(self, platform: str, fingerprint: str) -> list[PackFile]:
        """The three files."""
        sbom = render_sbom(platform, self._lock, fingerprint, self._licences, self._installed, self._made)
        return [
            PackFile(pack_layout.LICENCES, render_licences(self._texts)),
            PackFile(pack_layout.SBOM, sbom),
            PackFile(pack_layout.LOCK, render_lock(self._lock)),
        ]
