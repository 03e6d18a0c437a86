"""Where a text occurs in a conversation, in what an entry shows: for entries that a page has not loaded.

In: a query, entries or lines of transcript.jsonl, newest first. Out: hits, each a key and how often.
Never: an exception for a damaged line, more than the limits; whether something was left out is said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from pui.domain.history import entry_of_line, key_of_line
from pui.domain.transcript import Entry

QUERY_LIMIT_CHARS = 200
HIT_LIMIT = 2000
"""Entries; the newest ones are told."""
SCAN_LIMIT_BYTES = 64 * 1024 * 1024
"""Lines that are looked into for one query."""


_LOWERED_TO = {"k": "\u212a", "å": "\u212b", "ß": "\u1e9e", "ω": "\u2126", "θ": "\u03f4"}
"""Letters whose lower case is this one, beside its own upper and title case."""
_DOT = "\u0307"
"""The second letter of the lower case of U+0130, the only one that becomes two."""


@dataclass(frozen=True)
class Hit:
    """`count` places in the entry `key`."""

    key: int
    count: int


class TalkSearch:
    """One query. `is_whole` is False once the limits have left something out."""

    def __init__(self, query: str) -> None:
        self._query = query.lower()
        self._hint = re.compile(b"" if _DOT in self._query else b"".join(_forms_of(char) for char in self._query))
        """What the bytes of a line in lower case have to hold, so that most need no parsing (JsonlFile: ASCII)."""
        self._counts: dict[int, int] = {}
        self._seen: set[int | None] = set()
        self._scanned_bytes = 0
        self.is_whole = True

    @property
    def hits(self) -> list[Hit]:
        """In order of their keys."""
        return [Hit(key, count) for key, count in sorted(self._counts.items())]

    def take_entries(self, entries: Iterable[Entry]) -> None:
        """Entries in any order."""
        for entry in entries:
            self._take(entry)

    def take_lines(self, lines: Iterable[bytes], before_key: int) -> None:
        """The lines of one transcript, newest first; only entries with a smaller key count. The newest line of an
        entry is the one that is shown."""
        for line in lines:
            if len(self._counts) >= HIT_LIMIT or self._scanned_bytes >= SCAN_LIMIT_BYTES:
                self.is_whole = False
                return
            self._scanned_bytes += len(line)
            key = key_of_line(line)
            if key is not None and (key >= before_key or key in self._seen):
                continue
            if not self._hint.search(line.lower()):
                self._seen.add(key)
                continue
            entry = entry_of_line(line)
            if entry is not None and entry.key < before_key:
                self._take(entry)

    def _take(self, entry: Entry) -> None:
        if entry.key in self._seen:
            return
        self._seen.add(entry.key)
        if count := count_places(entry, self._query):
            self._counts[entry.key] = count


def _forms_of(char: str) -> bytes:
    """How a letter of a query, and every letter of which it is the lower case, is written in a line in lower case."""
    forms = (char, char.upper(), char.title(), *_LOWERED_TO.get(char, ""))
    found = {re.escape(json.dumps(form)[1:-1].lower().encode("ascii")) for form in forms}
    return found.pop() if len(found) == 1 else b"(?:" + b"|".join(sorted(found)) + b")"


def count_places(entry: Entry, query: str) -> int:
    """How often `query`, in lower case, occurs in what an entry shows when it is opened."""
    texts = [entry.text, entry.title, entry.diff, *(str(value) for value in entry.args.values())]
    return sum(text.lower().count(query) for text in texts)
