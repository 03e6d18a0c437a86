"""The list of a pack's parts, and the choice among them.

In: lists of right and wrong shapes, files that are here or not. Out: plans, or named refusals. Never: I/O.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from pui.adapters.packs.parts import decode_segment
from pui.domain.errors import SetupError
from pui.domain.manifest import ManifestFile
from pui.domain.pack_parts import (
    MARGIN_BYTES,
    SEGMENT_BYTES,
    Held,
    Part,
    base_range,
    parse_parts,
    plan_delta,
    render_parts,
    segments_of,
)
from tests.support.pack_simulator import compress

A, B, C = "a" * 64, "b" * 64, "c" * 64
WHOLE = Part(A, 100, "", 0, (60,), B)
PATCH = Part(A, 100, C, 90, (7,), C)


def test_a_list_comes_back() -> None:
    assert parse_parts(render_parts([PATCH, WHOLE])) == (WHOLE, PATCH)


def changed(**fields: Any) -> bytes:
    table = json.loads(render_parts([PATCH]))
    table["parts"][0] |= fields
    return json.dumps(table).encode()


WRONG = {
    "frames-missing": {"frames": []},
    "frames-too-many": {"frames": [1, 2]},
    "frame-zero": {"frames": [0]},
    "frame-too-long": {"frames": [SEGMENT_BYTES * 2]},
    "frame-text": {"frames": ["7"]},
    "frames-no-list": {"frames": 7},
    "size-zero": {"size": 0},
    "size-huge": {"size": 2**60},
    "size-true": {"size": True},
    "file-short": {"file": "a"},
    "file-upper": {"file": "A" * 64},
    "base-path": {"base": "../x"},
    "base-without-size": {"base_size": None},
    "sha256-missing": {"sha256": None},
}


@pytest.mark.parametrize("fields", WRONG.values(), ids=WRONG)
def test_a_list_of_a_wrong_shape(fields: dict[str, Any]) -> None:
    with pytest.raises(SetupError, match=r"index\.malformed"):
        parse_parts(changed(**fields))


@given(st.integers(0, 5 * SEGMENT_BYTES), st.integers(0, 5 * SEGMENT_BYTES))
def test_segments_cover_the_file_and_prefixes_stay_in_the_base(size_bytes: int, base_bytes: int) -> None:
    segments = segments_of(size_bytes)
    assert sum(segments) == size_bytes
    assert all(0 < length <= SEGMENT_BYTES for length in segments)
    for index in range(len(segments)):
        start, end = base_range(index, base_bytes)
        assert 0 <= start <= end <= base_bytes
        assert end - start <= SEGMENT_BYTES + 2 * MARGIN_BYTES


def wanted(sha256: str, size_bytes: int = 100) -> ManifestFile:
    return ManifestFile("x", size_bytes, sha256, 0o644)


@pytest.mark.parametrize(
    ("held", "chosen"),
    [
        ({}, WHOLE),
        ({C: Held(("/c",), 90)}, PATCH),
        ({C: Held(("/c",), 91)}, WHOLE),
        ({A: Held(("/a",), 99)}, WHOLE),
    ],
    ids=["nothing-here", "base-here", "base-of-another-length", "file-of-another-length"],
)
def test_the_fewest_bytes(held: dict[str, Held], chosen: Part) -> None:
    plan = plan_delta([wanted(A)], [WHOLE, PATCH], held)
    assert plan is not None
    assert (plan.fetched, plan.kept) == ({A: chosen}, {})
    assert plan.download_bytes == chosen.download_bytes


def test_what_is_here_or_empty_is_not_fetched() -> None:
    plan = plan_delta([wanted(A), wanted(B, 0)], [], {A: Held(("/a", "/b"), 100)})
    assert plan is not None
    assert (plan.kept, plan.fetched, plan.download_bytes) == ({A: "/a"}, {}, 0)


def test_a_part_for_a_file_of_another_length_is_no_help() -> None:
    assert plan_delta([wanted(A, 101)], [WHOLE, PATCH], {}) is None
    assert plan_delta([wanted(B)], [WHOLE], {}) is None


@settings(max_examples=30)
@given(st.binary(min_size=1, max_size=3000), st.binary(max_size=3000))
def test_a_segment_comes_back(data: bytes, prefix: bytes) -> None:
    known = zstandard.ZstdCompressionDict(prefix, dict_type=zstandard.DICT_TYPE_RAWCONTENT) if prefix else None
    how = zstandard.ZstdCompressionParameters.from_level(3, write_checksum=True, write_content_size=True)
    frame = zstandard.ZstdCompressor(compression_params=how, dict_data=known).compress(data)
    assert decode_segment(frame, len(data), prefix) == data


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (compress(bytes(40)), "pack.malformed"),
        (compress(bytes(60)), "pack.too_large"),
        (compress(bytes(50)) * 2, "pack.checksum"),
        (compress(bytes(50))[:-1], "pack.checksum"),
        (compress(bytes(50))[:-1] + b"\0", "pack.checksum"),
        (b"", "pack.checksum"),
    ],
    ids=["shorter", "longer", "two-frames", "cut", "wrong-sum", "nothing"],
)
def test_a23_a24_a_segment_that_is_not_one(frame: bytes, code: str) -> None:
    with pytest.raises(SetupError) as caught:
        decode_segment(frame, 50, b"")
    assert caught.value.code == code
