"""The guest's relay of `pui.model`, played by the test: real TCP connections on one side, frames on the other.

In: a socket for the frames. Out: a loopback port that a client (or pi) can call. Never: the host's mux code.
Written from protocol.md alone, so that both sides' reading of it is compared.
"""

from __future__ import annotations

import asyncio
import struct
from contextlib import suppress

OPEN, DATA, FIN, RESET, CREDIT = 1, 2, 3, 4, 5
PAYLOAD_BYTES = 16_384
CREDIT_BYTES = 262_144


class SocketChannel:
    """ports.ByteChannel over a pair of asyncio streams."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self) -> bytes:
        try:
            return await self._reader.read(65_536)
        except ConnectionError:  # the other side closed with bytes of ours unread
            return b""

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def close(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


class _Connection:
    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.may_send = CREDIT_BYTES
        self.has_credit = asyncio.Event()
        self.is_over = False


class GuestRelay:
    """Accepts TCP on a loopback port and carries each connection as a stream of frames."""

    def __init__(self, channel: SocketChannel) -> None:
        self._channel = channel
        self._connections: dict[int, _Connection] = {}
        self._count = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> GuestRelay:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in (self._reading, *self._tasks):
            task.cancel()
        await asyncio.gather(self._reading, *self._tasks, return_exceptions=True)
        for connection in self._connections.values():
            connection.writer.close()
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._count += 1
        number = self._count
        connection = self._connections[number] = _Connection(writer)
        await self._frame(number, OPEN)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._pump(number, connection, reader)
        except (ConnectionError, asyncio.CancelledError):
            if not connection.is_over:
                await self._frame(number, RESET)
        finally:
            self._tasks.discard(task)

    async def _pump(self, number: int, connection: _Connection, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(PAYLOAD_BYTES):
            while connection.may_send < len(data):
                connection.has_credit.clear()
                await connection.has_credit.wait()
            connection.may_send -= len(data)
            await self._frame(number, DATA, data)
        await self._frame(number, FIN)

    async def _frame(self, number: int, kind: int, payload: bytes = b"") -> None:
        await self._channel.write(struct.pack("!IBBH", number, kind, 0, len(payload)) + payload)

    async def _read(self) -> None:
        buffer = b""
        while data := await self._channel.read():
            buffer += data
            while len(buffer) >= 8:
                number, kind, _, length = struct.unpack_from("!IBBH", buffer)
                if len(buffer) < 8 + length:
                    break
                payload, buffer = buffer[8 : 8 + length], buffer[8 + length :]
                await self._take(number, kind, payload)

    async def _take(self, number: int, kind: int, payload: bytes) -> None:
        connection = self._connections[number]
        if kind == CREDIT:
            connection.may_send += struct.unpack("!I", payload)[0]
            connection.has_credit.set()
        elif kind == DATA:
            connection.writer.write(payload)
            try:
                await connection.writer.drain()
            except ConnectionError:
                connection.is_over = True
                await self._frame(number, RESET)
                return
            await self._frame(number, CREDIT, struct.pack("!I", len(payload)))
        elif kind == FIN:
            if connection.writer.can_write_eof() and not connection.writer.is_closing():
                connection.writer.write_eof()
        elif kind == RESET:
            connection.is_over = True
            connection.writer.transport.abort()
