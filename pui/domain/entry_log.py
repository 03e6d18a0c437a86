"""The newest entries of a running task, in memory.

In: Changes of the transcript. Out: entries as they stand now, by pages. Never: more than the limits; what is dropped
here is in the file (history.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pui.domain.transcript import Change, Entry

ENTRY_LIMIT = 20_000
TOTAL_LIMIT_CHARS = 32 * 1024 * 1024


@dataclass(frozen=True)
class EntryPage:
    """Entries in order of their keys; `has_earlier`: there are some before them. `damaged` counts unreadable lines."""

    entries: tuple[Entry, ...]
    has_earlier: bool
    damaged: int = 0


@dataclass
class _Slot:
    """An entry and, while it streams, the pieces of its text that are not in the entry."""

    entry: Entry
    parts: list[str] = field(default_factory=list)
    size_chars: int = 0

    def take(self, change: Change) -> int:
        """The slot as it is after `change`; returns by how many characters it has grown."""
        entry, before = change.entry, self.size_chars
        self.entry = entry
        if entry.text or entry.is_final:
            self.parts, self.size_chars = [], len(entry.text) + len(entry.diff)
        elif change.is_replaced:
            self.parts, self.size_chars = [change.delta], len(change.delta)
        else:
            self.parts.append(change.delta)
            self.size_chars += len(change.delta)
        return self.size_chars - before

    def whole(self) -> Entry:
        """The entry with all the text that was shown of it."""
        if not self.parts:
            return self.entry
        self.parts = ["".join(self.parts)]
        return replace(self.entry, text=self.parts[0])


def join_pages(earlier: EntryPage, later: EntryPage, limit: int) -> EntryPage:
    """The newest `limit` entries of two pages that follow each other."""
    entries = (*earlier.entries, *later.entries)
    has_earlier = earlier.has_earlier or len(entries) > limit or (later.has_earlier and not earlier.entries)
    return EntryPage(entries[-limit:] if limit else (), has_earlier, earlier.damaged + later.damaged)


class EntryLog:
    """Entries by key. Keys come in order, changes of an older entry may follow."""

    def __init__(
        self, entry_limit: int = ENTRY_LIMIT, total_limit_chars: int = TOTAL_LIMIT_CHARS, first_key: int = 1
    ) -> None:
        self._slots: dict[int, _Slot] = {}
        self._entry_limit = entry_limit
        self._total_limit_chars = total_limit_chars
        self._size_chars = 0
        self._first_key = first_key

    @property
    def first_key(self) -> int:
        """The oldest entry that is held; entries with smaller keys are in the file."""
        return self._first_key

    def add(self, change: Change) -> None:
        """Take one change. One of an entry that was dropped has no effect."""
        key = change.entry.key
        if key < self._first_key:
            return
        slot = self._slots.setdefault(key, _Slot(change.entry))
        self._size_chars += slot.take(change)
        self._trim()

    def before(self, before_key: int | None, limit: int) -> EntryPage:
        """The newest `limit` entries whose key is smaller than `before_key` (None: of all)."""
        keys = [key for key in self._slots if before_key is None or key < before_key]
        chosen = keys[-limit:] if limit else []
        entries = tuple(self._slots[key].whole() for key in chosen)
        return EntryPage(entries, bool(self._first_key > 1 or len(keys) > len(chosen)))

    def _trim(self) -> None:
        while len(self._slots) > 1 and (
            len(self._slots) > self._entry_limit or self._size_chars > self._total_limit_chars
        ):
            oldest = next(iter(self._slots))
            self._size_chars -= self._slots.pop(oldest).size_chars
            self._first_key = oldest + 1
