"""What a person asks of pi beside messages: models, thinking, commands.

In: a live task's session. Out: JSON for a page, facts for the journal. Never: an unbounded or unscrubbed list.
"""

from __future__ import annotations

from collections.abc import Mapping

from pui.domain.agent_panel import shown_model
from pui.domain.errors import CallerError
from pui.domain.events import JsonValue
from pui.domain.scrub import scrub_line
from pui.supervisor.session import Session
from pui.supervisor.supervisor import LiveTask

MODEL_LIMIT = 500
COMMAND_LIMIT = 300


async def list_models(session: Session) -> list[JsonValue]:
    """The models that this task can change to: those of the one provider its gateway speaks to."""
    data = await session.ask_soon("get_available_models")
    found: list[JsonValue] = []
    for model in map(shown_model, _objects(data.get("models"))):
        if model["provider"] == session.panel.provider and len(found) < MODEL_LIMIT:
            found.append(model)
    return found


async def list_commands(session: Session) -> list[JsonValue]:
    """pi's commands, skills and prompts, as a message that begins with `/` calls them."""
    data = await session.ask_soon("get_commands")
    return [_command(command) for command in _objects(data.get("commands"))[:COMMAND_LIMIT]]


async def set_model(live: LiveTask, provider: str, model: str) -> None:
    """Change to another model of the same provider. Raises CallerError("caller.rejected"), GuestError."""
    session = live.session
    if provider != session.panel.provider:
        message = f"this task's machine reaches {session.panel.provider or 'its model'} only"
        raise CallerError("caller.rejected", message, hint="Start another task with that provider.")
    data = await session.ask_soon("set_model", provider=provider, modelId=model)
    live.journal.write("fact", live.journal.view.last_seq, {"facts": {"model": shown_model(data)}})
    await session.ask_soon("get_available_thinking_levels")
    await session.ask_soon("get_state")


async def set_thinking(session: Session, level: str) -> None:
    """Raises GuestError; a level that the model does not have becomes the nearest one, which the panel shows."""
    await session.ask_soon("set_thinking_level", level=level)


def _command(command: Mapping[str, JsonValue]) -> JsonValue:
    texts = {key: command.get(key) for key in ("name", "description", "source")}
    return {key: scrub_line(text, 300) if isinstance(text, str) else "" for key, text in texts.items()}


def _objects(value: JsonValue) -> list[dict[str, JsonValue]]:
    return [item for item in (value if isinstance(value, list) else []) if isinstance(item, dict)]
