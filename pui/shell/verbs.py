"""Verbs: the fixed table of what the page may ask.

In: a call's params. Out: params that fit the verb's JSON schema, or CallerError by name.
Never: a name that is looked up anywhere else, a path, a command or an address taken from the page.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pui.domain.errors import CallerError
from pui.domain.events import JsonValue
from pui.domain.scrub import scrub_line

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

Schema = Mapping[str, Any]
Handle = Callable[..., Awaitable[JsonValue]]

# Schemas that many verbs share.
TASK_ID: Schema = {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,47}$"}
"""The pattern of paths.checked_task_id."""
OPAQUE_ID: Schema = {"type": "string", "pattern": "^[a-z0-9]{1,64}$"}
"""Ids that pui made: folders, blobs, jobs."""
BOOLEAN: Schema = {"type": "boolean"}


def text_schema(limit_chars: int, *, may_be_empty: bool = True) -> Schema:
    return {"type": "string", "minLength": 0 if may_be_empty else 1, "maxLength": limit_chars}


def count_schema(low: int, high: int) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high}


def choice_schema(*choices: str) -> Schema:
    return {"enum": list(choices)}


def list_schema(items: Schema, limit: int) -> Schema:
    return {"type": "array", "items": items, "maxItems": limit}


def object_schema(properties: Mapping[str, Schema], optional: Iterable[str] = ()) -> Schema:
    """An object with exactly these keys; those in `optional` may be absent."""
    left_out = set(optional)
    return {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in left_out],
        "additionalProperties": False,
    }


@dataclass(frozen=True)
class Verb:
    """One thing the page may ask. `schema` is an object_schema; `handle` runs on the supervisor's loop, gets the
    params as keywords and returns what JSON can carry. It raises PuiError for expected failures."""

    name: str
    schema: Schema
    handle: Handle

    def check(self, params: Mapping[str, JsonValue]) -> None:
        """Raises CallerError("caller.bad_request") that says where the params do not fit; it quotes no value."""
        if self.is_plain(params):
            return
        fault = next(iter(self._validator.iter_errors(params)), None)
        if fault is not None:
            place = "/".join(str(part) for part in fault.absolute_path) or "params"
            message = f"{self.name}: {scrub_line(place, 80)} does not fit ({fault.validator})"
            raise CallerError("caller.bad_request", message)

    def is_plain(self, params: Mapping[str, JsonValue]) -> bool:
        """No params, and none may be: as app.hello, which does not wait for the library of schemas."""
        return not params and not self.schema.get("properties", True)

    @cached_property
    def _validator(self) -> Validator:
        return _validator(self.schema)


def _validator(schema: Schema) -> Validator:
    # Late: the import takes 50 ms, and the window is opened meanwhile (the router has done it before).
    from jsonschema import Draft202012Validator, validators

    checker = Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer)
    extend: Any = validators.extend  # its stub has no types
    made: Validator = extend(Draft202012Validator, type_checker=checker)(schema)
    return made


def _is_integer(_checker: object, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)  # jsonschema itself takes 1.0 for an integer


class VerbTable:
    """All verbs by exact name. Raises ValueError for a name that occurs twice: a bug."""

    def __init__(self, verbs: Iterable[Verb]) -> None:
        listed = list(verbs)
        self._verbs = {verb.name: verb for verb in listed}
        if len(self._verbs) != len(listed):
            raise ValueError("a verb occurs twice")

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._verbs)

    def find(self, name: str) -> Verb:
        """Raises CallerError("caller.bad_request") for a name that is not in the table."""
        if (verb := self._verbs.get(name)) is None:
            raise CallerError("caller.bad_request", f"there is no verb {scrub_line(name, 64)!r}")
        return verb
