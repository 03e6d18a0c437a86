"""folder.*: choosing folders natively, listing and forgetting them.

In: the desk. Out: verbs. Never: a path from the page.
"""

from __future__ import annotations

import asyncio

from pui.domain.events import JsonValue
from pui.shell.desk import Desk
from pui.shell.verbs import BOOLEAN, OPAQUE_ID, Verb, object_schema


def folder_verbs(desk: Desk) -> tuple[Verb, ...]:
    """folder.choose, folder.list, folder.forget; `folders` events follow each change."""
    book = desk.folders
    telling: set[asyncio.Task[None]] = set()

    async def tell() -> None:
        desk.tell("folders", folders=await book.rows())

    def changed() -> None:
        task = asyncio.ensure_future(tell())
        telling.add(task)
        task.add_done_callback(telling.discard)

    async def choose(read_only: bool) -> JsonValue:
        return await book.choose(read_only)

    async def rows() -> JsonValue:
        return await book.rows()

    async def forget(folder_id: str) -> JsonValue:
        await book.forget(folder_id)
        return {}

    book.on_change = changed
    desk.greet("folders", rows)
    return (
        Verb("folder.choose", object_schema({"read_only": BOOLEAN}), choose),
        Verb("folder.list", object_schema({}), rows),
        Verb("folder.forget", object_schema({"folder_id": OPAQUE_ID}), forget),
    )
