"""JSON from a stranger: what is refused, what is mended, and that nothing crashes.

In: hostile lines. Out: typed results. Never: an exception.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pui.domain.events import JsonValue
from pui.domain.json_guard import DEPTH_LIMIT, NODE_LIMIT, JsonFault, ParsedJson, parse_json


def _value(line: bytes) -> object:
    parsed = parse_json(line)
    assert isinstance(parsed, ParsedJson), parsed
    return parsed.value


def _reason(line: bytes) -> str:
    parsed = parse_json(line)
    assert isinstance(parsed, JsonFault), parsed
    return parsed.reason


def test_an_object_passes_unmarked() -> None:
    assert parse_json(b'{"a":[1,-2.5,true,null,"\\u00e9"]}') == ParsedJson({"a": [1, -2.5, True, None, "é"]})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "not valid JSON"),
        (b"null", "not a JSON object"),
        (b"[1]", "not a JSON object"),
        (b'"x"', "not a JSON object"),
        (b"{} {}", "not valid JSON"),
        (b"\xef\xbb\xbf{}", "not valid JSON"),
        ('{"a":1}'.encode("utf-16"), "not valid JSON"),
        (b'{"a":NaN}', "NaN is not JSON"),
        (b'{"a":-Infinity}', "-Infinity is not JSON"),
        (b'{"a":1e999}', "a number is not finite"),
        (b'{"a":1,"a":2}', "an object has the same key twice"),
        (b'{"a":[{"b":1,"b":1}]}', "an object has the same key twice"),
        (b'{"a":9223372036854775808}', "an integer does not fit 64 bits"),
        (b'{"a":' + b"9" * 5000 + b"}", "an integer does not fit 64 bits"),
        (b'{"a":"\x01"}', "not valid JSON"),
    ],
)
def test_odd_values_are_refused_by_name(line: bytes, reason: str) -> None:
    assert _reason(line) == reason


def test_integers_of_64_bits_pass() -> None:
    assert _value(b'{"a":9223372036854775807,"b":-9223372036854775808}') == {"a": 2**63 - 1, "b": -(2**63)}


def test_f4_depth_64_passes_and_65_does_not() -> None:
    def nested(depth: int) -> bytes:
        return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"

    assert isinstance(_value(nested(DEPTH_LIMIT)), dict)
    assert "nested deeper" in _reason(nested(DEPTH_LIMIT + 1))


@pytest.mark.parametrize("unit", [b"[", b"]", b'{"a":', b"[{", b'["\\"[', b'"\\"'])
def test_f4_a_hundred_thousand_nested_is_a_fault(unit: bytes) -> None:
    assert _reason(b'{"x":' + unit * 100_000)


def test_f4_brackets_in_strings_do_not_count() -> None:
    text = '[{\\"' * 5000
    assert _value(b'{"a":"' + text.encode() + b'"}') == {"a": '[{"' * 5000}


def test_a_line_may_not_blow_up_into_many_objects() -> None:
    line = b'{"a":[' + b"{}," * NODE_LIMIT + b"{}]}"
    assert "parts" in _reason(line)


def test_f2_invalid_utf8_is_replaced_and_marked() -> None:
    assert parse_json(b'{"a":"\xff\xfe"}') == ParsedJson({"a": "\ufffd\ufffd"}, ("utf8-replaced",))


def test_f5_lone_surrogates_are_replaced_and_marked_and_pairs_are_kept() -> None:
    line = rb'{"\ud800":"\udfff \ud83d\ude00","n":["\uD8AB"]}'
    expected: dict[str, JsonValue] = {"\ufffd": "\ufffd \U0001f600", "n": ["\ufffd"]}
    assert parse_json(line) == ParsedJson(expected, ("surrogate-replaced",))
    assert parse_json(rb'{"a":"\ud83d\ude00"}') == ParsedJson({"a": "\U0001f600"})


def test_f5_keys_that_become_equal_are_refused() -> None:
    assert _reason(rb'{"\ud800":1,"\ud801":2}') == "an object has the same key twice"


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_f1_random_bytes_never_raise(line: bytes) -> None:
    parsed = parse_json(line)
    if isinstance(parsed, ParsedJson):
        json.dumps(parsed.value, ensure_ascii=False).encode()


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=40,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(), _JSON, max_size=6), st.booleans())
def test_what_json_writes_comes_back(value: dict[str, object], is_ascii: bool) -> None:
    assert _value(json.dumps(value, ensure_ascii=is_ascii).encode()) == value
