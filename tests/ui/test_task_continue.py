"""A task that is over: its editor, its place in the list, its export.

In: scenes of one finished task. Out: the calls that reach the host, what a person sees. Never: a real pi.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support.scripted_bridge import ScriptedBridge
from tests.support.task_scenes import TASK, entry, idle_panel, opened
from tests.support.waiting import wait_until
from tests.ui.conftest import Show

pytestmark = pytest.mark.gui
PLACE = f"task/{TASK}"
OVER: dict[str, Any] = {
    "state": "finished",
    "state_label": "Finished",
    "agent_state": "",
    "is_live": False,
    "is_over": True,
    "needs_you": "",
    "outcome": {"result": "completed", "code": "", "message": "", "hint": ""},
}


def over(**row: Any) -> ScriptedBridge:
    said = [entry(1, "user", "the word is zebra"), entry(2, "text", "I see."), entry(3, "user", "which?")]
    bridge = opened(entries=said, agent=idle_panel(state="exited"), row={**OVER, **row})
    bridge.answer("task.continue", lambda _params: {"task_id": "t-new"})
    bridge.answer("task.export", lambda params: {"saved": f"talk.{params['format']}"})
    return bridge


def test_enter_continues_a_task_that_is_over(show: Show) -> None:
    bridge = over(can_continue=True)
    page = show(bridge, PLACE)
    field = page.get_by_label("Message to the agent")
    expect(field).to_have_attribute("placeholder", "This task is over. A message continues it in a fresh machine.")
    expect(page.get_by_text("Completed").first).to_be_visible()
    field.fill("Which word?")
    field.press("Enter")
    wait_until(lambda: len(bridge.calls_of("task.start")) == 1, "the new task was started")
    assert bridge.calls_of("task.continue") == [{"task_id": TASK, "message": "Which word?", "images": []}]
    assert bridge.calls_of("task.start") == [{"task_id": "t-new"}]
    expect(page).to_have_url(re.compile("t-new$"))


def test_a_refusal_loses_no_word(show: Show) -> None:
    bridge = over(can_continue=True)
    bridge.answers.pop("task.continue", None)
    page = show(bridge, PLACE)
    field = page.get_by_label("Message to the agent")
    field.fill("Which word?")
    page.get_by_role("button", name="Continue").last.click()
    expect(page.get_by_role("alert").first).to_be_visible()
    expect(field).to_have_value("Which word?")


def test_what_was_not_kept_offers_no_editor(show: Show) -> None:
    page = show(over(can_continue=False), PLACE)
    expect(page.get_by_text("Completed").first).to_be_visible()
    expect(page.get_by_label("Message to the agent")).to_have_count(0)


def test_what_was_said_before_is_marked(show: Show) -> None:
    page = show(over(can_continue=True, continues="t-old", earlier_keys=2), PLACE)
    expect(page.locator(".entry.is-earlier")).to_have_count(2)
    expect(page.locator('.entry[data-key="3"] .entry-goes-on')).to_have_text("Continued in a fresh machine")


def test_the_list_says_where_a_task_comes_from_and_exports(show: Show) -> None:
    bridge = over(can_continue=True, continues="t-gone")
    page = show(bridge, "tasks")
    row = page.locator(f'[data-task="{TASK}"]')
    expect(row.get_by_text("continued from “a task that was removed”")).to_be_visible()
    row.get_by_role("button", name="More actions").click()
    expect(page.get_by_role("menuitem", name="Continue")).to_be_visible()
    page.get_by_role("menuitem", name="Export as HTML").click()
    wait_until(lambda: bool(bridge.calls_of("task.export")), "the export was asked for")
    assert bridge.calls_of("task.export") == [{"task_id": TASK, "format": "html"}]
    expect(page.get_by_text("Saved as talk.html.")).to_be_visible()
