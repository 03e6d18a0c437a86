"""What is known about this computer, and what that knowledge depends on.

In: values that a host probe gathered; bytes of the probe cache. Out: frozen facts, their JSON, a cache key.
Never: a look at the computer, the clock or a file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeVar, get_args

from pui.domain.events import JsonValue

OsName = Literal["linux", "macos", "windows"]
ArchName = Literal["x86_64", "aarch64"]
AcceleratorName = Literal["kvm", "hvf", "whpx", "tcg"]
AcceleratorStatus = Literal["works", "missing", "denied", "broken"]
ShareKind = Literal["virtiofs", "9p"]

FACTS_SCHEMA = "pui-host-facts-1"
FACTS_LIMIT_BYTES = 65536
"""A facts file is about 1 KiB; anything larger is not ours."""

_TEXT_LIMIT = 8192


@dataclass(frozen=True)
class AcceleratorVerdict:
    """Whether a probe machine ran on one accelerator.

    `missing`: not there; `denied`: there, this user may not open it; `broken`: opens, the probe machine did not run.
    `evidence` is raw material (last lines of QEMU, run state), `boot_ms` is QEMU start to the probe's line if it ran.
    """

    name: AcceleratorName
    status: AcceleratorStatus
    reason: str
    evidence: str = ""
    boot_ms: int | None = None


@dataclass(frozen=True)
class ShareVerdict:
    """Whether a way to share a folder works here, and in words why or why not."""

    kind: ShareKind
    works: bool
    reason: str


@dataclass(frozen=True)
class HostFacts:
    """This computer at one moment. `qemu_version` is "major.minor.micro" of the pack's QEMU, "" if it did not start.

    `probed_at_ns` is Unix time of the probe itself (old when `from_cache`); memory and disk are always fresh.
    """

    os: OsName
    arch: ArchName
    kernel_release: str
    cpu_model: str
    cpu_count: int
    memory_total_mib: int
    memory_available_mib: int
    disk_free_bytes: int
    qemu_version: str
    accelerators: tuple[AcceleratorVerdict, ...]
    shares: tuple[ShareVerdict, ...]
    user_id: int
    probed_at_ns: int
    from_cache: bool

    def accelerator(self, name: str) -> AcceleratorVerdict | None:
        """The verdict on `name`, None if it was never probed."""
        return next((verdict for verdict in self.accelerators if verdict.name == name), None)

    def share(self, kind: str) -> ShareVerdict | None:
        """The verdict on `kind`, None if it was never tried."""
        return next((verdict for verdict in self.shares if verdict.kind == kind), None)


@dataclass(frozen=True)
class ProbeDependencies:
    """Everything a verdict on accelerators and shares depends on; when one differs, probe again.

    `device_identities` are the facts of accelerator devices, e.g. "/dev/kvm rdev=10:232 mode=0660 gid=108", "absent".
    `boot_id` changes at each start of the computer, as firmware settings and kernel module options may have.
    """

    pui_version: str
    pack_id: str
    qemu_version: str
    os: OsName
    arch: ArchName
    kernel_release: str
    boot_id: str
    cpu_model: str
    cpu_flags_sha256: str
    device_identities: tuple[str, ...]
    user_id: int
    group_ids: tuple[int, ...]


def cache_key(dependencies: ProbeDependencies) -> str:
    """Hex SHA-256 over the dependencies: equal keys mean that a cached verdict still holds."""
    text = json.dumps([FACTS_SCHEMA, asdict(dependencies)], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def facts_to_json(facts: HostFacts, key: str = "") -> bytes:
    """One JSON document and a final LF; `key` is the cache key under which the facts were found."""
    document = {"schema": FACTS_SCHEMA, "key": key, "facts": asdict(facts)}
    return json.dumps(document, sort_keys=True, indent=1).encode("ascii") + b"\n"


def facts_from_json(data: bytes, key: str = "") -> HostFacts:
    """The exact inverse of facts_to_json. `from_cache` comes back as it was written.

    Raises ValueError when the bytes are not exactly such a document or belong to another key: probe again then.
    """
    if len(data) > FACTS_LIMIT_BYTES:
        raise ValueError(f"facts of {len(data)} bytes, at most {FACTS_LIMIT_BYTES} are read")
    try:
        document = json.loads(data.decode("ascii"))
    except RecursionError as fault:
        raise ValueError("facts are nested too deeply") from fault
    top = _exact_keys(document, {"schema", "key", "facts"}, "document")
    if top["schema"] != FACTS_SCHEMA or top["key"] != key:
        raise ValueError("facts of another schema or another key")
    return _record(HostFacts, top["facts"], _FACTS)


# Strict reading: exactly the fields, exactly the types (a bool is no int), bounded texts.

_Parser = Callable[[JsonValue], object]
_T = TypeVar("_T")


def _exact_keys(value: JsonValue, names: set[str], what: str) -> Mapping[str, JsonValue]:
    if not isinstance(value, dict) or set(value) != names:
        raise ValueError(f"{what}: wants exactly the fields {sorted(names)}")
    return value


def _record(shape: type[_T], value: JsonValue, parsers: Mapping[str, _Parser]) -> _T:
    entries = _exact_keys(value, set(parsers), shape.__name__)
    parsed: dict[str, Any] = {name: parse(entries[name]) for name, parse in parsers.items()}
    return shape(**parsed)


def _text(value: JsonValue) -> str:
    if not isinstance(value, str) or len(value) > _TEXT_LIMIT:
        raise ValueError("wants a short text")
    return value


def _count(value: JsonValue) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError("wants a whole number from 0 to 2^63-1")
    return value


def _optional_count(value: JsonValue) -> int | None:
    return None if value is None else _count(value)


def _flag(value: JsonValue) -> bool:
    if type(value) is not bool:
        raise ValueError("wants true or false")
    return value


def _one_of(literal: object) -> _Parser:
    def parse(value: JsonValue) -> object:
        if not isinstance(value, str) or value not in get_args(literal):
            raise ValueError(f"wants one of {get_args(literal)}")
        return value

    return parse


def _each(shape: type[object], parsers: Mapping[str, _Parser]) -> _Parser:
    def parse(value: JsonValue) -> object:
        if not isinstance(value, list) or len(value) > 16:
            raise ValueError("wants a list of at most 16")
        return tuple(_record(shape, item, parsers) for item in value)

    return parse


_ACCELERATOR: Mapping[str, _Parser] = {
    "name": _one_of(AcceleratorName),
    "status": _one_of(AcceleratorStatus),
    "reason": _text,
    "evidence": _text,
    "boot_ms": _optional_count,
}
_SHARE: Mapping[str, _Parser] = {"kind": _one_of(ShareKind), "works": _flag, "reason": _text}
_PLAIN: Mapping[str, _Parser] = {"str": _text, "int": _count, "bool": _flag}
_FACTS: Mapping[str, _Parser] = {
    **{field.name: _PLAIN[str(field.type)] for field in fields(HostFacts) if str(field.type) in _PLAIN},
    "os": _one_of(OsName),
    "arch": _one_of(ArchName),
    "accelerators": _each(AcceleratorVerdict, _ACCELERATOR),
    "shares": _each(ShareVerdict, _SHARE),
}
