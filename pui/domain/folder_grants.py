"""Folders that the person has let pui use: opaque ids for the page, identities for the host.

In: grants and what is asked of them. Out: new grants, their JSON for the file, their JSON for the page.
Never: a look at the file system, an id that tells the path.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any

from pui.domain.events import JsonValue
from pui.domain.scrub import scrub_line
from pui.domain.strict_json import StrictJsonError, load_object

GRANT_LIMIT = 200
FILE_LIMIT_BYTES = 1024 * 1024
PATH_LIMIT_CHARS = 4096
_TEXTS = ("id", "path")
_NUMBERS = ("device", "inode", "used_ms")
_FLAGS = ("may_write", "read_only")
_LAST_KEYS = {"network": str, "thinking": str, "memory_mib": int, "cpu_count": int, "read_only": bool, "model": dict}


@dataclass(frozen=True)
class FolderGrant:
    """One folder. `may_write`: the person has let tasks change it; `read_only`: how it was chosen last.

    `device` and `inode` name what was granted: another folder under the same path needs a new grant.
    `last` is the last choice for this folder as docs/bridge.md shows it.
    """

    id: str
    path: str
    device: int
    inode: int
    may_write: bool
    read_only: bool
    used_ms: int
    warnings: tuple[str, ...] = ()
    last: Mapping[str, JsonValue] = field(default_factory=dict)


def render_grants(grants: Sequence[FolderGrant]) -> bytes:
    """The file's content, newest GRANT_LIMIT grants."""
    newest = sorted(grants, key=lambda grant: grant.used_ms, reverse=True)[:GRANT_LIMIT]
    rows = [vars(grant) | {"warnings": list(grant.warnings), "last": dict(grant.last)} for grant in newest]
    return json.dumps({"format": 1, "folders": rows}, indent=1).encode("ascii")


def parse_grants(data: bytes) -> tuple[FolderGrant, ...]:
    """What render_grants wrote. Raises StrictJsonError for anything else."""
    rows = load_object(data, FILE_LIMIT_BYTES).get("folders")
    if not isinstance(rows, list):
        raise StrictJsonError("no list of folders")
    return tuple(_parse_grant(row) for row in rows)


def _parse_grant(row: JsonValue) -> FolderGrant:
    if not isinstance(row, dict):
        raise StrictJsonError("a folder is not an object")
    kinds: list[tuple[str, type]] = (
        [(n, str) for n in _TEXTS] + [(n, int) for n in _NUMBERS] + [(n, bool) for n in _FLAGS]
    )
    if not all(type(row.get(name)) is kind for name, kind in kinds):
        raise StrictJsonError("a folder lacks a field")
    values: Mapping[str, Any] = row
    warnings, last = row.get("warnings"), row.get("last")
    if not isinstance(warnings, list) or not isinstance(last, dict) or not PurePath(values["path"]).is_absolute():
        raise StrictJsonError("a folder has a field of another type")
    fields = {name: values[name] for name, _ in kinds}
    return FolderGrant(**fields, warnings=tuple(str(word) for word in warnings), last=checked_last(last))


def checked_last(last: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Those of the last choices that are of the right type; others are dropped."""
    kept = {key: last[key] for key, kind in _LAST_KEYS.items() if type(last.get(key)) is kind}
    model = kept.get("model")
    if isinstance(model, dict) and not all(type(model.get(key)) is str for key in ("provider", "model")):
        del kept["model"]
    return kept


def same_folder(grant: FolderGrant, device: int, inode: int) -> bool:
    return (grant.device, grant.inode) == (device, inode)


def with_use(grant: FolderGrant, read_only: bool, used_ms: int) -> FolderGrant:
    """The grant after a use; a use that writes was asked for before."""
    return replace(grant, read_only=read_only, may_write=grant.may_write or not read_only, used_ms=used_ms)


def folder_to_json(grant: FolderGrant, exists: bool) -> dict[str, JsonValue]:
    """Folder of docs/bridge.md."""
    last = {"network": None, "model": None, "thinking": None, "memory_mib": None, "cpu_count": None} | dict(grant.last)
    shown: JsonValue = None if not grant.last else {"read_only": grant.read_only, **last}
    return {
        "id": grant.id,
        "name": scrub_line(PurePath(grant.path).name or grant.path, 120),
        "path": scrub_line(grant.path, PATH_LIMIT_CHARS),
        "read_only": grant.read_only,
        "warnings": [scrub_line(word, 400) for word in grant.warnings],
        "exists": exists,
        "last": shown,
    }
