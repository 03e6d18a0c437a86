"""HTTP/1.1 for the one page, on loopback, by h11.

In: connections of a browser or of anybody on this computer. Out: whole requests to one answering function, its answers.
Never: a route of its own, a request beyond the limits, another address than 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

import h11

ADDRESS = "127.0.0.1"
HEADER_LIMIT_BYTES = 16 * 1024
BODY_LIMIT_BYTES = 256 * 1024 + 1  # one more than a call may have, so that the bridge can name the fault
CONNECTION_LIMIT = 64
REQUEST_DEADLINE_S = 15.0
IDLE_DEADLINE_S = 120.0
WRITE_DEADLINE_S = 30.0
READ_BYTES = 65_536


@dataclass(frozen=True)
class PageRequest:
    """One whole request. `path` and `query` are percent-decoded, header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Sequence[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The only value of `name` (lower case); None if it is absent or occurs more than once."""
        found = [value for key, value in self.headers if key == name]
        return found[0] if len(found) == 1 else None


@dataclass(frozen=True)
class PageAnswer:
    """Status, headers and a body: whole, or a stream that lasts until either side ends it."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes | AsyncIterator[bytes] = b""


Respond = Callable[[PageRequest], Awaitable[PageAnswer]]


def bind_loopback(port: int = 0) -> socket.socket:
    """A listening socket on 127.0.0.1; port 0: any free one. Raises OSError.

    The protocol is named: asyncio sets TCP_NODELAY only where it stands, else each answer waits 40 ms for an ACK.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((ADDRESS, port))
        listener.listen(CONNECTION_LIMIT)
    except OSError:
        listener.close()
        raise
    return listener


class PageServer:
    """Every method belongs to one loop."""

    def __init__(self, listener: socket.socket, respond: Respond) -> None:
        self._listener = listener
        self._respond = respond
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Takes the listener over."""
        self._server = await asyncio.start_server(self._accept, sock=self._listener)

    async def close(self) -> None:
        """Ends the listener and every connection. Idempotent."""
        if self._server is None:
            self._listener.close()
            return
        self._server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._connections) >= CONNECTION_LIMIT:
            writer.close()
            return
        self._connections.add(task)
        try:
            await _Connection(reader, writer, self._respond).serve()
        except (OSError, h11.ProtocolError, TimeoutError, asyncio.CancelledError):
            pass  # the other side went away or does not speak HTTP: the connection ends, nothing else does
        finally:
            self._connections.discard(task)
            writer.close()
            with suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, respond: Respond) -> None:
        self._reader = reader
        self._writer = writer
        self._respond = respond
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=HEADER_LIMIT_BYTES)

    async def serve(self) -> None:
        while True:
            try:
                request = await self._read_request()
            except h11.RemoteProtocolError as fault:
                await self._refuse(fault.error_status_hint)
                return
            if request is None:
                return
            try:
                answer = await self._respond(request)
            except Exception:
                import structlog  # late: its import is slow, and this never happens

                structlog.get_logger().exception("the page's server failed unexpectedly", path=request.path)
                answer = PageAnswer(500, [("connection", "close")])
            await self._send_answer(answer, is_head=request.method == "HEAD")
            if self._h11.our_state is not h11.DONE or self._h11.their_state is not h11.DONE:
                return
            self._h11.start_next_cycle()

    async def _read_request(self) -> PageRequest | None:
        head = await self._next_event(IDLE_DEADLINE_S)
        if not isinstance(head, h11.Request):
            return None
        body = bytearray()
        async with asyncio.timeout(REQUEST_DEADLINE_S):
            if self._h11.they_are_waiting_for_100_continue:
                await self._send(h11.InformationalResponse(status_code=100, headers=[]))
            while isinstance(event := await self._next_event(REQUEST_DEADLINE_S), h11.Data):
                body += event.data
                if len(body) > BODY_LIMIT_BYTES:
                    raise h11.RemoteProtocolError("the body is too large", error_status_hint=413)
        return _request(head, bytes(body))

    async def _next_event(self, deadline_s: float) -> h11.Event:
        while True:
            event = self._h11.next_event()
            if event is h11.PAUSED:
                raise h11.RemoteProtocolError("a request before the answer to the last one")
            if not isinstance(event, type) or not issubclass(event, h11.NEED_DATA):
                return event  # type: ignore[return-value]
            async with asyncio.timeout(deadline_s):
                self._h11.receive_data(await self._reader.read(READ_BYTES))

    async def _send_answer(self, answer: PageAnswer, *, is_head: bool) -> None:
        body = answer.body
        headers = list(answer.headers)
        if isinstance(body, bytes):
            headers.append(("content-length", str(len(body))))
        head = h11.Response(status_code=answer.status, headers=headers)
        if isinstance(body, bytes):
            await self._send(head, h11.Data(data=b"" if is_head else body), h11.EndOfMessage())
        else:
            await self._send(head)
            await self._send_stream(body)
            await self._send(h11.EndOfMessage())

    async def _send_stream(self, pieces: AsyncIterator[bytes]) -> None:
        """Until the stream ends or the reader is gone, which shows while it says nothing more to us."""
        gone = asyncio.ensure_future(self._reader.read(1))
        try:
            while True:
                piece = asyncio.ensure_future(anext(pieces, None))
                try:
                    await asyncio.wait({piece, gone}, return_when=asyncio.FIRST_COMPLETED)
                    if not piece.done():
                        raise ConnectionResetError("the reader of the stream went away")
                finally:
                    if not piece.done():
                        piece.cancel()
                        await asyncio.gather(piece, return_exceptions=True)
                data = piece.result()
                if data is None:
                    return
                await self._send(h11.Data(data=data))
        finally:
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)
            await pieces.aclose()  # type: ignore[attr-defined]

    async def _refuse(self, status: int) -> None:
        if self._h11.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            headers = [("content-length", "0"), ("connection", "close")]
            await self._send(h11.Response(status_code=status, headers=headers), h11.EndOfMessage())

    async def _send(self, *events: h11.Event) -> None:
        """In one write: what belongs together goes out together."""
        data = b"".join(self._h11.send(event) or b"" for event in events)
        if data:
            self._writer.write(data)
            async with asyncio.timeout(WRITE_DEADLINE_S):
                await self._writer.drain()


def _request(head: h11.Request, body: bytes) -> PageRequest:
    target = urlsplit(head.target.decode("latin-1"))
    return PageRequest(
        method=head.method.decode("ascii"),
        path=unquote(target.path, errors="replace"),
        query=dict(parse_qsl(target.query, keep_blank_values=True, max_num_fields=16)),
        headers=[(name.decode("ascii"), value.decode("latin-1")) for name, value in head.headers],
        body=body,
    )
