"""From a call's text to its reply: limits, the table, schemas, errors that cross.

In: texts, a clock that moves when told. Out: replies. Never: a carrier.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import threading
from types import ModuleType
from typing import Any

import pytest
import structlog

from pui.domain.errors import HostError
from pui.domain.events import JsonValue
from pui.shell.router import BURST, CALLS_PER_S, UNANSWERED_LIMIT, Router
from pui.shell.verbs import Verb, VerbTable, choice_schema, count_schema, list_schema, object_schema, text_schema
from tests.shell.rig import TOKEN, Rig
from tests.support.simulated import SimulatedClock, settle


def _text(method: str, params: dict[str, Any] | None = None, *, call_id: int = 1, token: str = TOKEN) -> str:
    return json.dumps({"t": token, "id": call_id, "method": method, "params": params or {}})


async def _answer(value: JsonValue = None, **params: Any) -> JsonValue:
    return {"got": list(params)}


def _router(*verbs: Verb, clock: SimulatedClock | None = None) -> Router:
    return Router(VerbTable(verbs), lambda: TOKEN, clock or SimulatedClock())


def _code(reply: dict[str, Any] | None) -> str:
    assert reply is not None
    return "ok" if reply["ok"] else str(reply["error"]["code"])


def test_i4_what_is_not_ours_gets_no_answer_at_all() -> None:
    router = _router(Verb("a.b", object_schema({}), _answer))
    for text in (_text("a.b", token="x" * 43), "", "[]", "{", _text("a.b") + "x", "x" * 300_000):
        assert asyncio.run(router.answer(text)) is None
    assert _code(asyncio.run(router.answer(_text("a.b")))) == "ok"


@pytest.mark.parametrize(
    "name", ["", "a", "a.b.c", "a.b.__class__", "__init__", "_answer", "A.b", "a.b ", "constructor"]
)
def test_i2_only_exact_names_of_the_table(name: str) -> None:
    reply = asyncio.run(_router(Verb("a.b", object_schema({}), _answer)).answer(_text(name)))
    assert reply is None or _code(reply) == "caller.bad_request"


@pytest.mark.parametrize(
    "params",
    [
        {"n": 1.0},
        {"n": True},
        {"n": 11},
        {"n": "1"},
        {"n": None},
        {},
        {"n": 1, "surplus": 1},
        {"n": 1, "__proto__": {}},
        {"n": 1, "t": "xxxx"},
        {"n": 1, "l": ["a", "b", "c"]},
        {"n": 1, "c": "other"},
        {"n": 1, "self": 1},
    ],
)
def test_params_that_do_not_fit_are_refused_and_not_quoted(params: dict[str, Any]) -> None:
    properties = {
        "n": count_schema(0, 10),
        "t": text_schema(3),
        "l": list_schema(text_schema(3), 2),
        "c": choice_schema("one"),
    }
    verb = Verb("a.b", object_schema(properties, optional=["t", "l", "c"]), _answer)
    reply = asyncio.run(_router(verb).answer(_text("a.b", params)))
    assert _code(reply) == "caller.bad_request"
    assert "xxxx" not in json.dumps(reply)


def test_i5_a_burst_then_a_steady_rate() -> None:
    async def scenario() -> None:
        clock = SimulatedClock()
        router = _router(Verb("a.b", object_schema({}), _answer), clock=clock)

        async def many(count: int) -> int:
            return sum([_code(await router.answer(_text("a.b"))) == "ok" for _ in range(count)])

        assert await many(1000) == BURST
        assert _code(await router.answer(_text("a.b"))) == "caller.too_fast"
        await clock.advance(1)
        assert await many(1000) == CALLS_PER_S
        await clock.advance(3600)
        assert await many(1000) == BURST

    asyncio.run(scenario())


def test_i5_at_most_64_calls_wait_and_a_place_is_given_back() -> None:
    async def scenario() -> None:
        gate = asyncio.Event()

        async def wait() -> JsonValue:
            await gate.wait()
            return None

        router = _router(Verb("a.wait", object_schema({}), wait), Verb("a.b", object_schema({}), _answer))
        waiting = [asyncio.ensure_future(router.answer(_text("a.wait"))) for _ in range(UNANSWERED_LIMIT)]
        await settle()
        assert _code(await router.answer(_text("a.b"))) == "caller.too_fast"
        waiting.pop().cancel()
        await settle()
        assert _code(await router.answer(_text("a.b"))) == "ok"
        gate.set()
        assert {_code(reply) for reply in await asyncio.gather(*waiting)} == {"ok"}

    asyncio.run(scenario())


def test_i7_an_unexpected_error_keeps_its_text_to_itself() -> None:
    async def fail() -> JsonValue:
        raise RuntimeError("sk-secret at /home/ada")

    async def named() -> JsonValue:
        raise HostError("host.permission", "no", detail="sk-secret")

    router = _router(Verb("a.fail", object_schema({}), fail), Verb("a.named", object_schema({}), named))
    with structlog.testing.capture_logs() as logs:
        reply = asyncio.run(router.answer(_text("a.fail")))
    assert _code(reply) == "bug.unexpected" and logs[0]["verb"] == "a.fail"
    named_reply = asyncio.run(router.answer(_text("a.named")))
    assert _code(named_reply) == "host.permission"
    assert "sk-secret" not in json.dumps([reply, named_reply]) and "/home" not in json.dumps(reply)


def test_the_page_is_greeted_with_everything_and_begins_anew() -> None:
    async def scenario() -> None:
        rig = Rig()
        router = rig.router()
        rig.desk.open_tasks.add("old")
        rig.desk.tell("toast", level="info", text="old")
        reply = await router.answer(_text("app.hello"))
        assert reply is not None and reply["ok"]
        result = reply["result"]
        assert isinstance(result, dict)
        assert {"version", "platform", "carrier", "notes", "cursor", "tasks", "folders"} <= set(result)
        assert rig.desk.open_tasks == set()
        rig.desk.tell("toast", level="info", text="new")
        rig.desk.events.release()
        batch = await anext(rig.desk.events.follow(rig.desk.events.cursor))
        assert batch is not None and [json.loads(text)["text"] for text in batch] == ["new"]

    asyncio.run(scenario())


def test_a_verb_twice_is_a_bug() -> None:
    verb = Verb("a.b", object_schema({}), _answer)
    with pytest.raises(ValueError, match="twice"):
        VerbTable([verb, verb])


def test_the_schemas_are_imported_beside_the_loop_and_calls_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []
    may_go_on = threading.Event()
    done: list[str] = []

    def import_module(name: str) -> ModuleType:
        threads.append(threading.current_thread().name)
        may_go_on.wait(10)
        return sys.modules[name]

    async def note(text: str) -> JsonValue:
        done.append(text)
        return None

    async def scenario() -> None:
        router = _router(
            Verb("a.hello", object_schema({}), _answer), Verb("a.note", object_schema({"text": text_schema(9)}), note)
        )
        calls = [asyncio.ensure_future(router.answer(_text("a.note", {"text": text}))) for text in ("one", "two")]
        await settle()
        assert _code(await router.answer(_text("a.hello"))) == "ok", "the first call waits for no library"
        assert done == []
        may_go_on.set()
        assert [_code(reply) for reply in await asyncio.gather(*calls)] == ["ok", "ok"]

    importlib.import_module("jsonschema")
    monkeypatch.setattr("pui.shell.router.importlib.import_module", import_module)
    asyncio.run(scenario())
    assert done == ["one", "two"]
    assert len(threads) == 1
    assert threads[0] != threading.main_thread().name
