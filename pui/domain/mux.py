"""Many byte streams over one port, host side: frames and credits.

In: bytes of the guest (hostile); what the host wants to send on a stream. Out: stream events; bytes for the port.
Never: I/O; never more than the credit in either direction. Source: pui/guest/protocol.md, section 4.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from pui.domain.errors import ProtocolError

HEADER = struct.Struct("!IBBH")
OPEN, DATA, FIN, RESET, CREDIT = 1, 2, 3, 4, 5
PAYLOAD_LIMIT_BYTES = 16_384
INITIAL_CREDIT_BYTES = 262_144
STREAM_LIMIT = 64
_CREDIT_CEILING_BYTES = 2**32
_CREDIT_BATCH_BYTES = 65_536
_LENGTHS = {OPEN: 0, FIN: 0, RESET: 0, CREDIT: 4}


@dataclass(frozen=True)
class Opened:
    """The guest accepted a connection."""

    stream: int


@dataclass(frozen=True)
class Data:
    """Bytes of the guest; give the credit back with `consumed` once they are used."""

    stream: int
    data: bytes


@dataclass(frozen=True)
class Fin:
    """No more Data from the guest."""

    stream: int


@dataclass(frozen=True)
class Reset:
    """The guest ended the stream at once."""

    stream: int


@dataclass(frozen=True)
class Writable:
    """The guest gave credit: queued bytes went out, `queued_bytes` may be lower now."""

    stream: int


MuxEvent = Opened | Data | Fin | Reset | Writable


@dataclass
class _Stream:
    send_credit: int = INITIAL_CREDIT_BYTES
    receive_credit: int = INITIAL_CREDIT_BYTES
    unreturned: int = 0
    queue: bytearray = field(default_factory=bytearray)
    is_fin_wanted: bool = False
    is_fin_sent: bool = False
    is_fin_received: bool = False


def frame(stream: int, kind: int, payload: bytes = b"") -> bytes:
    """One frame. `payload` at most 16,384 bytes (struct.error beyond 65,535: our bug)."""
    return HEADER.pack(stream, kind, 0, len(payload)) + payload


class MuxSession:
    """One connection of the port `pui.model`.

    `feed` raises ProtocolError("protocol.remote") on a broken frame; the session is dead then. `send`, `finish`,
    `reset`, `consumed` put frames into the outgoing bytes that `take_outgoing` hands out; on a stream that is over
    they do nothing, because the guest may have ended it meanwhile. On a stream never opened: protocol.local.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._outgoing = bytearray()
        self._streams: dict[int, _Stream] = {}
        self._last_opened = 0
        self._fault: ProtocolError | None = None

    @property
    def open_streams(self) -> tuple[int, ...]:
        return tuple(self._streams)

    @property
    def outgoing_bytes(self) -> int:
        """Bytes that wait for take_outgoing."""
        return len(self._outgoing)

    def queued_bytes(self, stream: int) -> int:
        """Bytes of `stream` that wait for credit; 0 for a stream that is over."""
        known = self._streams.get(stream)
        return len(known.queue) if known else 0

    def take_outgoing(self) -> bytes:
        """All frames that may go to the port now."""
        data = bytes(self._outgoing)
        self._outgoing.clear()
        return data

    def feed(self, data: bytes) -> list[MuxEvent]:
        """What the guest's bytes mean, in order."""
        if self._fault:
            raise self._fault
        self._buffer += data
        events: list[MuxEvent] = []
        offset = 0
        while (size := self._whole_frame_bytes(offset)) > 0:
            stream, kind, _, _ = HEADER.unpack_from(self._buffer, offset)
            payload = bytes(self._buffer[offset + HEADER.size : offset + size])
            offset += size
            events += self._handle(stream, kind, payload)
        del self._buffer[:offset]
        return events

    def send(self, stream: int, data: bytes) -> None:
        """Send within the credit; the rest is queued (bound it by waiting for queued_bytes to fall)."""
        known = self._own(stream)
        if known is None:
            return
        if known.is_fin_wanted:
            raise ProtocolError("protocol.local", f"data after the end of stream {stream}")
        known.queue += data
        self._pump(stream, known)

    def finish(self, stream: int) -> None:
        """FIN once all queued bytes are out. Idempotent."""
        known = self._own(stream)
        if known is not None:
            known.is_fin_wanted = True
            self._pump(stream, known)

    def reset(self, stream: int) -> None:
        """End the stream at once; queued bytes are dropped. Idempotent."""
        if self._own(stream) is not None:
            del self._streams[stream]
            self._outgoing += frame(stream, RESET)

    def consumed(self, stream: int, size_bytes: int) -> None:
        """Give credit back for bytes of Data that were used (sent in batches of 64 KiB)."""
        known = self._own(stream)
        if known is None or known.is_fin_received:
            return
        known.unreturned += size_bytes
        if known.unreturned >= _CREDIT_BATCH_BYTES:
            known.receive_credit += known.unreturned
            self._outgoing += frame(stream, CREDIT, struct.pack("!I", known.unreturned))
            known.unreturned = 0

    def _own(self, stream: int) -> _Stream | None:
        if not 1 <= stream <= self._last_opened:
            raise ProtocolError("protocol.local", f"stream {stream} was never opened")
        return self._streams.get(stream)

    def _pump(self, stream: int, known: _Stream) -> None:
        while known.queue and known.send_credit:
            part = bytes(known.queue[: min(PAYLOAD_LIMIT_BYTES, known.send_credit)])
            del known.queue[: len(part)]
            known.send_credit -= len(part)
            self._outgoing += frame(stream, DATA, part)
        if known.is_fin_wanted and not known.queue and not known.is_fin_sent:
            known.is_fin_sent = True
            self._outgoing += frame(stream, FIN)
            self._forget_if_over(stream, known)

    def _forget_if_over(self, stream: int, known: _Stream) -> None:
        if known.is_fin_sent and known.is_fin_received:
            del self._streams[stream]

    def _whole_frame_bytes(self, offset: int) -> int:
        """Size of the frame at `offset` if all of it is here, else 0. The header is judged before its payload."""
        if len(self._buffer) - offset < HEADER.size:
            return 0
        _, kind, zero, length = HEADER.unpack_from(self._buffer, offset)
        if kind not in _HANDLERS:
            raise self._broken(f"unknown frame type {kind}")
        if zero or length > PAYLOAD_LIMIT_BYTES or length != _LENGTHS.get(kind, length):
            raise self._broken(f"a frame of type {kind} with a wrong header")
        size = HEADER.size + length
        return size if len(self._buffer) - offset >= size else 0

    def _broken(self, reason: str) -> ProtocolError:
        self._fault = ProtocolError("protocol.remote", f"the guest's model relay sent {reason}")
        return self._fault

    def _handle(self, stream: int, kind: int, payload: bytes) -> list[MuxEvent]:
        if kind == OPEN:
            return self._on_open(stream)
        if not 1 <= stream <= self._last_opened:
            raise self._broken(f"a frame for stream {stream}, which was never opened")
        known = self._streams.get(stream)
        return _HANDLERS[kind](self, stream, known, payload) if known else []

    def _on_open(self, stream: int) -> list[MuxEvent]:
        if stream != self._last_opened + 1:
            raise self._broken(f"an open for stream {stream} after {self._last_opened}")
        if len(self._streams) >= STREAM_LIMIT:
            raise self._broken(f"more than {STREAM_LIMIT} streams")
        self._last_opened = stream
        self._streams[stream] = _Stream()
        return [Opened(stream)]

    def _on_data(self, stream: int, known: _Stream, payload: bytes) -> list[MuxEvent]:
        if known.is_fin_received:
            raise self._broken("data after its end")
        if len(payload) > known.receive_credit:
            raise self._broken("data beyond its credit")
        known.receive_credit -= len(payload)
        return [Data(stream, payload)] if payload else []

    def _on_fin(self, stream: int, known: _Stream, _payload: bytes) -> list[MuxEvent]:
        if known.is_fin_received:
            raise self._broken("a second end")
        known.is_fin_received = True
        self._forget_if_over(stream, known)
        return [Fin(stream)]

    def _on_reset(self, stream: int, _known: _Stream, _payload: bytes) -> list[MuxEvent]:
        del self._streams[stream]
        return [Reset(stream)]

    def _on_credit(self, stream: int, known: _Stream, payload: bytes) -> list[MuxEvent]:
        known.send_credit += int.from_bytes(payload, "big")
        if known.send_credit > _CREDIT_CEILING_BYTES:
            raise self._broken("more credit than any stream needs")
        self._pump(stream, known)
        return [Writable(stream)]


_Handler = Callable[[MuxSession, int, _Stream, bytes], list[MuxEvent]]
_HANDLERS: dict[int, _Handler] = {
    OPEN: lambda session, stream, _known, _payload: session._on_open(stream),
    DATA: MuxSession._on_data,
    FIN: MuxSession._on_fin,
    RESET: MuxSession._on_reset,
    CREDIT: MuxSession._on_credit,
}
