"""Changes, state diagram, diagnostics and the header of a task.

In: scenes of one task. Out: what is seen, the calls that reach the host. Never: a chart that is not the real one.
"""

from __future__ import annotations

import base64
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from pui.domain.boot_timeline import STAGES
from pui.domain.chart_svg import render_svg
from pui.domain.chart_trace import trace_of
from pui.resources import data, load_chart
from tests.support.scripted_bridge import Params, ScriptedBridge
from tests.support.task_scenes import TASK, changes, diagnostics, opened, panel, record_json, records
from tests.support.waiting import wait_until
from tests.ui.conftest import LARGE, Show

pytestmark = pytest.mark.gui


def place(tab: str, task_id: str = TASK) -> str:
    return f"task/{task_id}/{tab}"


def calls(bridge: ScriptedBridge, method: str, count: int = 1) -> list[Params]:
    wait_until(lambda: len(bridge.calls_of(method)) >= count, f"{count} calls of {method}")
    return bridge.calls_of(method)


def test_the_number_keys_choose_the_tab(show: Show) -> None:
    page = show(opened(), place("conversation"))
    expect(page.get_by_label("Message to the agent")).to_be_focused()
    page.keyboard.type("12")
    expect(page.get_by_label("Message to the agent")).to_have_value("12")
    page.get_by_role("feed").focus()
    for key, name in (("2", "Changes"), ("3", "State diagram"), ("4", "Diagnostics"), ("1", "Conversation")):
        page.keyboard.press(key)
        expect(page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")
        if key == "1":
            break
        page.locator("main").focus()


# header


def test_the_header_says_what_runs_where(show: Show) -> None:
    bridge = opened(row={"is_emulated": True, "accelerator": "tcg"})
    page = show(bridge, place("conversation"), size=LARGE)
    head = page.locator(".task-head")
    expect(head).to_contain_text("EMULATED")
    expect(head).to_contain_text("Not jailed")
    expect(head.get_by_title("/home/ada/src/storefront → /workspace/storefront")).to_contain_text("write")
    expect(head.get_by_title("/home/ada/src/design-tokens → /workspace/design-tokens")).to_contain_text("read")
    head.get_by_role("button", name="All facts").click()
    facts = page.locator("#task-all-facts")
    for words in (
        "2 CPU · 2 GiB",
        "Off: QEMU runs with its seccomp sandbox and without capabilities",
        "48.3 MB",
        "linux-x86_64-2026112303-1688af0d3ffc",
        "Only requests to the chosen model",
    ):
        expect(facts).to_contain_text(words)
    head.get_by_role("button", name="Rename").click()
    head.get_by_label("Rename").fill("Dark account pages")
    head.get_by_label("Rename").press("Enter")
    assert calls(bridge, "task.rename")[0]["title"] == "Dark account pages"
    expect(page.get_by_role("heading", name="Dark account pages")).to_be_visible()


def test_the_header_ends_a_task(show: Show) -> None:
    bridge = opened(row={"needs_you": "turn"})
    page = show(bridge, place("conversation"))
    page.get_by_role("button", name="Finish").click()
    calls(bridge, "task.finish")
    page.get_by_role("button", name="Cancel task").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel task").click()
    calls(bridge, "task.cancel")


# changes


def test_what_was_compared_late_says_so_and_when(show: Show) -> None:
    view = changes() | {"is_final": True, "is_late": True, "note": "pui ended while the task ran."}
    bridge = opened()
    bridge.answer("task.changes", lambda _params: view)
    page = show(bridge, place("changes"))
    expect(page.get_by_role("region", name="Changed files")).to_contain_text("pui ended while the task ran.")
    expect(page.get_by_text("compared ")).to_be_visible()
    expect(page.get_by_role("button", name="Look again")).to_have_count(0)


@pytest.mark.parametrize(
    ("folder", "note", "title", "text"),
    [
        ({}, "", "Nothing has changed", "No file differs"),
        ({"is_complete": False}, "", "Nothing has changed", "too large to look at all of it"),
        ({"is_complete": False, "reason": "cannot look into /x"}, "", "Nothing to compare", "x: cannot look into /x"),
        ({"is_complete": False}, "It is not known any more.", "Nothing to compare", "It is not known any more."),
    ],
)
def test_what_is_not_known_is_not_shown_as_unchanged(
    show: Show, folder: dict[str, Any], note: str, title: str, text: str
) -> None:
    shown = {"name": "x", "path": "/x", "read_only": False, "is_complete": True, "reason": "", "changes": [], **folder}
    bridge = opened()
    answer = {"folders": [shown], "at_ms": 1, "is_final": True, "is_late": False, "note": note}
    bridge.answer("task.changes", lambda _params: answer)
    page = show(bridge, place("changes"))
    expect(page.locator(".empty")).to_contain_text(title)
    expect(page.locator(".empty")).to_contain_text(text)
    if note:
        expect(page.get_by_text("too large")).to_have_count(0)


def test_flagged_files_are_first_and_say_why(show: Show) -> None:
    page = show(opened(), place("changes"))
    expect(page.get_by_role("alert")).to_contain_text("2 files can make your computer run something later")
    first = page.get_by_role("region", name="Changed files").get_by_role("button").nth(1)
    expect(first).to_contain_text("pre-commit")
    expect(first).to_contain_text("git runs this on your computer")
    expect(page.get_by_role("heading", name=".git/hooks/pre-commit")).to_be_visible()
    expect(page.get_by_role("note")).to_contain_text("Look closely")
    expect(page.locator(".diff tr.added")).to_have_count(3)


def test_files_are_walked_by_keys_and_found_by_words(show: Show) -> None:
    page = show(opened(), place("changes"))
    expect(page.get_by_role("heading", name=".git/hooks/pre-commit")).to_be_visible()
    page.locator("main").focus()
    for name in ("package.json", "assets/logo.png", "src/basket/basket.tsx"):
        page.keyboard.press("j")
        expect(page.get_by_role("heading", name=name)).to_be_visible()
    page.keyboard.press("k")
    expect(page.get_by_text("No lines to show")).to_be_visible()
    page.get_by_label("Find a file").fill("legacy")
    expect(page.get_by_role("heading", name="src/old/basket-legacy.tsx")).to_be_visible()
    page.get_by_label("Find a file").fill("no such thing")
    expect(page.get_by_text("No file fits.")).to_be_visible()


def test_a_diff_in_two_columns_and_a_long_one_in_parts(show: Show) -> None:
    page = show(opened(), place("changes"), size=LARGE)
    page.get_by_role("button", name="table.ts").click()
    expect(page.locator(".diff.unified tbody tr")).to_have_count(800)
    page.get_by_role("button", name="basket.tsx").first.click()
    page.get_by_role("radio", name="Split").click()
    row = page.locator(".diff.split tr").filter(has_text="TAX_RATE")
    expect(row.locator("td.removed.code")).to_contain_text("0.19")
    expect(row.locator("td.added.code")).to_contain_text("TAX_RATE")


def test_a_huge_diff_comes_in_parts(show: Show) -> None:
    lines = "".join(f"+line {n}\n" for n in range(3000))
    change = {"path": "big.txt", "change": "added", "diff": f"@@ -0,0 +1,3000 @@\n{lines}", "warning": "",
              "added": 3000, "removed": 0}  # fmt: skip
    folder = {"name": "x", "path": "/x", "read_only": False, "is_complete": True, "changes": [change]}
    bridge = opened()
    bridge.answer("task.changes", lambda _params: {"folders": [folder], "at_ms": 1, "is_final": True})
    page = show(bridge, place("changes"))
    rows = page.locator(".diff tbody tr")
    expect(rows).to_have_count(1200)
    page.get_by_role("button", name="Show more lines").click()
    expect(rows).to_have_count(2400)
    page.get_by_role("button", name="Show more lines").click()
    expect(rows).to_have_count(3000)
    expect(page.get_by_role("button", name="Show more lines")).to_have_count(0)


# diagram


def stage(page: Page) -> Any:
    return page.locator(".diagram-stage")


def test_the_diagram_shows_the_state_the_way_and_the_time(show: Show) -> None:
    page = show(opened(), place("diagram"), size=LARGE)
    chart = page.get_by_role("group", name="State diagram of the Task")
    expect(chart.locator(".state.current .name")).to_have_text("running")
    expect(chart.locator(".wire.taken > polygon")).to_have_count(5)
    expect(chart.locator(".state.current .spent")).to_contain_text(":")
    expect(chart.locator(".state", has_text="await_hello")).to_contain_text("60 s")
    names = {box.name for box in load_chart("task").states.values()}
    assert {text.strip() for text in chart.locator(".state .name").all_text_contents()} == names


def test_a_way_that_was_taken_leads_to_its_record_and_its_causes(show: Show) -> None:
    journal = records()
    move = next(r for r in journal if r.type == "transition" and r.fields["to"] == "handshake")
    page = show(opened(), place("diagram"), size=LARGE)
    page.get_by_role("button", name="qemu-launch to handshake").press("Enter")
    aside = page.get_by_role("complementary", name="qemu-launch → handshake")
    chain = aside.locator(".cause-chain > li")
    expect(chain.first).to_contain_text(f"{move.seq}")
    expect(chain.first).to_contain_text("qemu-launch → handshake · done")
    expect(chain.nth(1)).to_contain_text("event")
    expect(chain.last).to_contain_text("created")
    chain.first.locator("summary").click()
    expect(chain.first.locator("pre")).to_contain_text(f'"seq": {move.seq}')
    page.keyboard.press("Escape")
    expect(aside).to_have_count(0)


def test_the_slider_goes_back_in_time_and_returns(show: Show) -> None:
    page = show(opened(), place("diagram"), size=LARGE)
    slider = page.get_by_label("Way so far")
    expect(slider).to_have_value("5")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".state.current .name")).to_have_text("qemu-launch")
    expect(page.locator(".scrub")).to_contain_text("Step 3 of 5")
    expect(page.locator(".wire.taken > polygon")).to_have_count(3)
    page.get_by_role("button", name="Now", exact=True).click()
    expect(page.locator(".state.current .name")).to_have_text("running")


def test_the_diagram_follows_the_task(show: Show) -> None:
    bridge = opened()
    page = show(bridge, place("diagram"), size=LARGE)
    expect(page.locator(".state.current .name")).to_have_text("running")
    over = records(is_over=True)
    from pui.domain.chart_view import chart_view

    bridge.answer("chart.get", lambda _params: chart_view(load_chart("task"), trace_of(over), "Task"))
    bridge.send(*({"type": "record", "task_id": TASK, "record": record_json(r)} for r in over[len(records()) :]))
    expect(page.locator(".state.current .name")).to_have_text("finished")
    page.get_by_role("button", name="running to teardown, by finish").press("Enter")
    expect(page.locator(".cause-chain > li").first).to_contain_text("running → teardown · finish")


def test_agent_and_pack_charts_are_there_too_and_a_table_says_the_same(show: Show) -> None:
    bridge = opened()
    page = show(bridge, place("diagram"), size=LARGE)
    page.get_by_role("radio", name="As a table").click()
    table = page.get_by_role("table").first
    expect(table.get_by_role("row", name="Waiting for pi")).to_contain_text("await_hello")
    expect(table.locator("tr[aria-current]")).to_contain_text("Running")
    expect(page.get_by_role("table", name="Way so far").get_by_role("row")).to_have_count(6)
    page.get_by_role("radio", name="Agent").click()
    expect(page.get_by_role("table").first).to_contain_text("waiting-for-answer")
    page.get_by_role("radio", name="As a picture").click()
    page.get_by_role("radio", name="Runtime").click()
    expect(page.get_by_role("group", name="State diagram of the Runtime")).to_be_visible()
    asked = bridge.calls_of("chart.get")
    assert list(dict.fromkeys(call["chart"] for call in asked)) == ["task", "agent", "pack"]
    assert asked[-1] == {"chart": "pack", "pack_id": "linux-x86_64-2026112303-1688af0d3ffc"}


def test_a_small_window_shows_the_part_where_the_task_is(show: Show) -> None:
    page = show(opened(), place("diagram"))
    box = page.locator(".state.current .card").bounding_box()
    frame = stage(page).bounding_box()
    assert box is not None
    assert frame is not None
    assert box["width"] > 180  # readable
    assert frame["y"] < box["y"] < frame["y"] + frame["height"] - box["height"]
    page.get_by_role("button", name="Fit").click()
    assert page.locator(".state", has_text="Created").first.bounding_box()["y"] > frame["y"]


def test_the_drawing_is_zoomed_moved_and_fitted(show: Show) -> None:
    page = show(opened(), place("diagram"), size=LARGE)
    chart = page.get_by_role("group", name="State diagram of the Task")
    whole = chart.get_attribute("viewBox")
    page.get_by_role("button", name="Larger").click()
    assert float((chart.get_attribute("viewBox") or "").split()[2]) < float((whole or "").split()[2])
    chart.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("0")
    assert chart.get_attribute("viewBox") == whole
    chart.hover()
    page.mouse.wheel(0, -300)
    wait_until(lambda: chart.get_attribute("viewBox") != whole, "a zoom by the wheel")
    page.get_by_role("button", name="Fit").click()
    assert chart.get_attribute("viewBox") == whole


@pytest.mark.parametrize("kind", ["SVG", "PNG", "Mermaid text"])
def test_the_diagram_is_saved_by_the_host(show: Show, kind: str) -> None:
    bridge = opened()
    svg = render_svg(load_chart("task"), (data("ui") / "chart.css").read_text(), trace_of(records()))

    def export(params: Params) -> dict[str, str]:
        is_svg = params["format"] == "svg"
        return {"text": svg if is_svg else "stateDiagram-v2\n", "name": "task.svg" if is_svg else "task.mmd"}

    bridge.answer("chart.export", export)
    page = show(bridge, place("diagram"))
    page.get_by_role("button", name="Save the diagram").click()
    page.get_by_role("menuitem", name=f"Save as {kind}").click()
    name = calls(bridge, "file.save")[0]["name"]
    parts = b"".join(base64.b64decode(call["data_b64"]) for call in bridge.calls_of("blob.add"))
    assert name == {"SVG": "task.svg", "PNG": "task.png", "Mermaid text": "task.mmd"}[kind]
    assert parts.startswith({"SVG": b"<svg", "PNG": b"\x89PNG", "Mermaid text": b"stateDiagram"}[kind])
    if kind == "PNG":
        shades = page.evaluate(
            """async (data) => {
          const image = new Image();
          image.src = 'data:image/png;base64,' + data;
          await image.decode();
          const canvas = document.createElement('canvas');
          [canvas.width, canvas.height] = [image.width, image.height];
          const pen = canvas.getContext('2d');
          pen.drawImage(image, 0, 0);
          const pixels = new Uint32Array(pen.getImageData(0, 0, image.width, image.height).data.buffer);
          return new Set(pixels).size;
        }""",
            base64.b64encode(parts).decode(),
        )
        assert shades > 50  # a picture, not an empty sheet
    expect(page.get_by_text(f"Saved as {name}.")).to_be_visible()


# diagnostics


def test_the_boot_is_shown_by_stage(show: Show) -> None:
    page = show(opened(), place("diagnostics"))
    kernel = page.get_by_role("row").filter(has_text="Kernel starts")
    expect(kernel).to_contain_text("640 ms")
    expect(kernel.locator("small")).to_have_text("init")
    expect(page.get_by_text("1.9 s in all")).to_be_visible()


def test_every_stage_of_a_boot_has_words_and_an_unknown_one_is_shown_as_it_is(show: Show) -> None:
    bridge, seen = opened(), diagnostics()
    stages = [*STAGES, "zygote", "toString"]
    seen["boot"] = [{"stage": stage, "at_ms": number, "spent_ms": 1} for number, stage in enumerate(stages)]
    bridge.answer("task.diagnostics", lambda _params: seen)
    page = show(bridge, place("diagnostics"))
    expect(page.get_by_role("rowheader", name="pi answers")).to_be_visible()
    shown = page.locator("table.bars").first.get_by_role("rowheader").all_inner_texts()
    assert shown[-2:] == ["zygote", "toString"]
    words = dict(zip(STAGES, shown, strict=False))
    assert words["qemu"] == "QEMU starts qemu" and words["configured"] == "Set up by pui configured"
    assert all(text.endswith(f" {stage}") and "task.boot" not in text for stage, text in words.items())


def test_logs_and_events_are_shown_as_they_are(show: Show) -> None:
    page = show(opened(), place("diagnostics"))
    page.get_by_role("tab", name="Serial log").click()
    log = page.get_by_label("Serial log", exact=True).last
    expect(log).to_contain_text("virtio119")
    assert log.evaluate("(node) => node.scrollTop + node.clientHeight >= node.scrollHeight - 2")
    page.get_by_role("tab", name="QEMU log").click()
    expect(page.get_by_text("host doesn't support requested feature")).to_be_visible()
    page.get_by_role("tab", name="QMP events").click()
    expect(page.get_by_role("row").filter(has_text="VSERPORT_CHANGE")).to_contain_text("pui.rpc")
    page.get_by_role("tab", name="pui log").click()
    expect(page.get_by_text("Nothing was written.")).to_be_visible()


def test_the_journal_is_filtered_and_leads_to_causes(show: Show) -> None:
    page = show(opened(), place("diagnostics"))
    page.get_by_role("tab", name="Journal").click()
    rows = page.locator(".journal-table tbody tr")
    expect(rows).to_have_count(len(records()))
    page.get_by_role("combobox", name="Type").select_option("transition")
    expect(rows).to_have_count(5)
    page.get_by_label("Filter records").fill("handshake running")
    expect(rows).to_have_count(1)
    cause = rows.first.get_by_role("button").last.inner_text()
    rows.first.get_by_role("button").last.click()
    expect(rows).to_have_count(len(records()))
    expect(page.locator("tr.lit")).to_have_attribute("data-seq", cause)
    page.locator("tr.lit").get_by_role("button").first.click()
    expect(page.locator("tr.lit pre")).to_contain_text(f'"seq": {cause}')


def test_one_click_saves_a_redacted_bundle(show: Show) -> None:
    bridge = opened(agent=panel())
    page = show(bridge, place("diagnostics"))
    page.get_by_role("button", name="Save redacted bundle").click()
    calls(bridge, "task.bundle")
    expect(page.get_by_text("Saved as pui-task.zip.")).to_be_visible()
