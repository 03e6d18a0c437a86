"""Fixtures for the views: Chromium on a scripted bridge, one browser a module, one context a test.

In: scenes. Out: `show(bridge, place)` → Page; faults of the page fail the test. Never: a skip, the real supervisor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Literal
from unittest.mock import MagicMock

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from pui.domain.errors import CallerError
from pui.shell.table import verb_table
from tests.shell.rig import Rig
from tests.support import desktop
from tests.support.scripted_bridge import ScriptedBridge, served

Theme = Literal["light", "dark"]
Show = Callable[..., Page]
SMALL = (900, 600)
LARGE = (1440, 900)


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as driver:
        expect.set_options(timeout=15_000)  # nothing here takes this long; a busy computer may
        yield driver


@pytest.fixture(scope="module")
def trap() -> Iterator[desktop.Canary]:
    with desktop.canary() as listener:
        yield listener


@pytest.fixture(scope="module")
def browser(playwright: Playwright, trap: desktop.Canary) -> Iterator[Browser]:
    with desktop.chromium(playwright, trap, "--proxy-bypass-list=127.0.0.1") as opened:
        yield opened


def misfits(bridge: ScriptedBridge) -> list[str]:
    """Calls that the real table of verbs would refuse by their form."""
    desk = Rig().desk
    desk.upkeep = MagicMock()  # verbs of packs, models and settings are there with it; none of them runs here
    table = verb_table(desk)
    found = []
    for method, params in bridge.calls:
        try:
            table.find(method).check(params)
        except CallerError as error:
            found.append(f"call: {method} {dict(params)}: {error.message}")
    return found


@pytest.fixture
def show(browser: Browser, trap: desktop.Canary) -> Iterator[Show]:
    """`show(bridge, place, theme=…)`: the page of a scene. What it or a call did wrong fails."""
    logs: list[desktop.Watch] = []
    bridges: list[ScriptedBridge] = []
    with ExitStack() as stack:

        def open_page(
            bridge: ScriptedBridge,
            place: str = "tasks",
            *,
            theme: Theme = "light",
            size: tuple[int, int] = SMALL,
            may_fail: bool = False,
            bypass_csp: bool = False,
        ) -> Page:
            bridges.append(stack.enter_context(served(bridge)))
            width, height = size
            context = browser.new_context(
                color_scheme=theme, viewport={"width": width, "height": height}, bypass_csp=bypass_csp
            )
            stack.callback(context.close)
            page = context.new_page()
            log = desktop.watch(page, trap, home=bridge.address.split("/")[2])
            if not may_fail:
                logs.append(log)
            page.goto(f"{bridge.address}#/{place}")
            expect(page.locator("main h1").first).to_be_attached()
            return page

        yield open_page
        faults = [fault for log in logs for fault in log.faults()]
    faults += [fault for bridge in bridges for fault in misfits(bridge)]
    assert not faults, "\n".join(faults)
