"""A call from the page, as text, and what it is answered (docs/bridge.md).

In: bytes from the page or from anything that reached the bridge: hostile. Out: a Call, or a CallerError by name;
replies and events as ASCII JSON. Never: I/O, a look at what the verb means, the token in an error or in a reply.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass

from pui.domain.errors import CODES, CallerError, PuiError
from pui.domain.events import JsonValue
from pui.domain.json_guard import JsonFault, parse_json
from pui.domain.scrub import scrub_text

CALL_LIMIT_BYTES = 256 * 1024
BATCH_LIMIT_BYTES = 256 * 1024
ID_LIMIT = 2**53  # what a JavaScript number carries exactly
METHOD_LIMIT_CHARS = 64
_KEYS = {"t", "id", "method", "params"}


@dataclass(frozen=True)
class Call:
    """One call. `id` pairs it with its reply, `params` are not judged yet."""

    id: int
    method: str
    params: Mapping[str, JsonValue]


def parse_call(data: bytes | str, token: str) -> Call:
    """The call in `data`: one JSON object with exactly t, id, method and params (may be absent).

    Raises CallerError: caller.too_large, caller.not_ours (the token is not this launch's), caller.bad_request.
    The token is judged before anything else of the content, in constant time.
    """
    raw = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
    if len(raw) > CALL_LIMIT_BYTES:
        raise CallerError("caller.too_large", f"a call of {len(raw)} bytes; the limit is {CALL_LIMIT_BYTES}")
    parsed = parse_json(raw)
    if isinstance(parsed, JsonFault):
        raise CallerError("caller.bad_request", f"the call is not used: {parsed.reason}")
    value = parsed.value
    if not token_is_right(value.get("t"), token):
        raise CallerError("caller.not_ours", "the call does not carry this launch's token")
    number, method, params = value.get("id"), value.get("method"), value.get("params", {})
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < ID_LIMIT:
        raise CallerError("caller.bad_request", "the call's id is not a whole number")
    if not isinstance(method, str) or not 0 < len(method) <= METHOD_LIMIT_CHARS or not isinstance(params, dict):
        raise CallerError("caller.bad_request", "the call names no verb, or its params are no object")
    if not set(value) <= _KEYS:
        raise CallerError("caller.bad_request", "the call has keys that a call does not have")
    return Call(number, method, params)


def token_is_right(given: object, token: str) -> bool:
    """Compared in constant time; an empty token is never right."""
    if not isinstance(given, str) or not token:
        return False
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), token.encode())


def error_to_json(error: PuiError) -> dict[str, JsonValue]:
    """What crosses the bridge of an error: never its detail, which may quote anything."""
    return {
        "code": error.code,
        "message": scrub_text(error.message),
        "hint": scrub_text(error.hint),
        "retry": error.retry.value,
    }


def unexpected_error() -> dict[str, JsonValue]:
    """What crosses the bridge of a bug: its name is in the app's log, its text may hold a secret."""
    info = CODES["bug.unexpected"]
    hint = "The app's log has the details; please report it."
    return {"code": "bug.unexpected", "message": info.meaning, "hint": hint, "retry": info.retry.value}


def ok_reply(call_id: int, result: JsonValue) -> dict[str, JsonValue]:
    return {"id": call_id, "ok": True, "result": result}


def error_reply(call_id: int, error: dict[str, JsonValue]) -> dict[str, JsonValue]:
    return {"id": call_id, "ok": False, "error": error}


def to_ascii_json(value: JsonValue) -> str:
    """JSON in ASCII: WebKitGTK cuts scripts that are not (shell.md 4). Raises ValueError for NaN: a bug."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def call_script(function: str, json_text: str) -> str:
    """A script that gives JSON to a function of the page.

    By JSON.parse of a string, not as a literal: in a literal a key `__proto__` would set the prototype.
    """
    return f"{function}(JSON.parse({json.dumps(json_text)}))"
