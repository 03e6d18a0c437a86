"""A whole tree copied to another disk, durable and proven: every byte is read back and compared.

In: a folder of plain files and folders, a new folder. Out: the copy, its size; progress in bytes. Never: a link
followed, a file that is not plain, a mode or time that is lost.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pui.adapters.packs.file_ops import FileOps, opened_folder
from pui.domain.errors import HostError

CHUNK_BYTES = 1024 * 1024
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK

Count = Callable[[int], None]
"""Is told of so many bytes more."""


@dataclass(frozen=True)
class TreeSize:
    """`disk_bytes` in whole blocks, as a copy will need them."""

    files: int
    size_bytes: int
    disk_bytes: int


@dataclass
class Copied:
    """Hashes and modes of what was copied, by path below the root."""

    sums: dict[str, tuple[bytes, int]] = field(default_factory=dict)


def measure(root: Path, skip: frozenset[str]) -> TreeSize:
    """`skip` are names at the top. Raises HostError host.permission for what is no plain file or folder; OSError."""
    files = size_bytes = disk_bytes = 0
    for path, found in _entries(root, skip):
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
            raise HostError("host.permission", f"{path} is neither a file nor a folder: remove it, then move again")
        files += 1
        size_bytes += found.st_size if stat.S_ISREG(found.st_mode) else 0
        disk_bytes += max(found.st_blocks * 512, 4096)
    return TreeSize(files, size_bytes, disk_bytes)


def copy_tree(ops: FileOps, source: Path, target: Path, skip: frozenset[str], count: Count) -> Copied:
    """`target` exists and is empty. Everything in it is durable afterwards. Raises OSError, HostError."""
    copied = Copied()
    with opened_folder(source) as source_fd, opened_folder(target) as target_fd:
        _copy_folder(ops, source_fd, target_fd, "", skip, count, copied)
    return copied


def check_copy(target: Path, copied: Copied, count: Count) -> None:
    """Reads every byte from the disk again. Raises HostError host.permission when the disk did not keep it; OSError."""
    for name, (digest, mode) in copied.sums.items():
        path = target / name
        with _closed(os.open(path, _READ)) as fd:
            found = os.fstat(fd)
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)  # from the disk, not from memory
            if stat.S_IMODE(found.st_mode) != mode or _digest(fd, count) != digest:
                raise HostError("host.permission", f"the disk did not keep {path} as it was written")


def _copy_folder(
    ops: FileOps, source: int, target: int, prefix: str, skip: frozenset[str], count: Count, copied: Copied
) -> None:
    with os.scandir(source) as entries:
        names = sorted(entry.name for entry in entries if entry.name not in skip)
    for name in names:
        found = os.stat(name, dir_fd=source, follow_symlinks=False)
        if stat.S_ISDIR(found.st_mode):
            ops.make_folder(name, target, 0o700)
            with _closed(ops.open_folder(name, source)) as inner, _closed(ops.open_folder(name, target)) as new:
                _copy_folder(ops, inner, new, f"{prefix}{name}/", frozenset(), count, copied)
                ops.set_mode(new, stat.S_IMODE(found.st_mode))
                os.utime(new, ns=(found.st_atime_ns, found.st_mtime_ns))
        elif stat.S_ISREG(found.st_mode):
            copied.sums[prefix + name] = _copy_file(ops, name, source, target, count)
        else:
            raise HostError("host.permission", f"{prefix}{name} is neither a file nor a folder")
    ops.sync(target)


def _copy_file(ops: FileOps, name: str, source: int, target: int, count: Count) -> tuple[bytes, int]:
    digest = hashlib.sha256()
    with _closed(os.open(name, _READ, dir_fd=source)) as old, _closed(ops.open_new(name, target)) as new:
        while chunk := os.read(old, CHUNK_BYTES):
            digest.update(chunk)
            ops.write(new, chunk)
            count(len(chunk))
        found = os.fstat(old)
        ops.set_mode(new, stat.S_IMODE(found.st_mode))
        os.utime(new, ns=(found.st_atime_ns, found.st_mtime_ns))
        ops.sync(new)
    return digest.digest(), stat.S_IMODE(found.st_mode)


@contextmanager
def _closed(fd: int) -> Iterator[int]:
    try:
        yield fd
    finally:
        os.close(fd)


def _digest(fd: int, count: Count) -> bytes:
    digest = hashlib.sha256()
    while chunk := os.read(fd, CHUNK_BYTES):
        digest.update(chunk)
        count(len(chunk))
    return digest.digest()


def _entries(root: Path, skip: frozenset[str]) -> Iterator[tuple[Path, os.stat_result]]:
    for folder, folders, names in os.walk(root, onerror=_raise):
        if Path(folder) == root:
            folders[:] = [name for name in folders if name not in skip]
            names = [name for name in names if name not in skip]
        for name in (*folders, *names):
            path = Path(folder) / name
            yield path, path.lstat()


def _raise(error: OSError) -> None:
    raise error
