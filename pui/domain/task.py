"""What a person asked for: prompt, folders, limits, model, network.

In: values of a caller (command line, bridge, journal). Out: a TaskSpec that is valid by construction.
Never: a look at the file system (mount_policy decides on facts gathered by an adapter), a key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TypeVar

from pui.domain.errors import CallerError
from pui.domain.events import JsonValue
from pui.domain.model_policy import DEMO_PROVIDER, check_model_name
from pui.domain.prompt_images import ImageFile, check_image_files
from pui.domain.scrub import scrub_line

PROMPT_LIMIT_BYTES = 1_048_576
MOUNT_LIMIT = 8
MEMORY_MIB, CPU_COUNT = 768, 2
"""What a machine gets unless a person says otherwise."""
MEMORY_RANGE_MIB = (256, 65_536)
CPU_RANGE = (1, 32)
WORKSPACE = "/workspace"
TITLE_LIMIT_CHARS = 120
NETWORK_MODES = ("model", "offline")
"""model: the way to the task's one model and nothing else. offline: no upstream at all (the demo model only)."""
THINKING_LEVELS = ("off", "minimal", "low", "medium", "high", "xhigh", "max")

_TASK_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,47}")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class MountRequest:
    """One folder of the host, absolute, read-only or read/write."""

    folder: PurePath
    read_only: bool = False


@dataclass(frozen=True)
class ModelRef:
    """A model by name; its address and key are looked up when the task is launched."""

    provider: str
    model: str

    def __post_init__(self) -> None:
        check_model_name(self.provider, self.model)


@dataclass(frozen=True)
class TaskSpec:
    """A task as asked for. The first mount is the workspace; without any, the workspace is lost at the end.

    Raises CallerError("caller.bad_request") when built wrong.

    `memory_mib` 256..65536, `cpu_count` 1..32. `is_interactive`: after the first prompt the task waits for the person
    until `finish`. `model` None means the app's own choice, `thinking` "" pi's own default. `title` "" means the first
    line of the prompt. `cache` asks for the cache volume. `images` are files in the task's folder. `continues`
    is the id of the task whose conversation goes on, "" for none.
    """

    prompt: str
    mounts: tuple[MountRequest, ...]
    memory_mib: int = MEMORY_MIB
    cpu_count: int = CPU_COUNT
    is_interactive: bool = False
    model: ModelRef | None = None
    thinking: str = ""
    network: str = "model"
    title: str = ""
    cache: bool = False
    images: tuple[ImageFile, ...] = ()
    continues: str = ""

    def __post_init__(self) -> None:
        check_message(self.prompt)
        _require(len(self.mounts) <= MOUNT_LIMIT, f"at most {MOUNT_LIMIT} folders, not {len(self.mounts)}")
        _require(all(mount.folder.is_absolute() for mount in self.mounts), "a folder is not an absolute path")
        folders = [mount.folder for mount in self.mounts]
        _require(len(set(folders)) == len(folders), "a folder is named twice")
        _require_range("memory_mib", self.memory_mib, MEMORY_RANGE_MIB)
        _require_range("cpu_count", self.cpu_count, CPU_RANGE)
        _require(self.thinking in ("", *THINKING_LEVELS), f"{self.thinking!r} is not a thinking level")
        _require(self.network in NETWORK_MODES, f"{self.network!r} is not a network mode")
        _require(_is_clean(self.title), "the title has characters that are not valid Unicode")
        _require(len(self.title) <= TITLE_LIMIT_CHARS, f"the title is longer than {TITLE_LIMIT_CHARS} characters")
        check_image_files(self.images)
        _require(not self.continues or bool(_TASK_ID.fullmatch(self.continues)), "no task has such an id")
        if self.model is not None:
            check_network(self.network, self.model.provider)


def check_message(text: str) -> None:
    """Raises CallerError("caller.bad_request") for a message to pi that is empty, too long or not valid Unicode."""
    _require(bool(text.strip()), "the prompt is empty")
    size_bytes = len(text.encode("utf-8", "surrogatepass"))
    _require(size_bytes <= PROMPT_LIMIT_BYTES, f"the prompt has {size_bytes} bytes, at most {PROMPT_LIMIT_BYTES}")
    _require(_is_clean(text), "the prompt has characters that are not valid Unicode")


def check_network(network: str, provider: str) -> None:
    """Raises CallerError("caller.bad_request") for an offline task with a model that has to be reached."""
    is_possible = network != "offline" or provider == DEMO_PROVIDER
    _require(is_possible, f"an offline task cannot reach {provider}; only the demo model works without a network")


def title_of(text: str) -> str:
    """The title a task has by itself: the first line of its prompt that says something. Also cleans a given one."""
    first = next((line for line in text.splitlines() if line.strip()), text)
    return scrub_line(first, TITLE_LIMIT_CHARS)


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
    model = spec.model
    return {
        "prompt": spec.prompt,
        "mounts": [{"folder": str(m.folder), "read_only": m.read_only} for m in spec.mounts],
        "memory_mib": spec.memory_mib,
        "cpu_count": spec.cpu_count,
        "is_interactive": spec.is_interactive,
        "model": None if model is None else {"provider": model.provider, "model": model.model},
        "thinking": spec.thinking,
        "network": spec.network,
        "title": spec.title,
        "cache": spec.cache,
        "images": [image.to_json() for image in spec.images],
        "continues": spec.continues,
    }


def spec_from_json(value: Mapping[str, JsonValue]) -> TaskSpec:
    """The spec of a `created` record; what an older pui did not write has its default.

    Raises CallerError("caller.bad_request") for a record that describes no valid task.
    """
    mounts, images = value.get("mounts"), value.get("images")
    try:
        return TaskSpec(
            prompt=_typed(value, "prompt", str, ""),
            mounts=tuple(_mount_from_json(item) for item in (mounts if isinstance(mounts, list) else [])),
            memory_mib=_typed(value, "memory_mib", int, MEMORY_MIB),
            cpu_count=_typed(value, "cpu_count", int, CPU_COUNT),
            is_interactive=_typed(value, "is_interactive", bool, False),
            model=_model_from_json(value.get("model")),
            thinking=_typed(value, "thinking", str, ""),
            network=_typed(value, "network", str, "model"),
            title=_typed(value, "title", str, ""),
            cache=_typed(value, "cache", bool, False),
            images=tuple(ImageFile.from_json(item) for item in (images if isinstance(images, list) else [])),
            continues=_typed(value, "continues", str, ""),
        )
    except (TypeError, KeyError) as fault:
        raise CallerError("caller.bad_request", f"the record describes no task: {fault!r}") from fault


def _typed(value: Mapping[str, JsonValue], key: str, kind: type[_Value], default: _Value) -> _Value:
    found = value.get(key, default)
    if type(found) is not kind:
        raise TypeError(f"{key} is not of the type {kind.__name__}")
    return found


def _mount_from_json(item: JsonValue) -> MountRequest:
    if not isinstance(item, dict):
        raise TypeError("a mount is not an object")
    return MountRequest(PurePath(_typed(item, "folder", str, "")), _typed(item, "read_only", bool, False))


def _model_from_json(item: JsonValue) -> ModelRef | None:
    if item is None:
        return None
    if not isinstance(item, dict):
        raise TypeError("model is not an object")
    return ModelRef(_typed(item, "provider", str, ""), _typed(item, "model", str, ""))
