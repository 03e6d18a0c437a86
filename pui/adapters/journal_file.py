"""Append-only JSON lines on disk.

In: records. Out: one line each, flushed, on the disk itself when durable; lines of a file from its end.
Never: half a record that later ones follow, a record's meaning (domain/journal.py).
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Generator, Mapping
from contextlib import suppress
from pathlib import Path

from pui.domain.errors import HostError

_TAIL_CHUNK_BYTES = 64 * 1024
_READ_CHUNK_BYTES = 256 * 1024
LINE_LIMIT_BYTES = 8 * 1024 * 1024


class JsonlFile:
    """ports.JournalFile. Opening it cuts off a torn last line (a crash in the middle of a write), so that what is
    appended stays readable; the record was never reported as written."""

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._path = path
        is_new = not path.exists()
        try:
            self._fd = os.open(path, flags, 0o600)
        except OSError as error:
            raise mapped_write_error(error, path) from error
        try:
            self._size_bytes = _end_of_last_line(self._fd)
            os.ftruncate(self._fd, self._size_bytes)
            if is_new:
                sync_folder(path.parent)
        except OSError as error:
            self.close()
            raise mapped_write_error(error, path) from error

    def append(self, record: Mapping[str, object], *, durable: bool) -> None:
        """ASCII JSON: whatever a guest put into a string (lone surrogates, U+2028) stays one valid line."""
        line = json.dumps(record, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"
        try:
            _write_all(self._fd, line)
            if durable:
                os.fsync(self._fd)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._fd, self._size_bytes)
            raise mapped_write_error(error, self._path) from error
        self._size_bytes += len(line)

    def close(self) -> None:
        """Idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _end_of_last_line(fd: int) -> int:
    """Offset after the last LF; 0 when there is none."""
    position = os.fstat(fd).st_size
    while position > 0:
        start = max(position - _TAIL_CHUNK_BYTES, 0)
        found = os.pread(fd, position - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        position = start
    return 0


def sync_folder(folder: Path) -> None:
    """A new name survives a power cut only when its folder was synced too."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def lines_from_the_end(path: Path) -> Generator[bytes, None, None]:
    """The whole lines of a file without their LF, last one first. A torn last line is left out, an absent file empty.

    A line of more than LINE_LIMIT_BYTES comes as b"" (it is nothing that pui wrote), so memory stays bounded. The file
    may grow meanwhile: what was there at the start is read. Raises HostError("host.permission").
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    except OSError as error:
        raise HostError("host.permission", f"cannot read {path}: {error.strerror}") from error
    try:
        yield from _lines_backward(fd, _end_of_last_line(fd))
    except OSError as error:
        raise HostError("host.permission", f"cannot read {path}: {error.strerror}") from error
    finally:
        os.close(fd)


def _lines_backward(fd: int, end: int) -> Generator[bytes, None, None]:
    """`end` is behind a LF, or 0."""
    rest, is_too_long = b"", False
    position = end - 1  # the LF of the last line ends nothing that follows
    while position > 0:
        start = max(position - _READ_CHUNK_BYTES, 0)
        first, *lines = (os.pread(fd, position - start, start) + rest).split(b"\n")
        if lines:
            yield from ([b""] if is_too_long else [lines[-1]])
            yield from reversed(lines[:-1])
            is_too_long = False
        is_too_long = is_too_long or len(first) > LINE_LIMIT_BYTES
        rest, position = (b"" if is_too_long else first), start
    if end > 0:
        yield b"" if is_too_long else rest


def mapped_write_error(error: OSError, path: Path) -> HostError:
    """A failed write as a HostError: host.disk_full or host.permission."""
    code = "host.disk_full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "host.permission"
    return HostError(code, f"cannot write {path}: {error.strerror}")
