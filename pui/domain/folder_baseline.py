"""The look before a task, as lines of a file that survives the app.

In: looks into folders; lines of such a file. Out: lines; looks, or why the file is not used.
Never: a look at the disk, an exception for a bad line, a name or a text of a folder as anything but data.

First a head with the folders, then one object a name, last the number of names: a file without its end is torn.
Names are bytes on the disk; they are written as Latin-1 text, so that those that are no UTF-8 come back as they were.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from pui.domain.events import JsonValue
from pui.domain.folder_diff import EntryKind, FolderEntry, FolderSnapshot
from pui.domain.json_guard import ParsedJson, parse_json
from pui.domain.scrub import scrub_line
from pui.domain.task import MOUNT_LIMIT

Baseline = FolderSnapshot | str
"""The look before, or why there is none."""

VERSION = 1
NAME_LIMIT = 200_000
"""Names of all folders together."""
TEXT_LIMIT_CHARS = 256 * 1024 * 1024
LINE_LIMIT_BYTES = 8 * 1024 * 1024
"""A text of the largest size that is kept, all of it control characters, fits twice."""
FILE_LIMIT_BYTES = 768 * 1024 * 1024
"""Of all lines, before compression."""
_STAMP_LIMIT = (8, 24)  # numbers, digits of each
_KINDS = frozenset({"file", "link", "other"})
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True)
class BaselineFault:
    """Why a file is not used, in words; it quotes nothing of the file."""

    reason: str


class _Refused(Exception):
    """Inside this module only."""


def render_baseline(looks: Mapping[str, Baseline]) -> Iterator[bytes]:
    """Lines without their LF; `looks` by the path of the folder."""
    head = [{"path": _to_text(path), **_look_head(look)} for path, look in looks.items()]
    yield _ENCODER.encode({"version": VERSION, "folders": head}).encode()
    count = 0
    for place, look in enumerate(looks.values()):
        if isinstance(look, FolderSnapshot):
            for name, entry in look.entries.items():
                yield _ENCODER.encode(_entry_fields(place, name, entry)).encode()
                count += 1
    yield _ENCODER.encode({"names": count}).encode()


def parse_baseline(lines: Iterable[bytes]) -> dict[str, Baseline] | BaselineFault:
    """The looks by the path of the folder. Whatever `lines` raises passes through."""
    reader = _Reader()
    try:
        for line in lines:
            reader.take(line)
        return reader.result()
    except _Refused as refused:
        return BaselineFault(str(refused))


def _look_head(look: Baseline) -> dict[str, JsonValue]:
    if isinstance(look, FolderSnapshot):
        return {"is_complete": look.is_complete, "reason": ""}
    return {"is_complete": False, "reason": scrub_line(look, 500) or "it could not be looked at"}


def _entry_fields(place: int, name: str, entry: FolderEntry) -> dict[str, JsonValue]:
    """Keys of one letter: there may be a hundred thousand of these."""
    fields: dict[str, JsonValue] = {
        "f": place,
        "n": _to_text(name),
        "k": entry.kind,
        "s": entry.size_bytes,
        "i": ",".join(map(str, entry.stamp)),  # text: an inode number may be beyond 63 bits
    }
    if entry.is_executable:
        fields["x"] = True
    if entry.text is not None:
        fields["t"] = entry.text
    if entry.target:
        fields["l"] = _to_text(entry.target)
    return fields


class _Reader:
    """Takes one line after the other; raises _Refused."""

    def __init__(self) -> None:
        self._paths: list[str] = []
        self._heads: list[Baseline] = []
        self._entries: list[dict[str, FolderEntry]] = []
        self._count = 0
        self._text_chars = 0
        self._is_ended = False

    def take(self, line: bytes) -> None:
        if self._is_ended:
            raise _Refused("it goes on behind its end")
        parsed = parse_json(line) if len(line) <= LINE_LIMIT_BYTES else None
        if not isinstance(parsed, ParsedJson) or parsed.marks:
            raise _Refused("a line is not what pui writes")
        value = parsed.value
        if not self._heads:
            self._take_head(value)
        elif "names" in value:
            self._is_ended = value["names"] == self._count
            if not self._is_ended:
                raise _Refused("names are missing")
        else:
            self._take_entry(value)

    def result(self) -> dict[str, Baseline]:
        if not self._is_ended:
            raise _Refused("it has no end")
        looks: list[Baseline] = [
            FolderSnapshot(entries, head.is_complete) if isinstance(head, FolderSnapshot) else head
            for head, entries in zip(self._heads, self._entries, strict=True)
        ]
        return dict(zip(self._paths, looks, strict=True))

    def _take_head(self, value: Mapping[str, JsonValue]) -> None:
        folders = value.get("folders")
        if value.get("version") != VERSION or not isinstance(folders, list) or not 0 < len(folders) <= MOUNT_LIMIT:
            raise _Refused("its head is of another version")
        for folder in folders:
            if not isinstance(folder, dict):
                raise _Refused("a folder is not an object")
            reason = _text(folder.get("reason"))
            self._paths.append(_from_text(folder.get("path")))
            self._heads.append(scrub_line(reason, 500) or FolderSnapshot({}, folder.get("is_complete") is True))
            self._entries.append({})
        if len(set(self._paths)) != len(self._paths):
            raise _Refused("a folder is there twice")

    def _take_entry(self, value: Mapping[str, JsonValue]) -> None:
        self._count += 1
        place, name = value.get("f"), _from_text(value.get("n"))
        if type(place) is not int or not 0 <= place < len(self._entries) or self._count > NAME_LIMIT:
            raise _Refused("a name belongs to no folder, or there are too many")
        if isinstance(self._heads[place], str) or name in self._entries[place]:
            raise _Refused("a name is there twice, or in a folder that was not looked at")
        entry = _entry_of(value)
        self._text_chars += len(entry.text or "")
        if self._text_chars > TEXT_LIMIT_CHARS:
            raise _Refused("more text than pui keeps")
        self._entries[place][name] = entry


def _entry_of(value: Mapping[str, JsonValue]) -> FolderEntry:
    kind, size_bytes, text = value.get("k"), value.get("s"), value.get("t")
    if not isinstance(kind, str) or kind not in _KINDS or type(size_bytes) is not int or size_bytes < 0:
        raise _Refused("a name has no kind or no size")
    if text is not None and (not isinstance(text, str) or kind != "file"):
        raise _Refused("a text is not text")
    target = _from_text(value.get("l", ""))
    is_executable = value.get("x", False) is True
    return FolderEntry(cast(EntryKind, kind), size_bytes, _stamp(value.get("i")), is_executable, text, target)


def _stamp(value: JsonValue) -> tuple[int, ...]:
    numbers = _text(value).split(",")
    limit, digits = _STAMP_LIMIT
    if len(numbers) > limit or not all(len(one) <= digits and one.removeprefix("-").isdecimal() for one in numbers):
        raise _Refused("a stamp is not numbers")
    return tuple(map(int, numbers))


def _text(value: JsonValue) -> str:
    if not isinstance(value, str):
        raise _Refused("a text is missing")
    return value


def _to_text(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("latin-1")


def _from_text(value: JsonValue) -> str:
    """The reverse of _to_text."""
    try:
        return _text(value).encode("latin-1").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise _Refused("a name is not bytes") from error
