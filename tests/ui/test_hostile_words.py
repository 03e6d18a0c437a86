"""Markup in every text that a guest or a folder can fill is shown as text.

In: the hostile scene, its words through every view and event. Out: nothing ran, nothing was asked for, nothing opened.
Never: a string that the page may interpret.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.support.scenes import HOSTILE, hostile, job, no_pack_view, pack, pack_view
from tests.support.waiting import wait_until
from tests.ui.conftest import Show

pytestmark = pytest.mark.gui


def assert_nothing_ran(page: Page) -> None:
    assert page.evaluate("window.pwned") is None
    assert (
        page.evaluate(
            "document.querySelectorAll('main img, main script, main iframe, .rail [onerror], [onerror]').length"
        )
        == 0
    )
    assert page.evaluate("document.querySelectorAll('[href^=javascript i], [src^=http]').length") == 0


@pytest.mark.parametrize("place", ["tasks", "setup", "new", "settings/packs", "settings/models", "settings/defaults"])
def test_words_of_the_guest_are_text(show: Show, place: str) -> None:
    page = show(hostile(), place)
    assert_nothing_ran(page)


def test_it_is_shown_whole(show: Show) -> None:
    page = show(hostile())
    expect(page.locator(".task-title").first).to_contain_text('<img src=x onerror="window.pwned=1">')
    page.keyboard.press("Control+k")
    expect(page.get_by_role("option", name="Move the invoice totals")).to_contain_text("<script>")
    assert_nothing_ran(page)


def test_events_carry_no_markup_either(show: Show) -> None:
    bridge = hostile()
    page = show(bridge, "setup")
    error = {"code": HOSTILE, "message": HOSTILE, "hint": f"`{HOSTILE}`", "retry": "again"}
    bridge.send({"type": "toast", "level": "error", "text": HOSTILE})
    bridge.send({"type": "pack", "packs": no_pack_view(job=job(state="failed", kind=HOSTILE, error=error))})
    expect(page.get_by_role("alert").first).to_contain_text("<img src=x")
    assert_nothing_ran(page)
    words = dict.fromkeys(("version", "reason", "signed_by", "created"), HOSTILE)
    odd = {**pack(2026112001), **words, "components": {HOSTILE: HOSTILE}}
    page.evaluate("location.hash = '#/settings/packs'")
    bridge.send({"type": "pack", "packs": pack_view(packs=[odd], active=odd, check_error=error)})
    expect(page.locator(".pack").first).to_contain_text("<img src=x")
    assert_nothing_ran(page)


def test_the_policy_of_the_page_refuses_markup(show: Show) -> None:
    """Trusted Types are on: a sink of markup throws, whatever a view may try one day."""
    page = show(hostile(), may_fail=True)  # it says in the console what it has refused
    for sink in ("document.body.innerHTML = '<b>x</b>'", "trustedTypes.createPolicy('mine', {})"):
        tried = page.evaluate(
            f"(() => {{ try {{ {sink}; return 'done'; }} catch (fault) {{ return fault.name; }} }})()"
        )
        assert tried == "TypeError", sink


VIEW_IS_LOADED = "performance.getEntriesByType('resource').some((one) => one.name.endsWith('/task/view.js'))"


def test_a_fragment_from_outside_names_no_place_but_the_pages_own(show: Show) -> None:
    page = show(hostile(), "javascript:alert(1)")
    expect(page.get_by_role("heading", name="Tasks", exact=True)).to_be_visible()
    wait_until(lambda: bool(page.evaluate(VIEW_IS_LOADED)), "the task's view, which loads by itself")
    page.evaluate("location.hash = '#/task/%E0%A4%A/constructor'")
    expect(page.get_by_role("heading", name="Tasks", exact=True)).to_be_visible()
    page.evaluate("location.hash = '#/__proto__'")
    expect(page.get_by_role("heading", name="Tasks", exact=True)).to_be_visible()
    assert_nothing_ran(page)
