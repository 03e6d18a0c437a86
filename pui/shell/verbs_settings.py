"""The verbs of the settings and of the data folder.

In: the desk. Out: verbs. Never: an address or a path taken from the page.
"""

from __future__ import annotations

import asyncio

from pui.domain.errors import HostError
from pui.domain.events import JsonValue
from pui.domain.settings import KEYS, NATIVE_KEYS, settings_view
from pui.shell.desk import Desk
from pui.shell.verbs import Verb, choice_schema, object_schema
from pui.supervisor.upkeep import Upkeep


def settings_verbs(desk: Desk) -> tuple[Verb, ...]:
    """settings.set, data.move; without upkeep none."""
    if (upkeep := desk.upkeep) is None:
        return ()
    desk.greet("settings", lambda: current_settings(desk, upkeep))

    async def set_value(key: str, value: JsonValue) -> JsonValue:
        await asyncio.to_thread(upkeep.settings.change, key, value)
        view = await current_settings(desk, upkeep)
        desk.tell("settings", settings=view)
        if key == "disk_limit_bytes":
            await upkeep.packs.tell()
        return view

    async def move_data() -> JsonValue:
        if desk.supervisor.running():
            raise HostError("host.busy", "tasks are running", hint="Wait for their end, or cancel them.")
        chosen = await desk.dialogs.choose_folder("Where pui's data shall lie")
        if chosen is None:
            return {"job_id": None}
        plan = await asyncio.to_thread(upkeep.mover.plan, chosen)
        lines = [
            f"Packs, tasks, keys, settings ({plan.size_bytes / 2**20:.0f} MiB) are copied, proven, then removed here.",
            f"New place: {plan.target}",
            "Afterwards pui has to be started again.",
        ]
        if not await desk.dialogs.confirm("Move pui's data?", lines, "Move"):
            return {"job_id": None}
        return {"job_id": upkeep.packs.move_data(upkeep.mover, plan)}

    page_keys = [key for key in KEYS if key not in NATIVE_KEYS]
    schema = object_schema({"key": choice_schema(*page_keys), "value": {}})
    return (Verb("settings.set", schema, set_value), Verb("data.move", object_schema({}), move_data))


async def current_settings(desk: Desk, upkeep: Upkeep) -> JsonValue:
    """Settings of docs/bridge.md."""
    settings = await asyncio.to_thread(upkeep.settings.current)
    default = await asyncio.to_thread(upkeep.models.default)
    return settings_view(settings, default, str(desk.facts.data_dir))
