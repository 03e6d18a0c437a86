"""Unix sockets between the app and its children: we listen, the child inherits, so nothing is ever polled for.

In: a private folder and a name; later an endpoint to connect to. Out: SocketEndpoint, ByteChannel.
Never: a TCP port, a socket that another user can open, a frame (that is the codecs' business).
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

from pui.adapters.paths import SOCKET_PATH_LIMIT_BYTES, SOCKET_SUFFIX, private_dir
from pui.domain.errors import HostError, LaunchError, OutcomeUnknownError
from pui.ports import SocketEndpoint

READ_LIMIT_BYTES = 64 * 1024
_BACKLOG = 8


class UnixTransport:
    """ports.Transport."""

    def listen(self, directory: Path, name: str) -> SocketEndpoint:
        """`directory` is made when absent; it must be 0700 and ours. A stale socket of the same name is replaced.

        Raises HostError host.path_too_long, host.permission.
        """
        private_dir(directory)
        path = directory / f"{name}{SOCKET_SUFFIX}"
        if (length := len(os.fsencode(path))) > SOCKET_PATH_LIMIT_BYTES:
            raise HostError("host.path_too_long", f"{path} has {length} bytes; {SOCKET_PATH_LIMIT_BYTES} are allowed")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            path.unlink(missing_ok=True)
            listener.bind(str(path))
            path.chmod(0o600)
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            raise HostError("host.permission", f"cannot listen on {path}: {error.strerror}") from error
        return SocketEndpoint(path, listener.detach())

    def unlisten(self, endpoint: SocketEndpoint) -> None:
        """Call it once for sure and again if you like: it closes only while the descriptor is that listener still."""
        try:
            if not stat.S_ISSOCK(os.fstat(endpoint.listener_fd).st_mode):
                return
        except OSError:
            return
        listener = socket.socket(fileno=endpoint.listener_fd)
        if listener.family == socket.AF_UNIX and listener.getsockname() == str(endpoint.path):
            listener.close()
        else:
            listener.detach()

    async def connect(self, endpoint: SocketEndpoint, timeout_s: float) -> SocketChannel:
        """Raises LaunchError launch.timeout: nobody took the connection in time, or nobody listens any more."""
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await asyncio.open_unix_connection(endpoint.path, limit=READ_LIMIT_BYTES)
        except (OSError, TimeoutError) as error:
            reason = getattr(error, "strerror", None) or f"no answer within {timeout_s} s"
            raise LaunchError("launch.timeout", f"cannot connect to {endpoint.path.name}: {reason}") from error
        return SocketChannel(reader, writer, endpoint.path.name)


class SocketChannel:
    """ports.ByteChannel over an asyncio stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, label: str) -> None:
        self._reader = reader
        self._writer = writer
        self._label = label
        # drain() then waits until the kernel has taken every byte: a break in the middle is seen by its writer.
        writer.transport.set_write_buffer_limits(high=0)

    async def read(self) -> bytes:
        """A reset counts as the end: what the other side still had to say is lost either way."""
        try:
            return await self._reader.read(READ_LIMIT_BYTES)
        except OSError as error:
            if error.errno in (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED, None):
                return b""
            raise HostError("host.permission", f"cannot read from {self._label}: {error.strerror}") from error

    async def write(self, data: bytes) -> None:
        try:
            if self._writer.is_closing():
                raise ConnectionResetError(errno.ECONNRESET, "the connection is closed")
            self._writer.write(data)
            await self._writer.drain()
            if self._writer.is_closing():  # drain returns quietly when the connection was given up meanwhile
                raise ConnectionResetError(errno.ECONNRESET, "the connection was closed")
        except OSError as error:
            message = f"{self._label} broke while {len(data)} bytes were being sent"
            raise OutcomeUnknownError("channel.lost_after_send", message, detail=str(error)) from error

    async def close(self) -> None:
        """What the other side did not take is thrown away: a peer that never reads cannot hold us."""
        if self._writer.transport.get_write_buffer_size():
            self._writer.transport.abort()
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()
