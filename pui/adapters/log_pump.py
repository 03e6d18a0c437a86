"""Takes what a child prints and keeps a bounded part of it.

In: bytes from a pipe whose write end a child holds. Out: a log file of at most `limit_bytes`, and the last bytes.
Never: an unbounded file (a guest can make its mount server or its console print for ever, and RLIMIT_FSIZE would
stop the overlay too), a blocked child (the pipe is always drained), a decoded byte that moves a terminal's cursor.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from pui.domain.errors import HostError

LOG_LIMIT_BYTES = 4 * 1024 * 1024
TAIL_LIMIT_BYTES = 16 * 1024
_CHUNK_BYTES = 64 * 1024
_LAST_CHUNKS = 64  # what is taken after the child's end when somebody else still holds the pipe: 4 MiB


def open_log(path: Path) -> int:
    """A new or continued log file, 0600, never through a link. Raises HostError host.permission."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(path, flags, 0o600)
    except OSError as error:
        raise HostError("host.permission", f"cannot write the log {path}: {error.strerror}") from error


def printable(raw: bytes) -> str:
    """Text of `raw` without control characters but LF and TAB; broken UTF-8 is marked."""
    text = raw.decode("utf-8", errors="replace").replace("\r\n", "\n")
    return "".join(c if c in "\n\t" or c.isprintable() else "\ufffd" for c in text)


class LogPump:
    """Copies a pipe to a log file until `close`. Must be made and closed in the running loop's thread.

    `write_fd` goes to the child (the caller closes its copy with `release_write_end`).
    """

    def __init__(self, path: Path, limit_bytes: int = LOG_LIMIT_BYTES) -> None:
        self._file = open_log(path)
        self._left = limit_bytes
        self._tail = bytearray()
        self.dropped_bytes = 0
        self._loop = asyncio.get_running_loop()
        try:
            self._read_fd, self.write_fd = os.pipe2(os.O_CLOEXEC)
        except OSError:
            os.close(self._file)
            raise
        os.set_blocking(self._read_fd, False)
        self._loop.add_reader(self._read_fd, self._pump)

    def release_write_end(self) -> None:
        """Closes our copy of the write end, once the child has its own. Idempotent."""
        if self.write_fd >= 0:
            os.close(self.write_fd)
            self.write_fd = -1

    def tail(self, limit_bytes: int = 4096) -> str:
        """The last bytes that were printed, scrubbed; at most TAIL_LIMIT_BYTES are remembered."""
        return printable(bytes(self._tail[-limit_bytes:]))

    def _pump(self) -> bool:
        """Takes one chunk; False when there is no more now or ever."""
        try:
            chunk = os.read(self._read_fd, _CHUNK_BYTES)
        except BlockingIOError:
            return False
        if not chunk:
            self._loop.remove_reader(self._read_fd)
            return False
        self._keep(chunk)
        return True

    def _keep(self, chunk: bytes) -> None:
        self._tail += chunk
        del self._tail[:-TAIL_LIMIT_BYTES]
        kept = chunk[: self._left]
        self._left -= len(kept)
        self._write(kept)
        if len(kept) < len(chunk):
            if not self.dropped_bytes:
                self._write(b"\n[pui: the limit of this log is reached; what follows is not kept]\n")
            self.dropped_bytes += len(chunk) - len(kept)

    def _write(self, data: bytes) -> None:
        try:
            os.write(self._file, data)
        except OSError:
            self._left = 0  # a full disk must not end the machine: the tail is still in memory

    def close(self) -> None:
        """Takes what is still in the pipe and closes everything. Idempotent."""
        if self._file < 0:
            return
        self.release_write_end()
        for _ in range(_LAST_CHUNKS):
            if not self._pump():
                break
        self._loop.remove_reader(self._read_fd)
        os.close(self._read_fd)
        os.close(self._file)
        self._file = -1
