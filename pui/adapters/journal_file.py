"""Append-only JSON lines on disk.

In: records. Out: one line each, flushed, on the disk itself when durable. Never: half a record that later ones follow,
a record's meaning (domain/journal.py).
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pui.domain.errors import HostError

_TAIL_CHUNK_BYTES = 64 * 1024


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
            raise _mapped(error, path) from error
        try:
            self._size_bytes = _end_of_last_line(self._fd)
            os.ftruncate(self._fd, self._size_bytes)
            if is_new:
                _sync_folder(path.parent)
        except OSError as error:
            self.close()
            raise _mapped(error, path) from error

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
            raise _mapped(error, self._path) from error
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


def _sync_folder(folder: Path) -> None:
    """A new name survives a power cut only when its folder was synced too."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _mapped(error: OSError, path: Path) -> HostError:
    code = "host.disk_full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "host.permission"
    return HostError(code, f"cannot write {path}: {error.strerror}")
