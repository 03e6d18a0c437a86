"""The verbs of models and their keys.

In: the desk. Out: verbs. Never: a key in an answer or an event, a key or an address accepted without a native question.
"""

from __future__ import annotations

import asyncio

from pui.domain.errors import CallerError
from pui.domain.events import JsonValue
from pui.domain.model_policy import PROVIDERS, SecretText
from pui.domain.models_view import LABELS, KeyPlace, models_view
from pui.shell.desk import Desk
from pui.shell.verbs import Verb, choice_schema, object_schema, text_schema
from pui.supervisor.upkeep import Upkeep

KEY_LIMIT_CHARS = 4096
_PLACES: dict[KeyPlace, str] = {
    "memory": "It is kept in memory until pui ends.",
    "file": "It is kept in a file in pui's data folder, unencrypted, that only you (and root) can read.",
    "keystore": "It is kept in this computer's keystore.",
}


def model_verbs(desk: Desk) -> tuple[Verb, ...]:
    """model.list, .set_key, .forget_key, .set_address; without upkeep none."""
    if (upkeep := desk.upkeep) is None:
        return ()
    provider = {"provider": choice_schema(*PROVIDERS)}
    key = {"key": text_schema(KEY_LIMIT_CHARS, may_be_empty=False), "keep": choice_schema(*_PLACES)}

    async def greeted() -> JsonValue:
        """The start does not wait for a keystore; whoever is about to keep a key asks model.list."""
        return await asyncio.to_thread(_view, upkeep, may_look=False)

    async def listed() -> JsonValue:
        return await asyncio.to_thread(_view, upkeep)

    async def told() -> JsonValue:
        view = await listed()
        desk.tell("models", models=view)
        return view

    async def set_key(provider: str, key: str, keep: KeyPlace) -> JsonValue:
        secret = SecretText(key)
        del key
        lines = [f"Tasks may use your key of {LABELS[provider]} from now on. No task ever sees it.", _PLACES[keep]]
        if not await desk.dialogs.confirm("Use this key?", lines, "Use the key"):
            raise CallerError("caller.rejected", "the person did not agree to the key")
        await asyncio.to_thread(upkeep.keys.set_key, provider, secret, keep)
        return await told()

    async def forget_key(provider: str) -> JsonValue:
        await asyncio.to_thread(upkeep.keys.forget_key, provider)
        return await told()

    async def set_address(provider: str) -> JsonValue:
        states = {state.name: state for state in await asyncio.to_thread(upkeep.keys.providers)}
        lines = [
            f"Requests to {LABELS[provider]} go to this address, with your key.",
            "It begins with https:// (http:// only for this computer). Empty: the provider's own.",
        ]
        address = await desk.dialogs.ask_text("Address of the models", lines, states[provider].address)
        if address is None:
            return await listed()
        await asyncio.to_thread(upkeep.keys.set_address, provider, address)
        return await told()

    desk.greet("models", greeted)
    return (
        Verb("model.list", object_schema({}), listed),
        Verb("model.set_key", object_schema({**provider, **key}), set_key),
        Verb("model.forget_key", object_schema(provider), forget_key),
        Verb("model.set_address", object_schema(provider), set_address),
    )


def _view(upkeep: Upkeep, *, may_look: bool = True) -> JsonValue:
    return models_view(upkeep.keys.providers(), upkeep.models.default(), upkeep.keys.places(may_look=may_look))
