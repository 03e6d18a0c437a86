"""Home: order, search, actions by mouse and by keys, the way of the first task.

In: scenes. Out: calls of the bridge and what is seen. Never: a row's state that the scene did not send.
"""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.scenes import daily, hello, scripted, task
from tests.support.scripted_bridge import ScriptedBridge
from tests.ui.conftest import Show

pytestmark = pytest.mark.gui


def titles(page: Page) -> list[str]:
    return page.locator(".task-title").all_inner_texts()


def test_tasks_that_wait_for_the_person_come_first(show: Show) -> None:
    page = show(daily())
    expect(page.locator(".group-title").first).to_have_text("Wait for you")
    assert titles(page)[:3] == [
        "Move the invoice totals to integer cents",
        "Profile the nightly import",
        "Find why the basket test is flaky",
    ]
    row = page.locator(".task-row", has_text="Count the birds")
    expect(row).to_contain_text("Done")
    expect(row).to_contain_text("2 files")
    expect(row.locator(".flagged")).to_have_attribute(
        "title", "1 changed file may be run by this computer: look before you go on"
    )
    expect(page.locator(".task-row", has_text="Upgrade the build")).to_contain_text("pi ended with status 137")


def test_search_and_filter(show: Show) -> None:
    page = show(daily())
    page.keyboard.press("/")
    box = page.get_by_role("searchbox", name="Search tasks")
    expect(box).to_be_focused()
    page.keyboard.type("billing failed")
    expect(page.locator(".task-row")).to_have_count(1)
    box.fill("no such thing")
    expect(page.get_by_role("status").filter(has_text="No task matches")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    expect(page.locator(".task-row")).to_have_count(8)
    page.get_by_role("radio", name="Over 3").click()
    expect(page.locator(".task-row")).to_have_count(3)


def test_j_and_k_move_and_enter_opens(show: Show) -> None:
    page = show(daily())
    page.locator(".task-title").first.focus()
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("k")
    focused = page.evaluate("document.activeElement.textContent")
    assert focused == "Profile the nightly import"
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement.textContent") == "Rewrite the README"


def test_actions_are_those_that_the_state_allows(show: Show) -> None:
    bridge = daily()
    page = show(bridge)
    page.locator(".task-row", has_text="Profile the nightly").get_by_role("button", name="Try again").click()
    page.locator(".task-row", has_text="Find why").get_by_role("button", name="Finish").click()
    page.locator(".task-row", has_text="Rewrite the README").get_by_role("button", name="More actions").click()
    expect(page.get_by_role("menuitem")).to_have_text(["Rename", "Export as Markdown", "Export as HTML", "Remove"])
    page.keyboard.press("Escape")
    expect(page.get_by_role("menu")).to_have_count(0)
    assert bridge.wait_for("task.retry") == [{"task_id": "t-setup"}]
    assert bridge.wait_for("task.finish") == [{"task_id": "t-turn"}]


def test_removing_and_cancelling_ask_first(show: Show) -> None:
    bridge = daily()
    page = show(bridge)
    page.locator(".task-title", has_text="Rewrite the README").focus()
    page.keyboard.press("x")
    dialog = page.get_by_role("dialog", name="Remove this task?")
    expect(dialog).to_contain_text("Your folders are not touched.")
    dialog.get_by_role("button", name="Cancel").click()
    assert not bridge.calls_of("task.remove")
    page.keyboard.press("x")
    dialog.get_by_role("button", name="Remove").click()
    expect(page.locator(".task-row")).to_have_count(7)
    assert bridge.wait_for("task.remove") == [{"task_id": "t-cancelled"}]
    page.locator(".task-title", has_text="Add a dark theme").focus()
    page.keyboard.press("x")
    page.get_by_role("dialog", name="Cancel this task?").get_by_role("button", name="Cancel task").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert bridge.wait_for("task.cancel") == [{"task_id": "t-work"}]


def test_rename_in_place(show: Show) -> None:
    bridge = daily()
    page = show(bridge)
    page.locator(".task-title", has_text="Rewrite the README").focus()
    page.keyboard.press("r")
    box = page.get_by_role("textbox", name="Rename")
    box.fill("Rewrite the README in short words")
    box.press("Enter")
    expect(page.locator(".task-title", has_text="in short words")).to_be_visible()
    page.locator(".task-title", has_text="in short words").focus()
    page.keyboard.press("r")
    box.fill("never mind")
    box.press("Escape")
    assert [call["title"] for call in bridge.calls_of("task.rename")] == ["Rewrite the README in short words"]


def test_an_empty_list_leads_to_the_demo(show: Show) -> None:
    page = show(scripted(hello()))
    page.get_by_role("link", name="Try the demo").click()
    expect(page.get_by_label("What shall be done?")).to_have_value(
        "Look around, then write a short note about what is here."
    )
    expect(page.get_by_role("radio", name="Offline")).to_be_checked()


def test_a_thousand_tasks_are_shown_by_hundreds(show: Show) -> None:
    rows = [task(f"t-{n}", f"Task number {n}", "finished", result="completed", ago_ms=n * 1000) for n in range(1000)]
    page = show(scripted(hello(tasks=rows)))
    expect(page.locator(".task-row")).to_have_count(100)
    page.get_by_role("button", name="Show 900 more").click()
    expect(page.locator(".task-row")).to_have_count(200)
    page.get_by_role("searchbox").fill("number 987")
    expect(page.locator(".task-row")).to_have_count(1)


def elsewhere(bridge: ScriptedBridge, title: str) -> dict[str, Any]:
    """The row of this task, as that of another running pui."""
    row: dict[str, Any] = next(one for one in bridge.hello["tasks"] if one["title"].startswith(title))
    row.update(runs_elsewhere=True, is_live=False, agent_state="", agent_label="", needs_you="")
    return row


def test_a_task_of_another_pui_says_so_and_offers_only_what_reads(show: Show) -> None:
    bridge = daily()
    elsewhere(bridge, "Find why the basket")
    page = show(bridge)
    row = page.locator(".task-row", has_text="Find why the basket")
    expect(row).to_contain_text("Running · in another pui")
    expect(page.locator("section", has=row).locator(".group-title")).to_have_text("Working")
    row.get_by_role("button", name="More").click()
    for name in ("Rename", "Finish", "Cancel task"):
        expect(page.get_by_role("menuitem", name=name)).to_be_disabled()
    expect(page.get_by_role("menuitem", name="Export as Markdown")).to_be_enabled()
    expect(page.get_by_role("menuitem", name="Export as Markdown")).to_be_focused()
    expect(page.get_by_role("note").filter(has_text="It runs in another pui")).to_be_visible()
    page.keyboard.press("Escape")
    row.get_by_role("link").focus()
    for key in ("x", "f", "r"):
        page.keyboard.press(key)
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_label("Rename", exact=True)).to_have_count(0)
    assert not {name for name, _ in bridge.calls} & {"task.cancel", "task.finish", "task.rename"}
