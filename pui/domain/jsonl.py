"""Lines out of a byte stream, one per LF, with a hard limit.

In: chunks of bytes as they come. Out: whole lines without their ending, or Oversized in place of a line too long.
Never: decoding, JSON, I/O; never holds more than `limit_bytes` plus one chunk.
"""

from __future__ import annotations

from dataclasses import dataclass

LINE_LIMIT_BYTES = 8 * 1024 * 1024
FLOOD_AT = 3


@dataclass(frozen=True)
class Oversized:
    """A line went beyond the limit; its bytes are dropped up to the next LF. `count` numbers them from 1."""

    count: int
    limit_bytes: int

    @property
    def is_flood(self) -> bool:
        """True from the third one on: the caller ends the channel with `protocol.flood`."""
        return self.count >= FLOOD_AT


class JsonlDecoder:
    """LF (0x0A) alone ends a line, one CR before it is dropped; U+2028 and its like are ordinary bytes.

    `feed` returns `bytes` for a line (possibly empty) and Oversized as soon as a line passes the limit, not only
    at its end, so that a stream without any LF is noticed. Each byte is searched once: linear in the input however
    it is cut. pi's framing: docs/rpc.md of pi; limits: threats.md, RPC.
    """

    def __init__(self, limit_bytes: int = LINE_LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._buffer = bytearray()
        self._searched = 0
        self._is_skipping = False
        self._oversized = 0

    @property
    def pending_bytes(self) -> int:
        """Bytes of an unfinished line that are held."""
        return len(self._buffer)

    def feed(self, chunk: bytes) -> list[bytes | Oversized]:
        """Add `chunk`; returns what became whole, in order."""
        self._buffer += chunk
        out: list[bytes | Oversized] = []
        start = 0
        while (end := self._buffer.find(b"\n", max(self._searched, start))) >= 0:
            self._finish_line(start, end, out)
            start = end + 1
        del self._buffer[:start]
        self._searched = len(self._buffer)
        self._drop_beyond_limit(out)
        return out

    def resync(self) -> None:
        """Drop everything up to the next LF: after a reconnect the first line may be a torn one."""
        self._buffer.clear()
        self._searched = 0
        self._is_skipping = True

    def _finish_line(self, start: int, end: int, out: list[bytes | Oversized]) -> None:
        if self._is_skipping:
            self._is_skipping = False
            return
        if end - start > self._limit_bytes:
            out.append(self._fault())
            return
        stop = end - 1 if end > start and self._buffer[end - 1] == 0x0D else end
        out.append(bytes(self._buffer[start:stop]))

    def _drop_beyond_limit(self, out: list[bytes | Oversized]) -> None:
        if not self._is_skipping and len(self._buffer) > self._limit_bytes:
            out.append(self._fault())
            self._is_skipping = True
        if self._is_skipping:
            self._buffer.clear()
            self._searched = 0

    def _fault(self) -> Oversized:
        self._oversized += 1
        return Oversized(self._oversized, self._limit_bytes)
