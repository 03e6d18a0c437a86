"""A file tree in memory with the owners and modes it shall have, whoever builds it.

In: entries by path. Out: a deterministic tar. Never: the builder's uid, umask, clock or directory order.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import IO

from pui.domain.errors import PuiError


class Kind(StrEnum):
    FILE = "file"
    FOLDER = "folder"
    SYMLINK = "symlink"
    HARD_LINK = "hard link"


@dataclass(frozen=True)
class Entry:
    """One name. `mode` are the permission bits; `target` is set for links (of a hard link: a path of the tree)."""

    kind: Kind
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    content: bytes = b""
    target: str = ""


Wanted = Callable[[str], bool]
"""Decides by path whether an entry is taken."""

_TAR_TYPES = {
    Kind.FILE: tarfile.REGTYPE,
    Kind.FOLDER: tarfile.DIRTYPE,
    Kind.SYMLINK: tarfile.SYMTYPE,
    Kind.HARD_LINK: tarfile.LNKTYPE,
}


class Tree:
    """Paths are relative, POSIX, without a leading slash. Parents are made on demand (0755, root)."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    def put(self, path: str, entry: Entry) -> None:
        """Add or replace; a path below a symlinked folder of the tree lands in the folder it points to."""
        path = self.real_path(path)
        self._make_parents(path)
        if entry.kind is Kind.FOLDER and path in self._entries and self._entries[path].kind is Kind.SYMLINK:
            return  # a package ships /lib as a folder while the tree is usr-merged
        self._entries[path] = entry

    def file(self, path: str, content: bytes | str, *, mode: int = 0o644, uid: int = 0) -> None:
        raw = content.encode() if isinstance(content, str) else content
        self.put(path, Entry(Kind.FILE, mode, uid, uid, raw))

    def folder(self, path: str, *, mode: int = 0o755, uid: int = 0) -> None:
        self.put(path, Entry(Kind.FOLDER, mode, uid, uid))

    def symlink(self, path: str, target: str) -> None:
        self.put(path, Entry(Kind.SYMLINK, 0o777, target=target))

    def remove(self, path: str) -> None:
        """Remove one entry and everything below it; nothing when it is not there."""
        for name in [name for name in self._entries if name == path or name.startswith(path + "/")]:
            del self._entries[name]

    def __contains__(self, path: str) -> bool:
        return path in self._entries

    def items(self) -> Iterator[tuple[str, Entry]]:
        """All entries, sorted by path: parents before children."""
        return iter(sorted(self._entries.items()))

    def content(self, path: str) -> bytes:
        """Bytes of a file, links followed. Raises PuiError("pack.build") when it is missing."""
        entry = self._entries.get(self.resolve(path))
        if entry is None or entry.kind is not Kind.FILE:
            raise PuiError("pack.build", f"the packages have no file {path}")
        return entry.content

    def replace_content(self, path: str, content: bytes) -> None:
        """New bytes, same owner and mode."""
        self._entries[path] = replace(self._entries[path], content=content)

    def resolve(self, path: str) -> str:
        """The path that `path` means once all links are followed (at most 40, as Linux does)."""
        for _ in range(40):
            path = self.real_path(path)
            entry = self._entries.get(path)
            if entry is None or entry.kind not in {Kind.SYMLINK, Kind.HARD_LINK}:
                return path
            path = entry.target if entry.kind is Kind.HARD_LINK else join(path, entry.target)
        raise PuiError("pack.build", f"too many links at {path}")

    def real_path(self, path: str) -> str:
        """`path` with the symlinks among its parents followed, the last part left as it is."""
        head, _, last = path.strip("/").rpartition("/")
        if not head:
            return last
        parent = self.real_path(head)
        entry = self._entries.get(parent)
        if entry is not None and entry.kind is Kind.SYMLINK:
            parent = self.real_path(join(parent, entry.target))
        return f"{parent}/{last}" if parent else last

    def _make_parents(self, path: str) -> None:
        parts = path.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            self._entries.setdefault("/".join(parts[:depth]), Entry(Kind.FOLDER, 0o755))

    def size_bytes(self) -> int:
        """Sum of all file contents."""
        return sum(len(entry.content) for entry in self._entries.values())

    def write_tar(self, file: IO[bytes], mtime_s: int) -> None:
        """GNU tar with numeric owners only; hard links after everything else, so that their targets exist."""
        ordered = sorted(self._entries.items(), key=lambda item: (item[1].kind is Kind.HARD_LINK, item[0]))
        with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for path, entry in ordered:
                info = tarfile.TarInfo(path)
                info.type = _TAR_TYPES[entry.kind]
                info.mode, info.uid, info.gid, info.mtime = entry.mode, entry.uid, entry.gid, mtime_s
                info.linkname, info.size = entry.target, len(entry.content)
                archive.addfile(info, io.BytesIO(entry.content))


def join(link: str, target: str) -> str:
    """The tree path that a symlink at `link` with `target` means; `..` above the root stays at the root."""
    parts = [] if target.startswith("/") else link.split("/")[:-1]
    for part in target.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in {"", "."}:
            parts.append(part)
    return "/".join(parts)
