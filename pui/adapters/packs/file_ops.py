"""Every change the pack store makes on disk, in one place that a test can break at each step.

In: folder descriptors and names, never whole paths of a pack. Out: changed files, all safe against links.
Never: a decision, an extraction by name through a link, a mode that depends on the umask.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pui.domain.errors import HostError

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_APPEND = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
_PART = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FULL = (errno.ENOSPC, errno.EDQUOT)


class FileOps:
    """The real operations. A test's subclass counts, fails or dies in any of them."""

    def free_bytes(self, path: Path) -> int:
        """What this user may still write in the file system of `path`."""
        found = os.statvfs(path)
        return found.f_bavail * found.f_frsize

    def make_folder(self, name: str, at: int, mode: int = 0o755) -> None:
        """A new folder below the folder `at`, exactly `mode`. Raises OSError."""
        os.mkdir(name, 0o700, dir_fd=at)  # noqa: PTH102 - pathlib has no dir_fd
        os.chmod(name, mode, dir_fd=at)  # noqa: PTH101 - pathlib has no dir_fd

    def open_folder(self, name: str, at: int) -> int:
        """A descriptor of an existing real folder. Raises OSError (also for a link)."""
        return os.open(name, _FOLDER, dir_fd=at)

    def open_new(self, name: str, at: int) -> int:
        """A descriptor of a new file; only this user can read it until its mode is set. Raises OSError."""
        return os.open(name, _NEW_FILE, 0o600, dir_fd=at)

    def open_append(self, name: str, at: int) -> int:
        """A descriptor at the end of a file that only this user can read, new or not; no link. Raises OSError."""
        return os.open(name, _APPEND, 0o600, dir_fd=at)

    def open_part(self, name: str, at: int) -> int:
        """A descriptor at the start of a file that is gone on with, new or not; no link. Raises OSError."""
        return os.open(name, _PART, 0o600, dir_fd=at)

    def cut(self, fd: int, size_bytes: int) -> None:
        """Drops what lies behind `size_bytes`."""
        os.ftruncate(fd, size_bytes)

    def write(self, fd: int, data: memoryview | bytes) -> None:
        """All of `data`. Raises OSError."""
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]

    def set_mode(self, fd: int, mode: int) -> None:
        os.fchmod(fd, mode)

    def sync(self, fd: int) -> None:
        """What was written to `fd` (a file's bytes, a folder's names) survives a power cut from here on."""
        os.fsync(fd)

    def rename(self, source: Path, target: Path) -> None:
        """Atomic within one file system. Raises OSError."""
        os.replace(source, target)  # noqa: PTH105 - the same call, without a copy of a Path

    def remove_file(self, name: str, at: int) -> None:
        os.unlink(name, dir_fd=at)

    def remove_folder(self, name: str, at: int) -> None:
        os.rmdir(name, dir_fd=at)


@contextmanager
def mapped_os_errors(doing: str) -> Iterator[None]:
    """Turns an OSError into HostError host.disk_full or host.permission that says what was being done."""
    try:
        yield
    except OSError as error:
        code = "host.disk_full" if error.errno in _FULL else "host.permission"
        where = f" ({os.fsdecode(error.filename)})" if isinstance(error.filename, (str, bytes)) else ""
        raise HostError(code, f"{doing} failed: {error.strerror}{where}", detail=repr(error)) from error


@contextmanager
def opened_folder(path: Path) -> Iterator[int]:
    """A descriptor of the real folder `path`. Raises OSError."""
    fd = os.open(path, _FOLDER)
    try:
        yield fd
    finally:
        os.close(fd)


def sync_folder(ops: FileOps, path: Path) -> None:
    """Makes the names in `path` durable."""
    with opened_folder(path) as fd:
        ops.sync(fd)


def write_new_file(ops: FileOps, name: str, at: int, data: bytes, mode: int = 0o644) -> None:
    """A whole, durable new file."""
    fd = ops.open_new(name, at)
    try:
        ops.write(fd, data)
        ops.set_mode(fd, mode)
        ops.sync(fd)
    finally:
        os.close(fd)


def remove_tree(ops: FileOps, name: str, at: int) -> None:
    """Removes the file or folder `name` below `at`; follows no link. Raises OSError; absence is no error."""
    try:
        is_folder = stat.S_ISDIR(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return
    if not is_folder:
        ops.remove_file(name, at)
        return
    _open_up(name, at)
    fd = ops.open_folder(name, at)
    try:
        with os.scandir(fd) as entries:
            names = [entry.name for entry in entries]
        for child in names:
            remove_tree(ops, child, fd)
    finally:
        os.close(fd)
    ops.remove_folder(name, at)


def _open_up(name: str, at: int) -> None:
    """A folder whose mode was taken away (by a hand or a half-done install) is made removable again."""
    os.chmod(name, 0o700, dir_fd=at)  # noqa: PTH101 - pathlib has no dir_fd


def read_file(path: Path, limit_bytes: int) -> bytes:
    """The bytes of a small regular file, no link followed at its end. Raises OSError; too long counts as EFBIG."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(fd, "rb") as file:  # noqa: PTH123 - pathlib cannot open a descriptor
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        data = file.read(limit_bytes + 1)
    if len(data) > limit_bytes:
        raise OSError(errno.EFBIG, f"more than {limit_bytes} bytes", str(path))
    return data
