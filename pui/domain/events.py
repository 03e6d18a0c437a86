"""Facts that happened, as the task's machine gets them.

In: nothing. Out: frozen values. Never: behaviour.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]


@dataclass(frozen=True)
class Triggered:
    """A person or the supervisor pulled a trigger that the chart names under `on`."""

    trigger: str


@dataclass(frozen=True)
class ActivityDone:
    """The activity of a scope ended well; `facts` feed the guards and the journal."""

    scope: int
    facts: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True)
class ActivityFailed:
    """The activity of a scope failed with a stable code (errors.CODES)."""

    scope: int
    code: str
    message: str
    hint: str = ""
    detail: str = ""


@dataclass(frozen=True)
class TimedOut:
    """The timer of a scope ran out."""

    scope: int


Event = Triggered | ActivityDone | ActivityFailed | TimedOut
