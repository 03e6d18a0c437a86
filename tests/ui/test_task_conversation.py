"""The conversation of a task: what is sent and how, the queue, commands, files, pictures, the guest's questions, links.

In: scenes of one task. Out: the calls that reach the host, what a person sees. Never: a real pi.
"""

from __future__ import annotations

import base64
import struct
import time
import zlib
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.scenes import hello, task
from tests.support.scripted_bridge import Params, Refusal, ScriptedBridge
from tests.support.task_scenes import (
    TASK,
    busy_panel,
    conversation,
    entry,
    idle_panel,
    long_conversation,
    opened,
    panel,
    streaming,
)  # fmt: skip
from tests.support.waiting import wait_until
from tests.ui.conftest import Show

pytestmark = pytest.mark.gui
PLACE = f"task/{TASK}"


def editor(page: Page) -> Locator:
    return page.get_by_label("Message to the agent")


def calls(bridge: ScriptedBridge, method: str, count: int = 1) -> list[Params]:
    wait_until(lambda: len(bridge.calls_of(method)) >= count, f"{count} calls of {method}")
    return bridge.calls_of(method)


def agent_event(bridge: ScriptedBridge, **more: Any) -> None:
    bridge.send({"type": "agent", "task_id": TASK, "agent": panel(**more)})


def test_a_refusal_goes_away_when_the_same_action_has_worked(show: Show) -> None:
    def refuse(_: Params) -> Any:
        raise Refusal("agent.refused", "pi is in a bad mood", "Try again.")

    bridge = opened(agent=idle_panel())
    bridge.answer("agent.send", refuse)
    bridge.answer("task.rename", refuse)
    page = show(bridge, PLACE)
    editor(page).fill("Look at the checkout")
    for count in (1, 2):
        editor(page).press("Enter")
        calls(bridge, "agent.send", count)
        expect(editor(page)).to_have_value("Look at the checkout")
    toasts = page.locator(".toast.error")
    expect(toasts).to_have_count(1)  # the same refusal is not told twice
    bridge.answer("agent.send", lambda _: {"disposition": "started"})
    page.get_by_role("heading", level=1).dblclick()
    page.get_by_role("textbox", name="Rename").fill("New")
    page.get_by_role("textbox", name="Rename").press("Enter")
    expect(toasts).to_have_count(2)
    editor(page).press("Enter")
    calls(bridge, "agent.send", 3)
    expect(toasts).to_have_count(1)  # that of the other action stays


def test_enter_prompts_an_idle_agent_and_steers_a_busy_one(show: Show) -> None:
    bridge = opened(agent=idle_panel())
    page = show(bridge, PLACE)
    editor(page).fill("Look at the checkout")
    editor(page).press("Enter")
    assert calls(bridge, "agent.send")[0] | {} == {
        "task_id": TASK, "message": "Look at the checkout", "how": "prompt", "images": [],
    }  # fmt: skip
    expect(editor(page)).to_have_value("")
    agent_event(bridge)
    expect(page.get_by_role("button", name="Steer")).to_be_visible()
    editor(page).fill("Only the tests")
    editor(page).press("Enter")
    editor(page).fill("Then the changelog")
    editor(page).press("Alt+Enter")
    hows = [call["how"] for call in calls(bridge, "agent.send", 3)]
    assert hows == ["prompt", "steer", "follow_up"]


def test_shift_enter_is_a_new_line(show: Show) -> None:
    bridge = opened(agent=idle_panel())
    page = show(bridge, PLACE)
    editor(page).type("one")
    editor(page).press("Shift+Enter")
    editor(page).type("two")
    expect(editor(page)).to_have_value("one\ntwo")
    assert not bridge.calls_of("agent.send")


def test_a_message_that_is_refused_comes_back_into_the_editor(show: Show) -> None:
    bridge = opened(agent=idle_panel())

    def refuse(_params: Params) -> Any:
        raise Refusal("guest.agent_exit", "pi has ended", "Run the task again.")

    bridge.answer("agent.send", refuse)
    page = show(bridge, PLACE)
    editor(page).fill("Important words")
    editor(page).press("Enter")
    expect(page.get_by_role("alert").filter(has_text="pi has ended")).to_be_visible()
    expect(editor(page)).to_have_value("Important words")


def test_escape_stops_the_run_and_the_queue_comes_back(show: Show) -> None:
    bridge = opened()
    page = show(bridge, PLACE)
    editor(page).fill("half a thought")
    editor(page).press("Escape")
    calls(bridge, "agent.abort")
    expect(editor(page)).to_have_value("Use the existing fake clock\n\nThen run the whole suite\n\nhalf a thought")
    assert editor(page).evaluate("(node) => node.scrollHeight <= node.clientHeight")  # all of it is in sight


def test_the_queue_is_seen_reordered_edited_and_emptied(show: Show) -> None:
    bridge = opened(agent=busy_panel())
    page = show(bridge, PLACE)
    queue = page.get_by_role("list", name="Messages that wait")
    expect(queue.get_by_role("listitem")).to_have_count(3)
    queue.get_by_role("listitem").nth(2).get_by_role("button", name="Earlier").click()
    first = calls(bridge, "agent.queue")[0]
    assert first["follow_up"] == ["Write two lines for the changelog", "Then run the whole suite once"]
    queue.get_by_role("listitem").nth(0).get_by_role("button", name="Take back").click()
    assert calls(bridge, "agent.queue", 2)[1]["steering"] == []
    expect(editor(page)).to_have_value("Use the existing fake clock, do not write a new one")
    queue.get_by_role("listitem").nth(1).get_by_role("button", name="Remove").click()
    assert calls(bridge, "agent.queue", 3)[2]["follow_up"] == ["Write two lines for the changelog"]


def test_a_slash_lists_commands_and_tab_takes_one(show: Show) -> None:
    page = show(opened(agent=idle_panel()), PLACE)
    editor(page).type("/c")
    options = page.get_by_role("listbox", name="Commands").get_by_role("option")
    expect(options).to_have_count(3)
    expect(options.nth(0)).to_contain_text("/changelog")
    expect(options.nth(1)).to_contain_text("/compact")
    editor(page).press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    editor(page).press("Tab")
    expect(editor(page)).to_have_value("/compact ")
    expect(page.get_by_role("listbox")).to_have_count(0)


def test_own_commands_act_and_pis_are_sent(show: Show) -> None:
    bridge = opened(agent=idle_panel())
    page = show(bridge, PLACE)
    editor(page).fill("/compact keep the plan")
    editor(page).press("Enter")
    assert calls(bridge, "agent.compact")[0]["instructions"] == "keep the plan"
    expect(editor(page)).to_have_value("")
    editor(page).fill("/model haiku")
    editor(page).press("Enter")
    assert calls(bridge, "agent.set_model")[0]["model"] == "claude-haiku-5-5"
    editor(page).fill("/thinking high")
    editor(page).press("Enter")
    assert calls(bridge, "agent.set_thinking")[0]["level"] == "high"
    editor(page).fill("/thinking absurd")
    editor(page).press("Enter")
    expect(page.get_by_text("There is no level “absurd”")).to_be_visible()
    editor(page).fill("/finish")
    editor(page).press("Enter")
    calls(bridge, "task.finish")
    editor(page).fill("/review ")
    editor(page).press("Enter")
    assert calls(bridge, "agent.send")[0]["message"] == "/review"


def test_an_at_sign_completes_files_of_the_workspace(show: Show) -> None:
    bridge = opened(agent=idle_panel())
    page = show(bridge, PLACE)
    editor(page).type("see @notes")
    expect(page.get_by_role("listbox", name="Files").get_by_role("option")).to_have_count(1)
    editor(page).press("Enter")
    expect(editor(page)).to_have_value('see @"src/my notes.md" ')
    assert not bridge.calls_of("agent.send")
    editor(page).type("@bas")
    expect(page.get_by_role("listbox")).to_be_visible()
    editor(page).press("Escape")
    expect(page.get_by_role("listbox")).to_have_count(0)
    assert not bridge.calls_of("agent.abort")


def test_the_model_and_the_level_change_in_the_middle(show: Show) -> None:
    bridge = opened()
    page = show(bridge, PLACE)
    page.get_by_role("button", name="Claude Opus 5.5").click()
    page.get_by_label("Name or provider").fill("sol")
    page.get_by_role("button", name="GPT-6.1 Sol").click()
    assert calls(bridge, "agent.set_model")[0] | {} == {"task_id": TASK, "provider": "openai", "model": "gpt-6.1-sol"}
    page.get_by_label("Thinking level").select_option("high")
    assert calls(bridge, "agent.set_thinking")[0]["level"] == "high"


def test_i9_hidden_characters_of_a_paste_are_shown_and_go_when_asked(show: Show) -> None:
    """I9."""
    page = show(opened(agent=idle_panel()), PLACE)
    editor(page).fill("run \u202etxt.exe now")
    warning = page.get_by_role("alert").filter(has_text="cannot be seen")
    expect(warning).to_contain_text("U+202E right-to-left override")
    warning.get_by_role("button", name="Remove them").click()
    expect(editor(page)).to_have_value("run txt.exe now")
    expect(warning).to_have_count(0)


def png(width: int, height: int) -> bytes:
    rows = b"".join(b"\0" + bytes([200, 30, 90] * width) for _ in range(height))

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_a_pasted_picture_goes_along(show: Show) -> None:
    bridge = opened(agent=idle_panel())
    page = show(bridge, PLACE)
    editor(page).focus()
    page.evaluate(
        """(data) => {
      const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
      const transfer = new DataTransfer();
      transfer.items.add(new File([bytes], 'shot.png', { type: 'image/png' }));
      document.activeElement.dispatchEvent(new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true,
        cancelable: true }));
    }""",
        base64.b64encode(png(40, 20)).decode(),
    )
    expect(page.get_by_role("img", name="Image 1")).to_be_visible()
    editor(page).fill("what is this?")
    editor(page).press("Enter")
    assert calls(bridge, "agent.send")[0]["images"] == [{"blob_id": "b1", "mime": "image/png"}]
    expect(page.get_by_role("img", name="Image 1")).to_have_count(0)


def test_a_draft_belongs_to_its_task_and_survives_a_look_elsewhere(show: Show) -> None:
    page = show(opened(agent=idle_panel()), PLACE)
    editor(page).fill("to be continued")
    page.get_by_role("tab", name="Changes").click()
    expect(page.get_by_role("heading", name=".git/hooks/pre-commit")).to_be_visible()
    page.evaluate("location.hash = '#/task/t-turn'")
    expect(editor(page)).to_have_value("")
    page.evaluate(f"location.hash = '#/{PLACE}'")
    expect(editor(page)).to_have_value("to be continued")


# what the agent says


def test_text_streams_and_ends_as_the_host_says(show: Show) -> None:
    bridge = opened()
    page = show(bridge, PLACE)
    live = entry(13, "text", is_final=False)
    for delta in ("Hello **wor", "ld**\n\n```py\nprint(", "1)\n```\n"):
        bridge.send({"type": "entry", "task_id": TASK, "entry": live, "delta": delta, "is_replaced": False})
    said = page.locator("[data-key='13']")
    expect(said.locator("strong")).to_have_text("world")
    expect(said.locator("pre")).to_contain_text("print(1)")
    final = entry(13, "text", "Bye **now**")
    bridge.send({"type": "entry", "task_id": TASK, "entry": final, "delta": "", "is_replaced": False})
    expect(said.locator(".markdown")).to_have_text("Bye now")


@pytest.mark.parametrize("is_in_answer", [True, False])
def test_an_event_that_passes_the_answer_is_told_once(show: Show, is_in_answer: bool) -> None:
    """The answer of task.open and the events around it come by two ways, in either order."""
    bridge = opened()
    answer = bridge.answers["task.open"]
    live = entry(13, "text", is_final=False)
    delta = {"type": "entry", "task_id": TASK, "entry": live, "delta": "world", "is_replaced": False}

    def slow(params: Params) -> Any:
        if is_in_answer:
            bridge.send(delta)
        said = answer(params)
        said["entries"] = [*said["entries"], {**live, "text": "Hello world" if is_in_answer else "Hello "}]
        if not is_in_answer:
            bridge.send(delta)
        wait_until(lambda: time.monotonic() > begin + 0.5, "the event before the answer")
        return said

    begin = time.monotonic()
    bridge.answer("task.open", slow)
    page = show(bridge, PLACE)
    expect(page.locator("[data-key='13'] .markdown")).to_have_text("Hello world")
    bridge.send({**delta, "delta": "!"})
    expect(page.locator("[data-key='13'] .markdown")).to_have_text("Hello world!")


def test_a_tool_card_shows_its_output_as_it_comes_and_opens(show: Show) -> None:
    bridge = opened(entries=streaming())
    page = show(bridge, PLACE)
    card = page.locator("[data-key='13']")
    expect(card).to_contain_text("shows the address")
    expect(card.get_by_role("img", name="Running")).to_be_visible()
    done = entry(13, "tool", "all 16 passed\n", title="bash", args={"command": "npx vitest"}, duration_ms=9100)
    bridge.send({"type": "entry", "task_id": TASK, "entry": done, "delta": "all 16 passed\n", "is_replaced": True})
    expect(card.get_by_role("img", name="Done")).to_be_visible()
    expect(card).to_contain_text("9.1 s")
    expect(card).not_to_contain_text("all 16 passed")
    card.get_by_role("button").first.click()
    expect(card).to_contain_text("all 16 passed")
    expect(card.get_by_role("button").first).to_have_attribute("aria-expanded", "true")


def test_an_edit_is_shown_as_its_diff(show: Show) -> None:
    page = show(opened(), PLACE)
    card = page.locator("[data-key='7']")
    expect(card.locator("tr.added")).to_have_count(3)
    expect(card.locator("tr.added mark").last).to_have_text("TAX_RATE")
    expect(card).to_contain_text("+3")


def test_a_link_is_opened_by_the_host_and_never_by_the_page(show: Show) -> None:
    bridge = opened()
    page = show(bridge, PLACE)
    link = page.get_by_role("link", name="https://example.org/act")
    assert link.get_attribute("href") is None
    link.click()
    page.get_by_role("link", name="the explanation of fake timers").press("Enter")
    asked = calls(bridge, "link.open", 2)
    assert [(one["entry_key"], one["index"]) for one in asked] == [("10", 1), ("10", 0)]


def test_a_link_that_the_host_did_not_find_is_not_opened(show: Show) -> None:
    bridge = opened(entries=[entry(1, "text", "[here](https://example.org/x)", links=["https://example.org/y"])])
    page = show(bridge, PLACE)
    page.get_by_role("link", name="here", exact=True).click()
    expect(page.get_by_text("This link cannot be opened")).to_be_visible()
    assert not bridge.calls_of("link.open")


def test_what_comes_while_reading_is_counted_and_does_not_move_the_text(show: Show) -> None:
    bridge = opened(entries=long_conversation(400))
    page = show(bridge, PLACE)
    log = page.get_by_role("feed", name="Conversation")
    expect(log.get_by_role("article").last).to_be_visible()
    log.hover()
    page.mouse.wheel(0, -2500)
    expect(page.get_by_role("button", name="To the end")).to_be_visible()
    before = log.evaluate("(node) => node.scrollTop")
    for key in range(401, 404):
        said = entry(key, "text", f"News {key}")
        bridge.send({"type": "entry", "task_id": TASK, "entry": said, "delta": "", "is_replaced": False})
    button = page.get_by_role("button", name="3 new")
    expect(button).to_be_visible()
    assert log.evaluate("(node) => node.scrollTop") == before
    button.click()
    expect(page.get_by_text("News 403")).to_be_visible()
    expect(button).to_have_count(0)


def test_the_end_stays_in_sight_while_the_editor_grows(show: Show) -> None:
    page = show(opened(entries=long_conversation(60)), PLACE)
    log = page.get_by_role("feed", name="Conversation")
    editor(page).fill("line\n" * 8)
    is_at_end = "(node) => node.scrollHeight - node.scrollTop - node.clientHeight < 3"
    wait_until(lambda: log.evaluate(is_at_end), "the end in sight")
    expect(page.get_by_role("button", name="To the end")).to_have_count(0)
    editor(page).fill("")
    wait_until(lambda: log.evaluate(is_at_end), "the end in sight again")


def test_earlier_pages_come_by_scrolling_and_the_row_in_sight_stays(show: Show) -> None:
    bridge = opened(entries=long_conversation(700))
    page = show(bridge, PLACE)
    log = page.get_by_role("feed", name="Conversation")
    expect(log.get_by_role("article").last).to_be_visible()
    log.focus()
    page.keyboard.press("Home")
    assert calls(bridge, "task.entries")[0]["before_key"] == 501
    wait_until(lambda: log.evaluate("(node) => node.scrollTop") > 900, "the earlier page above the one in sight")
    first, frame = page.locator("[data-key='501']").bounding_box(), log.bounding_box()
    assert first is not None
    assert frame is not None
    assert -2 <= first["y"] - frame["y"] <= 20
    assert log.locator("article").count() < 120


# the way, the end


def test_the_way_to_the_machine_is_shown_before_pi_is_there(show: Show) -> None:
    page = show(opened("t-boot", entries=[], agent=panel(state="starting", is_busy=False)), "task/t-boot")
    way = page.get_by_role("list", name="Way to the running machine")
    expect(way.get_by_role("listitem")).to_have_count(4)
    expect(way.locator("[aria-current=step]")).to_contain_text("Boot and wait for pi")
    expect(page.get_by_text("Find why the basket test is flaky").last).to_be_visible()
    expect(page.get_by_role("button", name="Send")).to_be_disabled()


def test_a_task_that_is_over_says_how_and_offers_another(show: Show) -> None:
    bridge = opened("t-failed")
    page = show(bridge, "task/t-failed")
    outcome = page.get_by_role("status").filter(has_text="Failed")
    expect(outcome).to_contain_text("pi ended with status 137")
    expect(editor(page)).to_have_count(0)
    outcome.get_by_role("button", name="Run again").click()
    calls(bridge, "task.again")


def test_a_task_that_cannot_be_opened_says_why(show: Show) -> None:
    bridge = opened(page=hello(tasks=[task(TASK, "One", "finished", result="completed")]))

    def refuse(_params: Params) -> Any:
        raise Refusal("journal.unreadable", "line 3 has no seq", "Remove the task.")

    bridge.answer("task.open", refuse)
    page = show(bridge, PLACE)
    expect(page.get_by_role("alert").filter(has_text="line 3 has no seq")).to_be_visible()


# status line


def test_the_context_warns_near_its_end_and_can_be_summed_up(show: Show) -> None:
    bridge = opened(agent=busy_panel())
    page = show(bridge, PLACE)
    expect(page.get_by_role("img", name="Sum up soon", exact=False)).to_be_visible()
    expect(page.get_by_text("Attempt 2 of 5")).to_be_visible()
    page.get_by_role("button", name="Sum up").click()
    calls(bridge, "agent.compact")
    agent_event(bridge, is_compacting=True)
    expect(page.get_by_text("Summing up the conversation")).to_be_visible()
    expect(page.get_by_role("button", name="Sum up")).to_be_disabled()


def test_after_a_lost_connection_the_task_is_opened_again(show: Show) -> None:
    bridge = opened()
    page = show(bridge, PLACE)
    expect(page.locator("[data-key='12']")).to_be_visible()
    bridge.skip_a_seq()
    bridge.send({"type": "toast", "level": "info", "text": "after the hole"})
    calls(bridge, "task.open", 2)
    assert len(conversation()) == 12
    said = entry(13, "text", "still here")
    bridge.send({"type": "entry", "task_id": TASK, "entry": said, "delta": "", "is_replaced": False})
    expect(page.get_by_text("still here")).to_be_visible()
