"""task.continue, task.export and task.find: what becomes of a conversation, what is in it.

In: the desk, a task id. Out: verbs. Never: a path from the page, a folder without its grant.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from pui.domain.conversation_export import FORMATS, export_talk
from pui.domain.events import JsonValue
from pui.domain.scrub import scrub_line
from pui.domain.talk_search import QUERY_LIMIT_CHARS
from pui.domain.task import PROMPT_LIMIT_BYTES
from pui.shell.desk import Desk
from pui.shell.verbs import TASK_ID, Verb, choice_schema, object_schema, text_schema
from pui.shell.verbs_desktop import plain_name
from pui.shell.verbs_task import IMAGES, KEY, take_images


def conversation_verbs(desk: Desk) -> tuple[Verb, ...]:
    async def go_on(
        task_id: str, message: str, images: Sequence[Mapping[str, str]] = (), before_key: int | None = None
    ) -> JsonValue:
        spec = desk.board.spec_to_go_on(task_id, message)
        earlier = await desk.board.earlier(task_id, before_key)
        await desk.board.check(spec)
        await desk.folders.grant_again(spec.mounts)
        return {"task_id": await desk.board.go_on(spec, earlier, take_images(desk, images))}

    async def export(task_id: str, format: str) -> JsonValue:  # noqa: A002 - the name in the contract
        talk = await desk.board.talk(task_id)
        path = await desk.dialogs.save_file("Export the conversation", plain_name(f"{talk.title[:60]}.{format}"))
        if path is None:
            return {"saved": None}
        data = (await asyncio.to_thread(export_talk, talk, format)).encode("utf-8", "replace")
        await asyncio.to_thread(desk.desktop.save_file, path, data)
        return {"saved": scrub_line(path.name)}

    async def find(task_id: str, query: str, before_key: int) -> JsonValue:
        found = await desk.board.find(task_id, query, before_key)
        hits: list[JsonValue] = [{"key": hit.key, "count": hit.count} for hit in found.hits]
        return {"hits": hits, "is_whole": found.is_whole}

    message = text_schema(PROMPT_LIMIT_BYTES, may_be_empty=False)
    params = {"task_id": TASK_ID, "message": message, "images": IMAGES, "before_key": KEY}
    going_on = object_schema(params, optional=["images", "before_key"])
    exporting = object_schema({"task_id": TASK_ID, "format": choice_schema(*FORMATS)})
    query = text_schema(QUERY_LIMIT_CHARS, may_be_empty=False)
    finding = object_schema({"task_id": TASK_ID, "query": query, "before_key": KEY})
    return (
        Verb("task.continue", going_on, go_on),
        Verb("task.export", exporting, export),
        Verb("task.find", finding, find),
    )
