"""New task: choices remembered, refusals at once, images in parts, one key to start.

In: scenes. Out: the calls of task.create with their params. Never: a path sent by the page.
"""

from __future__ import annotations

import base64
import io
import random

import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Page, expect

from tests.support.scenes import (
    daily,
    emulated,
    folder,
    fresh,
    hello,
    models_view,
    scripted,
    settings,
    setup_view,
    task,
)
from tests.support.scripted_bridge import ScriptedBridge
from tests.ui.conftest import Show

pytestmark = pytest.mark.gui


def ready() -> ScriptedBridge:
    bridge = scripted(hello(tasks=[]))
    sizes: dict[str, int] = {}

    def add(params: dict[str, str]) -> dict[str, object]:
        blob_id = params.get("blob_id") or f"b{len(sizes)}"
        assert len(params["data_b64"]) <= 180 * 1024
        sizes[blob_id] = sizes.get(blob_id, 0) + len(base64.b64decode(params["data_b64"], validate=True))
        return {"blob_id": blob_id, "size_bytes": sizes[blob_id]}

    bridge.answer("blob.add", add)  # type: ignore[arg-type]
    bridge.answer("task.open", lambda _params: {})
    return bridge


def prompt(page: Page) -> None:
    page.get_by_label("What shall be done?").fill("Make it faster")


def created(bridge: ScriptedBridge, page: Page) -> dict[str, object]:
    page.wait_for_url("**/#/task/t-new")
    (params,) = bridge.wait_for("task.create")
    assert bridge.wait_for("task.start") == [{"task_id": "t-new"}]
    return dict(params)


def test_ctrl_enter_starts_with_the_defaults_of_the_settings(show: Show) -> None:
    bridge = ready()
    page = show(bridge, "new", may_fail=True)
    prompt(page)
    page.keyboard.press("Control+Enter")
    assert created(bridge, page) == {
        "prompt": "Make it faster",
        "folders": [],
        "network": "model",
        "model": {"provider": "anthropic", "model": "claude-opus-5-5"},
        "thinking": "medium",
        "memory_mib": 2048,
        "cpu_count": 2,
        "cache": True,
        "images": [],
    }


def test_the_first_folder_brings_its_last_choices_but_not_over_the_persons(show: Show) -> None:
    bridge = ready()
    page = show(bridge, "new", may_fail=True)
    prompt(page)
    page.get_by_label("Processors").select_option("8")
    page.get_by_role("button", name="storefront").click()
    expect(page.get_by_text("Choices as last time with storefront")).to_be_visible()
    expect(page.get_by_label("Thinking")).to_have_value("Low")
    expect(page.get_by_label("Memory")).to_have_value("4 GiB")
    page.get_by_role("button", name="design-tokens").click()
    page.get_by_role("radiogroup", name="What the task may do in storefront").get_by_role("radio", name="Read").click()
    page.get_by_role("button", name="Start task").click()
    params = created(bridge, page)
    names = {one["id"]: one["name"] for one in bridge.hello["folders"]}
    assert [(names[one["id"]], one["read_only"]) for one in params["folders"]] == [  # type: ignore[attr-defined]
        ("storefront", True),
        ("design-tokens", True),
    ]
    assert params["cpu_count"] == 8
    assert params["memory_mib"] == 4096
    assert params["model"] == {"provider": "anthropic", "model": "claude-haiku-5-5"}


def test_a_folder_is_chosen_natively_and_none_is_no_fault(show: Show) -> None:
    bridge = ready()
    page = show(bridge, "new")
    bridge.answer("folder.choose", lambda _params: None)
    page.get_by_role("button", name="Add folder").click()
    expect(page.get_by_role("button", name="Add folder")).to_be_enabled()
    bridge.answer("folder.choose", lambda _params: folder("fresh-one", warnings=("It lies on a removable disk.",)))
    page.get_by_role("button", name="Add folder").click()
    expect(page.locator(".folder-list")).to_contain_text("fresh-one")
    expect(page.locator(".folder-list")).to_contain_text("It lies on a removable disk.")


def refused(page: Page, bridge: ScriptedBridge, words: str) -> None:
    prompt(page)
    page.keyboard.press("Control+Enter")
    expect(page.locator(".new-reason")).to_contain_text(words)
    assert not bridge.calls_of("task.create")


def test_no_prompt(show: Show) -> None:
    bridge = ready()
    page = show(bridge, "new")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".new-reason.loud")).to_have_text("Say what shall be done.")
    assert not bridge.calls_of("task.create")


def test_no_pack_is_said_at_once(show: Show) -> None:
    bridge = fresh()
    page = show(bridge, "new")
    expect(page.locator(".notice")).to_contain_text("The runtime is not installed")
    refused(page, bridge, "The runtime is not installed")


def test_a_model_without_a_key_and_offline_with_a_model_outside(show: Show) -> None:
    bridge = ready()
    page = show(bridge, "new")
    page.get_by_role("radio", name="Offline").click()
    expect(page.get_by_role("alert")).to_contain_text("Offline, Anthropic cannot be reached")
    page.get_by_role("radio", name="Model only").click()
    page.get_by_label("Model", exact=True).select_option("gpt-6.1-sol · OpenAI – not set up")
    expect(page.get_by_role("alert")).to_contain_text("OpenAI needs a key.")
    refused(page, bridge, "OpenAI needs a key.")
    page.get_by_role("link", name="Set up models").click()
    expect(page.get_by_role("heading", name="Providers")).to_be_visible()


def test_more_memory_than_is_free(show: Show) -> None:
    bridge = ready()
    page = show(bridge, "new")
    page.get_by_label("Memory").select_option("16 GiB")
    computer = {**setup_view()["computer"], "memory_free_mib": 2000}
    bridge.send({"type": "setup", "setup": setup_view(computer=computer)})
    expect(page.locator("#memory-note")).to_contain_text("Only 2.0 GiB are free on this computer.")
    refused(page, bridge, "Only 2.0 GiB are free")


def test_a_folder_that_another_task_is_changing(show: Show) -> None:
    bridge = daily()
    bridge.hello["setup"] = setup_view(limits={**setup_view()["limits"], "machine_limit": 9})
    page = show(bridge, "new")
    page.get_by_role("button", name="storefront").click()
    expect(page.locator(".folder-list")).to_contain_text("is changing this folder now")
    refused(page, bridge, "is changing this folder now")


def test_all_machines_are_on(show: Show) -> None:
    bridge = daily()
    refused(show(bridge, "new"), bridge, "4 machines are on, the limit of this computer.")


def test_emulation_is_loud(show: Show) -> None:
    page = show(emulated(), "new")
    expect(page.get_by_role("note")).to_contain_text("EMULATED")
    expect(page.get_by_role("note")).to_contain_text("there is no isolation boundary")


def noise_png(side: int) -> bytes:
    """An image that no encoder makes small."""
    out = io.BytesIO()
    Image.frombytes("RGB", (side, side), random.Random(7).randbytes(side * side * 3)).save(out, "PNG")
    return out.getvalue()


def test_images_are_made_small_shown_and_sent_in_parts(show: Show) -> None:
    bridge = ready()
    page = show(bridge, "new", may_fail=True)
    prompt(page)
    files: list[FilePayload] = [{"name": "noise.png", "mimeType": "image/png", "buffer": noise_png(2200)}]
    page.locator("input[type=file]").set_input_files(files)
    expect(page.get_by_role("img", name="noise.png")).to_be_visible()
    page.keyboard.press("Control+Enter")
    params = created(bridge, page)
    (image,) = params["images"]  # type: ignore[misc]
    parts = bridge.calls_of("blob.add")
    assert image == {"blob_id": "b0", "mime": "image/jpeg"}
    assert len(parts) > 1
    assert {part.get("blob_id") for part in parts[1:]} == {"b0"}
    picture = Image.open(io.BytesIO(b"".join(base64.b64decode(part["data_b64"]) for part in parts)))
    assert max(picture.size) <= 1568
    assert sum(len(part["data_b64"]) for part in parts) * 3 / 4 <= 3 * 1024 * 1024 / 8 + 3


def test_an_image_is_pasted_and_taken_away_and_a_text_is_no_image(show: Show) -> None:
    page = show(ready(), "new")
    page.evaluate(
        """async ([bytes]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], "shot.png", { type: "image/png" }));
            const words = { clipboardData: transfer, bubbles: true, cancelable: true };
            document.querySelector("#prompt").dispatchEvent(new ClipboardEvent("paste", words));
        }""",
        [list(noise_png(16))],
    )
    expect(page.get_by_role("img", name="shot.png")).to_be_visible()
    page.get_by_role("button", name="Remove shot.png").click()
    expect(page.get_by_role("img", name="shot.png")).to_have_count(0)
    page.locator("input[type=file]").set_input_files(
        [{"name": "x.svg", "mimeType": "image/svg+xml", "buffer": b"<svg/>"}]
    )
    expect(page.get_by_role("alert")).to_contain_text("x.svg is not a PNG, JPEG, GIF or WebP image.")


def test_the_draft_is_kept_while_other_places_are_looked_at(show: Show) -> None:
    page = show(ready(), "new")
    prompt(page)
    page.evaluate("location.hash = '#/settings/look'")
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()
    page.evaluate("location.hash = '#/new'")
    expect(page.get_by_label("What shall be done?")).to_have_value("Make it faster")


def test_a_refused_start_keeps_the_text(show: Show) -> None:
    bridge = ready()
    del bridge.answers["task.create"]
    page = show(bridge, "new")
    prompt(page)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("no answer to task.create")
    expect(page.get_by_label("What shall be done?")).to_have_value("Make it faster")


def test_without_a_chosen_model_the_default_is_taken(show: Show) -> None:
    bridge = scripted(hello(settings=settings(model=None), models=models_view(), tasks=[task("t", "T", "created")]))
    page = show(bridge, "new")
    expect(page.get_by_label("Model", exact=True)).to_have_value("claude-opus-5-5 · Anthropic")
