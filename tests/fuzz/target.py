"""What a fuzz target is.

In: nothing. Out: the type, and the one way to compare two readings of the same bytes. Never: a target itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """`run` takes any bytes and raises only when the code under test broke its promise. `seeds` are made on demand.
    `is_json`: the runner also exchanges values inside the document, so that it stays well formed. `cost`: how many
    runs of other targets one of this one is worth."""

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], Sequence[bytes]]
    is_json: bool = False
    limit_bytes: int = 8192
    cost: int = 1


def in_pieces(data: bytes, size_bytes: int) -> Iterator[bytes]:
    """`data` cut into pieces of `size_bytes`."""
    return (data[start : start + size_bytes] for start in range(0, len(data), size_bytes))


def split_first(data: bytes) -> tuple[int, bytes]:
    """The first byte decides how, the rest is the document."""
    return (data[0], data[1:]) if data else (0, b"")
