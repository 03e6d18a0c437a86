"""JSON as signed documents need it: one meaning for one text.

In: bytes and limits. Out: plain values without floats, or a StrictJsonError that says what is wrong.
Never: guessing of encodings, duplicate keys, NaN, deep nesting, I/O.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import NoReturn

from pui.domain.events import JsonValue

MAX_DEPTH = 8
MAX_CONTAINERS = 60_000  # each costs Python 60 to 200 bytes for 2 bytes of text
MAX_INT_DIGITS = 20  # an inode number, 2^64 at most

# A whole string literal, or one bracket. A string that never ends matches as a whole and fails later in `loads`.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.?)*+(?:"|\Z)|[\[\]{}]', re.DOTALL)


class StrictJsonError(ValueError):
    """The text is not strict JSON. Its message is fit to be shown to a person."""


def load_object(data: bytes, limit_bytes: int) -> Mapping[str, JsonValue]:
    """The one JSON object in `data`: UTF-8, at most `limit_bytes`, at most MAX_DEPTH levels (RFC 8259, RFC 7493).

    Raises StrictJsonError for anything a second reader could understand differently.
    """
    if len(data) > limit_bytes:
        raise StrictJsonError(f"{len(data)} bytes are more than the limit of {limit_bytes}")
    _check_nesting(data)
    try:
        # bytes would make json sniff UTF-16 and UTF-32, so decode first.
        value = json.loads(
            data.decode("utf-8", "strict"),
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
            parse_int=_parse_int,
            object_pairs_hook=_unique_pairs,
        )
    except UnicodeDecodeError as error:
        raise StrictJsonError(f"byte {error.start} is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise StrictJsonError(f"not JSON: {error.msg} at character {error.pos}") from error
    if not isinstance(value, dict):
        raise StrictJsonError("not a JSON object")
    return value


def dump_canonical(value: Mapping[str, JsonValue]) -> bytes:
    """UTF-8, sorted keys, compact separators, one final LF: the same value gives the same bytes."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8") + b"\n"


def decode_base64(text: str, place: str) -> bytes:
    """Standard base64 with padding and nothing else (RFC 4648 section 4); `place` names it in the error."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise StrictJsonError(f"{place} is not base64") from error
    if base64.b64encode(data).decode("ascii") != text:
        raise StrictJsonError(f"{place} is not canonical base64")  # spare bits would give one text many spellings
    return data


def _check_nesting(data: bytes) -> None:
    depth = opened = 0
    for token in _TOKEN.finditer(data):
        first = data[token.start()]
        if first in b"[{":
            depth += 1
            opened += 1
        elif first in b"]}":
            depth -= 1
        if depth > MAX_DEPTH:
            raise StrictJsonError(f"nested deeper than {MAX_DEPTH} levels at byte {token.start()}")
        if opened > MAX_CONTAINERS:
            raise StrictJsonError(f"more than {MAX_CONTAINERS} lists and objects")


def _refuse_number(text: str) -> NoReturn:
    raise StrictJsonError(f"the number {text[:32]} is not a whole number")


def _parse_int(text: str) -> int:
    if len(text.lstrip("-")) > MAX_INT_DIGITS:
        raise StrictJsonError(f"a number of {len(text)} digits is too large")
    return int(text)


def _unique_pairs(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise StrictJsonError(f"the key {twice[:64]!r} occurs twice")
    return result
