"""What programs inside the machine ask and show: in a frame of their own, answered by id, never over the person's text.

In: scenes of one task. Out: the calls that reach the host, what a person sees. Never: a dialog of pui.
"""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support.task_scenes import TASK, asking_panel, busy_panel, dialog, opened, panel
from tests.ui.conftest import Show
from tests.ui.test_task_conversation import PLACE, agent_event, calls, editor

pytestmark = pytest.mark.gui


@pytest.mark.threat("F14")
def test_a_question_is_marked_as_the_guests_and_answered_by_its_id(show: Show) -> None:
    bridge = opened(agent=asking_panel())
    page = show(bridge, PLACE)
    frame = page.get_by_role("region", name="The guest asks")
    expect(frame).to_contain_text("from inside the machine")
    expect(frame).to_contain_text("This is not pui")
    expect(frame).to_contain_text("left")
    assert page.locator("dialog[open]").count() == 0
    frame.get_by_role("button", name="a new branch").click()
    assert calls(bridge, "agent.answer")[0] | {} == {"task_id": TASK, "dialog_id": "d-select", "value": "a new branch"}


@pytest.mark.parametrize(
    ("method", "act", "expected"),
    [
        ("confirm", lambda frame: frame.get_by_role("button", name="Yes").click(), {"confirmed": True}),
        ("confirm", lambda frame: frame.get_by_role("button", name="No", exact=True).click(), {"confirmed": False}),
        ("confirm", lambda frame: frame.get_by_role("button", name="No answer").click(), {}),
        ("input", lambda frame: (frame.get_by_role("textbox").fill("me"), frame.get_by_role("textbox").press("Enter")),
         {"value": "me"}),
        ("editor", lambda frame: (frame.get_by_role("textbox").fill("a\nb"),
                                  frame.get_by_role("button", name="Answer", exact=True).click()), {"value": "a\nb"}),
        ("editor", lambda frame: frame.get_by_role("textbox").press("Control+Enter"), {"value": "prefilled"}),
        ("input", lambda frame: frame.get_by_role("textbox").press("Escape"), {}),
    ],
)  # fmt: skip
def test_every_kind_of_question_can_be_answered(show: Show, method: str, act: Any, expected: dict[str, Any]) -> None:
    asked = dialog(method, initial_text="prefilled" if method == "editor" else "")
    bridge = opened(agent=panel(dialogs=[asked]))
    page = show(bridge, PLACE)
    act(page.get_by_role("region", name="The guest asks"))
    answer = dict(calls(bridge, "agent.answer")[0])
    assert (answer.pop("task_id"), answer.pop("dialog_id")) == (TASK, f"d-{method}")
    assert answer == expected
    assert not bridge.calls_of("agent.abort")


def test_what_was_written_into_a_question_survives_another_tab(show: Show) -> None:
    page = show(opened(agent=panel(dialogs=[dialog("editor", initial_text="first")])), PLACE)
    box = page.get_by_role("region", name="The guest asks").get_by_role("textbox")
    expect(box).to_have_value("first")
    box.fill("second")
    page.get_by_role("tab", name="Diagnostics").click()
    page.get_by_role("tab", name="Conversation").click()
    expect(box).to_have_value("second")


def test_notices_widgets_status_title_and_words_for_what_a_window_cannot(show: Show) -> None:
    bridge = opened(agent=busy_panel())
    page = show(bridge, PLACE)
    expect(page.get_by_role("group", name="Shown by the guest: plan")).to_contain_text("[ ] checkout")
    expect(page.get_by_text("eslint: 0 problems")).to_be_visible()
    expect(page.get_by_title("The guest calls this")).to_contain_text("pi: storefront")
    expect(page.get_by_text("which only a terminal can show")).to_be_visible()
    bridge.send({"type": "notice", "task_id": TASK, "method": "notify", "text": "Lint is clean"})
    notice = page.locator(".guest-notice").filter(has_text="Lint is clean")
    expect(notice).to_contain_text("The guest says")
    notice.get_by_role("button", name="Close").click()
    expect(notice).to_have_count(0)


def test_a_text_for_the_editor_never_replaces_what_the_person_wrote(show: Show) -> None:
    bridge = opened()
    page = show(bridge, PLACE)
    editor(page).fill("mine")
    agent_event(bridge, editor_text={"seq": 1, "text": "theirs"})
    expect(page.get_by_text("The guest proposes a text")).to_be_visible()
    expect(editor(page)).to_have_value("mine")
    page.get_by_role("button", name="Use it").click()
    expect(editor(page)).to_have_value("theirs")
    editor(page).fill("")
    agent_event(bridge, editor_text={"seq": 2, "text": "more"})
    expect(editor(page)).to_have_value("more")
    assert not bridge.calls_of("agent.send")
