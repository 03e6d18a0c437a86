"""How the task's views look and whether everybody can use them: screenshots in both themes, axe-core, hostile texts.

In: scenes of one task. Out: build/screenshots/task-*.png, no serious fault of axe-core, nothing that ran.
Never: a verdict on beauty; that is a person's, from the pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.scenes import HOSTILE, eight_tasks, hello
from tests.support.scripted_bridge import ScriptedBridge
from tests.support.task_scenes import (
    TASK,
    TASK_SCENES,
    changes,
    diagnostics,
    hostile_entries,
    hostile_panel,
    opened,
    record_json,
    records,
)  # fmt: skip
from tests.ui.conftest import LARGE, SMALL, Show, Theme

pytestmark = pytest.mark.gui
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
AXE = (files("axe_core_python") / "axe.min.js").read_text()
TASK_OF = {"done": "t-done", "failed": "t-failed", "boot": "t-boot"}
VIEWS = [
    ("work", "conversation"), ("idle", "conversation"), ("queue", "conversation"), ("asks", "conversation"),
    ("done", "conversation"), ("failed", "conversation"), ("boot", "conversation"), ("work", "changes"),
    ("work", "diagram"), ("work", "diagnostics"),
]  # fmt: skip
READY: dict[str, Callable[[Page], Any]] = {
    "conversation": lambda page: page.locator(".log"),
    "changes": lambda page: page.get_by_role("region", name="Changed lines"),
    "diagram": lambda page: page.locator(".state.current"),
    "diagnostics": lambda page: page.get_by_text("in all"),
}


def open_view(show: Show, scene: str, tab: str, **how: Any) -> Page:
    page = show(TASK_SCENES[scene](), f"task/{TASK_OF.get(scene, TASK)}/{tab}", **how)
    expect(READY[tab](page)).to_be_visible()
    return page


def serious_faults(page: Page) -> list[str]:
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']} ({one['impact']}): {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"][:3]
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("scene", "tab"), VIEWS)
def test_a_view_can_be_used_by_everybody(show: Show, scene: str, tab: str, theme: Theme) -> None:
    page = open_view(show, scene, tab, theme=theme, bypass_csp=True)
    assert serious_faults(page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_parts_that_open_can_be_used_by_everybody(show: Show, theme: Theme) -> None:
    page = open_view(show, "idle", "conversation", theme=theme, bypass_csp=True)
    page.get_by_role("button", name="All facts").click()
    page.get_by_role("feed").evaluate("(node) => (node.scrollTop = 0)")
    page.locator("[data-key='6']").get_by_role("button").first.click()
    page.locator("[data-key='2']").get_by_role("button").first.click()
    page.get_by_label("Message to the agent").fill("/\u202e")
    page.get_by_label("Message to the agent").fill("/")
    expect(page.get_by_role("listbox")).to_be_visible()
    assert serious_faults(page) == []
    page.evaluate(f"location.hash = '#/task/{TASK}/diagram'")
    page.get_by_role("button", name="qemu-launch to handshake").press("Enter")
    expect(page.get_by_role("complementary")).to_be_visible()
    assert serious_faults(page) == []
    page.get_by_role("radio", name="As a table").click()
    assert serious_faults(page) == []
    page.evaluate(f"location.hash = '#/task/{TASK}/diagnostics'")
    page.get_by_role("tab", name="Journal").click()
    expect(page.locator(".journal-table tbody tr").first).to_be_visible()
    assert serious_faults(page) == []


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_screenshots(show: Show, theme: Theme, size: tuple[int, int]) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for scene, tab in VIEWS:
        page = open_view(show, scene, tab, theme=theme, size=size)
        name = f"task-{scene}-{tab}-{theme}-{size[0]}.png"
        (SCREENSHOTS / name).write_bytes(page.screenshot(animations="disabled"))
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is wider than the window"


def hostile() -> ScriptedBridge:
    """Every text of the task carries markup."""
    rows = [{**row, "title": HOSTILE, "agent_label": HOSTILE} for row in eight_tasks()]
    for row in rows:
        row["folders"] = [{"name": HOSTILE, "path": f"/x/{HOSTILE}", "read_only": False, "guest_path": HOSTILE,
                           "share": HOSTILE}]  # fmt: skip
    bridge = opened(entries=hostile_entries([HOSTILE]), agent=hostile_panel(), page=hello(tasks=rows))
    view = changes()
    view["folders"][0]["name"] = HOSTILE
    for change in view["folders"][0]["changes"]:
        change.update(
            path=f"{HOSTILE}/{HOSTILE}", diff=f"@@ -1,1 +1,1 @@ {HOSTILE}\n-{HOSTILE}\n+{HOSTILE}!\n", warning=HOSTILE
        )
    bridge.answer("task.changes", lambda _params: view)
    seen = {**diagnostics(), "serial": HOSTILE, "qemu_log": HOSTILE, "app_log": HOSTILE}
    seen["qmp_events"] = [{"at_ms": 1, "name": HOSTILE, "text": HOSTILE}]
    seen["boot"] = [{"stage": HOSTILE, "at_ms": 1, "spent_ms": 1}]
    bridge.answer("task.diagnostics", lambda _params: seen)
    told = [{**record_json(r), "note": HOSTILE, "trigger": HOSTILE, "name": HOSTILE} for r in records()]
    bridge.answer("task.journal", lambda _params: {"records": told, "last_seq": len(told)})
    bridge.answer(
        "agent.commands", lambda _params: {"commands": [{"name": HOSTILE, "description": HOSTILE, "source": HOSTILE}]}
    )
    bridge.answer("agent.files", lambda _params: {"files": [HOSTILE]})
    return bridge


def test_no_text_of_the_guest_or_a_folder_becomes_anything_but_text(show: Show) -> None:
    """I1 for the task's views; the whole corpus runs in the window tests."""
    bridge = hostile()
    page = show(bridge, f"task/{TASK}/conversation")
    for card in page.locator(".tool-head, .thinking-head").all():
        card.click()
    page.get_by_role("button", name="All facts").click()
    page.get_by_label("Message to the agent").fill("@x")
    expect(page.get_by_role("listbox")).to_be_visible()
    for tab in ("changes", "diagram", "diagnostics"):
        page.evaluate(f"location.hash = '#/task/{TASK}/{tab}'")
        expect(READY[tab](page)).to_be_visible()
    for name in ("Journal", "Serial log", "QEMU log", "QMP events", "pui log"):
        page.get_by_role("tab", name=name).click()
        expect(page.get_by_text("onerror").first).to_be_attached()
    assert page.evaluate("window.pwned") is None
    assert page.locator("img:not([src^='/']):not([src^='data:'])").count() == 0
    assert page.locator("main script, main iframe, main object, main a[href^='javascript']").count() == 0
