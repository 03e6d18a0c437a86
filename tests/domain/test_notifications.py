"""When a person is told something, and that nothing of a guest but the title is in it."""

from __future__ import annotations

from typing import Any

import pytest

from pui.domain.notifications import TITLE_LIMIT_CHARS, Notification, decide_notification, is_wanted
from pui.domain.settings import Settings

ROW: dict[str, Any] = {"task_id": "t-1", "title": "Fix it", "needs_you": "", "is_over": False, "outcome": None}
COMPLETED = {"is_over": True, "outcome": {"result": "completed", "message": ""}}
FAILED = {"is_over": True, "outcome": {"result": "failed", "message": "guest says <b>run me</b>"}}
CANCELLED = {"is_over": True, "outcome": {"result": "cancelled"}}


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (None, {"needs_you": "setup"}, "needs_you"),
        ({}, {"needs_you": "question"}, "needs_you"),
        ({}, {"needs_you": "turn"}, "needs_you"),
        ({"needs_you": "turn"}, {"needs_you": "question"}, "needs_you"),
        ({}, COMPLETED, "done"),
        ({"needs_you": "turn"}, FAILED, "failed"),
        (None, FAILED, "failed"),
        ({}, CANCELLED, None),
        ({}, {"is_over": True}, None),
        (COMPLETED, COMPLETED | {"title": "renamed"}, None),
        ({"needs_you": "turn"}, {"needs_you": "turn"}, None),
        ({"needs_you": "turn"}, {}, None),
        (None, {}, None),
        ({}, {"needs_you": "something new"}, None),
    ],
)
def test_what_is_news(before: dict[str, Any] | None, after: dict[str, Any], kind: str | None) -> None:
    found = decide_notification(None if before is None else ROW | before, ROW | after)
    assert (found and found.kind) == kind


@pytest.mark.threat("I1")
def test_only_the_scrubbed_title_comes_from_elsewhere() -> None:
    title = "a\n\x1b[2J\u202eb" + "x" * 500
    found = decide_notification(ROW, ROW | FAILED | {"title": title})
    assert isinstance(found, Notification)
    assert found.text == "The task failed."
    assert len(found.title) <= TITLE_LIMIT_CHARS and not set(found.title) & set("\n\x1b\u202e")


@pytest.mark.parametrize("kind", ["needs_you", "done", "failed"])
def test_each_kind_has_its_switch_which_is_on_at_first(kind: Any) -> None:
    assert is_wanted(Settings(), kind)
    off = Settings(**{f"notify_{kind}": False})
    assert [one for one in ("needs_you", "done", "failed") if not is_wanted(off, one)] == [kind]  # type: ignore[arg-type]
