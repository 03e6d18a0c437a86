"""Walks a zstd stream block by block, so that exactly one sound frame is accepted and memory stays bounded.

In: chunks of compressed bytes. Out: pieces for the decompressor, each of which can grow to 128 KiB at most.
Never: decompression, I/O. The usual libraries skip a second frame, and end quietly on a cut one (both measured).
"""

from __future__ import annotations

from dataclasses import dataclass

from pui.domain.errors import SetupError

MAX_WINDOW_BYTES = 2**27
MAX_BLOCK_BYTES = 128 * 1024

_MAGIC = 0xFD2FB528
_SKIPPABLE = range(0x184D2A50, 0x184D2A60)
_HEADER_BYTES = (6, 18)  # least and most, magic included (RFC 8878, section 3.1.1.1)
_RAW, _RLE, _COMPRESSED = 0, 1, 2


@dataclass(frozen=True)
class FrameHeader:
    """`content_bytes`: announced size after decompression. `length`: bytes of the header itself."""

    content_bytes: int
    window_bytes: int
    length: int


class ZstdFrameReader:
    """Feed it the archive in chunks of any size. After an error it must not be used again."""

    def __init__(self, limit_bytes: int) -> None:
        """`limit_bytes`: the most bytes the frame may announce after decompression."""
        self._limit_bytes = limit_bytes
        self._buffer = bytearray()
        self._header: FrameHeader | None = None
        self._last_block_seen = False
        self._frame_is_complete = False

    @property
    def content_bytes(self) -> int | None:
        """What the frame announces, as soon as its header is known."""
        return self._header.content_bytes if self._header else None

    def feed(self, chunk: bytes) -> list[bytes]:
        """Complete pieces: header, blocks, checksum. Raises SetupError pack.malformed, .too_large, .checksum."""
        self._buffer += chunk
        pieces: list[bytes] = []
        while (length := self._next_length()) is not None and len(self._buffer) >= length:
            pieces.append(bytes(self._buffer[:length]))
            del self._buffer[:length]
        return pieces

    def finish(self) -> None:
        """The stream is at its end. Raises SetupError pack.checksum when the frame is cut."""
        if not self._frame_is_complete:
            raise SetupError("pack.checksum", "the archive is cut off: its zstd frame is not complete")

    def _next_length(self) -> int | None:
        """Length of the piece at the front of the buffer, as soon as it is known."""
        if self._frame_is_complete:
            self._refuse_trailing()
            return None
        if self._last_block_seen:
            return self._checksum_length()
        if self._header is None:
            return self._header_length()
        return self._block_length()

    def _refuse_trailing(self) -> None:
        if not self._buffer:
            return
        start = int.from_bytes(self._buffer[:4], "little")
        what = "a second zstd frame" if start == _MAGIC else "bytes"
        if start in _SKIPPABLE:
            what = "a skippable zstd frame"
        raise SetupError("pack.checksum", f"the archive holds {what} after its end")

    def _header_length(self) -> int | None:
        header = parse_header(bytes(self._buffer[: _HEADER_BYTES[1]]))
        if header is None:
            return None
        if header.content_bytes > self._limit_bytes:
            raise SetupError(
                "pack.too_large",
                f"the archive announces {header.content_bytes} bytes, the manifest allows {self._limit_bytes}",
            )
        self._header = header
        return header.length

    def _block_length(self) -> int | None:
        if len(self._buffer) < 3:
            return None
        word = int.from_bytes(self._buffer[:3], "little")
        is_last, kind, size = word & 1, word >> 1 & 3, word >> 3
        if kind not in (_RAW, _RLE, _COMPRESSED) or size > MAX_BLOCK_BYTES:
            raise SetupError("pack.malformed", "the archive has a zstd block of a kind or size that does not exist")
        length = 3 + (1 if kind == _RLE else size)
        if len(self._buffer) >= length:
            self._last_block_seen = bool(is_last)
        return length

    def _checksum_length(self) -> int | None:
        if len(self._buffer) < 4:
            return None
        self._frame_is_complete = True
        return 4


def parse_header(data: bytes) -> FrameHeader | None:
    """The frame header at the start of `data`, or None while it is not complete (RFC 8878, section 3.1.1.1).

    Raises SetupError: pack.malformed (no zstd, a dictionary, no content size, no checksum), pack.too_large (window).
    """
    if data[:4] != _MAGIC.to_bytes(4, "little")[: len(data)]:
        raise SetupError("pack.malformed", "the archive does not begin with a zstd frame")
    if len(data) < _HEADER_BYTES[0]:
        return None
    descriptor = data[4]
    is_single = bool(descriptor & 0x20)
    size_length = _content_size_length(descriptor, is_single)
    length = 5 + (0 if is_single else 1) + size_length
    if len(data) < length:
        return None
    content = int.from_bytes(data[length - size_length : length], "little") + (256 if size_length == 2 else 0)
    window = content if is_single else _window(data[5])
    if window > MAX_WINDOW_BYTES:
        raise SetupError("pack.too_large", f"the archive needs a window of {window} bytes, above {MAX_WINDOW_BYTES}")
    return FrameHeader(content, window, length)


def _content_size_length(descriptor: int, is_single: bool) -> int:
    if descriptor & 0x0B:
        raise SetupError("pack.malformed", "the zstd frame needs a dictionary or uses a reserved bit")
    if not descriptor & 0x04:
        raise SetupError("pack.malformed", "the zstd frame carries no checksum")
    length = (1 if is_single else 0, 2, 4, 8)[descriptor >> 6]
    if length == 0:
        raise SetupError("pack.malformed", "the zstd frame does not announce its size")
    return length


def _window(value: int) -> int:
    base = 1 << (10 + (value >> 3))
    return base + base // 8 * (value & 7)
