"""The capability of `pui serve` in a real browser: out of the address bar, there for a reload, gone when refused.

In: `pui serve` as a child with empty folders of its own. Out: verdicts on the address and the page. Never: a machine.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, expect

from pui.adapters.paths import ENV_CACHE_DIR, ENV_DATA_DIR, ENV_RUNTIME_DIR
from tests.support import desktop, hands

pytestmark = [pytest.mark.gui, pytest.mark.timeout(300)]

SOON_MS = 60_000
CLOSED = "This page needs the whole address that pui serve has printed."


@pytest.fixture
def env() -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory(prefix="pui-") as folder:  # a short path, as sockets need one
        names = {ENV_DATA_DIR: "data", ENV_CACHE_DIR: "cache", ENV_RUNTIME_DIR: "run"}
        yield dict(os.environ) | {key: str(Path(folder) / name) for key, name in names.items()}


def test_i8_the_capability_leaves_the_address_and_a_reload_still_works(
    playwright: Playwright, trap: desktop.Canary, env: dict[str, str], tmp_path: Path
) -> None:
    with hands.in_browser(playwright, env, trap, tmp_path / "log") as person:
        page = person.page
        title = page.locator("main h1").first
        expect(title).to_be_visible(timeout=SOON_MS)
        page.wait_for_url(lambda url: "k=" not in url, timeout=SOON_MS)
        page.evaluate("location.hash = '#/settings/look'")
        expect(page.get_by_text("Contrast").first).to_be_visible(timeout=SOON_MS)
        page.reload()
        expect(page.get_by_text("Contrast").first).to_be_visible(timeout=SOON_MS)
        page.wait_for_url(lambda url: url.endswith("/#/settings/look"), timeout=SOON_MS)
        home = page.url.split("#")[0]
        browser = page.context.browser
        assert browser is not None
        look_from_outside(browser, home)


def look_from_outside(browser: Browser, home: str) -> None:
    """A tab that never had the capability gets words; one whose capability is refused is not tried again."""
    page = browser.new_context().new_page()
    page.goto(home)
    expect(page.get_by_text(CLOSED)).to_be_visible(timeout=SOON_MS)
    page.evaluate("sessionStorage.setItem('pui-capability', 'old')")
    page.reload()
    expect(page.get_by_text(CLOSED)).to_be_visible(timeout=SOON_MS)
    page.wait_for_url(lambda url: url.endswith("?k=old"), timeout=SOON_MS)
    assert page.evaluate("sessionStorage.getItem('pui-capability')") is None
    page.context.close()
