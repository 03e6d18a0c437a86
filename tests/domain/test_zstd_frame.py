"""In: zstd streams in pieces. Out: pieces a decompressor can take one by one. Never: more than one frame."""

from __future__ import annotations

import random

import pytest
import zstandard

from pui.domain.errors import SetupError
from pui.domain.zstd_frame import MAX_BLOCK_BYTES, ZstdFrameReader, parse_header
from tests.support.pack_simulator import compress

LIMIT = 1 << 20
CONTENT = random.Random(7).randbytes(300_000) + bytes(400_000)


def unpack(data: bytes, step: int) -> bytes:
    reader = ZstdFrameReader(LIMIT)
    engine = zstandard.ZstdDecompressor().decompressobj()
    out = []
    for start in range(0, len(data), step):
        for piece in reader.feed(data[start : start + step]):
            out.append(engine.decompress(piece))
            assert len(out[-1]) <= MAX_BLOCK_BYTES
    reader.finish()
    assert engine.eof
    return b"".join(out)


@pytest.mark.parametrize("content", [b"", b"x", b"y" * 255, b"y" * 256, b"z" * 70_000, CONTENT])
@pytest.mark.parametrize("step", [1, 1000, 1 << 20])
def test_any_chunk_size_gives_the_same_content(content: bytes, step: int) -> None:
    for level in (1, 10, 19):
        assert unpack(compress(content, level=level), step) == content


def test_streamed_compression_with_a_known_size() -> None:
    params = zstandard.ZstdCompressionParameters.from_level(3, write_checksum=True, write_content_size=True)
    engine = zstandard.ZstdCompressor(compression_params=params).compressobj(size=len(CONTENT))
    data = engine.compress(CONTENT[:1000]) + engine.compress(CONTENT[1000:]) + engine.flush()

    assert unpack(data, 4096) == CONTENT


def test_every_cut_is_found() -> None:
    data = compress(CONTENT[:50_000])
    for cut in [*range(0, 200), len(data) - 5, len(data) - 4, len(data) - 1]:
        reader = ZstdFrameReader(LIMIT)
        reader.feed(data[:cut])
        with pytest.raises(SetupError, match=r"pack\.checksum: .*cut off"):
            reader.finish()


@pytest.mark.parametrize("step", [1, 1 << 20])
@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (compress(b"more"), "a second zstd frame"),
        (b"\x5f\x2a\x4d\x18\x00\x00\x00\x00", "a skippable zstd frame"),
        (b"\x00", "bytes after"),
    ],
)
def test_nothing_may_follow(extra: bytes, words: str, step: int) -> None:
    data = compress(b"content") + extra
    reader = ZstdFrameReader(LIMIT)
    with pytest.raises(SetupError, match=words if step > 1 else "after its end") as caught:
        for start in range(0, len(data), step):
            reader.feed(data[start : start + step])
    assert caught.value.code == "pack.checksum"


@pytest.mark.parametrize(
    ("head", "code"),
    [
        (b"PK\x03\x04", "pack.malformed"),
        (b"\x28\xb5\x2f\xfe", "pack.malformed"),
        (b"\x28\xb5\x2f\xfd\xa5\x00\x00\x00\x00\x00", "pack.malformed"),  # dictionary
        (b"\x28\xb5\x2f\xfd\xac\x00\x00\x00\x00\x00", "pack.malformed"),  # reserved bit
        (b"\x28\xb5\x2f\xfd\xa0\x00\x00\x00\x00\x00", "pack.malformed"),  # no checksum
        (b"\x28\xb5\x2f\xfd\x04\x00\x00\x00\x00\x00", "pack.malformed"),  # no size
        (b"\x28\xb5\x2f\xfd\xa4\xff\xff\xff\xff\x00", "pack.too_large"),  # single segment of 4 GiB
        (b"\x28\xb5\x2f\xfd\x84\xff\x00\x00\x00\x00", "pack.too_large"),  # widest window
        (b"\x28\xb5\x2f\xfd\x84\x50\x01\x00\x10\x00", "pack.too_large"),  # one byte above the limit
        (b"\x28\xb5\x2f\xfd\x84\x50\x00\x00\x10\x00\x07\x00\x00", "pack.malformed"),  # reserved block kind
        (b"\x28\xb5\x2f\xfd\x84\x50\x00\x00\x10\x00\x0d\x00\x10", "pack.malformed"),  # block above 128 KiB
    ],
)
def test_refused_heads(head: bytes, code: str) -> None:
    for step in (1, len(head)):
        reader = ZstdFrameReader(LIMIT)
        with pytest.raises(SetupError) as caught:
            for start in range(0, len(head), step):
                reader.feed(head[start : start + step])
        assert caught.value.code == code


def test_our_reading_of_headers_is_the_librarys() -> None:
    for size in (0, 1, 255, 256, 65_791, 65_792, 300_000):
        for level in (1, 19):
            data = compress(CONTENT[:size], level=level)
            ours, theirs = parse_header(data[:18]), zstandard.get_frame_parameters(data)
            assert ours is not None
            assert ours.content_bytes == theirs.content_size == size
            assert ours.length == zstandard.frame_header_size(data)
            assert ours.window_bytes <= max(theirs.window_size, 1)
