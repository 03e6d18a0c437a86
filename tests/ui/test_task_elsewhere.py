"""A task that another pui runs: read here, written to there.

In: scenes of one task. Out: the calls that reach the host, what a person sees. Never: a real second pui.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.support.task_scenes import TASK, conversation, entry, opened
from tests.ui.conftest import Show

pytestmark = pytest.mark.gui
ELSEWHERE = {"runs_elsewhere": True, "is_live": False, "agent_state": "", "agent_label": "", "needs_you": ""}
OVER = {
    "runs_elsewhere": False,
    "state": "finished",
    "state_label": "Finished",
    "is_over": True,
    "outcome": {"result": "completed", "code": "", "message": "", "hint": ""},
}


def test_it_is_read_anew_whenever_its_files_have_grown_and_cannot_be_written_to(show: Show) -> None:
    said = conversation()
    bridge = opened(row=ELSEWHERE, entries=said)
    page = show(bridge, f"task/{TASK}")
    expect(page.get_by_role("status").filter(has_text="This task runs in another pui")).to_be_visible()
    expect(page.get_by_label("Message to the agent")).to_have_count(0)
    expect(page.locator(".agent-line")).to_have_count(0)
    cancel = page.get_by_role("button", name="Cancel task")
    expect(cancel).to_be_disabled()
    expect(cancel).to_have_attribute(
        "title", "It runs in another pui (a terminal, or another window): act on it there."
    )
    row = next(one for one in bridge.hello["tasks"] if one["task_id"] == TASK)
    opens = len(bridge.wait_for("task.open"))
    said.append(entry(900, "text", "said while we watched"))
    bridge.send({"type": "task", "row": row})
    expect(page.get_by_text("said while we watched")).to_be_visible()
    assert len(bridge.calls_of("task.open")) == opens + 1
    said.append(entry(901, "text", "the last word"))
    row.update(OVER)
    bridge.send({"type": "task", "row": row})
    expect(page.get_by_text("the last word")).to_be_visible()
    expect(page.get_by_text("This task runs in another pui")).to_have_count(0)
    bridge.send({"type": "task", "row": row})
    expect(page.locator(".outcome")).to_contain_text("Completed")
    assert len(bridge.calls_of("task.open")) == opens + 2, "what is over is not read again"
