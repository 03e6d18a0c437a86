"""One connection to QEMU's monitor, around the codec of domain/qmp.py.

In: the socket's endpoint; commands. Out: replies, events, each told to a witness first. Never: a wait without a limit,
an unbounded queue.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping

from pui.domain.errors import LaunchError, OutcomeUnknownError, ProtocolError
from pui.domain.events import JsonValue
from pui.domain.qmp import QmpClient, QmpEvent, QmpFault, QmpGreeting, QmpMessage, QmpReply, mute_serial_command
from pui.ports import ByteChannel, SocketEndpoint, Transport

COMMAND_LIMIT_S = 5.0
EVENT_LIMIT = 256
"""Events that nobody has read yet; beyond it the oldest go (a guest can cause events at will)."""

Witness = Callable[[QmpEvent], None]


def looks_away(_event: QmpEvent) -> None:
    """The witness that keeps nothing."""


class Monitor:
    """Made by `open`. `fault` is set once QEMU broke the protocol."""

    def __init__(self, channel: ByteChannel, witness: Witness = looks_away) -> None:
        self.fault: ProtocolError | None = None
        self._channel = channel
        self._client = QmpClient()
        self._witness = witness
        self._greeted = asyncio.Event()
        self._replies: dict[int, asyncio.Future[QmpReply | None]] = {}
        self._events: deque[QmpEvent] = deque(maxlen=EVENT_LIMIT)
        self._news = asyncio.Event()
        self._is_closed = False
        self._reading = asyncio.create_task(self._read(), name="qmp-read")

    @classmethod
    async def open(
        cls, transport: Transport, endpoint: SocketEndpoint, timeout_s: float, witness: Witness = looks_away
    ) -> Monitor:
        """Connected, greeted, negotiated. Raises LaunchError("launch.timeout"), ProtocolError("protocol.remote")."""
        try:
            async with asyncio.timeout(timeout_s):
                monitor = cls(await transport.connect(endpoint, timeout_s), witness)
                is_open = False
                try:
                    await monitor._greeted.wait()
                    await monitor.execute("qmp_capabilities", timeout_s=timeout_s)
                    is_open = True
                finally:
                    if not is_open:
                        await monitor.close()
        except TimeoutError as error:
            raise LaunchError("launch.timeout", f"QEMU's monitor did not answer within {timeout_s:g} s") from error
        except OutcomeUnknownError as error:
            raise LaunchError("launch.timeout", "QEMU closed its monitor") from error
        return monitor

    async def execute(
        self, name: str, arguments: Mapping[str, JsonValue] | None = None, *, timeout_s: float = COMMAND_LIMIT_S
    ) -> JsonValue:
        """The value that QEMU returns.

        Raises OutcomeUnknownError (the monitor closed), LaunchError launch.timeout, ProtocolError protocol.remote.
        """
        return await self._send(self._client.command(name, arguments), timeout_s)

    async def query_status(self) -> str:
        """QEMU's run state: running, paused, internal-error, io-error, guest-panicked… Raises as `execute`."""
        value = await self.execute("query-status")
        status = value.get("status") if isinstance(value, dict) else None
        if not isinstance(status, str):
            raise ProtocolError("protocol.remote", "QEMU's monitor named no run state")
        return status[:64]

    async def mute_serial(self) -> None:
        """Detaches the serial log for good. Raises as `execute`."""
        await self._send(mute_serial_command(self._client), COMMAND_LIMIT_S)

    async def order_quit(self) -> None:
        """Orders the end without waiting for the answer. Raises OutcomeUnknownError when the monitor is gone."""
        self._check_open()
        await self._channel.write(self._client.command("quit"))

    async def events(self) -> AsyncIterator[QmpEvent]:
        """Until the monitor closes. For one reader."""
        while True:
            while self._events:
                yield self._events.popleft()
            if self._is_closed:
                return
            self._news.clear()
            await self._news.wait()

    async def close(self) -> None:
        """Idempotent. The socket goes also when this is cancelled halfway."""
        self._reading.cancel()
        try:
            await asyncio.gather(self._reading, return_exceptions=True)
        finally:
            self._end()
            await self._channel.close()

    def _check_open(self) -> None:
        if self.fault is not None:
            raise self.fault
        if self._is_closed:
            raise OutcomeUnknownError("channel.lost_after_send", "QEMU's monitor is closed")

    async def _send(self, line: bytes, timeout_s: float) -> JsonValue:
        number = self._client.last_id
        self._check_open()
        waiting: asyncio.Future[QmpReply | None] = asyncio.get_running_loop().create_future()
        self._replies[number] = waiting
        try:
            async with asyncio.timeout(timeout_s):
                await self._channel.write(line)
                reply = await waiting
        except TimeoutError as error:
            raise LaunchError("launch.timeout", f"QEMU's monitor was silent for {timeout_s:g} s") from error
        finally:
            self._replies.pop(number, None)
        if reply is None:
            self._check_open()
            raise OutcomeUnknownError("channel.lost_after_send", "QEMU's monitor closed before it answered")
        if reply.error:
            raise ProtocolError("protocol.remote", f"QEMU refused {reply.command}: {reply.error}")
        return reply.value

    async def _read(self) -> None:
        try:
            while self.fault is None and (data := await self._channel.read()):
                for message in self._client.feed(data):
                    self._take(message)
        finally:
            self._end()

    def _end(self) -> None:
        """Whoever waits for something is told that nothing will come."""
        self._is_closed = True
        for waiting in self._replies.values():
            if not waiting.done():
                waiting.set_result(None)
        self._greeted.set()
        self._news.set()

    def _take(self, message: QmpMessage) -> None:
        match message:
            case QmpGreeting():
                self._greeted.set()
            case QmpReply(id=number):
                waiting = self._replies.get(number)
                if waiting is not None and not waiting.done():
                    waiting.set_result(message)
            case QmpEvent():
                self._witness(message)
                self._events.append(message)
                self._news.set()
            case QmpFault(reason):
                self.fault = self.fault or ProtocolError("protocol.remote", f"QEMU's monitor: {reason}")
