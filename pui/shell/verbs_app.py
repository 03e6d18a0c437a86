"""The verbs of the app itself: the page's greeting.

In: the desk. Out: verbs. Never: a decision about a task, a folder or a pack.
"""

from __future__ import annotations

from pui.domain.events import JsonValue
from pui.shell.desk import Desk
from pui.shell.verbs import Verb, object_schema


def app_verbs(desk: Desk) -> tuple[Verb, ...]:
    """app.hello: the whole state, and from where on events follow."""

    async def hello() -> JsonValue:
        # A page that greets begins anew: what an earlier page had open or was still to be told is of no interest.
        desk.open_tasks.clear()
        cursor = desk.events.restart()
        # Asked after the restart: what changes meanwhile is told twice, never not at all.
        parts: dict[str, JsonValue] = {name: await part() for name, part in desk.greetings.items()}
        facts = desk.facts
        notes: list[JsonValue] = list(facts.notes)
        return {
            "version": facts.version,
            "platform": facts.platform,
            "carrier": facts.carrier,
            "is_emulation_allowed": facts.is_emulation_allowed,
            "notes": notes,
            "cursor": cursor,
            **parts,
        }

    return (Verb("app.hello", object_schema({}), hello),)
