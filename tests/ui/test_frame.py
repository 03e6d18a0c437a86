"""The frame: palette, keys, focus, events, loss and return of the connection, theme.

In: scenes. Out: what a person sees and reaches by keys. Never: the content of a view.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.scenes import daily, eight_tasks, fresh, hello, scripted, settings, task
from tests.support.waiting import wait_until
from tests.ui.conftest import Show

pytestmark = pytest.mark.gui


def place(page: Page) -> str:
    return str(page.evaluate("location.hash"))


def test_the_palette_finds_a_task_by_letters_and_opens_it(show: Show) -> None:
    page = show(daily(), "settings/look")
    page.keyboard.press("Control+k")
    box = page.get_by_role("combobox", name="Go to or do")
    expect(box).to_be_focused()
    box.fill("birds")
    expect(page.locator("#palette-0")).to_contain_text("Count the birds")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("Control+k")
    page.keyboard.type("this comp")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="This computer")).to_be_visible()


def test_a_dialog_keeps_the_focus_and_gives_it_back(show: Show) -> None:
    page = show(daily(), "settings/look")
    page.get_by_role("button", name="Keys", exact=False).last.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_be_visible()
    for _ in range(6):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")
    page.keyboard.press("n")  # not the frame's key while a dialog is open
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert page.evaluate("document.activeElement.closest('.status') !== null")


def test_keys_go_places_but_not_out_of_a_text_field(show: Show) -> None:
    page = show(daily())
    page.keyboard.press("g")
    page.keyboard.press("s")
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()
    page.keyboard.press("n")
    expect(page.get_by_role("heading", name="New task")).to_be_visible()
    expect(page.get_by_label("What shall be done?")).to_be_focused()
    page.keyboard.type("g t n ?")
    assert place(page) == "#/new"
    expect(page.get_by_label("What shall be done?")).to_have_value("g t n ?")


def test_keys_help_shows_the_keys_of_this_view(show: Show) -> None:
    page = show(daily())
    page.keyboard.press("?")
    help_text = page.get_by_role("dialog", name="Keys")
    expect(help_text).to_contain_text("Search tasks")
    expect(help_text).to_contain_text("Task that waits for you")


def test_the_first_tab_skips_to_the_content(show: Show) -> None:
    page = show(daily())
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_an_event_changes_the_row_everywhere_and_is_spoken(show: Show) -> None:
    bridge = daily()
    page = show(bridge)
    row = {**eight_tasks()[3], "state": "running", "state_label": "Running", "needs_you": "question",
           "agent_state": "waiting-for-answer", "agent_label": "Asking you"}  # fmt: skip
    bridge.send({"type": "task", "row": row})
    expect(page.locator(".task-row", has_text="Translate the help pages")).to_contain_text("Asks you")
    expect(page.locator(".rail-list a", has_text="Translate the help pages")).to_contain_text("Asks you")
    expect(page.locator(".frame > [role=status]")).to_contain_text("Translate the help pages to Portuguese: Asking you")
    expect(page).to_have_title("(4) pui")
    bridge.send({"type": "task_removed", "task_id": row["task_id"]})
    expect(page.locator(".task-row", has_text="Translate the help pages")).to_have_count(0)


def test_events_reach_the_page_once_per_frame(show: Show) -> None:
    bridge = daily()
    page = show(bridge)
    page.evaluate("""async () => {
        const { onEvents } = await import("/js/bridge.js");
        window.seen = { events: 0, batches: 0, frames: 0 };
        const count = () => { window.seen.frames += 1; requestAnimationFrame(count); };
        requestAnimationFrame(count);
        onEvents((events) => { window.seen.events += events.length; window.seen.batches += 1; });
    }""")
    for _ in range(200):
        bridge.send(*[{"type": "notice", "task_id": "t-work", "method": "notify", "text": "x"}] * 25)
    wait_until(lambda: page.evaluate("window.seen.events") == 5000, "5,000 events")
    seen: dict[str, Any] = page.evaluate("window.seen")
    assert seen["batches"] <= seen["frames"] + 1


def test_a_hole_in_the_numbers_makes_the_page_say_hello_again(show: Show) -> None:
    bridge = daily()
    page = show(bridge)
    bridge.hello["tasks"] = [task("t-late", "Came while nobody listened", "created")]
    bridge.skip_a_seq()
    bridge.send({"type": "toast", "level": "info", "text": "after the hole"})
    expect(page.locator(".task-row", has_text="Came while nobody listened")).to_be_visible()
    assert len(bridge.calls_of("app.hello")) == 2


def test_a_lost_connection_is_said_and_mended(show: Show) -> None:
    bridge = daily()
    page = show(bridge, may_fail=True)
    bridge.go_down()
    banner = page.get_by_role("alert").filter(has_text="The connection to pui is lost")
    expect(banner).to_be_visible()
    expect(page.locator(".task-row")).to_have_count(8)  # what was known stays to be read
    bridge.hello["tasks"] = eight_tasks()[:2]
    bridge.is_down = False
    banner.get_by_role("button", name="Try now").click()
    expect(banner).to_have_count(0)
    expect(page.locator(".task-row")).to_have_count(2)


def test_a_session_that_another_page_took_is_not_fought_for(show: Show) -> None:
    bridge = daily()
    page = show(bridge, may_fail=True)
    bridge.token = "another-page-has-it"
    bridge.drop_listeners()
    expect(page.get_by_role("alert")).to_contain_text("opened in another page")
    calls = len(bridge.calls)
    page.wait_for_timeout(1500)
    assert len(bridge.calls) == calls
    page.get_by_role("button", name="Use it here").click()
    expect(page.locator(".task-row")).to_have_count(8)


def test_a_refusal_is_shown_with_its_hint(show: Show) -> None:
    bridge = daily()
    del bridge.answers["task.retry"]
    page = show(bridge)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert")).to_contain_text("the script has no answer to task.retry")


def test_theme_contrast_and_text_size_follow_the_settings(show: Show) -> None:
    bridge = daily()
    page = show(bridge, theme="light")
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", "light")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    size = page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)")
    bridge.send({"type": "settings", "settings": settings(theme="dark", contrast="high", text_scale=150)})
    expect(root).to_have_attribute("data-theme", "dark")
    expect(root).to_have_attribute("data-contrast", "high")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    bigger = page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)")
    assert bigger == pytest.approx(size * 1.5, rel=0.01)


def test_emulation_is_loud_in_the_strip_and_no_pack_leads_to_the_setup(show: Show) -> None:
    page = show(scripted(hello(tasks=[task("t1", "One", "running", is_emulated=True)])))
    expect(page.locator(".task-row")).to_contain_text("EMULATED")
    page = show(fresh())
    page.get_by_role("link", name="Begin").click()
    expect(page.get_by_role("heading", name="This computer")).to_be_visible()
    assert re.search(r"No runtime", page.locator(".status").inner_text())


def test_a_view_that_breaks_leaves_the_frame(show: Show) -> None:
    bridge = daily()
    page = show(bridge, may_fail=True)
    broken = {**eight_tasks()[0], "folders": None}
    bridge.send({"type": "task", "row": {**broken, "task_id": "t-broken", "folders": [None]}})
    expect(page.get_by_role("alert")).to_contain_text("This view could not be shown")
    page.keyboard.press("g")
    page.keyboard.press("s")
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()


def test_a_page_that_was_too_slow_is_told_to_begin_anew(show: Show) -> None:
    bridge = daily()
    page = show(bridge)
    bridge.hello["tasks"] = [task("t-late", "Came while the page was slow", "created")]
    bridge.send({"type": "resync"})
    expect(page.locator(".task-row", has_text="Came while the page was slow")).to_be_visible()


def test_the_palette_does_what_needs_no_place(show: Show) -> None:
    bridge = daily()
    page = show(bridge, theme="light")
    page.keyboard.press("Control+k")
    page.keyboard.type("theme: dark")
    page.keyboard.press("Enter")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.keyboard.press("Control+k")
    page.keyboard.type("again")
    expect(page.locator("#palette-list")).to_contain_text("Check this computer again")


def test_the_host_knows_whether_somebody_is_at_the_page(show: Show) -> None:
    bridge = daily()
    page = show(bridge)
    assert bridge.wait_for("app.presence") == [{"is_here": True}]
    page.evaluate("document.hasFocus = () => false; window.dispatchEvent(new Event('blur'))")
    assert bridge.wait_for("app.presence", 2)[1] == {"is_here": False}
    page.evaluate("window.dispatchEvent(new Event('blur'))")
    page.evaluate("document.hasFocus = () => true; window.dispatchEvent(new Event('focus'))")
    assert bridge.wait_for("app.presence", 3)[2:] == [{"is_here": True}], "told once a change"
    bridge.send({"type": "resync"})
    assert bridge.wait_for("app.presence", 4)[3] == {"is_here": True}, "a new hello begins anew"


def test_a_click_on_the_desktop_shows_the_task(show: Show) -> None:
    bridge = daily()
    page = show(bridge)
    task_id = bridge.hello["tasks"][0]["task_id"]
    bridge.send({"type": "open", "task_id": task_id})
    expect(page).to_have_url(re.compile(f"#/task/{task_id}$"))


def test_other_views_come_by_themselves_once_the_first_is_shown(show: Show) -> None:
    page = show(daily())
    expect(page.get_by_role("heading", name="Tasks", level=1)).to_be_visible()
    asked = "performance.getEntriesByType('resource').map((one) => new URL(one.name).pathname)"
    wait_until(lambda: "/js/views/task/view.js" in page.evaluate(asked), "the view of a task, unasked")
    names = page.evaluate(asked)
    assert names.index("/js/views/tasks.js") < names.index("/js/views/new-task.js")


def test_a_view_that_cannot_be_loaded_says_so_and_comes_at_the_next_visit(show: Show) -> None:
    page = show(daily(), may_fail=True)
    page.route("**/js/views/settings.js", lambda route: route.abort())
    page.keyboard.press("g")
    page.keyboard.press("s")
    expect(page.get_by_role("alert").or_(page.locator(".notice.error")).first).to_contain_text("settings.js")
    expect(page.get_by_role("navigation", name="Tasks and places")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("t")
    expect(page.get_by_role("heading", name="Tasks", level=1)).to_be_visible()
    page.unroute("**/js/views/settings.js")
    page.keyboard.press("g")
    page.keyboard.press("s")
    expect(page.get_by_role("heading", name="Settings", level=1)).to_be_visible()
