"""From a call's text to its reply: limits, token, table, schema, handler.

In: text from a carrier, on the supervisor's loop. Out: a reply as data, or None where an answer would tell a stranger
something. Never: a traceback or the text of an unexpected exception across the bridge.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from types import ModuleType

import structlog

from pui.domain.bridge_call import Call, error_reply, error_to_json, ok_reply, parse_call, unexpected_error
from pui.domain.errors import CallerError, PuiError
from pui.domain.events import JsonValue
from pui.ports import Clock
from pui.shell.verbs import VerbTable

UNANSWERED_LIMIT = 64
CALLS_PER_S = 200.0
BURST = 400.0


class Router:
    """One per launch. Every method belongs to the supervisor's loop. `token` gives the one of the page that is open."""

    def __init__(self, table: VerbTable, token: Callable[[], str], clock: Clock) -> None:
        self._token = token
        self._table = table
        self._clock = clock
        self._unanswered = 0
        self._allowance = BURST
        self._counted_s = clock.monotonic_s()
        self._importing: asyncio.Future[ModuleType] | None = None

    async def answer(self, text: bytes | str) -> dict[str, JsonValue] | None:
        """The reply to one call. None when it is not from our page or cannot even be read as a call."""
        try:
            call = parse_call(text, self._token())
        except CallerError as error:
            structlog.get_logger().warning("a bridge call was refused", code=error.code, reason=error.message)
            return None
        try:
            self._admit()
        except CallerError as error:
            return error_reply(call.id, error_to_json(error))
        self._unanswered += 1
        try:
            return await self._run(call)
        finally:
            self._unanswered -= 1

    def _admit(self) -> None:
        now_s = self._clock.monotonic_s()
        self._allowance = min(BURST, self._allowance + (now_s - self._counted_s) * CALLS_PER_S)
        self._counted_s = now_s
        if self._allowance < 1 or self._unanswered >= UNANSWERED_LIMIT:
            raise CallerError("caller.too_fast", "too many calls at one time")
        self._allowance -= 1

    async def _import_schemas(self) -> None:
        """Once, and not on the loop: it takes as long as three frames. Calls that wait for it keep their order."""
        if self._importing is None:
            self._importing = asyncio.ensure_future(asyncio.to_thread(importlib.import_module, "jsonschema"))
        await asyncio.shield(self._importing)

    async def _run(self, call: Call) -> dict[str, JsonValue]:
        try:
            verb = self._table.find(call.method)
            if not verb.is_plain(call.params):
                await self._import_schemas()
            verb.check(call.params)
            return ok_reply(call.id, await verb.handle(**call.params))
        except PuiError as error:
            return error_reply(call.id, error_to_json(error))
        except Exception:
            structlog.get_logger().exception("a verb failed unexpectedly", verb=call.method)
            return error_reply(call.id, unexpected_error())
