"""Is an installed pack still the one that was signed? The decision, apart from looking and hashing.

In: the manifest, what lies in the folder, what was recorded at install. Out: faults, and the files whose bytes must
be hashed before they are believed. Never: I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pui.domain.events import JsonValue
from pui.domain.manifest import Manifest
from pui.domain.pack_path import RESERVED_FOLDER
from pui.domain.strict_json import StrictJsonError, dump_canonical, load_object

ENVELOPE = f"{RESERVED_FOLDER}/envelope.json"
RECORDED_STATS = f"{RESERVED_FOLDER}/stat.json"
STATS_SCHEMA = "pui-pack-stat-1"
MAX_STATS_BYTES = 16 * 1024 * 1024
FOLDER_MODE = 0o755
WRITABLE_BY_OTHERS = 0o022


class Kind(StrEnum):
    FILE = "file"
    FOLDER = "folder"
    OTHER = "other"


@dataclass(frozen=True)
class Found:
    """One entry of the pack's folder. `mode` holds the permission bits, times are Unix nanoseconds."""

    kind: Kind
    size_bytes: int
    mode: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    owner: int


@dataclass(frozen=True)
class TreeVerdict:
    """`faults` are sentences; `unproven` are good-looking files whose stats differ from the recorded ones."""

    faults: tuple[str, ...]
    unproven: frozenset[str]


def check_tree(
    manifest: Manifest, found: Mapping[str, Found], recorded: Mapping[str, Found], owner: int
) -> TreeVerdict:
    """Every difference between `found` (all entries by relative path, "" is the pack's folder) and the manifest.

    A file whose size, mode and owner are right but whose inode or times are not the recorded ones may have been
    copied with the whole home folder, or may have been changed: it is unproven, not faulty.
    """
    wanted = {file.path: file for file in manifest.files}
    faults = [f"{path!r} is missing" for path in wanted if path not in found]
    faults += _extra_faults(wanted, found)
    faults += [f"{path or 'the folder itself'!r} {why}" for path, why in _owner_faults(found, owner)]
    unproven: set[str] = set()
    for path, file in wanted.items():
        entry = found.get(path)
        if entry is None:
            continue
        if entry.kind is not Kind.FILE:
            faults.append(f"{path!r} is not a regular file")
        elif entry.size_bytes != file.size_bytes:
            faults.append(f"{path!r} has {entry.size_bytes} bytes instead of {file.size_bytes}")
        elif entry.mode != file.mode:
            faults.append(f"{path!r} has mode {entry.mode:04o} instead of {file.mode:04o}")
        elif recorded.get(path) != entry:
            unproven.add(path)
    return TreeVerdict(tuple(faults), frozenset(unproven))


@dataclass(frozen=True)
class RepairPlan:
    """`broken`: files to write anew, by path. `extra`: entries to remove. `folders`: those whose mode is to be set."""

    broken: frozenset[str]
    extra: tuple[str, ...]
    folders: tuple[str, ...]


def plan_repair(manifest: Manifest, found: Mapping[str, Found], owner: int) -> RepairPlan:
    """What a look without hashing says has to be mended; a file that looks right may still hold other bytes."""
    wanted = {file.path: file for file in manifest.files}
    folders = _folders_of(wanted)
    kept = folders.union(wanted, (ENVELOPE, RECORDED_STATS))
    extra = {path for path in found if path not in kept}
    extra |= {path for path in folders if path in found and found[path].kind is not Kind.FOLDER}
    extra |= {path for path in wanted if path in found and found[path].kind is not Kind.FILE}
    extra |= {path for path in (ENVELOPE, RECORDED_STATS) if path in found and not _is_own_file(found[path], owner)}
    sound = {path for path, file in wanted.items() if _looks_right(found.get(path), file.size_bytes, file.mode, owner)}
    lax = (path for path in folders if path in found and found[path].mode & WRITABLE_BY_OTHERS)
    return RepairPlan(frozenset(set(wanted) - sound), tuple(sorted(extra)), tuple(sorted(set(lax) - extra)))


def _looks_right(entry: Found | None, size_bytes: int, mode: int, owner: int) -> bool:
    if entry is None:
        return False
    return (entry.kind, entry.size_bytes, entry.mode, entry.owner) == (Kind.FILE, size_bytes, mode, owner)


def _is_own_file(entry: Found, owner: int) -> bool:
    return entry.kind is Kind.FILE and entry.owner == owner and not entry.mode & WRITABLE_BY_OTHERS


def _folders_of(wanted: Iterable[str]) -> set[str]:
    folders = {"", RESERVED_FOLDER}
    for path in wanted:
        parts = path.split("/")
        folders |= {"/".join(parts[:count]) for count in range(1, len(parts))}
    return folders


def _extra_faults(wanted: Iterable[str], found: Mapping[str, Found]) -> list[str]:
    folders = _folders_of(wanted)
    allowed = folders.union(wanted, (ENVELOPE, RECORDED_STATS))
    faults = [f"{path!r} was added" for path in found if path not in allowed]
    return faults + [f"{path!r} is not a folder" for path in folders & found.keys() if found[path].kind != Kind.FOLDER]


def _owner_faults(found: Mapping[str, Found], owner: int) -> Iterable[tuple[str, str]]:
    for path, entry in found.items():
        if entry.owner != owner:
            yield path, f"belongs to user id {entry.owner} instead of {owner}"
        elif entry.mode & WRITABLE_BY_OTHERS:
            yield path, f"can be written by others (mode {entry.mode:04o})"


def render_stats(found: Mapping[str, Found]) -> bytes:
    """The record of a finished install: what each file looked like when its bytes were proven."""
    files: dict[str, JsonValue] = {
        path: [entry.size_bytes, entry.mode, entry.mtime_ns, entry.ctime_ns, entry.inode, entry.owner]
        for path, entry in found.items()
        if entry.kind is Kind.FILE
    }
    return dump_canonical({"schema": STATS_SCHEMA, "files": files})


def parse_stats(data: bytes) -> Mapping[str, Found]:
    """The record, or nothing when it cannot be read: then every file is unproven, and hashed. It is not trusted."""
    try:
        table = load_object(data, MAX_STATS_BYTES)
    except StrictJsonError:
        return {}
    files = table.get("files")
    if table.get("schema") != STATS_SCHEMA or not isinstance(files, dict):
        return {}
    return {path: entry for path, value in files.items() if (entry := _parse_entry(value)) is not None}


def _parse_entry(value: JsonValue) -> Found | None:
    if not isinstance(value, list) or len(value) != 6:
        return None
    numbers = [number for number in value if isinstance(number, int) and not isinstance(number, bool)]
    if len(numbers) != 6:
        return None
    return Found(Kind.FILE, *numbers)
