"""The verbs about the person's attention: is somebody at the page, can the desktop tell them something.

In: the desk. Out: verbs, the greeting `notifications`, the event `open` after a click. Never: a word of the page's own.
"""

from __future__ import annotations

from pui.domain.events import JsonValue
from pui.shell.desk import Desk
from pui.shell.verbs import BOOLEAN, Verb, object_schema


def attention_verbs(desk: Desk) -> tuple[Verb, ...]:
    """app.presence; without attention it does nothing, as nobody is notified."""

    async def greet() -> JsonValue:
        if desk.attention is None:
            return {"problem": ""}
        return {"problem": await desk.attention.problem()}

    async def presence(is_here: bool) -> JsonValue:
        if desk.attention is not None:
            desk.attention.set_presence(is_here=is_here)
        return {}

    desk.greet("notifications", greet)
    return (Verb("app.presence", object_schema({"is_here": BOOLEAN}), presence),)
