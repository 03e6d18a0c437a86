"""What a person asked for: prompt, folders, limits.

In: values of a caller (command line, bridge, journal). Out: a TaskSpec that is valid by construction.
Never: a look at the file system (mount_policy decides on facts gathered by an adapter).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from pui.domain.errors import CallerError
from pui.domain.events import JsonValue

PROMPT_LIMIT_BYTES = 1_048_576
MOUNT_LIMIT = 8
MEMORY_MIB, CPU_COUNT = 768, 2
"""What a machine gets unless a person says otherwise."""
MEMORY_RANGE_MIB = (256, 65_536)
CPU_RANGE = (1, 32)
WORKSPACE = "/workspace"

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class MountRequest:
    """One folder of the host, absolute, read-only or read/write."""

    folder: PurePath
    read_only: bool = False


@dataclass(frozen=True)
class TaskSpec:
    """A task as asked for. The first mount is the workspace; without any, the workspace is lost at the end.

    Raises CallerError("caller.bad_request") when built wrong.

    `memory_mib` 256..65536, `cpu_count` 1..32.
    """

    prompt: str
    mounts: tuple[MountRequest, ...]
    memory_mib: int = MEMORY_MIB
    cpu_count: int = CPU_COUNT

    def __post_init__(self) -> None:
        _require(bool(self.prompt.strip()), "the prompt is empty")
        size_bytes = len(self.prompt.encode("utf-8", "surrogatepass"))
        _require(size_bytes <= PROMPT_LIMIT_BYTES, f"the prompt has {size_bytes} bytes, at most {PROMPT_LIMIT_BYTES}")
        _require(_is_clean(self.prompt), "the prompt has characters that are not valid Unicode")
        _require(len(self.mounts) <= MOUNT_LIMIT, f"at most {MOUNT_LIMIT} folders, not {len(self.mounts)}")
        _require(all(mount.folder.is_absolute() for mount in self.mounts), "a folder is not an absolute path")
        folders = [mount.folder for mount in self.mounts]
        _require(len(set(folders)) == len(folders), "a folder is named twice")
        _require_range("memory_mib", self.memory_mib, MEMORY_RANGE_MIB)
        _require_range("cpu_count", self.cpu_count, CPU_RANGE)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise CallerError("caller.bad_request", message)


def _require_range(name: str, value: int, limits: tuple[int, int]) -> None:
    low, high = limits
    _require(low <= value <= high, f"{name} is {value}, allowed are {low} to {high}")


def _is_clean(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


def mount_tag(index: int) -> str:
    """The virtio tag of mount `index`: at most 36 bytes (virtiofs), never made from a name of the host."""
    return f"pui{index}"


def guest_paths(mounts: Sequence[MountRequest]) -> tuple[str, ...]:
    """Where each mount appears in the guest: the workspace first, the others under /folders by a safe unique name."""
    paths = [WORKSPACE]
    for mount in mounts[1:]:
        stem = _UNSAFE.sub("-", mount.folder.name).strip("-.")[:48] or "folder"
        name, count = stem, 2
        while f"/folders/{name}" in paths:
            name, count = f"{stem}-{count}", count + 1
        paths.append(f"/folders/{name}")
    return tuple(paths[: len(mounts)])


def spec_to_json(spec: TaskSpec) -> dict[str, JsonValue]:
    """JSON for the journal's `created` record."""
    return {
        "prompt": spec.prompt,
        "mounts": [{"folder": str(m.folder), "read_only": m.read_only} for m in spec.mounts],
        "memory_mib": spec.memory_mib,
        "cpu_count": spec.cpu_count,
    }
