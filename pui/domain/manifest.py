"""The manifest of a runtime pack: its model, its strict reader, its writer.

In: the exact bytes that were signed. Out: a Manifest whose every promise was checked, or a SetupError that names
the place. Never: I/O, repair of a faulty value, meaning given to an unknown field.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pui.domain.errors import SetupError
from pui.domain.events import JsonValue
from pui.domain.pack_path import clash_fault, path_fault
from pui.domain.strict_json import StrictJsonError, dump_canonical, load_object

SCHEMA = "pui-pack-manifest-1"
MAX_MANIFEST_BYTES = 4 * 1024 * 1024
MAX_FILES = 20_000
MAX_TOTAL_BYTES = 16 * 1024**3
MAX_VERSION = 2**53 - 1
MAX_COMPONENTS = 256
MODES: Mapping[str, int] = {"0644": 0o644, "0755": 0o755}

_SHA256 = re.compile(r"[0-9a-f]{64}")
_PLATFORM = re.compile(r"[a-z0-9]{1,20}-[a-z0-9_]{1,20}")
_APP_VERSION = re.compile(r"(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})")
_CREATED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_PAYLOAD_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}\.tar\.zst")
_COMPONENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@/+-]{0,120}")


@dataclass(frozen=True)
class ManifestFile:
    """One regular file: `path` relative POSIX, `sha256` 64 lower-case hex digits, `mode` 0o644 or 0o755."""

    path: str
    size_bytes: int
    sha256: str
    mode: int


@dataclass(frozen=True)
class Compatibility:
    """`app_min`: oldest version of pui ("1.2.3") that can run the pack; `guest_protocol`: see pui/guest/protocol.md."""

    app_min: str
    guest_protocol: int


@dataclass(frozen=True)
class Payload:
    """The archive as a whole: bare file name, size and SHA-256 of its compressed bytes."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a pack promises. `created` is UTC ("2026-01-02T03:04:05Z"); `files` is sorted by path."""

    pack_version: int
    platform: str
    created: str
    compatibility: Compatibility
    components: Mapping[str, str]
    files: tuple[ManifestFile, ...]
    total_size_bytes: int
    payload: Payload


def parse_manifest(data: bytes) -> Manifest:
    """The manifest in `data`.

    Raises SetupError: pack.malformed for anything but a complete, consistent manifest of this schema, pack.bad_path
    for a name rule A2-A7 forbids. Unknown fields have no effect (so that a later app may add hints).
    """
    try:
        top = load_object(data, MAX_MANIFEST_BYTES)
    except StrictJsonError as error:
        raise _malformed(f"the manifest is refused: {error}") from error
    schema = top.get("schema")
    if schema != SCHEMA:
        raise _malformed(f"the manifest has the unknown schema {str(schema)[:64]!r}; this pui reads {SCHEMA!r}")
    files = _files(top)
    return Manifest(
        pack_version=_whole(top, "pack_version", "", 1, MAX_VERSION),
        platform=_matching(top, "platform", "", _PLATFORM),
        created=_created(top),
        compatibility=_compatibility(top),
        components=_components(top),
        files=files,
        total_size_bytes=_total(top, files),
        payload=_payload(top),
    )


def render_manifest(manifest: Manifest) -> bytes:
    """The bytes to sign. Raises SetupError as parse_manifest does, so that nobody signs what nobody could install."""
    data = dump_canonical(
        {
            "schema": SCHEMA,
            "pack_version": manifest.pack_version,
            "platform": manifest.platform,
            "created": manifest.created,
            "compatibility": {
                "app_min": manifest.compatibility.app_min,
                "guest_protocol": manifest.compatibility.guest_protocol,
            },
            "components": dict(manifest.components),
            "files": [_file_value(file) for file in manifest.files],
            "total_size": manifest.total_size_bytes,
            "payload": {
                "name": manifest.payload.name,
                "size": manifest.payload.size_bytes,
                "sha256": manifest.payload.sha256,
            },
        }
    )
    parse_manifest(data)
    return data


def version_tuple(text: str) -> tuple[int, int, int]:
    """(1, 2, 3) of "1.2.3". Raises SetupError pack.malformed for another form."""
    match = _APP_VERSION.fullmatch(text)
    if match is None:
        raise _malformed(f"{text[:32]!r} is not a version like 1.2.3")
    major, minor, patch = match.groups()
    return int(major), int(minor), int(patch)


def _file_value(file: ManifestFile) -> JsonValue:
    return {"path": file.path, "size": file.size_bytes, "sha256": file.sha256, "mode": f"{file.mode:04o}"}


def _malformed(message: str) -> SetupError:
    return SetupError("pack.malformed", message)


def _field(table: Mapping[str, JsonValue], key: str, place: str) -> JsonValue:
    if key not in table:
        raise _malformed(f"the manifest lacks {place}{key}")
    return table[key]


def _whole(table: Mapping[str, JsonValue], key: str, place: str, low: int, high: int) -> int:
    value = _field(table, key, place)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _malformed(f"{place}{key} is {_shown(value)}, not a whole number from {low} to {high}")
    return value


def _text(table: Mapping[str, JsonValue], key: str, place: str) -> str:
    value = _field(table, key, place)
    if not isinstance(value, str):
        raise _malformed(f"{place}{key} is {_shown(value)}, not a text")
    return value


def _matching(table: Mapping[str, JsonValue], key: str, place: str, pattern: re.Pattern[str]) -> str:
    value = _text(table, key, place)
    if pattern.fullmatch(value) is None:
        raise _malformed(f"{place}{key} has the form {_shown(value)}, which is not allowed")
    return value


def _table(table: Mapping[str, JsonValue], key: str) -> Mapping[str, JsonValue]:
    value = _field(table, key, "")
    if not isinstance(value, dict):
        raise _malformed(f"{key} is {_shown(value)}, not an object")
    return value


def _shown(value: JsonValue) -> str:
    text = ascii(value) if isinstance(value, (str, int, type(None))) else type(value).__name__
    return text[:64]


def _created(top: Mapping[str, JsonValue]) -> str:
    value = _matching(top, "created", "", _CREATED)
    try:
        datetime.fromisoformat(value)
    except ValueError as error:
        raise _malformed(f"created is {value!r}, which is no date") from error
    return value


def _compatibility(top: Mapping[str, JsonValue]) -> Compatibility:
    table = _table(top, "compatibility")
    return Compatibility(
        app_min=_matching(table, "app_min", "compatibility.", _APP_VERSION),
        guest_protocol=_whole(table, "guest_protocol", "compatibility.", 1, 1_000_000),
    )


def _components(top: Mapping[str, JsonValue]) -> Mapping[str, str]:
    table = _table(top, "components")
    if len(table) > MAX_COMPONENTS:
        raise _malformed(f"components has {len(table)} entries, more than {MAX_COMPONENTS}")
    return {name: _component(table, name) for name in table}


def _component(table: Mapping[str, JsonValue], name: str) -> str:
    if _COMPONENT_NAME.fullmatch(name) is None:
        raise _malformed(f"components has the name {_shown(name)}, which is not allowed")
    version = _text(table, name, "components.")
    if not (0 < len(version) <= 256 and version.isascii() and version.isprintable()):
        raise _malformed(f"components.{name} is not 1 to 256 printable ASCII characters")
    return version


def _payload(top: Mapping[str, JsonValue]) -> Payload:
    table = _table(top, "payload")
    return Payload(
        name=_matching(table, "name", "payload.", _PAYLOAD_NAME),
        size_bytes=_whole(table, "size", "payload.", 1, MAX_TOTAL_BYTES),
        sha256=_matching(table, "sha256", "payload.", _SHA256),
    )


def _files(top: Mapping[str, JsonValue]) -> tuple[ManifestFile, ...]:
    entries = _field(top, "files", "")
    if not isinstance(entries, list):
        raise _malformed(f"files is {_shown(entries)}, not a list")
    if not 1 <= len(entries) <= MAX_FILES:
        raise _malformed(f"files has {len(entries)} entries, not 1 to {MAX_FILES}")
    files = tuple(_file(entry, f"files[{index}]") for index, entry in enumerate(entries))
    _check_names([file.path for file in files])
    return files


def _file(entry: JsonValue, place: str) -> ManifestFile:
    if not isinstance(entry, dict):
        raise _malformed(f"{place} is {_shown(entry)}, not an object")
    path = _text(entry, "path", f"{place}.")
    fault = path_fault(path)
    if fault is not None:
        raise SetupError("pack.bad_path", f"{place}.path {ascii(path)[:300]} {fault}")
    mode = _text(entry, "mode", f"{place}.")
    if mode not in MODES:
        raise _malformed(f"{place}.mode is {_shown(mode)}, not 0644 or 0755")
    return ManifestFile(
        path=path,
        size_bytes=_whole(entry, "size", f"{place}.", 0, MAX_TOTAL_BYTES),
        sha256=_matching(entry, "sha256", f"{place}.", _SHA256),
        mode=MODES[mode],
    )


def _check_names(paths: Sequence[str]) -> None:
    fault = clash_fault(paths)
    if fault is not None:
        raise SetupError("pack.bad_path", f"files: {fault}")
    for before, after in zip(paths, paths[1:], strict=False):
        if before > after:
            raise _malformed(f"files is not sorted by path: {after!r} comes after {before!r}")


def _total(top: Mapping[str, JsonValue], files: Sequence[ManifestFile]) -> int:
    total = _whole(top, "total_size", "", 0, MAX_TOTAL_BYTES)
    found = sum(file.size_bytes for file in files)
    if total != found:
        raise _malformed(f"total_size is {total}, but the files add up to {found}")
    return total
