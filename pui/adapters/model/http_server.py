"""HTTP/1.1 on one stream of the guest, by h11.

In: a MuxStream and a Responder. Out: whole requests to the responder, its answer to the guest.
Never: routing, keys; more of a request than the limits say.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass

import h11

from pui.adapters.model.streams import MuxStream, StreamClosed

HEADER_LIMIT_BYTES = 65_536
HEADER_LIMIT_COUNT = 100
BODY_LIMIT_BYTES = 33_554_432
BODY_BUDGET_BYTES = 100_663_296
READ_DEADLINE_S = 30.0
IDLE_DEADLINE_S = 300.0

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class GuestRequest:
    """One whole request. `target` as sent, header names in lower case."""

    method: str
    target: str
    headers: Headers
    body: bytes

    def header(self, name: str) -> str:
        """The first value of `name` (lower case), or ""."""
        return next((value for key, value in self.headers if key == name), "")


@dataclass(frozen=True)
class Answer:
    """Status, headers and a body that comes in pieces; the body may raise CutConnection."""

    status: int
    headers: Headers
    body: AsyncGenerator[bytes, None]


class CutConnection(Exception):
    """Raised by a body to break off: the guest must see that the answer is not whole."""


Responder = Callable[[GuestRequest], AbstractAsyncContextManager[Answer]]


class BodyBudget:
    """Bytes of request bodies held at one time by all streams of a task."""

    def __init__(self, limit_bytes: int = BODY_BUDGET_BYTES) -> None:
        self._left = limit_bytes

    def take(self, size_bytes: int) -> bool:
        """False when there is no room; nothing was taken then."""
        if size_bytes > self._left:
            return False
        self._left -= size_bytes
        return True

    def give_back(self, size_bytes: int) -> None:
        self._left += size_bytes


class _BadRequest(Exception):
    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class HttpConnection:
    """Serves the requests of one stream, one after another, until either side ends it."""

    def __init__(self, stream: MuxStream, responder: Responder, budget: BodyBudget) -> None:
        self._stream = stream
        self._responder = responder
        self._budget = budget
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=HEADER_LIMIT_BYTES)
        self._is_head = False  # the answer to HEAD has no body, a refusal neither

    async def serve(self) -> None:
        """Raises StreamClosed when the guest went away."""
        while await self._serve_one():
            self._h11.start_next_cycle()
        self._stream.finish()

    async def _serve_one(self) -> bool:
        """One request; True if another may follow."""
        held_bytes = 0
        self._is_head = False
        try:
            head = await self._read_head()
            if head is None:
                return False
            body = bytearray()
            async with aclosing(self._read_body(head)) as pieces:
                async for piece in pieces:
                    if not self._budget.take(len(piece)):
                        raise _BadRequest(503, "too many large requests at once")
                    held_bytes += len(piece)
                    body += piece
            await self._answer_unless_gone(_request(head, bytes(body)))
        except h11.RemoteProtocolError as fault:
            await self._refuse(fault.error_status_hint, "not valid HTTP")
        except TimeoutError:
            if self._h11.their_state is h11.IDLE and not self._h11.trailing_data[0]:
                return False  # an idle connection, not a slow request
            await self._refuse(408, "the request took too long")
        except _BadRequest as bad:
            await self._refuse(bad.status, bad.reason)
        except CutConnection:
            self._stream.reset()
        finally:
            self._budget.give_back(held_bytes)
        return self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE

    async def _read_head(self) -> h11.Request | None:
        event = await self._next_event(IDLE_DEADLINE_S)
        if isinstance(event, h11.ConnectionClosed):
            return None
        if not isinstance(event, h11.Request):
            raise _BadRequest(400, "not a request")
        self._is_head = event.method == b"HEAD"
        if len(event.headers) > HEADER_LIMIT_COUNT:
            raise _BadRequest(431, "too many headers")
        announced = dict(event.headers).get(b"content-length", b"0")
        if int(announced) > BODY_LIMIT_BYTES:
            raise _BadRequest(413, "the request is too large")
        return event

    async def _read_body(self, head: h11.Request) -> AsyncGenerator[bytes, None]:
        size_bytes = 0
        if self._h11.they_are_waiting_for_100_continue:
            await self._send(h11.InformationalResponse(status_code=100, headers=[]))
        while not isinstance(event := await self._next_event(READ_DEADLINE_S), h11.EndOfMessage):
            if not isinstance(event, h11.Data):
                raise StreamClosed
            size_bytes += len(event.data)
            if size_bytes > BODY_LIMIT_BYTES:
                raise _BadRequest(413, "the request is too large")
            yield bytes(event.data)

    async def _next_event(self, deadline_s: float) -> h11.Event:
        while True:
            event = self._h11.next_event()
            if event is h11.PAUSED:
                raise _BadRequest(400, "a request before the answer to the last one")
            if not isinstance(event, type) or not issubclass(event, h11.NEED_DATA):
                return event  # type: ignore[return-value]
            async with asyncio.timeout(deadline_s):
                self._h11.receive_data(await self._stream.read())

    async def _answer_unless_gone(self, request: GuestRequest) -> None:
        """A client that goes away while it waits wants no answer: the upstream request ends at once."""
        answering = asyncio.ensure_future(self._answer(request))
        gone = asyncio.ensure_future(self._stream.wait_gone())
        try:
            await asyncio.wait({answering, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                raise StreamClosed
            answering.result()
        finally:
            for task in (answering, gone):
                task.cancel()
            await asyncio.gather(answering, gone, return_exceptions=True)

    async def _answer(self, request: GuestRequest) -> None:
        async with self._responder(request) as answer:
            await self._send(h11.Response(status_code=answer.status, headers=list(answer.headers)))
            async with aclosing(answer.body) as pieces:
                async for piece in _nothing() if self._is_head else pieces:
                    await self._send(h11.Data(data=piece))
            await self._send(h11.EndOfMessage())

    async def _refuse(self, status: int, reason: str) -> None:
        """An error answer and the end of the connection, if nothing of an answer was sent yet."""
        if self._h11.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self._stream.reset()
            return
        body = error_body(reason)
        headers = [("content-type", "application/json"), ("content-length", str(len(body))), ("connection", "close")]
        await self._send(h11.Response(status_code=status, headers=headers))
        if not self._is_head:
            await self._send(h11.Data(data=body))
        await self._send(h11.EndOfMessage())

    async def _send(self, event: h11.Event) -> None:
        data = self._h11.send(event)
        if data:
            await self._stream.write(data)


def error_body(message: str, kind: str = "pui_error") -> bytes:
    """JSON that clients of both APIs show as an error."""
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode()


def plain_answer(status: int, message: str, kind: str = "pui_gateway") -> Answer:
    """A whole error answer of our own."""
    body = error_body(message, kind)

    async def pieces() -> AsyncGenerator[bytes, None]:
        yield body

    return Answer(status, [("content-type", "application/json"), ("content-length", str(len(body)))], pieces())


async def _nothing() -> AsyncGenerator[bytes, None]:
    """The body of an answer to HEAD."""
    return
    yield b""


def _request(head: h11.Request, body: bytes) -> GuestRequest:
    return GuestRequest(
        method=head.method.decode("ascii"),
        target=head.target.decode("ascii"),
        headers=[(name.decode("ascii"), value.decode("latin-1")) for name, value in head.headers],
        body=body,
    )
