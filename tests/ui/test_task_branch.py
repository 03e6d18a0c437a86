"""A message written anew in a branch, and tasks that come from one another: what is shown, what reaches the host.

In: scenes of a family of tasks. Out: calls, what a person sees, build/screenshots/branch-*.png. Never: a real pi.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.scenes import hello, task
from tests.support.scripted_bridge import Refusal, ScriptedBridge
from tests.support.task_scenes import TASK, entry, idle_panel, opened
from tests.support.waiting import wait_until
from tests.ui.conftest import LARGE, SMALL, Show, Theme
from tests.ui.test_task_look import SCREENSHOTS, serious_faults

pytestmark = pytest.mark.gui
PLACE = f"task/{TASK}"
ASKED = "The basket test fails about one run in ten.\n[image]\nFind out why and fix it."
SAID = [
    entry(1, "user", "Look at the basket test, please."),
    entry(2, "text", "It renders the basket and waits for the total. Two timers run meanwhile."),
    entry(3, "user", ASKED),
    entry(
        4, "text", "The refresh is scheduled before the clock of the test is there. I move it behind the first render."
    ),
    entry(5, "user", "Good. Also the checkout test."),
]
KEPT: dict[str, Any] = {"can_branch": True}


def family() -> list[dict[str, Any]]:
    """Three generations, and one whose parent was removed."""
    first = {"continues": TASK, "can_branch": True, "can_continue": True}
    return [
        task("t-deux", "Find out why, but change nothing", "finished", result="completed", branch_key=3,
             earlier_keys=2, earlier_messages=1, ago_ms=400_000, **first),
        task("t-trois", "And now the address form", "finished", result="completed", earlier_keys=5,
             earlier_messages=3, ago_ms=300_000, **first),
        task("t-quatre", "The address form, with tests first", "finished", result="failed", branch_key=9,
             earlier_keys=8, earlier_messages=3, ago_ms=200_000, **{**first, "continues": "t-trois"}),
        task("t-orphan", "Back to the beginning", "finished", result="completed", continues="t-gone", branch_key=1,
             ago_ms=100_000),
    ]  # fmt: skip


def talk(**row: Any) -> ScriptedBridge:
    over = {"state": "finished", "state_label": "Finished", "agent_state": "", "is_live": False, "is_over": True}
    shown = {**over, "needs_you": "", "can_continue": True, **KEPT, "outcome": None, **row}
    bridge = opened(entries=SAID, agent=idle_panel(state="exited" if shown["is_over"] else "idle"), row=shown)
    bridge.hello["tasks"] += family()
    bridge.answer("task.continue", lambda _params: {"task_id": "t-deux"})
    bridge.answer("task.start", lambda _params: {})
    return bridge


def begin(page: Page, key: int) -> None:
    page.locator(f'.entry[data-key="{key}"]').hover()
    page.locator(f'.entry[data-key="{key}"]').get_by_role("button", name="Edit this message and branch").click()


def test_a_message_is_written_anew_in_a_branch(show: Show) -> None:
    bridge = talk()
    page = show(bridge, PLACE)
    page.get_by_label("Message to the agent").fill("Thanks")
    begin(page, 3)
    field = page.get_by_label("The message, written anew")
    expect(field).to_have_value("The basket test fails about one run in ten.\nFind out why and fix it.")
    expect(field).to_be_focused()
    expect(page.locator(".entry.is-branching")).to_have_attribute("data-key", "3")
    expect(page.locator(".entry.is-branching .user-text")).to_be_in_viewport(ratio=1)
    expect(page.get_by_text("files in the folders are as they are now")).to_be_visible()
    expect(page.get_by_text("pictures of the message do not go along")).to_be_visible()
    field.fill("Find out why, but change nothing.")
    field.press("Enter")
    wait_until(lambda: len(bridge.calls_of("task.start")) == 1, "the branch was started")
    wanted = {"task_id": TASK, "message": "Find out why, but change nothing.", "images": [], "before_key": 3}
    assert bridge.calls_of("task.continue") == [wanted]
    expect(page).to_have_url(re.compile("t-deux$"))
    page.go_back()
    expect(page.get_by_label("Message to the agent")).to_have_value("Thanks")  # the other draft is not lost


def test_escape_keeps_everything_as_it_is_and_a_refusal_loses_no_word(show: Show) -> None:
    bridge = talk()

    def refuse(_: Any) -> Any:
        raise Refusal("talk.not_kept", "the message is not in what was kept of pi's session", "Choose another message.")

    bridge.answer("task.continue", refuse)
    page = show(bridge, PLACE)
    begin(page, 5)
    field = page.get_by_label("The message, written anew")
    field.fill("Only the checkout test.")
    page.get_by_role("button", name="Branch", exact=False).last.click()
    expect(page.locator(".toast.error")).to_contain_text("Choose another message.")
    expect(field).to_have_value("Only the checkout test.")
    field.press("Escape")
    expect(field).to_have_count(0)
    expect(page.locator(".entry.is-branching")).to_have_count(0)
    expect(page.get_by_label("Message to the agent")).to_be_visible()


def test_a_running_task_branches_with_a_warning_about_its_folder(show: Show) -> None:
    live = {"is_live": True, "is_over": False, "state": "running", "state_label": "Running", "can_continue": False}
    bridge = talk(**live)
    page = show(bridge, PLACE)
    begin(page, 1)
    expect(page.get_by_text("Two machines never do so at one time")).to_be_visible()
    page.get_by_role("button", name="Close").last.click()
    expect(page.get_by_label("Message to the agent")).to_be_visible()


def test_what_was_not_kept_offers_no_branch(show: Show) -> None:
    page = show(talk(can_branch=False), PLACE)
    page.locator('.entry[data-key="3"]').hover()
    expect(page.get_by_role("button", name="Edit this message and branch")).to_have_count(0)


def test_a_family_is_shown_where_one_reads_and_one_click_goes_there(show: Show) -> None:
    bridge = talk()
    page = show(bridge, PLACE)
    head = page.locator(".family")
    expect(head).to_contain_text("2 tasks go on from here")
    link = page.locator('.entry[data-key="3"]').get_by_role("link", name="Find out why, but change nothing")
    expect(link).to_be_visible()
    head.get_by_role("button", name="Show all").click()
    tree = page.get_by_role("list", name="Tasks of this conversation")
    expect(tree.get_by_role("listitem")).to_have_count(4)
    expect(tree.locator("[aria-current]")).to_have_count(1)
    steps = tree.get_by_role("listitem").evaluate_all("nodes => nodes.map((node) => node.className)")
    assert steps == ["depth-0", "depth-1", "depth-1", "depth-2"]
    expect(tree.get_by_role("listitem").nth(3)).to_contain_text("before message 4")
    tree.get_by_role("link", name="The address form, with tests first").click()
    expect(page).to_have_url(re.compile("t-quatre$"))


def test_a_task_says_where_it_comes_from(show: Show) -> None:
    page = show(talk(continues="t-trois", branch_key=9, earlier_messages=3, earlier_keys=8), PLACE)
    expect(page.locator(".family a").first).to_have_text("branch of “And now the address form” before message 4")
    page.locator(".family a").first.click()
    expect(page).to_have_url(re.compile("t-trois$"))


def test_the_list_shows_families_and_removed_parents(show: Show) -> None:
    bridge = talk()
    page = show(bridge, "tasks")
    order = (
        page.locator(".task-list")
        .last.locator(".task-row")
        .evaluate_all(
            "nodes => nodes.map((node) => [node.dataset.task, (/depth-\\d/.exec(node.className) ?? [''])[0]])"
        )
    )
    family_order = [one for one in order if one[0] in {TASK, "t-deux", "t-trois", "t-quatre", "t-orphan"}]
    assert sorted(family_order) == sorted(
        [[TASK, ""], ["t-deux", "depth-1"], ["t-trois", "depth-1"], ["t-quatre", "depth-2"], ["t-orphan", ""]]
    )
    assert [one[0] for one in family_order if one[0] != "t-orphan"] == [TASK, "t-deux", "t-trois", "t-quatre"]
    orphan = page.locator('[data-task="t-orphan"]')
    expect(orphan).to_contain_text("branch of “a task that was removed” before its first message")
    bridge.send({"type": "task_removed", "task_id": TASK})
    expect(page.locator('[data-task="t-deux"]')).to_contain_text("branch of “a task that was removed” before message 2")
    expect(page.locator('[data-task="t-deux"].depth-1')).to_have_count(0)


def test_a_circle_of_tasks_is_shown_once_each(show: Show) -> None:
    rows = [task(one, one, "finished", continues=other) for one, other in (("t-a", "t-b"), ("t-b", "t-a"))]
    page = show(ScriptedBridge({**hello(), "tasks": rows}), "tasks")
    expect(page.locator(".task-row")).to_have_count(2)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_looks(show: Show, theme: Theme) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for size in (SMALL, LARGE):
        page = show(talk(), PLACE, theme=theme, size=size, bypass_csp=True)
        page.get_by_role("button", name="Show all").click()
        begin(page, 3)
        expect(page.get_by_label("The message, written anew")).to_be_focused()
        page.mouse.move(2, 2)
        for foot in page.locator(".entry-foot").all():
            expect(foot).to_have_css("opacity", "0")  # not while it fades
        assert serious_faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        save(page, f"branch-editor-{theme}-{size[0]}")
        page.evaluate("location.hash = '#/tasks'")
        expect(page.locator('[data-task="t-orphan"]')).to_be_visible()
        page.locator('[data-task="t-orphan"]').scroll_into_view_if_needed()
        assert serious_faults(page) == []
        save(page, f"branch-list-{theme}-{size[0]}")


def save(page: Page, name: str) -> Path:
    path = SCREENSHOTS / f"{name}.png"
    path.write_bytes(page.screenshot(animations="disabled"))
    return path
