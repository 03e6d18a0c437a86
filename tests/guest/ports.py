"""The driver as a child that serves one port over a socket pair, in place of a virtio port.

In: a mode, further descriptors. Out: our end of the port. Never: a child or descriptor that outlives the block.
"""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_S = 15.0


@dataclass(frozen=True)
class Served:
    """`port` is the host's end; `child` runs driver.c."""

    port: socket.socket
    child: subprocess.Popen[bytes]


@contextmanager
def serve(driver: Path, mode: str, more_fds: Sequence[int] = ()) -> Iterator[Served]:
    """Runs `driver mode` with the port as descriptor 3 and `more_fds` (ours to close) from 4 on. The child has to end
    by itself, without a fault, once the block is left: the sanitizer ends it by a signal, a hang by the timeout."""
    ours, theirs = socket.socketpair()
    ours.settimeout(TIMEOUT_S)
    lowest = 10  # above every number that the child wants
    keep = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, lowest) for fd in (theirs.fileno(), *more_fds)]
    moves = " ".join(f"{number}<&{fd}" for number, fd in enumerate(keep, start=3))
    closes = " ".join(f"{fd}<&-" for fd in keep)
    script = f'exec {moves}; exec "$0" "$1" {closes}'
    child = subprocess.Popen(["/bin/bash", "-c", script, driver, mode], pass_fds=keep, stdout=subprocess.PIPE)
    theirs.close()
    for fd in keep:
        os.close(fd)
    try:
        with ours:
            yield Served(ours, child)
        assert child.wait(TIMEOUT_S) == 0
    finally:
        child.kill()
        child.wait()
        if child.stdout:
            child.stdout.close()


def read_exactly(source: socket.socket, size_bytes: int) -> bytes:
    data = bytearray()
    while len(data) < size_bytes:
        part = source.recv(min(65536, size_bytes - len(data)))
        assert part, f"the other side ended after {len(data)} of {size_bytes} bytes"
        data += part
    return bytes(data)
