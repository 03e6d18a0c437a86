"""Where pi's session may be cut so that pi knows the same as before: at its last summing up.

In: the places of entries in the tree. Out: which stay and under which parent. Never: an entry's content.

Source: buildContextEntries of pi 1.5.2. On the way from the first entry to the newest one the last `compaction` stands
for everything before its `firstKeptEntryId`; from the rest of the way pi takes only the last settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pui.domain.events import JsonValue

_SETTINGS = frozenset({"model_change", "thinking_level_change", "session_info", "custom"})
"""Of these the last one counts, wherever on the way it is; of custom entries, which are extensions', that of a kind."""


@dataclass(frozen=True)
class EntryPlace:
    """An entry in the tree. `kind` tells settings apart; `first_kept_id` is that of a summing up, "" of any other."""

    entry_id: str
    parent_id: str | None
    kind: str
    first_kept_id: str = ""


@dataclass(frozen=True)
class SessionCut:
    """Indexes of the entries that stay, in order, and the new parents of those that lose theirs."""

    kept: tuple[int, ...]
    parents: Mapping[int, str | None]


def place_of(entry: Mapping[str, JsonValue]) -> EntryPlace:
    """Of an entry that was checked: its id and its parent's are what they have to be."""
    kind, parent_id, first_kept_id = str(entry["type"]), entry.get("parentId"), entry.get("firstKeptEntryId")
    if kind == "custom":
        kind = f"custom {entry.get('customType')}"[:80]
    return EntryPlace(
        str(entry["id"]),
        parent_id if isinstance(parent_id, str) else None,
        kind,
        first_kept_id if kind == "compaction" and isinstance(first_kept_id, str) else "",
    )


def plan_cut(places: Sequence[EntryPlace]) -> SessionCut | None:
    """None when there is no summing up on the way to the newest entry, or nothing before it."""
    at = {place.entry_id: index for index, place in enumerate(places)}
    way = way_to(places, len(places) - 1)
    summed = next((step for step in range(len(way) - 1, -1, -1) if places[way[step]].kind == "compaction"), None)
    if summed is None:
        return None
    first_kept = at.get(places[way[summed]].first_kept_id, -1)
    start = way.index(first_kept) if first_kept in way[:summed] else summed
    settings = _last_settings(places, way[:start])
    kept = {*settings, *way[start:]}
    for index in range(way[summed] + 1, len(places)):  # branches that begin behind the summing up
        parent_id = places[index].parent_id
        if parent_id is not None and at[parent_id] in kept:
            kept.add(index)
    if len(kept) == len(places):
        return None
    chain = [*settings, way[start]]
    parents = {index: places[before].entry_id for before, index in zip(chain, chain[1:], strict=False)}
    return SessionCut(tuple(sorted(kept)), {chain[0]: None, **parents})


def lacks_its_beginning(places: Sequence[EntryPlace], way: Sequence[int]) -> bool:
    """True when what was said before a way was cut off, and the summing up that stands for it is not on the way."""
    first = next((places[index] for index in way if places[index].kind.split(" ")[0] not in _SETTINGS), None)
    on_way = {places[index].entry_id for index in way}
    sums = (place for place in places if place.first_kept_id and place.entry_id not in on_way)
    return first is not None and any(place.first_kept_id == first.entry_id for place in sums)


def way_to(places: Sequence[EntryPlace], end: int) -> list[int]:
    """From the first entry to the one at `end`, -1 for none. Parents come before their children: no circle."""
    at = {place.entry_id: index for index, place in enumerate(places)}
    way: list[int] = []
    index: int | None = end if end >= 0 else None
    while index is not None:
        way.append(index)
        parent_id = places[index].parent_id
        index = None if parent_id is None else at[parent_id]
    return way[::-1]


def _last_settings(places: Sequence[EntryPlace], way: Sequence[int]) -> list[int]:
    last: dict[str, int] = {}
    for index in way:
        kind = places[index].kind
        if kind.split(" ")[0] in _SETTINGS:
            last[kind] = index
    return sorted(last.values())
