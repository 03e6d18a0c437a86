"""Every view in both themes and two sizes: a picture for a person to judge, axe for what a machine can judge.

In: scenes. Out: build/screenshots/*.png; serious faults of accessibility as failures. Never: a comparison of pixels.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.scenes import SCENES, settings
from tests.support.waiting import wait_until
from tests.ui.conftest import LARGE, SMALL, Show, Theme

pytestmark = pytest.mark.gui

PICTURES = Path(__file__).parents[2] / "build" / "screenshots"
AXE = (files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")
VIEWS = [
    ("fresh", "tasks"),
    ("daily", "tasks"),
    ("fresh", "setup"),
    ("installing", "setup"),
    ("emulated", "setup"),
    ("daily", "new"),
    ("fresh", "new"),
    ("emulated", "new"),
    *[("daily", f"settings/{section}") for section in ("packs", "models", "defaults", "look", "data", "keys")],
]
IS_TOO_WIDE = """(() => {
    const main = document.querySelector("main");
    return document.documentElement.scrollWidth > innerWidth || main.scrollWidth > main.clientWidth;
})()"""
THEMES: tuple[Theme, ...] = ("light", "dark")


def serious_faults(page: Page) -> list[str]:
    """What axe finds that hinders a person: id, element, reason."""
    page.evaluate(AXE)
    found: dict[str, Any] = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{fault['id']}: {node['target']} {node.get('failureSummary', '')[:300]}"
        for fault in found["violations"]
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"][:5]
    ]


def take(page: Page, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    (PICTURES / f"{name}.png").write_bytes(page.screenshot(animations="disabled"))


@pytest.mark.parametrize(("scene", "place"), VIEWS, ids=lambda value: str(value).replace("/", "-"))
def test_a_view_in_both_themes_and_sizes(show: Show, scene: str, place: str) -> None:
    for theme in THEMES:
        page = show(SCENES[scene](), place, theme=theme, bypass_csp=True)
        for size in (SMALL, LARGE):
            page.set_viewport_size({"width": size[0], "height": size[1]})
            take(page, f"{scene}-{place.replace('/', '-')}-{theme}-{size[0]}")
            overflow = page.evaluate(IS_TOO_WIDE)
            assert not overflow, "something is wider than the window"
        assert not serious_faults(page), f"{theme}: " + "\n".join(serious_faults(page))


@pytest.mark.parametrize("theme", THEMES)
def test_dialogs_and_menus(show: Show, theme: Theme) -> None:
    page = show(SCENES["daily"](), "tasks", theme=theme, bypass_csp=True)
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox")).to_be_focused()
    take(page, f"palette-{theme}")
    assert not serious_faults(page)
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    take(page, f"keys-{theme}")
    assert not serious_faults(page)
    page.keyboard.press("Escape")
    page.locator(".task-row").first.get_by_role("button", name="More actions").click()
    take(page, f"menu-{theme}")
    assert not serious_faults(page)
    page.get_by_role("menuitem", name="Cancel task").click()
    take(page, f"confirm-{theme}")
    assert not serious_faults(page)


@pytest.mark.parametrize("theme", THEMES)
def test_high_contrast_and_large_text(show: Show, theme: Theme) -> None:
    for place in ("tasks", "new", "settings/packs"):
        bridge = SCENES["daily"]()
        bridge.hello["settings"] = settings(contrast="high", text_scale=150)
        page = show(bridge, place, theme=theme, bypass_csp=True)
        take(page, f"large-{place.replace('/', '-')}-{theme}")
        assert not serious_faults(page)
        assert not page.evaluate(IS_TOO_WIDE)


def test_reduced_motion_stops_what_moves(show: Show) -> None:
    bridge = SCENES["daily"]()
    page = show(bridge)
    moving = "document.getAnimations().filter((one) => one.effect.getComputedTiming().iterations === Infinity).length"
    assert page.evaluate(moving) > 0
    bridge.send({"type": "settings", "settings": settings(motion="reduced")})
    expect(page.locator("html")).to_have_attribute("data-motion", "reduced")
    wait_until(lambda: page.evaluate(moving) == 0, "nothing that moves")


def test_the_page_asks_for_nothing_that_is_not_there(show: Show) -> None:
    bridge = SCENES["daily"]()
    page = show(bridge)
    for place in ("setup", "new", "settings", "tasks"):
        page.evaluate(f"location.hash = '#/{place}'")
        expect(page.locator("main h1").first).to_be_attached()
    assert bridge.faults == []
