"""Fields of a guest's JSON object, taken for what they should be.

In: an object of json_guard.py. Out: the field, or nothing of its type when it is absent or of another one: what a
stranger left out or got wrong is not shown, and ends nothing. Never: an exception.
"""

from __future__ import annotations

from collections.abc import Mapping

from pui.domain.events import JsonValue


def text_in(value: Mapping[str, JsonValue], key: str) -> str:
    """The text, or ""."""
    found = value.get(key)
    return found if isinstance(found, str) else ""


def table_in(value: Mapping[str, JsonValue], key: str) -> Mapping[str, JsonValue]:
    """The object, or an empty one."""
    found = value.get(key)
    return found if isinstance(found, dict) else {}
