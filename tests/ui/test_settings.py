"""Settings: each control sends its one value, a key is sent once and leaves no trace, the runtime's jobs ask first.

In: scenes. Out: calls of the bridge. Never: a key in the page after it was sent.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.support.scenes import daily, fresh, job, models_view, now_ms, pack, pack_view, trust
from tests.support.scripted_bridge import Refusal
from tests.ui.conftest import Show

pytestmark = pytest.mark.gui

KEY = "sk-secret-0123456789abcd"


def test_a_key_is_sent_once_and_leaves_no_trace(show: Show) -> None:
    bridge = daily()
    view = models_view()
    view["providers"][2]["key"] = {"is_set": True, "ending": "abcd", "source": "file"}
    bridge.answer("model.set_key", lambda _params: view)
    page = show(bridge, "settings/models")
    openai = page.locator(".provider", has_text="OpenAI").first
    openai.get_by_role("button", name="Set key").click()
    box = page.get_by_label("Key", exact=True)
    expect(box).to_have_attribute("type", "password")
    expect(box).to_be_focused()
    box.fill(KEY)
    page.get_by_role("radio", name="In a file").check()
    page.get_by_role("button", name="Save key").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(openai).to_contain_text("…abcd")
    expect(openai).to_contain_text("in a file only you can read")
    assert bridge.wait_for("model.set_key") == [{"provider": "openai", "key": KEY, "keep": "file"}]
    assert KEY not in page.content()
    assert KEY not in page.evaluate("JSON.stringify([{ ...localStorage }, { ...sessionStorage }, location.href])")


def test_a_refused_key_is_asked_for_again(show: Show) -> None:
    bridge = daily()

    def refuse(_params: object) -> object:
        raise Refusal("model.key", "the keystore is locked")

    bridge.answer("model.set_key", refuse)
    page = show(bridge, "settings/models")
    page.locator(".provider", has_text="OpenAI").first.get_by_role("button", name="Set key").click()
    page.get_by_role("button", name="Save key").click()
    expect(page.get_by_role("alert").filter(has_text="Enter a key.")).to_be_visible()
    page.get_by_label("Key", exact=True).fill(KEY)
    page.get_by_role("button", name="Save key").click()
    expect(page.get_by_role("alert").filter(has_text="the keystore is locked")).to_be_visible()
    expect(page.get_by_label("Key", exact=True)).to_have_value("")


def test_forgetting_a_key_asks(show: Show) -> None:
    bridge = daily()
    bridge.answer("model.forget_key", lambda _params: models_view())
    page = show(bridge, "settings/models")
    page.get_by_role("button", name="Forget").click()
    page.get_by_role("dialog").get_by_role("button", name="Forget").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert bridge.wait_for("model.forget_key") == [{"provider": "anthropic"}]


@pytest.mark.parametrize(
    ("section", "label", "option", "key", "value"),
    [
        ("defaults", "Thinking", "High", "thinking", "high"),
        ("defaults", "Memory", "4 GiB", "memory_mib", 4096),
        ("defaults", "Processors", "4", "cpu_count", 4),
        ("look", "Text size", "125 %", "text_scale", 125),
        ("packs", "How often", "Every 6 hours", "update_interval_h", 6),
        ("packs", "Limit", "No limit", "disk_limit_bytes", None),
        ("defaults", "Model", "Demo model (scripted, no key)", "model", {"provider": "demo", "model": "demo"}),
    ],
)
def test_each_list_sends_its_value(show: Show, section: str, label: str, option: str, key: str, value: object) -> None:
    bridge = daily()
    page = show(bridge, f"settings/{section}")
    page.get_by_label(label, exact=True).select_option(option)
    expect(page.get_by_label(label, exact=True)).to_have_value(option)
    assert bridge.wait_for("settings.set") == [{"key": key, "value": value}]


@pytest.mark.parametrize(
    ("section", "name", "key", "value"),
    [
        ("packs", "Look for updates", "update_check", False),
        ("packs", "Also on a metered connection", "update_on_metered", True),
        ("packs", "Install them by itself", "update_download", True),
        ("defaults", "Keep a cache", "cache", False),
        ("notifications", "A task needs you", "notify_needs_you", False),
        ("notifications", "A task is done", "notify_done", False),
        ("notifications", "A task failed", "notify_failed", False),
    ],
)
def test_each_switch_sends_its_value(show: Show, section: str, name: str, key: str, value: bool) -> None:
    bridge = daily()
    page = show(bridge, f"settings/{section}")
    switch = page.get_by_role("switch", name=name)
    switch.press("Space")
    expect(switch).to_have_attribute("aria-checked", str(value).lower())
    assert bridge.wait_for("settings.set") == [{"key": key, "value": value}]


def test_the_theme_changes_at_once(show: Show) -> None:
    page = show(daily(), "settings/look", theme="light")
    page.get_by_role("radio", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.get_by_role("radio", name="High").click()
    expect(page.locator("html")).to_have_attribute("data-contrast", "high")
    page.get_by_role("radiogroup", name="Motion").get_by_role("radio").first.press("ArrowRight")
    expect(page.locator("html")).to_have_attribute("data-motion", "reduced")


def test_an_update_can_be_taken_or_skipped(show: Show) -> None:
    bridge = daily()
    update = {
        "version": 2026112003,
        "pack_id": "p",
        "size_bytes": 350_000_000,
        "download_bytes": 41_000_000,
        "is_skipped": False,
    }
    bridge.hello["packs"] = pack_view(update=update)
    skipped = pack_view(update={**update, "is_skipped": True})
    bridge.answer("pack.skip", lambda params: skipped if params["version"] else pack_view(update=update))
    page = show(bridge, "settings/packs")
    expect(page.get_by_text("41.0 MB to download")).to_be_visible()
    page.get_by_role("button", name="Skip this version").click()
    expect(page.get_by_text("Version 2026112003 is skipped.")).to_be_visible()
    page.get_by_role("button", name="Offer it again").click()
    page.get_by_role("button", name="Update", exact=True).click()
    assert [call["version"] for call in bridge.wait_for("pack.skip", 2)] == [2026112003, None]
    assert len(bridge.wait_for("pack.update")) == 1


def test_roll_back_takes_words_and_clean_asks(show: Show) -> None:
    bridge = daily()
    page = show(bridge, "settings/packs")
    page.get_by_role("button", name="Roll back").click()
    page.get_by_label("Why?").fill("it is slower")
    page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    page.get_by_role("button", name="Remove old runtimes").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove old runtimes").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert bridge.wait_for("pack.rollback") == [{"words": "it is slower"}]
    assert bridge.wait_for("pack.clean") == [{}]


def test_packs_show_state_size_and_what_is_inside(show: Show) -> None:
    bridge = daily()
    failed = pack(2026112003, "failed", reason="the trial machine gave no answer")
    bridge.hello["packs"] = pack_view(packs=[pack(2026112001), failed], check_error=None)
    page = show(bridge, "settings/packs")
    expect(page.locator(".pack").nth(1)).to_contain_text("Failed its trial")
    expect(page.locator(".pack").nth(1)).to_contain_text("the trial machine gave no answer")
    page.locator(".pack summary").first.click()
    expect(page.locator(".pack").first).to_contain_text("qemu 10.0.8")
    page.get_by_role("button", name="More about the runtime").click()
    page.get_by_role("menuitem", name="Verify every file").click()
    bridge.send(
        {"type": "pack", "packs": pack_view(job=job(kind="verify", phase_label="Verifying", started_ms=now_ms()))}
    )
    expect(page.get_by_role("progressbar", name="Verifying")).to_be_visible()
    assert len(bridge.wait_for("pack.verify")) == 1


def test_no_pack_can_be_installed_from_here(show: Show) -> None:
    bridge = fresh()
    page = show(bridge, "settings/packs")
    page.get_by_role("button", name="Install runtime").click()
    assert bridge.wait_for("pack.install") == [{"source": "channel"}]


def test_a_known_folder_can_be_forgotten(show: Show) -> None:
    bridge = daily()
    bridge.answer("folder.forget", lambda _params: {})
    page = show(bridge, "settings/defaults")
    page.get_by_role("button", name="Forget").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Forget").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert bridge.wait_for("folder.forget") == [{"folder_id": bridge.hello["folders"][0]["id"]}]


def test_the_model_of_ones_own_server_is_named_and_its_channel_asked_natively(show: Show) -> None:
    bridge = daily()
    bridge.answer("pack.set_channel", lambda _params: pack_view(channel="https://packs.example/pui"))
    page = show(bridge, "settings/models")
    page.get_by_label("Model of OpenAI-compatible server").fill("qwen-coder")
    page.get_by_label("Model of OpenAI-compatible server").press("Enter")
    wanted = {"provider": "openai-compatible", "model": "qwen-coder"}
    assert bridge.wait_for("settings.set") == [{"key": "model", "value": wanted}]
    page.evaluate("location.hash = '#/settings/packs'")
    page.get_by_role("button", name="Set…").click()
    expect(page.get_by_text("https://packs.example/pui")).to_be_visible()


def test_the_trusted_root_is_shown_and_another_asked_natively(show: Show) -> None:
    bridge = daily()
    damaged = trust(fingerprint="", version=0, expires="", problem="host.permission: others may write to it.")
    bridge.hello["packs"] = pack_view(trust=damaged)
    bridge.answer("pack.trust_root", lambda _params: pack_view(trust=trust(fingerprint="ab" * 32)))
    page = show(bridge, "settings/packs")
    root = page.locator(".row", has_text="Trusted root")
    expect(root).to_contain_text("host.permission")
    root.get_by_role("button", name="Trust a channel…").click()
    expect(root).to_contain_text("ab" * 32)
    expect(root).to_contain_text("Version 1, valid until")
    expect(root).to_contain_text("came with pui")
    assert bridge.wait_for("pack.trust_root") == [{}]


def test_moving_the_data_folder_is_followed_and_not_offered_while_tasks_run(show: Show) -> None:
    bridge = daily()
    page = show(bridge, "settings/data")
    expect(page.get_by_role("button", name="Move…")).to_be_disabled()
    bridge.send(*[{"type": "task_removed", "task_id": row["task_id"]} for row in bridge.hello["tasks"]])
    bridge.answer("data.move", lambda _params: {"job_id": "j1"})
    page.get_by_role("button", name="Move…").click()
    bridge.wait_for("data.move")
    bridge.send({"type": "pack", "packs": pack_view(job=job(kind="move", phase_label="Copying to the new place"))})
    expect(page.get_by_role("progressbar", name="Copying to the new place")).to_be_visible()


def test_why_the_desktop_shows_nothing_is_said_by_the_switches(show: Show) -> None:
    bridge = daily()
    bridge.hello["notifications"] = {"problem": "There is no session bus (D-Bus) here, so pui cannot notify you."}
    page = show(bridge, "settings/notifications")
    expect(page.get_by_text("Not possible right now")).to_be_visible()
    expect(page.get_by_text("no session bus")).to_be_visible()
    expect(page.get_by_role("switch")).to_have_count(3)
    page = show(daily(), "settings/notifications")
    expect(page.get_by_role("switch")).to_have_count(3)
    expect(page.get_by_text("Not possible right now")).to_have_count(0)
