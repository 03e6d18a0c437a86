"""A bounded look into a folder that a guest may be writing to: names, and the text of what is text.

In: a folder. Out: FolderSnapshot. Never: a link that is followed, a special file that is opened, a program that is run
(git least of all: its configuration is the guest's), a file read beyond its limit.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pui.domain.errors import HostError
from pui.domain.folder_diff import FolderEntry, FolderSnapshot

_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

# Git's own data: nothing to show, much to read. Its hooks and configuration are looked at.
_SKIPPED_IN_GIT = frozenset({"objects", "logs", "index", "ORIG_HEAD", "FETCH_HEAD", "COMMIT_EDITMSG", "lfs"})


@dataclass(frozen=True)
class ScanLimits:
    """Where a look ends. Text beyond `file_limit_bytes`, or when `total_limit_bytes` is used up, is not kept."""

    entry_limit: int = 20_000
    depth_limit: int = 40
    file_limit_bytes: int = 512 * 1024
    total_limit_bytes: int = 32 * 1024 * 1024
    passed_over: frozenset[str] = frozenset()
    """Names of folders that are not entered."""


_NAMES_ONLY = ScanLimits(
    total_limit_bytes=-1,
    passed_over=frozenset(
        {".git", ".hg", ".svn", "node_modules", "__pycache__", ".venv", "venv", ".mypy_cache", ".ruff_cache", ".tox"}
    ),
)
"""For a list of names: no text is read, and what tools fill with thousands of files does not use up the limit."""


def scan_folder(path: Path, limits: ScanLimits | None = None, known: FolderSnapshot | None = None) -> FolderSnapshot:
    """Everything below `path` up to the limits. What vanishes meanwhile is left out; what `known` has with the same
    stamp is taken from there.

    Raises HostError host.permission when the folder itself cannot be opened. Blocks: run it in a thread.
    """
    scan = _Scan(limits or ScanLimits(), {} if known is None else known.entries)
    try:
        root = os.open(path, _OPEN_FOLDER)
    except OSError as error:
        raise HostError("host.permission", f"cannot look into {path}: {error.strerror}") from error
    try:
        scan.walk(root, "", 0)
    finally:
        os.close(root)
    return FolderSnapshot(scan.entries, scan.is_complete)


class HostFolderScanner:
    """ports.FolderScanner."""

    def scan(self, folder: Path, known: FolderSnapshot | None = None) -> FolderSnapshot:
        return scan_folder(folder, known=known)

    def names(self, folder: Path) -> list[str]:
        return list(scan_folder(folder, _NAMES_ONLY).entries)


@dataclass
class _Scan:
    limits: ScanLimits
    known: Mapping[str, FolderEntry]
    entries: dict[str, FolderEntry] = field(default_factory=dict)
    is_complete: bool = True
    read_bytes: int = 0

    def walk(self, folder: int, prefix: str, depth: int) -> None:
        for name, status in self._children(folder, prefix):
            path = prefix + name
            if stat.S_ISDIR(status.st_mode):
                if name not in self.limits.passed_over:
                    self._descend(folder, name, path, depth)
            else:
                self.entries[path] = self._entry(folder, name, status, self.known.get(path))

    def _children(self, folder: int, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
        """Sorted, so that a limit cuts the same names in both looks; never more than the limit is held."""
        is_git = f"/{prefix}".endswith("/.git/")
        names: list[str] = []
        with os.scandir(folder) as found:
            for item in found:
                if len(self.entries) + len(names) >= self.limits.entry_limit:
                    self.is_complete = False
                    break
                names.append(item.name)
        for name in sorted(names):
            if is_git and name in _SKIPPED_IN_GIT:
                continue
            try:
                yield name, os.stat(name, dir_fd=folder, follow_symlinks=False)
            except OSError:
                continue  # gone since, or not ours to see

    def _descend(self, folder: int, name: str, path: str, depth: int) -> None:
        if depth >= self.limits.depth_limit:
            self.is_complete = False
            return
        try:
            inner = os.open(name, _OPEN_FOLDER, dir_fd=folder)
        except OSError:
            self.is_complete = False
            return
        try:
            self.walk(inner, path + "/", depth + 1)
        finally:
            os.close(inner)

    def _entry(self, folder: int, name: str, status: os.stat_result, known: FolderEntry | None) -> FolderEntry:
        stamp = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        if stat.S_ISLNK(status.st_mode):
            return FolderEntry("link", 0, stamp, target=_target(folder, name))
        if not stat.S_ISREG(status.st_mode):
            return FolderEntry("other", 0, stamp)
        if known is not None and (known.kind, known.stamp) == ("file", stamp):
            self.read_bytes += 0 if known.text is None else status.st_size
            return known
        text = self._text(folder, name, status.st_size)
        return FolderEntry("file", status.st_size, stamp, bool(status.st_mode & 0o111), text)

    def _text(self, folder: int, name: str, size_bytes: int) -> str | None:
        """None for what is too large or not text. The file may have become something else since it was listed."""
        left = self.limits.total_limit_bytes - self.read_bytes
        if size_bytes > min(self.limits.file_limit_bytes, left):
            return None
        try:
            fd = os.open(name, _OPEN_FILE, dir_fd=folder)
        except OSError:
            return None
        with os.fdopen(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return None
            try:
                data = file.read(min(self.limits.file_limit_bytes, left) + 1)
            except OSError:
                return None
        self.read_bytes += len(data)
        return _decode(data) if len(data) <= self.limits.file_limit_bytes else None


def _decode(data: bytes) -> str | None:
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _target(folder: int, name: str) -> str:
    try:
        return os.readlink(name, dir_fd=folder)
    except OSError:
        return ""
