"""The streams of one `pui.model` port as objects to read from and write to.

In: a ByteChannel. Out: one task of the caller's handler for each connection the guest opens.
Never: HTTP; a wait in the reading loop for the guest to read (that could stop both sides).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from pui.domain.mux import Data, Fin, MuxEvent, MuxSession, Opened, Reset
from pui.ports import ByteChannel

QUEUE_LIMIT_BYTES = 65_536
OUTGOING_LIMIT_BYTES = 1_048_576
OUTGOING_CEILING_BYTES = 8_388_608


class StreamClosed(Exception):
    """The guest ended the connection; inside this package only."""


class MuxStream:
    """One connection of the guest. Not shared between tasks, but for `watch_end`."""

    def __init__(self, hub: StreamHub, number: int) -> None:
        self._hub = hub
        self._number = number
        self._received: deque[bytes] = deque()
        self._is_ended = False
        self._is_reset = False
        self._changed = asyncio.Event()

    async def read(self) -> bytes:
        """Some bytes, b"" at the guest's end. Raises StreamClosed after a reset."""
        while not self._received:
            if self._is_reset:
                raise StreamClosed
            if self._is_ended:
                return b""
            await self._wait()
        data = self._received.popleft()
        self._hub.session.consumed(self._number, len(data))
        self._hub.wake_writer()
        return data

    async def write(self, data: bytes) -> None:
        """Hand over `data`; returns when little of it is left unsent. Raises StreamClosed after a reset."""
        for at in range(0, len(data), QUEUE_LIMIT_BYTES):
            self._raise_if_reset()
            self._hub.session.send(self._number, data[at : at + QUEUE_LIMIT_BYTES])
            self._hub.wake_writer()
            while self._hub.session.queued_bytes(self._number) > 0:
                self._raise_if_reset()
                await self._wait()
            await self._hub.wait_for_room(OUTGOING_LIMIT_BYTES)
        self._raise_if_reset()

    async def wait_gone(self) -> None:
        """Until the guest ends or resets the connection; bytes that come meanwhile stay for `read`."""
        while not (self._is_reset or self._is_ended):
            await self._wait()

    def finish(self) -> None:
        """No more bytes from us."""
        self._hub.session.finish(self._number)
        self._hub.wake_writer()

    def reset(self) -> None:
        """End at once."""
        self._hub.session.reset(self._number)
        self._hub.wake_writer()

    def on_event(self, event: MuxEvent) -> None:
        """The hub's call for each event of this stream."""
        if isinstance(event, Data):
            self._received.append(event.data)
        self._is_ended = self._is_ended or isinstance(event, Fin)
        self._is_reset = self._is_reset or isinstance(event, Reset)
        self._changed.set()

    def _raise_if_reset(self) -> None:
        if self._is_reset:
            raise StreamClosed

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()


Handler = Callable[[MuxStream], Awaitable[None]]


class StreamHub:
    """Runs one connection of the port: a reading loop, a writing loop and a task for each stream."""

    def __init__(self, channel: ByteChannel, handler: Handler) -> None:
        self.session = MuxSession()
        self._channel = channel
        self._handler = handler
        self._streams: dict[int, MuxStream] = {}
        self._has_outgoing = asyncio.Event()
        self._has_room = asyncio.Event()

    async def run(self) -> None:
        """Until the channel ends. Raises ProtocolError("protocol.remote"); ends every stream's task first."""
        async with asyncio.TaskGroup() as group:
            writer = group.create_task(self._write_loop())
            handlers: set[asyncio.Task[None]] = set()
            try:
                await self._read_loop(group, handlers)
            finally:
                for task in (writer, *handlers):
                    task.cancel()

    def wake_writer(self) -> None:
        """There may be bytes to send."""
        self._has_outgoing.set()

    async def wait_for_room(self, limit_bytes: int) -> None:
        """Until at most `limit_bytes` wait for the port."""
        while self.session.outgoing_bytes > limit_bytes:
            self._has_room.clear()
            await self._has_room.wait()

    async def _read_loop(self, group: asyncio.TaskGroup, handlers: set[asyncio.Task[None]]) -> None:
        while data := await self._channel.read():
            for event in self.session.feed(data):
                if isinstance(event, Opened):
                    self._start(event.stream, group, handlers)
                elif event.stream in self._streams:
                    self._streams[event.stream].on_event(event)
                self._forget_if_reset(event)
            self.wake_writer()
            await self.wait_for_room(OUTGOING_CEILING_BYTES)

    def _start(self, number: int, group: asyncio.TaskGroup, handlers: set[asyncio.Task[None]]) -> None:
        stream = self._streams[number] = MuxStream(self, number)
        task = group.create_task(self._handle(number, stream))
        handlers.add(task)
        task.add_done_callback(handlers.discard)

    async def _handle(self, number: int, stream: MuxStream) -> None:
        try:
            await self._handler(stream)
        except StreamClosed:
            stream.reset()
        finally:
            self._streams.pop(number, None)
            self.session.finish(number)
            self.wake_writer()

    def _forget_if_reset(self, event: MuxEvent) -> None:
        if isinstance(event, Reset):
            self._streams.pop(event.stream, None)

    async def _write_loop(self) -> None:
        while True:
            await self._has_outgoing.wait()
            self._has_outgoing.clear()
            if data := self.session.take_outgoing():
                await self._channel.write(data)
            self._has_room.set()
