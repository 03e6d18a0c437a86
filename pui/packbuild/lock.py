"""The lock file: every input of a pack with version, place, size and SHA-256.

In: JSON bytes. Out: a `Lock`, or PuiError("pack.build") that lists every fault. Never: I/O, host names (a path is
relative to the mirror that the building machine is configured for).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from pui.domain.errors import PuiError

SCHEMA = "pui-versions-lock-1"
KINDS = ("debian", "debian-security", "npm", "pypi")
PARTS = ("rootfs", "qemu", "kernel", "tools", "cross", "node", "pi", "compiler")
BUILD_ONLY = frozenset({"tools", "cross", "compiler"})
"""Parts whose bytes are not in the pack."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_CREATED = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
_PART = re.compile(rf"({'|'.join(PARTS)})(@[a-z0-9_-]{{1,40}})?")
_NAME = re.compile(r"@?[A-Za-z0-9][A-Za-z0-9.+_/-]*")
_PATH = re.compile(r"[A-Za-z0-9@][A-Za-z0-9@%.+_~/:-]*")


@dataclass(frozen=True, order=True)
class LockedInput:
    """One pinned file. `path` is relative to the mirror of its kind; `parts`: the parts of the pack that use it.

    A part may end in `@` and the processor or platform that alone needs it ("rootfs@aarch64").
    """

    kind: str
    name: str
    version: str
    path: str
    size_bytes: int
    sha256: str
    parts: tuple[str, ...]

    @property
    def is_build_only(self) -> bool:
        """Its bytes do not get into a pack."""
        return BUILD_ONLY.issuperset(part.partition("@")[0] for part in self.parts)

    @property
    def architecture(self) -> str:
        """Debian's name of the processor, "" for other kinds."""
        return self.path.removesuffix(".deb").rsplit("_", 1)[-1] if self.kind.startswith("debian") else ""


@dataclass(frozen=True)
class Lock:
    """All inputs. `created` is the time of the resolution: the only time that reaches the pack's bytes."""

    created: str
    inputs: tuple[LockedInput, ...]

    def of_part(self, part: str) -> tuple[LockedInput, ...]:
        """Inputs of one part, sorted."""
        return tuple(item for item in self.inputs if part in item.parts)

    def narrowed(self, suffixes: frozenset[str]) -> Lock:
        """The inputs of one platform, part names without `@`: narrowing twice changes nothing."""
        found = []
        for item in self.inputs:
            split = [part.partition("@") for part in item.parts]
            parts = tuple(sorted({name for name, at, suffix in split if not at or suffix in suffixes}))
            if parts:
                found.append(replace(item, parts=parts))
        return Lock(self.created, tuple(sorted(found)))

    def one(self, name: str) -> LockedInput:
        """The input called `name`, of a narrowed lock, the one that gets into the pack first. Raises
        PuiError("pack.build") when there is none."""
        for item in sorted(self.inputs, key=lambda item: item.is_build_only):
            if item.name == name:
                return item
        raise PuiError("pack.build", f"the lock has no input {name!r}", hint="Run `pui pack build --update-lock`.")


def parse_lock(raw: bytes) -> Lock:
    """Bytes of a lock file to a Lock. Raises PuiError("pack.build") with all faults in `detail`."""
    try:
        document = json.loads(raw)
    except ValueError as error:
        raise PuiError("pack.build", f"the lock is not JSON: {error}") from error
    faults = check_lock(document)
    if faults:
        raise PuiError("pack.build", f"the lock is not valid: {faults[0]}", detail="\n".join(faults))
    return Lock(document["created"], tuple(sorted(_input_of(item) for item in document["inputs"])))


def check_lock(document: object) -> list[str]:
    """Every fault of a parsed lock document, as sentences; empty when it is well formed."""
    if not isinstance(document, dict):
        return ["the document is not an object"]
    faults = []
    if document.get("schema") != SCHEMA:
        faults.append(f"schema is {document.get('schema')!r}, expected {SCHEMA!r}")
    created = document.get("created")
    if not isinstance(created, str) or not _CREATED.fullmatch(created):
        faults.append("created is not a UTC time such as 2026-01-02T03:04:05Z")
    inputs = document.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        return [*faults, "inputs is not a filled list"]
    for index, item in enumerate(inputs):
        faults.extend(f"inputs[{index}]: {fault}" for fault in _input_faults(item))
    return faults or _duplicates(inputs)


def _input_faults(item: object) -> list[str]:
    if not isinstance(item, dict):
        return ["not an object"]
    patterns = {"name": _NAME, "path": _PATH, "sha256": _SHA256}
    faults = [f"{key} is not well formed" for key, pattern in patterns.items() if not _matches(pattern, item.get(key))]
    if item.get("kind") not in KINDS:
        faults.append(f"kind is {item.get('kind')!r}")
    if not isinstance(item.get("version"), str) or not item["version"]:
        faults.append("version is empty")
    size = item.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size <= 0:
        faults.append("size is not a positive number of bytes")
    parts = item.get("parts")
    if not isinstance(parts, list) or not parts or not all(_matches(_PART, part) for part in parts):
        faults.append("parts names none or an unknown part")
    path = item.get("path")
    if isinstance(path, str) and (".." in path.split("/") or "://" in path):
        faults.append("path leaves the mirror")
    return faults


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _duplicates(inputs: Iterable[Mapping[str, object]]) -> list[str]:
    seen: set[tuple[str, str, str]] = set()
    faults = []
    for item in map(_input_of, inputs):
        key = (item.kind, item.name, item.architecture)
        if key in seen:
            faults.append(f"{item.name} is listed twice")
        seen.add(key)
    return faults


def _input_of(item: Mapping[str, object]) -> LockedInput:
    size = item["size"]
    parts = item["parts"]
    assert isinstance(size, int)  # noqa: S101 - check_lock has proved it; this is for the type checker
    assert isinstance(parts, list)  # noqa: S101 - as above
    return LockedInput(
        str(item["kind"]),
        str(item["name"]),
        str(item["version"]),
        str(item["path"]),
        size,
        str(item["sha256"]),
        tuple(sorted(str(part) for part in parts)),
    )


def render_lock(lock: Lock) -> bytes:
    """Canonical bytes: one input a line, sorted, so that a change of one version is a change of one line."""
    lines = [json.dumps(_document_of(item), sort_keys=True) for item in sorted(lock.inputs)]
    body = ",\n  ".join(lines)
    return f'{{\n "schema": "{SCHEMA}",\n "created": "{lock.created}",\n "inputs": [\n  {body}\n ]\n}}\n'.encode()


def _document_of(item: LockedInput) -> dict[str, object]:
    return {
        "kind": item.kind,
        "name": item.name,
        "version": item.version,
        "path": item.path,
        "size": item.size_bytes,
        "sha256": item.sha256,
        "parts": list(item.parts),
    }


def deb_name(item: LockedInput) -> str:
    """The package's own name, from its file name (the kernel is listed under a name without its release)."""
    return item.path.rsplit("/", 1)[-1].split("_", 1)[0]


def changes_between(old: Lock, new: Lock) -> list[str]:
    """One line per input that is new, gone or other: "curl 8.1 -> 8.2"."""
    before = {(item.kind.split("-")[0], item.name, item.architecture): item for item in old.inputs}
    after = {(item.kind.split("-")[0], item.name, item.architecture): item for item in new.inputs}
    lines = []
    for key in sorted(before.keys() | after.keys()):
        was, now = before.get(key), after.get(key)
        if was is None or now is None or was.sha256 != now.sha256:
            lines.append(f"{key[1]} {was.version if was else '(none)'} -> {now.version if now else '(none)'}")
    return lines
