"""In: JSON texts that two readers could understand differently. Out: one value, or the reason. Never: a repair."""

from __future__ import annotations

import pytest

from pui.domain.strict_json import (
    MAX_CONTAINERS,
    MAX_DEPTH,
    StrictJsonError,
    decode_base64,
    dump_canonical,
    load_object,
)


def nested(depth: int) -> bytes:
    return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def test_depth_is_counted_outside_of_texts_only() -> None:
    load_object(nested(MAX_DEPTH), 1000)
    assert load_object(b'{"a":"[[[[[[[[[[[[\\"{{{{{{{{{{"}', 1000) == {"a": '[[[[[[[[[[[["{{{{{{{{{{'}
    with pytest.raises(StrictJsonError, match="deeper than 8"):
        load_object(nested(MAX_DEPTH + 1), 1000)


def test_many_small_objects_are_refused_before_they_are_made() -> None:
    load_object(b'{"a":[' + b",".join([b"{}"] * (MAX_CONTAINERS - 2)) + b"]}", 1 << 20)
    with pytest.raises(StrictJsonError, match="lists and objects"):
        load_object(b'{"a":[' + b",".join([b"{}"] * (MAX_CONTAINERS - 1)) + b"]}", 1 << 20)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b'{"a":1,"a":2}', "'a' occurs twice"),
        (b'{"x":{"a":1,"\\u0061":2}}', "'a' occurs twice"),
        (b'{"a":1.0}', "not a whole number"),
        (b'{"a":1e2}', "not a whole number"),
        (b'{"a":NaN}', "not a whole number"),
        (b'{"a":-Infinity}', "not a whole number"),
        (b'{"a":' + b"1" * 21 + b"}", "21 digits"),
        (b'{"a":' + b"1" * 10_000 + b"}", "10000 digits"),
        (b'{"a":"\xff"}', "byte 6 is not UTF-8"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b'{"a":"\n"}', "not JSON"),
        (b'{"a":1}x', "not JSON"),
        (b'{"a":"' + b'\\"' * 1000 + b"\\", "not JSON"),
        (b"", "not JSON"),
        (b"[]", "not a JSON object"),
        (b" " * 20_000 + b"{}", "more than the limit"),
    ],
)
def test_refused(text: bytes, why: str) -> None:
    with pytest.raises(StrictJsonError, match=why):
        load_object(text, 20_000)


def test_canonical_bytes() -> None:
    assert dump_canonical({"b": [1, None], "a": "é"}) == '{"a":"é","b":[1,null]}\n'.encode()


@pytest.mark.parametrize("text", ["AB==", "A", "AA==\n", "AA", "_w==", "é", "AA=A"])
def test_base64_with_two_spellings_is_refused(text: str) -> None:
    """The text AB== decodes to the same byte as AA==: the spare bits must be zero."""
    assert decode_base64("AA==", "x") == b"\0"
    with pytest.raises(StrictJsonError, match="x is not"):
        decode_base64(text, "x")
