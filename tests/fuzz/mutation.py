"""Changes to documents: of their bytes, and of the values inside a JSON document.

In: a document and a source of randomness. Out: another document. Never: anything but bytes.
"""

from __future__ import annotations

import json
import random
from typing import Any

ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    2**31,
    2**53,
    2**64,
    10**30,
    1.5,
    1e308,
    "",
    "x",
    "..",
    "a/../b",
    "/etc/passwd",
    "\0",
    "\u202e",
    "e\u0301",
    "A" * 300,
    "\udc00",
    "2026-13-41T00:00:00Z",
    "0" * 64,
    [],
    {},
    [[]],
    {"": {}},
)
PIECES = (
    b"\0",
    b"\xff" * 4,
    b"\n",
    b"\r\n",
    b"[" * 70,
    b'{"a":' * 9,
    b"\x28\xb5\x2f\xfd",
    b"\x50\x2a\x4d\x18",
    b"../",
    b"NaN",
)


def mutated(rng: random.Random, data: bytes, limit_bytes: int, *, is_json: bool = False) -> bytes:
    """`data` with one to four changes, at most `limit_bytes` long."""
    for _ in range(rng.randint(1, 4)):
        data = (_other_value(rng, data) if is_json and rng.random() < 0.6 else None) or _other_bytes(rng, data)
    return data[:limit_bytes]


def _other_bytes(rng: random.Random, data: bytes) -> bytes:
    start = rng.randint(0, len(data))
    end = rng.randint(start, min(len(data), start + 64))
    middle = rng.choice(
        (
            b"",
            data[start:end] * 2,
            rng.randbytes(rng.randint(1, 8)),
            rng.choice(PIECES),
            bytes(byte ^ (1 << rng.randrange(8)) for byte in data[start:end]),
        )
    )
    return data[:start] + middle + data[end:]


def _other_value(rng: random.Random, data: bytes) -> bytes | None:
    """The first JSON document in `data` with one value exchanged; None when there is none."""
    start = data.find(b"{")
    try:
        table = json.loads(data[start:]) if start >= 0 else None
    except (ValueError, RecursionError):
        return None
    places = list(_places(table))
    if not places:
        return None
    holder, key = rng.choice(places)
    if rng.random() < 0.2:
        del holder[key]
    else:
        holder[key] = rng.choice((rng.choice(ODD), rng.choice(places)[0], _neighbour(rng, holder[key])))
    try:
        return data[:start] + json.dumps(table, separators=(",", ":"), ensure_ascii=rng.random() < 0.5).encode()
    except (ValueError, RecursionError):  # a value that holds itself, a lone surrogate
        return None


def _places(value: Any) -> Any:
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def _neighbour(rng: random.Random, value: Any) -> Any:
    """Something much like `value`."""
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int | float):
        return value + rng.choice((-1, 1))
    if isinstance(value, str):
        at = rng.randint(0, len(value))
        return value[:at] + rng.choice(("", "\0", "x", "/", "\u00e9", "\u202e")) + value[at + 1 :]
    return value * 2 if isinstance(value, list) else {**value, "extra": value}
