"""One window per person: a lock names the running one, a socket brings it to the front.

In: the private runtime folder's paths. Out: a claim, or nothing after the running window came to the front.
Never: a wait for a dead app: its lock is gone with it, its socket is replaced.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pui.domain.errors import HostError

if TYPE_CHECKING:  # whether another window runs is asked before anything slow is imported
    import asyncio

FOCUS, DONE = b"focus\n", b"ok\n"
ANSWER_DEADLINE_S = 5.0
QUESTION_LIMIT_BYTES = 64
PATH_LIMIT_BYTES = 107  # sun_path without its NUL (unix(7))


class InstanceClaim:
    """This process shows the window. `close` gives the claim up."""

    def __init__(self, lock_fd: int, listener: socket.socket, path: Path) -> None:
        self._lock_fd = lock_fd
        self._listener = listener
        self._path = path
        self._server: asyncio.Server | None = None
        self._focus: Callable[[], None] = lambda: None

    async def serve(self, focus: Callable[[], None]) -> None:
        """Answer other starts from now on (those that came before are waiting in the backlog)."""
        import asyncio

        self._focus = focus
        self._server = await asyncio.start_unix_server(self._answer, sock=self._listener, limit=QUESTION_LIMIT_BYTES)

    async def end(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def close(self) -> None:
        """Idempotent."""
        if self._lock_fd >= 0:
            self._listener.close()
            self._path.unlink(missing_ok=True)
            os.close(self._lock_fd)
            self._lock_fd = -1

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        import asyncio

        try:
            async with asyncio.timeout(ANSWER_DEADLINE_S):
                if await reader.readline() == FOCUS:
                    self._focus()
                    writer.write(DONE)
                    await writer.drain()
        except (OSError, ValueError, TimeoutError):
            pass  # it went away, or is none of ours
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def claim_instance(lock_path: Path, socket_path: Path) -> InstanceClaim | None:
    """The claim; None when another window runs and was brought to the front.

    Raises HostError host.permission, host.path_too_long, window.not_answering (it holds the lock and says nothing).
    """
    try:
        lock_fd = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise HostError("host.permission", f"cannot open {lock_path}: {error.strerror}") from error
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock_fd)
        _focus_other(socket_path)
        return None
    try:
        return InstanceClaim(lock_fd, _listen(socket_path), socket_path)
    except (OSError, HostError) as error:
        os.close(lock_fd)
        if isinstance(error, HostError):
            raise
        raise HostError("host.permission", f"cannot listen at {socket_path}: {error.strerror or error}") from error


def _listen(path: Path) -> socket.socket:
    """The holder of the lock owns the path: what lies there is of a dead app."""
    if len(os.fsencode(path)) > PATH_LIMIT_BYTES:
        raise HostError("host.path_too_long", f"{path} is longer than a socket's path may be")
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(8)
    except OSError:
        listener.close()
        raise
    return listener


def _focus_other(path: Path) -> None:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(ANSWER_DEADLINE_S)
            connection.connect(str(path))
            connection.sendall(FOCUS)
            if connection.recv(QUESTION_LIMIT_BYTES) == DONE:
                return
    except OSError as error:
        raise HostError("window.not_answering", f"pui runs already, but does not answer: {error}") from error
    raise HostError("window.not_answering", "pui runs already, but does not answer")
