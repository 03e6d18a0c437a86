"""task.*: the list of tasks, one task, its entries, records and changes.

In: the desk. Out: verbs, the greeting `tasks`, events by TaskEvents. Never: a path from the page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pui.domain.events import JsonValue
from pui.domain.model_policy import PROVIDERS
from pui.domain.prompt_images import IMAGE_LIMIT, PromptImage
from pui.domain.task import (
    CPU_RANGE,
    MEMORY_RANGE_MIB,
    MOUNT_LIMIT,
    NETWORK_MODES,
    PROMPT_LIMIT_BYTES,
    THINKING_LEVELS,
    TITLE_LIMIT_CHARS,
    ModelRef,
    TaskSpec,
)
from pui.domain.views import entry_view, record_view
from pui.shell.desk import Desk
from pui.shell.task_events import TaskEvents
from pui.shell.verbs import (
    BOOLEAN,
    OPAQUE_ID,
    TASK_ID,
    Handle,
    Schema,
    Verb,
    choice_schema,
    count_schema,
    list_schema,
    object_schema,
    text_schema,
)

PAGE_LIMIT = 500
_KEY_TEXT = re.compile(r"[0-9]{1,15}")
MODEL_NAME: Schema = object_schema({"provider": text_schema(80), "model": text_schema(128)})
IMAGES: Schema = list_schema(object_schema({"blob_id": OPAQUE_ID, "mime": text_schema(40)}), IMAGE_LIMIT)
_FOLDERS: Schema = list_schema(object_schema({"id": OPAQUE_ID, "read_only": BOOLEAN}), MOUNT_LIMIT)
KEY: Schema = count_schema(1, 2**53)
_PAGE: Schema = count_schema(1, PAGE_LIMIT)
_CREATE: Schema = object_schema(
    {
        "prompt": text_schema(PROMPT_LIMIT_BYTES, may_be_empty=False),
        "folders": _FOLDERS,
        "network": choice_schema(*NETWORK_MODES),
        "model": MODEL_NAME,
        "thinking": choice_schema("", *THINKING_LEVELS),
        "memory_mib": count_schema(*MEMORY_RANGE_MIB),
        "cpu_count": count_schema(*CPU_RANGE),
        "cache": BOOLEAN,
        "images": IMAGES,
        "title": text_schema(TITLE_LIMIT_CHARS),
    },
    optional=["model", "thinking", "memory_mib", "cpu_count", "cache", "images", "title"],
)


def take_images(desk: Desk, images: Sequence[Mapping[str, str]]) -> list[PromptImage]:
    """The images that the page has handed over before. Raises CallerError("caller.bad_request")."""
    return [PromptImage(image["mime"], desk.blobs.take(image["blob_id"])) for image in images]


def task_verbs(desk: Desk) -> tuple[Verb, ...]:
    """Everything about tasks but diagnostics."""
    events = TaskEvents(desk, desk.board)

    async def greet() -> JsonValue:
        events.start()
        return await desk.board.rows()

    async def links_of(task_id: str, entry_key: str) -> Sequence[str]:
        return await desk.board.links(task_id, int(entry_key)) if _KEY_TEXT.fullmatch(entry_key) else ()

    desk.greet("tasks", greet)
    desk.links_of = links_of
    return (
        Verb("task.create", _CREATE, _create(desk)),
        *_acts(desk),
        *_pages(desk, events),
        *_looks(desk),
    )


def _create(desk: Desk) -> Handle:
    async def create(
        prompt: str,
        folders: Sequence[Mapping[str, Any]],
        network: str,
        model: Mapping[str, str] | None = None,
        images: Sequence[Mapping[str, str]] = (),
        **limits: Any,
    ) -> JsonValue:
        choices = [(str(folder["id"]), folder["read_only"] is True) for folder in folders]
        ref = None if model is None else _model_ref(model["provider"], model["model"])
        spec = TaskSpec(prompt, (), is_interactive=True, network=network, model=ref, **limits)
        await desk.board.check(spec)
        spec = replace(spec, mounts=await desk.folders.mounts_for(choices))
        task_id = desk.supervisor.create(spec, take_images(desk, images))
        last: dict[str, JsonValue] = {"network": network, "thinking": spec.thinking, "memory_mib": spec.memory_mib}
        last |= {"cpu_count": spec.cpu_count} | ({} if model is None else {"model": dict(model)})
        await desk.folders.remember([folder_id for folder_id, _ in choices], last)
        return {"task_id": task_id}

    return create


def _model_ref(provider: str, model: str) -> ModelRef:
    """An empty model is the provider's default one."""
    return ModelRef(provider, model or (PROVIDERS[provider].default_model if provider in PROVIDERS else ""))


def _acts(desk: Desk) -> list[Verb]:
    board = desk.board

    def pulling(trigger: str) -> Handle:
        async def pull(task_id: str) -> JsonValue:
            board.trigger(task_id, trigger)
            return {}

        return pull

    async def again(task_id: str) -> JsonValue:
        return {"task_id": board.again(task_id)}

    async def remove(task_id: str) -> JsonValue:
        await board.remove(task_id)
        return {}

    async def rename(task_id: str, title: str) -> JsonValue:
        board.rename(task_id, title)
        return {}

    one = object_schema({"task_id": TASK_ID})
    titled = object_schema({"task_id": TASK_ID, "title": text_schema(TITLE_LIMIT_CHARS, may_be_empty=False)})
    triggers = [Verb(f"task.{trigger}", one, pulling(trigger)) for trigger in ("start", "cancel", "retry", "finish")]
    return [
        *triggers,
        Verb("task.again", one, again),
        Verb("task.remove", one, remove),
        Verb("task.rename", titled, rename),
    ]


def _pages(desk: Desk, events: TaskEvents) -> list[Verb]:
    async def open_task(task_id: str, tail: int) -> JsonValue:
        shown = await desk.board.open(task_id, tail)
        events.open(task_id, shown)  # at once: what comes between would be lost
        entries = shown.page.entries
        return {
            "row": shown.row,
            "detail": shown.detail,
            "agent": shown.agent,
            "entries": [entry_view(entry) for entry in entries],
            "first_key": entries[0].key if entries else None,
            "has_earlier": shown.page.has_earlier,
            "damaged_lines": shown.page.damaged,
            "cursor": desk.events.mark(),
        }

    async def close_task(task_id: str) -> JsonValue:
        events.close(task_id)
        return {}

    return [
        Verb("task.open", object_schema({"task_id": TASK_ID, "tail": count_schema(0, PAGE_LIMIT)}), open_task),
        Verb("task.close", object_schema({"task_id": TASK_ID}), close_task),
    ]


def _looks(desk: Desk) -> list[Verb]:
    board = desk.board

    async def entries(task_id: str, before_key: int, limit: int) -> JsonValue:
        page = await board.entries(task_id, before_key, limit)
        shown: list[JsonValue] = [entry_view(entry) for entry in page.entries]
        return {"entries": shown, "has_earlier": page.has_earlier, "damaged_lines": page.damaged}

    async def journal(task_id: str, after_seq: int, limit: int) -> JsonValue:
        records, last_seq = await board.records(task_id, after_seq, limit)
        return {"records": [record_view(record) for record in records], "last_seq": last_seq}

    async def changes(task_id: str) -> JsonValue:
        return await board.changes(task_id)

    return [
        Verb("task.entries", object_schema({"task_id": TASK_ID, "before_key": KEY, "limit": _PAGE}), entries),
        Verb(
            "task.journal",
            object_schema({"task_id": TASK_ID, "after_seq": count_schema(0, 2**53), "limit": _PAGE}),
            journal,
        ),
        Verb("task.changes", object_schema({"task_id": TASK_ID}), changes),
    ]
