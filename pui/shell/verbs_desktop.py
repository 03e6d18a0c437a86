"""blob.add, file.save, link.open: what passes between the page and the person's desktop.

In: the desk. Out: verbs. Never: a path or an address from the page; a link that was not asked about natively.
"""

from __future__ import annotations

import asyncio

from pui.domain.errors import CallerError
from pui.domain.events import JsonValue
from pui.domain.link import parse_link
from pui.domain.scrub import scrub_line
from pui.shell.desk import Desk
from pui.shell.verbs import OPAQUE_ID, TASK_ID, Verb, count_schema, object_schema, text_schema

BLOB_PART_LIMIT_CHARS = 240 * 1024
"""180 KiB as base64."""
LINK_LIMIT = 50
NAME_LIMIT_CHARS = 120
_UNSAFE_IN_NAMES = '<>:"/\\|?*'


def desktop_verbs(desk: Desk) -> tuple[Verb, ...]:
    async def add_blob(data_b64: str, blob_id: str | None = None) -> JsonValue:
        made, size_bytes = desk.blobs.add(data_b64, blob_id)
        return {"blob_id": made, "size_bytes": size_bytes}

    async def save_file(blob_id: str, name: str) -> JsonValue:
        path = await desk.dialogs.save_file("Save", plain_name(name))
        if path is None:
            return {"saved": None}
        await asyncio.to_thread(desk.desktop.save_file, path, desk.blobs.take(blob_id))
        return {"saved": scrub_line(path.name)}

    async def open_link(task_id: str, entry_key: str, index: int) -> JsonValue:
        links = await desk.links_of(task_id, entry_key)
        if index >= len(links):
            raise CallerError("caller.bad_request", "the entry has no such link")
        link = parse_link(links[index])
        if not await desk.dialogs.confirm("Open this link?", link.lines, "Open it"):
            return {"opened": False}
        return {"opened": await asyncio.to_thread(desk.desktop.open_link, link.url)}

    part = text_schema(BLOB_PART_LIMIT_CHARS, may_be_empty=False)
    link = {"task_id": TASK_ID, "entry_key": text_schema(200, may_be_empty=False), "index": count_schema(0, LINK_LIMIT)}
    name = text_schema(NAME_LIMIT_CHARS, may_be_empty=False)
    return (
        Verb("blob.add", object_schema({"data_b64": part, "blob_id": OPAQUE_ID}, optional=["blob_id"]), add_blob),
        Verb("file.save", object_schema({"blob_id": OPAQUE_ID, "name": name}), save_file),
        Verb("link.open", object_schema(link), open_link),
    )


def plain_name(name: str) -> str:
    """A file name without folders, control characters or a leading dot; only proposed in the native dialog."""
    kept = "".join("-" if char in _UNSAFE_IN_NAMES else char for char in scrub_line(name, NAME_LIMIT_CHARS))
    return kept.strip(". ") or "pui"
