"""JSON from a stranger, made safe to hold.

In: one line of bytes. Out: ParsedJson (an object, with marks of what was mended) or JsonFault with the reason.
Never: an exception for bad input; never a value that is deeper, larger or odder than the limits say.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import NoReturn

from pui.domain.events import JsonValue

DEPTH_LIMIT = 64
NODE_LIMIT = 262_144
INT_LIMIT = 2**63
_INT_DIGITS_LIMIT = 20
_MARK_UTF8 = "utf8-replaced"
_MARK_SURROGATE = "surrogate-replaced"

# Possessive, with an optional end quote: linear also for an unterminated string full of escapes.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NOT_STRUCTURE = bytes(set(range(256)) - set(b"[]{},"))
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class ParsedJson:
    """`value` is the object; `marks` names what was mended: "utf8-replaced", "surrogate-replaced"."""

    value: dict[str, JsonValue]
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class JsonFault:
    """Why the line is not used, in words for a journal. It quotes nothing of the line."""

    reason: str


class _Refused(Exception):
    """Inside this module only: a value that JSON allows and we do not."""


def parse_json(line: bytes) -> ParsedJson | JsonFault:
    """One JSON object from `line`.

    Refused: not an object, depth over 64, more than 262,144 structural marks (commas and brackets: a small line may
    not blow up into many objects), NaN, infinities (also by overflow: 1e999), duplicate keys, integers outside
    64 bits, a BOM. Mended and marked: invalid UTF-8 and lone surrogates become U+FFFD (threats.md, RPC).
    """
    fault = _structure_fault(line)
    if fault:
        return JsonFault(fault)
    text, marks = _decode(line)
    try:
        value: JsonValue = _DECODER.decode(text)
        if _SURROGATE_ESCAPE.search(line):
            mended = _without_surrogates(value)
            marks += () if mended == value else (_MARK_SURROGATE,)
            value = mended
    except _Refused as refused:
        return JsonFault(str(refused))
    except (ValueError, RecursionError):
        return JsonFault("not valid JSON")
    return ParsedJson(value, marks) if isinstance(value, dict) else JsonFault("not a JSON object")


def _decode(line: bytes) -> tuple[str, tuple[str, ...]]:
    try:
        return line.decode("utf-8"), ()
    except UnicodeDecodeError:
        return line.decode("utf-8", "replace"), (_MARK_UTF8,)


def _structure_fault(line: bytes) -> str:
    """Too deep or too many parts, found before anything is parsed; balanced pairs vanish level by level."""
    if line.count(b"[") + line.count(b"{") + line.count(b",") <= DEPTH_LIMIT:
        return ""
    marks = _STRING.sub(b"", line).translate(_ONE_KIND, _NOT_STRUCTURE)
    if len(marks) > NODE_LIMIT:
        return f"more than {NODE_LIMIT} parts"
    marks = marks.replace(b",", b"")
    for _ in range(DEPTH_LIMIT):
        marks = marks.replace(b"[]", b"")
        if not marks:
            return ""
    return f"nested deeper than {DEPTH_LIMIT} or not balanced"


def _pairs(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Refused("an object has the same key twice")
    return found


def _int(text: str) -> int:
    if len(text) > _INT_DIGITS_LIMIT or not -INT_LIMIT <= (number := int(text)) < INT_LIMIT:
        raise _Refused("an integer does not fit 64 bits")
    return number


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _Refused("a number is not finite")
    return number


def _constant(name: str) -> NoReturn:
    raise _Refused(f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_int=_int, parse_float=_float, parse_constant=_constant)


def _without_surrogates(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return _pairs([(_SURROGATE.sub("\ufffd", key), _without_surrogates(item)) for key, item in value.items()])
    return value
