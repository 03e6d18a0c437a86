"""Finding in a conversation: over what is loaded and what is not, in every kind of card, by keys, in words.

In: scenes of long and mixed conversations, answers of task.find by the real search. Out: places, marks, calls,
build/screenshots/find-*.png. Never: a real pi.
"""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from pui.domain.talk_search import TalkSearch
from pui.domain.transcript import Entry
from tests.support.scripted_bridge import Params, Refusal, ScriptedBridge
from tests.support.task_scenes import TASK, conversation, entry, idle_panel, long_conversation, opened
from tests.support.waiting import wait_until
from tests.ui.conftest import LARGE, SMALL, Show, Theme
from tests.ui.test_task_look import SCREENSHOTS, serious_faults

pytestmark = pytest.mark.gui
PLACE = f"task/{TASK}"
ZEBRAS = (3, 57, 140, 333, 390)


def searched(entries: list[dict[str, Any]], **more: Any) -> ScriptedBridge:
    """A conversation whose earlier part the real search looks through."""
    bridge = opened(entries=entries, agent=idle_panel(), **more)

    def find(params: Params) -> dict[str, Any]:
        search = TalkSearch(params["query"])
        fields = [{name: one[name] for name in one if name != "links"} for one in entries]
        search.take_entries(Entry(**one) for one in fields if one["key"] < params["before_key"])
        return {"hits": [vars(hit) for hit in search.hits], "is_whole": search.is_whole}

    bridge.answer("task.find", find)
    return bridge


def with_zebras() -> list[dict[str, Any]]:
    entries = long_conversation(400)
    for key in ZEBRAS:
        entries[key - 1]["text"] += " The Zebra stands here."
    return entries


def bar(page: Page) -> Locator:
    return page.get_by_role("search", name="Find in the conversation")


def find(page: Page, text: str) -> Locator:
    expect(page.locator(".log")).to_be_visible()
    page.keyboard.press("ControlOrMeta+f")
    field = bar(page).get_by_label("Find", exact=True)
    expect(field).to_be_focused()
    field.fill(text)
    return field


def count(page: Page) -> Locator:
    return bar(page).get_by_role("status")


def marked(page: Page, name: str = "pui-find-now") -> list[str]:
    found: list[str] = page.evaluate(
        "(name) => [...(CSS.highlights.get(name) ?? [])].map((range) => range.toString())", name
    )
    return found


def is_in_view(page: Page) -> bool:
    """The marked place lies within the transcript's window."""
    seen: bool = page.evaluate(
        """() => {
          const place = [...(CSS.highlights.get("pui-find-now") ?? [])][0]?.getBoundingClientRect();
          const view = document.querySelector(".log").getBoundingClientRect();
          return !!place && place.height > 0 && place.top >= view.top && place.bottom <= view.bottom;
        }"""
    )
    return seen


def current(page: Page) -> Locator:
    return page.locator(".entry.is-hit-now")


def test_every_entry_is_found_also_what_is_not_loaded(show: Show) -> None:
    bridge = searched(with_zebras())
    page = show(bridge, PLACE)
    field = find(page, "zebra")
    expect(count(page)).to_have_text("Entry 5 of 5")
    assert bridge.calls_of("task.find") == [{"task_id": TASK, "query": "zebra", "before_key": 201}]
    assert bridge.calls_of("task.entries") == []  # nothing is loaded before somebody goes there
    for at, key in ((4, 333), (3, 140), (2, 57), (1, 3)):
        field.press("Shift+Enter")
        expect(count(page)).to_have_text(f"Entry {at} of 5")
        expect(current(page)).to_have_attribute("data-key", str(key))
        wait_until(lambda: marked(page) == ["Zebra"] and is_in_view(page), f"entry {key} is in view")
    field.press("Shift+Enter")  # around
    expect(count(page)).to_have_text("Entry 5 of 5")
    for keys, at in (("Enter", 1), ("F3", 2), ("F3", 3), ("Shift+F3", 2)):
        field.press(keys)
        expect(count(page)).to_have_text(f"Entry {at} of 5")
    wait_until(lambda: is_in_view(page), "entry 57 is in view")
    assert len(bridge.calls_of("task.find")) == 1


def test_places_within_an_entry_come_one_after_the_other(show: Show) -> None:
    page = show(
        searched([entry(1, "text", "zebra **ze**bra `zebra`\n\nze\n\nbra"), entry(2, "user", "a zebra")]), PLACE
    )
    field = find(page, "ZEBRA")
    expect(count(page)).to_have_text("Entry 2 of 2")
    field.press("Enter")
    # what markdown parts by its marks is one word for a reader; two paragraphs are not
    expect(count(page)).to_have_text("Entry 1 of 2 · place 1 of 3")
    for at in (2, 3):
        field.press("Enter")
        expect(count(page)).to_have_text(f"Entry 1 of 2 · place {at} of 3")
    assert marked(page) == ["zebra"] and marked(page, "pui-find") == ["zebra"] * 3
    field.press("Enter")
    expect(count(page)).to_have_text("Entry 2 of 2")
    field.press("Shift+Enter")
    expect(count(page)).to_have_text("Entry 1 of 2 · place 3 of 3")


def test_folded_cards_open_for_what_is_in_them(show: Show) -> None:
    page = show(searched(conversation()), PLACE)
    field = find(page, "same helper")  # thinking, closed
    expect(current(page)).to_have_attribute("data-key", "12")
    wait_until(lambda: marked(page) == ["same helper"], "the thinking is open and marked")
    field.fill("got 0.00")  # output of a tool, closed
    expect(current(page)).to_have_attribute("data-key", "6")
    wait_until(lambda: marked(page) == ["got 0.00"] and is_in_view(page), "the output is open and marked")
    field.fill("one run in ten")
    expect(current(page)).to_have_attribute("data-key", "1")
    wait_until(lambda: marked(page) == ["one run in ten"], "the message is marked")
    text = page.locator('[data-key="1"] .user-text').inner_html()
    assert text.startswith("The basket test fails about one run in ten.") and text.count("<") == 2  # the picture's name


def test_escape_takes_all_marks_away_and_gives_the_focus_back(show: Show) -> None:
    page = show(searched(with_zebras()), PLACE)
    page.get_by_label("Message to the agent").fill("half a thought")
    field = find(page, "zebra")
    expect(count(page)).to_have_text("Entry 5 of 5")
    field.press("Escape")
    expect(bar(page)).to_have_count(0)
    expect(page.locator(".log")).to_be_focused()
    assert marked(page) == marked(page, "pui-find") == []
    expect(page.locator(".is-hit, .is-hit-now")).to_have_count(0)
    page.keyboard.press("ControlOrMeta+f")  # what was looked for is still there, and chosen
    expect(bar(page).get_by_label("Find", exact=True)).to_have_value("zebra")
    expect(count(page)).to_have_text("Entry 5 of 5")
    page.evaluate(f"location.hash = '#/task/{TASK}/changes'")
    expect(bar(page)).to_have_count(0)
    assert marked(page, "pui-find") == []
    page.evaluate(f"location.hash = '#/{PLACE}'")
    expect(page.get_by_label("Message to the agent")).to_have_value("half a thought")


def test_news_is_found_without_a_move(show: Show) -> None:
    bridge = searched(with_zebras())
    page = show(bridge, PLACE)
    field = find(page, "zebra")
    expect(count(page)).to_have_text("Entry 5 of 5")
    new = entry(401, "text", "", is_final=False)
    bridge.send({"type": "entry", "task_id": TASK, "entry": new, "delta": "another ze", "is_replaced": False})
    bridge.send({"type": "entry", "task_id": TASK, "entry": new, "delta": "bra streams", "is_replaced": False})
    expect(count(page)).to_have_text("Entry 5 of 6")
    expect(current(page)).to_have_attribute("data-key", "390")
    field.press("Enter")
    expect(current(page)).to_have_attribute("data-key", "401")
    wait_until(lambda: marked(page) == ["zebra"], "the streamed text is marked")


def test_what_is_not_there_or_could_not_be_searched_is_said(show: Show) -> None:
    bridge = searched(with_zebras())
    page = show(bridge, PLACE)
    field = find(page, "quagga")
    expect(count(page)).to_have_text("Nothing found")
    field.press("Enter")
    bridge.answer("task.find", lambda _: {"hits": [], "is_whole": False})
    field.fill("zebra")
    expect(count(page)).to_have_text("Entry 2 of 2 (only the newest part was searched)")

    def refuse(_: Params) -> Any:
        raise Refusal("host.permission", "the transcript cannot be read")

    bridge.answer("task.find", refuse)
    field.fill("zebr")
    expect(page.locator(".toast.error")).to_contain_text("the transcript cannot be read")
    expect(count(page)).to_have_text("Entry 2 of 2")
    field.fill("")
    expect(count(page)).to_have_text("")
    assert marked(page, "pui-find") == []


def test_without_highlights_of_the_engine_the_rows_are_marked(show: Show) -> None:
    page = show(searched(with_zebras()), PLACE)
    page.evaluate("delete window.Highlight")
    field = find(page, "zebra")
    expect(current(page)).to_have_attribute("data-key", "390")
    field.press("Shift+Enter")
    expect(current(page)).to_have_attribute("data-key", "333")
    expect(current(page)).to_be_in_viewport()


def test_f3_goes_on_from_the_editor(show: Show) -> None:
    page = show(searched(with_zebras()), PLACE)
    find(page, "zebra")
    expect(count(page)).to_have_text("Entry 5 of 5")
    page.get_by_label("Message to the agent").press("F3")
    expect(count(page)).to_have_text("Entry 1 of 5")
    page.get_by_label("Message to the agent").press("Shift+F3")
    expect(count(page)).to_have_text("Entry 5 of 5")


@pytest.mark.threat("I1")
def test_a_hostile_query_is_text(show: Show) -> None:
    hostile = '<img src=x onerror="alert(1)">'
    page = show(searched([entry(1, "text", f"`{hostile}`"), entry(2, "user", hostile)]), PLACE)
    field = find(page, hostile)
    expect(count(page)).to_have_text("Entry 2 of 2")
    for odd in (".*", "\\", "[", "$&", "(", "  "):
        field.fill(odd)
        expect(count(page)).not_to_have_text("Searching…")
    assert page.locator(".log img").count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_looks(show: Show, theme: Theme) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for size in (SMALL, LARGE):
        look(show(searched(conversation()), PLACE, theme=theme, size=size, bypass_csp=True), f"{theme}-{size[0]}")


def look(page: Page, name: str) -> None:
    field = find(page, "basket")
    expect(count(page)).to_contain_text("of 6")
    field.press("Enter")
    wait_until(lambda: len(marked(page)) == 1, "a place is marked")
    assert serious_faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    (SCREENSHOTS / f"find-{name}.png").write_bytes(page.screenshot(animations="disabled"))
