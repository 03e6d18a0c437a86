"""agent.*: what a person says to pi of a task, asks of it, and answers.

In: the desk. Out: verbs. Never: an answer that the person did not give.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pui.domain.agent_panel import QUEUE_LIMIT
from pui.domain.errors import CallerError
from pui.domain.events import JsonValue
from pui.domain.name_search import QUERY_LIMIT_CHARS
from pui.domain.prompt_images import check_images
from pui.domain.task import PROMPT_LIMIT_BYTES, THINKING_LEVELS, check_message
from pui.shell.desk import Desk
from pui.shell.verbs import (
    BOOLEAN,
    TASK_ID,
    Schema,
    Verb,
    choice_schema,
    list_schema,
    object_schema,
    text_schema,
)
from pui.shell.verbs_task import IMAGES, MODEL_NAME, take_images
from pui.supervisor import agent_orders

ANSWER_LIMIT_CHARS = 131_072
_ONE: Schema = object_schema({"task_id": TASK_ID})
_MESSAGE: Schema = text_schema(PROMPT_LIMIT_BYTES, may_be_empty=False)


def agent_verbs(desk: Desk) -> tuple[Verb, ...]:
    """Everything about pi of a running task."""
    return (*_talk(desk), *_dials(desk), *_lists(desk))


def _talk(desk: Desk) -> list[Verb]:
    board = desk.board

    async def send(task_id: str, message: str, how: str, images: Sequence[Mapping[str, str]] = ()) -> JsonValue:
        session = board.session(task_id)
        check_message(message)
        taken = take_images(desk, images)
        check_images(taken)
        return {"disposition": await session.send(message, how, taken)}

    async def abort(task_id: str) -> JsonValue:
        return {"queue": await board.session(task_id).abort()}

    async def queue(task_id: str, steering: list[str], follow_up: list[str]) -> JsonValue:
        for text in (*steering, *follow_up):
            check_message(text)
        await board.session(task_id).replace_queue(steering, follow_up)
        return {}

    async def answer(
        task_id: str, dialog_id: str, value: str | None = None, confirmed: bool | None = None
    ) -> JsonValue:
        if value is not None and confirmed is not None:
            raise CallerError("caller.bad_request", "a dialog needs exactly one answer")
        await board.session(task_id).answer(dialog_id, value=value, confirmed=confirmed)
        return {}

    sending = {"task_id": TASK_ID, "message": _MESSAGE, "how": choice_schema("prompt", "steer", "follow_up")}
    texts = list_schema(_MESSAGE, QUEUE_LIMIT)
    answering = {"task_id": TASK_ID, "dialog_id": text_schema(200, may_be_empty=False)}
    answers = {"value": text_schema(ANSWER_LIMIT_CHARS), "confirmed": BOOLEAN}
    return [
        Verb("agent.send", object_schema({**sending, "images": IMAGES}, optional=["images"]), send),
        Verb("agent.abort", _ONE, abort),
        Verb("agent.queue", object_schema({"task_id": TASK_ID, "steering": texts, "follow_up": texts}), queue),
        Verb("agent.answer", object_schema({**answering, **answers}, optional=list(answers)), answer),
    ]


def _dials(desk: Desk) -> list[Verb]:
    board = desk.board

    async def set_model(task_id: str, provider: str, model: str) -> JsonValue:
        await agent_orders.set_model(board.running(task_id), provider, model)
        return {}

    async def set_thinking(task_id: str, level: str) -> JsonValue:
        await agent_orders.set_thinking(board.session(task_id), level)
        return {}

    async def compact(task_id: str, instructions: str = "") -> JsonValue:
        await board.session(task_id).compact(instructions)
        return {}

    model = {"task_id": TASK_ID, **MODEL_NAME["properties"]}
    level = {"task_id": TASK_ID, "level": choice_schema(*THINKING_LEVELS)}
    instructions = {"task_id": TASK_ID, "instructions": text_schema(4000)}
    return [
        Verb("agent.set_model", object_schema(model), set_model),
        Verb("agent.set_thinking", object_schema(level), set_thinking),
        Verb("agent.compact", object_schema(instructions, optional=["instructions"]), compact),
    ]


def _lists(desk: Desk) -> list[Verb]:
    board = desk.board

    async def models(task_id: str) -> JsonValue:
        return {"models": await agent_orders.list_models(board.session(task_id))}

    async def commands(task_id: str) -> JsonValue:
        return {"commands": await agent_orders.list_commands(board.session(task_id))}

    async def files(task_id: str, query: str) -> JsonValue:
        return {"files": [*await board.files(task_id, query)]}

    asked = object_schema({"task_id": TASK_ID, "query": text_schema(QUERY_LIMIT_CHARS)})
    return [
        Verb("agent.models", _ONE, models),
        Verb("agent.commands", _ONE, commands),
        Verb("agent.files", asked, files),
    ]
