"""The conversation on `pui.ctl`: orders to PID 1 and what it reports.

In: a byte channel whose other end is hostile; orders. Out: answers, boot marks, the end of pi.
Never: a wait without the caller's deadline, more than a bounded part of pi's stderr.
"""

from __future__ import annotations

import asyncio
from typing import TypeVar

from pui.domain.errors import GuestError, ProtocolError
from pui.domain.handshake import (
    PROTOCOL_VERSION,
    CtlCommand,
    CtlDecoder,
    CtlEvent,
    CtlFault,
    ErrorReply,
    Exited,
    Hello,
    Mark,
    Ok,
    StderrData,
)
from pui.domain.scrub import scrub_line, scrub_text
from pui.ports import ByteChannel

STDERR_LIMIT_BYTES = 65_536
MARK_LIMIT = 64


class GuestControl:
    """One connection to PID 1. `run` reads until the channel closes; everything else waits for what it reads."""

    def __init__(self, channel: ByteChannel) -> None:
        self._channel = channel
        self._decoder = CtlDecoder()
        self._answers: dict[int, asyncio.Future[Ok]] = {}
        self._next_id = 1
        self._hello: asyncio.Future[Hello] = asyncio.get_running_loop().create_future()
        self._exited: asyncio.Future[Exited] = asyncio.get_running_loop().create_future()
        self._stderr = bytearray()
        self.marks: list[Mark] = []

    async def run(self) -> None:
        """Read until the guest closes the port. Raises ProtocolError; waiting callers get the same error."""
        try:
            while data := await self._channel.read():
                for event in self._decoder.feed(data):
                    self._take(event)
            raise GuestError("guest.agent_exit", "the guest closed its control port")
        except (ProtocolError, GuestError) as fault:
            self._fail_waiting(fault)
            raise

    @property
    def has_spoken(self) -> bool:
        """True once the guest has said hello: before that nobody listens to orders."""
        return self._hello.done() and not self._hello.cancelled() and self._hello.exception() is None

    async def hello(self) -> Hello:
        """The guest's greeting. Raises ProtocolError("protocol.remote") for another protocol version."""
        hello = await asyncio.shield(self._hello)
        if hello.proto != PROTOCOL_VERSION:
            raise ProtocolError("protocol.remote", f"the guest speaks protocol {hello.proto}, not {PROTOCOL_VERSION}")
        return hello

    async def order(self, *commands: CtlCommand) -> list[Ok]:
        """Send orders in one write and wait for every answer, in order.

        Raises GuestError("guest.config" or "guest.mount") for the first one that the guest refuses.
        """
        first = self._next_id
        self._next_id += len(commands)
        waiting = [self._expect(first + index) for index in range(len(commands))]
        try:
            await self._channel.write(b"".join(command.line(first + i) for i, command in enumerate(commands)))
            return [await _answer(command, future) for command, future in zip(commands, waiting, strict=True)]
        finally:
            for index in range(len(commands)):
                self._answers.pop(first + index, None)

    def _expect(self, order_id: int) -> asyncio.Future[Ok]:
        future: asyncio.Future[Ok] = asyncio.get_running_loop().create_future()
        self._answers[order_id] = future
        return future

    async def pi_exited(self) -> Exited:
        """When pi has ended, and how."""
        return await asyncio.shield(self._exited)

    def stderr_tail(self, limit_chars: int = 2000) -> str:
        """The last of what pi wrote to stderr, scrubbed."""
        return scrub_text(self._stderr.decode("utf-8", "replace"))[-limit_chars:]

    def _take(self, event: CtlEvent) -> None:
        match event:
            case Hello():
                _resolve(self._hello, event)
            case Mark():
                self._remember_mark(event)
            case Ok(order_id, _):
                _resolve(self._answers.get(order_id), event)
            case ErrorReply(order_id, code, message):
                _refuse(self._answers.get(order_id), f"{scrub_line(code)} {scrub_line(message)}")
            case StderrData(data):
                self._stderr = (self._stderr + data)[-STDERR_LIMIT_BYTES:]
            case Exited():
                _resolve(self._exited, event)
            case CtlFault(reason, fatal_code):
                if fatal_code:
                    raise ProtocolError(fatal_code, reason)

    def _remember_mark(self, mark: Mark) -> None:
        if len(self.marks) < MARK_LIMIT:
            self.marks.append(mark)

    def _fail_waiting(self, fault: Exception) -> None:
        _fail(self._hello, fault)
        _fail(self._exited, fault)
        for waiting in self._answers.values():
            _fail(waiting, fault)


class _Refused(Exception):
    """The guest answered `error`; inside this module only."""


async def _answer(command: CtlCommand, future: asyncio.Future[Ok]) -> Ok:
    try:
        return await future
    except _Refused as refused:
        code = "guest.mount" if command.verb == "mount" else "guest.config"
        raise GuestError(code, f"{command.verb}: {refused}") from refused


_Value = TypeVar("_Value")


def _resolve(future: asyncio.Future[_Value] | None, value: _Value) -> None:
    """A second answer, or one to nothing asked, has no effect."""
    if future is not None and not future.done():
        future.set_result(value)


def _refuse(future: asyncio.Future[Ok] | None, reason: str) -> None:
    if future is not None and not future.done():
        future.set_exception(_Refused(reason))
        future.exception()  # an order before this one may have failed already: then nobody looks at this answer


def _fail(future: asyncio.Future[_Value], fault: Exception) -> None:
    """Nobody may be waiting: then the error is the caller's of run() alone."""
    if not future.done():
        future.set_exception(fault)
        future.exception()
