"""A stored transcript read back: pages of entries, whatever the file holds.

In: lines of transcript.jsonl, newest first. Out: an EntryPage. Never: an exception for a damaged line, a whole file in
memory, text that was not scrubbed once more (the file lies on a disk that others may have had).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from pui.domain.entry_log import EntryPage
from pui.domain.events import JsonValue
from pui.domain.json_guard import ParsedJson, parse_json
from pui.domain.scrub import scrub_line, scrub_text
from pui.domain.transcript import DIFF_LIMIT_CHARS, TEXT_LIMIT_CHARS, Entry

KINDS = frozenset({"user", "text", "thinking", "tool", "error", "notice"})
_DISORDER = 64
"""How many lines an entry may lie away from its place: tools that run at one time end in any order."""
_KEY_LIMIT = 2**53

# How Session writes a line; only a hint that spares the parsing of what another page holds.
_KEY = re.compile(rb'\{"at_ns":\d{1,20},"entry":\{"key":(\d{1,15}),')
_NOT_ENTRY = re.compile(rb'\{"at_ns":\d{1,20},"agent":"[a-z-]{1,40}"\}')


def page_of_history(lines: Iterable[bytes], before_key: int | None, limit: int) -> EntryPage:
    """The newest `limit` entries whose key is smaller than `before_key` (None: of all)."""
    found: dict[int, Entry] = {}
    damaged = 0
    is_whole = True
    for line in lines:
        if len(found) >= limit + _DISORDER:
            is_whole = False
            break
        if _NOT_ENTRY.fullmatch(line) or _is_later(line, before_key):
            continue
        entry = entry_of_line(line)
        if entry is None:
            damaged += 1
        elif before_key is None or entry.key < before_key:
            found.setdefault(entry.key, entry)
    keys = sorted(found)[-limit:] if limit else []
    return EntryPage(tuple(found[key] for key in keys), not is_whole or len(found) > len(keys), damaged)


def key_of_line(line: bytes) -> int | None:
    """The key of an entry by how Session writes its line, without parsing it; None when that does not tell."""
    match = _KEY.match(line)
    return None if match is None else int(match[1])


def _is_later(line: bytes, before_key: int | None) -> bool:
    key = key_of_line(line)
    return key is not None and before_key is not None and key >= before_key


def entry_of_line(line: bytes) -> Entry | None:
    """The entry of a line of transcript.jsonl, scrubbed once more; None for a line that holds none."""
    parsed = parse_json(line)
    value = parsed.value.get("entry") if isinstance(parsed, ParsedJson) else None
    if not isinstance(value, dict) or not isinstance(parsed, ParsedJson):
        return None
    key, kind, at_ns = value.get("key"), value.get("kind"), parsed.value.get("at_ns")
    if type(key) is not int or not 0 < key < _KEY_LIMIT or not isinstance(kind, str) or kind not in KINDS:
        return None
    stored_ms = at_ns // 1_000_000 if type(at_ns) is int else 0
    args, duration_ms = value.get("args"), value.get("duration_ms")
    return Entry(
        key,
        kind,
        text=_text(value, "text", TEXT_LIMIT_CHARS),
        title=scrub_line(_text(value, "title", 1000)),
        args=_args(args) if isinstance(args, dict) else {},
        is_error=value.get("is_error") is True,
        is_final=True,
        duration_ms=duration_ms if type(duration_ms) is int else None,
        at_ms=_whole(value, "at_ms") or stored_ms,
        diff=_text(value, "diff", DIFF_LIMIT_CHARS),
        said_ms=_whole(value, "said_ms"),
    )


def _text(value: Mapping[str, JsonValue], key: str, limit_chars: int) -> str:
    found = value.get(key)
    return scrub_text(found[:limit_chars])[:limit_chars] if isinstance(found, str) else ""


def _whole(value: Mapping[str, JsonValue], key: str) -> int:
    found = value.get(key)
    return found if type(found) is int and 0 <= found < _KEY_LIMIT else 0


def _args(args: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """As Transcript keeps them: texts, numbers and truth values only."""
    shown: dict[str, JsonValue] = {}
    for name, value in list(args.items())[:64]:
        text = scrub_text(value[:TEXT_LIMIT_CHARS]) if isinstance(value, str) else value
        if text is None or isinstance(text, str | int | float):
            shown[scrub_line(name, 80)] = text
    return shown
