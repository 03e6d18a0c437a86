"""The line decoder: LF alone, linear, bounded.

In: bytes cut in every way. Out: the same lines each time. Never: a clock.
"""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pui.domain.jsonl import JsonlDecoder, Oversized


def _whole(data: bytes, limit_bytes: int = 100) -> list[bytes | Oversized]:
    return JsonlDecoder(limit_bytes).feed(data)


def _byte_by_byte(data: bytes, limit_bytes: int = 100) -> list[bytes | Oversized]:
    decoder = JsonlDecoder(limit_bytes)
    return [item for index in range(len(data)) for item in decoder.feed(data[index : index + 1])]


def test_lines_come_out_without_their_ending() -> None:
    assert _whole(b"a\n\nbc\nrest") == [b"a", b"", b"bc"]


def test_f16_one_cr_before_lf_is_dropped_and_no_other() -> None:
    assert _whole(b"a\r\nb\r\r\n\r\nc\rd\n") == [b"a", b"b\r", b"", b"c\rd"]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085", "\x0b", "\x0c", "\x1c"])
def test_f15_only_lf_splits(separator: str) -> None:
    line = f'{{"a":"x{separator}y"}}'.encode()
    assert _whole(line + b"\n") == [line]


def test_a_line_of_exactly_the_limit_passes_and_one_more_does_not() -> None:
    assert _whole(b"x" * 100 + b"\n") == [b"x" * 100]
    assert _whole(b"x" * 101 + b"\nok\n") == [Oversized(1, 100), b"ok"]


def test_an_endless_line_is_reported_before_its_end_and_once() -> None:
    decoder = JsonlDecoder(100)
    assert decoder.feed(b"x" * 101) == [Oversized(1, 100)]
    assert decoder.feed(b"x" * 500) == []
    assert decoder.pending_bytes == 0
    assert decoder.feed(b"tail\nnext\n") == [b"next"]


def test_the_third_oversized_line_is_a_flood() -> None:
    faults = [item for item in _whole((b"x" * 101 + b"\n") * 3) if isinstance(item, Oversized)]
    assert [(fault.count, fault.is_flood) for fault in faults] == [(1, False), (2, False), (3, True)]


def test_f3_a_gibibyte_without_lf_holds_no_memory() -> None:
    decoder, chunk = JsonlDecoder(), b"x" * (1 << 20)
    tracemalloc.start()
    try:
        faults = [item for _ in range(1024) for item in decoder.feed(chunk)]
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert faults == [Oversized(1, 8 << 20)]
    assert peak_bytes < 32 << 20


def test_resync_drops_the_torn_first_line() -> None:
    decoder = JsonlDecoder()
    decoder.feed(b'{"half":')
    decoder.resync()
    assert decoder.feed(b' 1}\n{"whole":2}\n') == [b'{"whole":2}']


@settings(deadline=None)
@given(st.lists(st.binary(max_size=150), max_size=8), st.integers(1, 40))
def test_f1_cutting_changes_nothing(parts: list[bytes], step: int) -> None:
    data = b"\n".join(parts)
    decoder = JsonlDecoder(100)
    cut = [item for at in range(0, len(data), step) for item in decoder.feed(data[at : at + step])]
    assert cut == _whole(data) == _byte_by_byte(data)


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_f1_matches_a_plain_model(data: bytes) -> None:
    lines = data.split(b"\n")
    expected: list[bytes | Oversized] = []
    for number, line in enumerate(lines, start=1):
        if len(line) > 100:
            expected.append(Oversized(1 + sum(isinstance(item, Oversized) for item in expected), 100))
        elif number < len(lines):
            expected.append(line.removesuffix(b"\r"))
    assert _whole(data) == expected


def test_f7_a_long_line_in_tiny_pieces_is_searched_once() -> None:
    """A search from the line's start at each piece would take minutes here and run into the test's limit."""
    decoder, piece = JsonlDecoder(), b"x" * 8
    for _ in range((7 << 20) // 8):
        assert decoder.feed(piece) == []
    assert len(decoder.feed(b"\n")[0]) == 7 << 20  # type: ignore[arg-type]
