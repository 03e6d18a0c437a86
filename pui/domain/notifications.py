"""When the person is told about a task on their desktop, and in which words.

In: rows of a task before and after. Out: a Notification, or nothing. Never: a text of the guest but the task's scrubbed
title, an action that could be taken without looking.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pui.domain.events import JsonValue
from pui.domain.scrub import scrub_line
from pui.domain.settings import Settings

NotificationKind = Literal["needs_you", "done", "failed"]
TITLE_LIMIT_CHARS = 120

_NEEDS = {
    "question": "A program in the machine asks you something.",
    "setup": "This computer needs something first.",
    "turn": "pi waits for your message.",
}
_ENDS: Mapping[str, tuple[NotificationKind, str]] = {
    "completed": ("done", "The task is done."),
    "failed": ("failed", "The task failed."),
}  # who cancelled it knows


@dataclass(frozen=True)
class Notification:
    """`title` names the task, `text` is pui's own. Both are plain text, whatever a desktop makes of markup."""

    task_id: str
    kind: NotificationKind
    title: str
    text: str


def decide_notification(before: Mapping[str, JsonValue] | None, after: Mapping[str, JsonValue]) -> Notification | None:
    """What has happened between two TaskRows that a person who looks elsewhere wants to know."""
    was = before or {}
    need = str(after.get("needs_you") or "")
    outcome = after.get("outcome")
    if after.get("is_over") is True:
        result = str(outcome.get("result")) if isinstance(outcome, dict) else ""
        kind, text = _ENDS.get(result, ("done", ""))
        return None if was.get("is_over") is True or not text else _of(after, kind, text)
    if need == was.get("needs_you", "") or need not in _NEEDS:
        return None
    return _of(after, "needs_you", _NEEDS[need])


def is_wanted(settings: Settings, kind: NotificationKind) -> bool:
    """What the person has set."""
    wanted = {
        "needs_you": settings.notify_needs_you,
        "done": settings.notify_done,
        "failed": settings.notify_failed,
    }
    return wanted[kind]


def _of(row: Mapping[str, JsonValue], kind: NotificationKind, text: str) -> Notification:
    return Notification(str(row.get("task_id")), kind, scrub_line(str(row.get("title")), TITLE_LIMIT_CHARS), text)
