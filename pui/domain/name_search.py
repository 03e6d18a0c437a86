"""Which file names fit what a person has typed after an `@`.

In: names relative to the workspace, the typed letters. Out: the best names first. Never: a look at the disk.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

RESULT_LIMIT = 50
QUERY_LIMIT_CHARS = 200


def is_typable(name: str) -> bool:
    """False for a name with control, direction or invisible characters: shown, it would not be what it is."""
    return not any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in name)


def find_names(names: Sequence[str], query: str, limit: int = RESULT_LIMIT) -> list[str]:
    """Names that have the letters of `query` in this order, in any case: close matches and short names first."""
    wanted = query.casefold()
    scored = [(score, name) for name in names if (score := _score(name, wanted)) is not None]
    scored.sort(key=lambda found: (found[0], len(found[1]), found[1]))
    return [name for _, name in scored[:limit]]


def _score(name: str, wanted: str) -> tuple[int, int] | None:
    """Rank and looseness, smaller is better; None when `name` does not fit."""
    if not wanted:
        return (name.count("/"), 0)
    folded = name.casefold()
    base = folded.rstrip("/").rpartition("/")[2]
    if base.startswith(wanted):
        return (0, 0)
    if wanted in base:
        return (1, base.find(wanted))
    if wanted in folded:
        return (2, folded.find(wanted))
    gaps = _gaps(folded, wanted)
    return None if gaps is None else (3, gaps)


def _gaps(text: str, wanted: str) -> int | None:
    """How many letters lie between those of `wanted`; None when they are not all there in order."""
    first = place = text.find(wanted[0])
    for letter in wanted[1:]:
        if place < 0:
            return None
        place = text.find(letter, place + 1)
    return None if place < 0 else place - first + 1 - len(wanted)
