"""The verbs for somebody who looks for a fault: what is known of a task, and a bundle to send.

In: the desk, a task id. Out: verbs. Never: a path from the page, a conversation that was not asked for.
"""

from __future__ import annotations

import asyncio

from pui.domain.events import JsonValue
from pui.domain.scrub import scrub_line
from pui.shell.desk import Desk
from pui.shell.verbs import BOOLEAN, TASK_ID, Verb, object_schema


def diagnostics_verbs(desk: Desk) -> tuple[Verb, ...]:
    """task.diagnostics and task.bundle."""
    diagnosis = desk.archive.diagnosis

    async def diagnostics(task_id: str) -> JsonValue:
        return await asyncio.to_thread(diagnosis.view, task_id)

    async def bundle(task_id: str, with_transcript: bool = False) -> JsonValue:
        members = await asyncio.to_thread(diagnosis.bundle, task_id, with_transcript=with_transcript)
        path = await desk.dialogs.save_file("Save diagnostics", f"pui-{task_id}.zip")
        if path is None:
            return {"saved": None, "members": []}
        texts = {member.name: member.text for member in members}
        await asyncio.to_thread(diagnosis.logs.write_bundle, path, texts)
        told: list[JsonValue] = [{"name": m.name, "about": m.about, "size_chars": len(m.text)} for m in members]
        return {"saved": scrub_line(path.name), "members": told}

    with_transcript = {"task_id": TASK_ID, "with_transcript": BOOLEAN}
    return (
        Verb("task.diagnostics", object_schema({"task_id": TASK_ID}), diagnostics),
        Verb("task.bundle", object_schema(with_transcript, ["with_transcript"]), bundle),
    )
