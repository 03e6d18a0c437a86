"""The verb of the set-up: whether this computer can run tasks.

In: the desk. Out: verbs, `setup` events. Never: a verdict of its own (domain/preflight.py).
"""

from __future__ import annotations

from pui.domain.events import JsonValue
from pui.shell.desk import Desk
from pui.shell.verbs import Verb, object_schema


def setup_verbs(desk: Desk) -> tuple[Verb, ...]:
    """setup.check; without upkeep none."""
    if (upkeep := desk.upkeep) is None:
        return ()
    upkeep.setup.listen(lambda view: desk.tell("setup", setup=view))

    async def greeting() -> JsonValue:
        return upkeep.setup.first_view()

    async def check() -> JsonValue:
        return upkeep.setup.start()

    desk.greet("setup", greeting)
    return (Verb("setup.check", object_schema({}), check),)
