"""Setup: a newcomer is led, a job is followed, a finding has its button, checking again really asks.

In: scenes. Out: calls of the bridge and what is seen. Never: a job of the real pack store.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.support.scenes import emulated, finding, fresh, job, no_pack_view, now_ms, pack_view, setup_view, trust
from tests.ui.conftest import Show

pytestmark = pytest.mark.gui


def test_a_newcomer_is_led_step_by_step(show: Show) -> None:
    bridge = fresh()
    page = show(bridge, "setup")
    steps = page.get_by_role("list", name="The way to the first task").get_by_role("listitem")
    expect(steps).to_have_count(3)
    expect(steps.nth(0)).to_have_attribute("aria-current", "step")
    page.get_by_role("button", name="Install runtime").click()
    bridge.send({"type": "pack", "packs": no_pack_view(job=job())})
    bar = page.get_by_role("progressbar", name="Downloading")
    expect(bar).to_have_attribute("aria-valuenow", "35")
    expect(page.locator(".job")).to_contain_text("121 MB of 343 MB")
    expect(page.locator(".job")).to_contain_text("8.2 MB/s")
    expect(page.locator(".job")).to_contain_text("0:27 left")
    assert bridge.wait_for("pack.install") == [{"source": "channel"}]
    ready = setup_view(accelerator=None, is_ready=False, is_checking=True, started_ms=now_ms())
    bridge.send({"type": "pack", "packs": pack_view()}, {"type": "setup", "setup": ready})
    expect(steps.nth(1)).to_have_attribute("aria-current", "step")
    expect(page.get_by_text("A small test machine is being started")).to_be_visible()
    bridge.send({"type": "setup", "setup": setup_view()})
    expect(steps.nth(2)).to_have_attribute("aria-current", "step")
    page.get_by_role("link", name="Try the demo").click()
    expect(page.get_by_role("heading", name="New task")).to_be_visible()


def test_a_newcomer_with_a_channel_of_ones_own_is_told_what_is_missing(show: Show) -> None:
    bridge = fresh()
    bridge.hello["packs"] = no_pack_view(channel="", trust=None)
    named = no_pack_view(channel="https://packs.example/pui", trust=None)
    bridge.answer("pack.set_channel", lambda _params: named)
    trusted = no_pack_view(channel="https://packs.example/pui", trust=trust(is_shipped=False))
    bridge.answer("pack.trust_root", lambda _params: trusted)
    page = show(bridge, "setup")
    install = page.get_by_role("button", name="Install runtime")
    expect(install).to_be_disabled()
    page.get_by_role("button", name="Set the address…").click()
    expect(page.locator(".channel-needs")).to_contain_text("https://packs.example/pui")
    expect(page.locator(".channel-needs p")).to_be_visible()
    expect(install).to_be_disabled()
    page.get_by_role("button", name="Trust a channel…").click()
    expect(page.locator(".channel-needs p")).to_have_count(0)
    expect(page.locator(".channel-needs")).to_contain_text("5f2c5f2c")
    install.click()
    assert bridge.wait_for("pack.install") == [{"source": "channel"}]
    assert bridge.wait_for("pack.trust_root") == [{}]


def test_a_job_can_be_cancelled_and_goes_on(show: Show) -> None:
    bridge = fresh()
    bridge.hello["packs"] = no_pack_view(job=job())
    page = show(bridge, "setup")
    page.get_by_role("button", name="Cancel").click()
    bridge.send({"type": "pack", "packs": no_pack_view(job=job(state="cancelled"))})
    expect(page.get_by_text("What was already fetched is kept.")).to_be_visible()
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("button", name="Install from a file")).to_be_visible()
    assert bridge.wait_for("pack.cancel") == [{"job_id": "j1"}]
    assert bridge.wait_for("pack.install") == [{"source": "channel"}]


def test_a_failed_job_says_why_and_what_to_do(show: Show) -> None:
    bridge = fresh()
    error = {
        "code": "fetch.stalled",
        "message": "the download stands still",
        "hint": "Try `again` later.",
        "retry": "again",
    }
    bridge.hello["packs"] = no_pack_view(job=job(state="failed", error=error))
    page = show(bridge, "setup")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Install runtime failed: the download stands still")
    expect(alert.locator("code")).to_have_text("again")
    alert.get_by_role("button", name="Try again").click()
    page.get_by_role("button", name="Install from a file").click()
    assert [call["source"] for call in bridge.wait_for("pack.install", 2)] == ["channel", "file"]


def test_steps_to_turn_on_virtualization_and_check_again(show: Show) -> None:
    bridge = emulated()
    page = show(bridge, "setup")
    expect(page.locator(".finding").first.get_by_role("listitem")).to_have_count(3)
    expect(page.locator(".status")).to_contain_text("EMULATED")
    page.locator(".finding").first.get_by_role("button", name="Check again").click()
    bridge.send({"type": "setup", "setup": setup_view(is_checking=True, started_ms=now_ms() - 65_000)})
    expect(page.locator(".page-head")).to_contain_text("1:0")
    expect(page.locator(".page-head").get_by_role("button", name="Checking")).to_be_disabled()
    bridge.send({"type": "setup", "setup": setup_view()})
    expect(page.locator(".finding")).to_have_count(0)
    expect(page.locator(".page-head")).to_contain_text("Ready for tasks")
    assert len(bridge.wait_for("setup.check")) == 1


@pytest.mark.parametrize(
    ("action", "button", "verb"),
    [
        ("repair_pack", "Repair", "pack.repair"),
        ("try_pack", "Try the runtime again", "pack.try"),
        ("roll_back", "Roll back", "pack.rollback"),
        ("free_disk", "Remove old runtimes", "pack.clean"),
    ],
)
def test_each_action_of_a_finding_has_its_button(show: Show, action: str, button: str, verb: str) -> None:
    bridge = emulated()
    bridge.hello["setup"] = setup_view(findings=[finding("x.y", "blocker", "Something", "is wrong", "", action)])
    page = show(bridge, "setup")
    page.locator(".finding").get_by_role("button", name=button).click()
    if action == "roll_back":
        page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert len(bridge.wait_for(verb)) == 1
