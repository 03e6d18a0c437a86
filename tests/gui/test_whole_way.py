"""The whole way of a newcomer in the real app with a real machine: from nothing to a history that survives a restart.

In: a built pack of this computer, in the cache where `pui pack build` leaves it. Out: verdicts on what the page shows
and on the person's folder. Never: the person's own data folder; a task that somebody else would see.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Playwright, expect

from pui.adapters.paths import ENV_CACHE_DIR, ENV_DATA_DIR, ENV_RUNTIME_DIR, app_paths
from tests.support import desktop, hands
from tests.support.app_process import processes_of
from tests.support.hands import Hands
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.gui, pytest.mark.vm, pytest.mark.timeout(1500)]

ROOT = Path(__file__).parents[2]
SOON_MS, BOOT_MS = 60_000, 420_000
"""A busy computer under emulation boots in a minute; two boots are in an installation."""
Start = Callable[[], AbstractContextManager[Hands]]


@dataclass(frozen=True)
class Newcomer:
    """Folders of somebody who has nothing but the key of whoever made the pack, a pack in a file, and a project."""

    folder: Path

    @property
    def env(self) -> dict[str, str]:
        names = {ENV_DATA_DIR: "data", ENV_CACHE_DIR: "cache", ENV_RUNTIME_DIR: "run"}
        kept = {key: value for key, value in os.environ.items() if not key.endswith("_API_KEY")}
        return kept | {key: str(self.folder / name) for key, name in names.items()}

    @property
    def project(self) -> Path:
        return self.folder / "birds"

    @property
    def pack(self) -> Path:
        built = sorted((app_paths().cache / "build").glob("*.envelope.json"))
        if not built:
            pytest.fail("no built pack in the cache: run .ci/pack, or `pui pack build`")
        return built[-1]


@pytest.fixture
def newcomer() -> Iterator[Newcomer]:
    """A short path, as sockets need one; nothing that runs from it is left at the end."""
    made = Newcomer(Path(tempfile.mkdtemp(prefix="pui-new-")))
    try:
        (made.folder / "data").mkdir(mode=0o700)
        shutil.copytree(app_paths().trust_dir, made.folder / "data" / "trust")
        shutil.copytree(ROOT / "docs" / "sample", made.project)
        yield made
        wait_until(lambda: processes_of(made.folder) == {}, "the end of every process of the app", 30.0)
    finally:
        shutil.rmtree(made.folder)


def install(person: Hands, newcomer: Newcomer) -> None:
    """Nothing is there; the page leads to a runtime from a file, which is verified and tried."""
    page = person.page
    expect(page.get_by_role("heading", name="Welcome to pui")).to_be_visible(timeout=SOON_MS)
    page.locator("main").get_by_role("link", name="Begin").click()
    expect(page.get_by_text("Install it once")).to_be_visible(timeout=SOON_MS)
    page.get_by_role("button", name="Install from a file…").first.click()
    person.give_path("Install a runtime from a file", newcomer.pack)
    expect(page.get_by_text("Installed and verified")).to_be_visible(timeout=BOOT_MS)
    expect(page.locator('main a[href="#/new?demo=1"]').first).to_be_visible(timeout=BOOT_MS)
    expect(page.get_by_text("EMULATED").or_(page.get_by_text("KVM")).first).to_be_visible(timeout=SOON_MS)


def begin(person: Hands, newcomer: Newcomer) -> None:
    """A task on a folder that is granted natively."""
    page = person.page
    page.locator('main a[href="#/new?demo=1"]').first.click()
    page.get_by_role("button", name="Add folder…").click()
    person.give_path("Choose a folder for the task's machine", newcomer.project)
    expect(page.locator(".folder-line", has_text="birds")).to_be_visible(timeout=SOON_MS)
    page.locator("#prompt").fill("@work Count the birds")
    page.get_by_role("button", name="Start task").click()
    expect(page.get_by_text("Demo model: round 1 of 5.")).to_be_visible(timeout=BOOT_MS)


def steer_and_stop(person: Hands) -> None:
    """What is typed while pi works waits in a queue that is seen; stopping gives it back."""
    page = person.page
    message = page.get_by_label("Message to the agent")
    message.fill("Please also count the lines")
    message.press("Enter")
    queue = page.get_by_label("Messages that wait")
    expect(queue).to_contain_text("Please also count the lines", timeout=SOON_MS)
    message.fill("And then the words")
    message.press("Alt+Enter")
    expect(queue).to_contain_text("And then the words", timeout=SOON_MS)
    message.press("Escape")
    expect(queue).to_have_count(0, timeout=SOON_MS)
    expect(page.locator(".status-line, .dock").get_by_text("Idle").first).to_be_visible(timeout=SOON_MS)
    assert "And then the words" in message.input_value()


def follow_up(person: Hands, newcomer: Newcomer) -> None:
    """A second prompt changes a file on the person's disk, and the page shows how."""
    page = person.page
    message = page.get_by_label("Message to the agent")
    message.fill('Replace "Bird counter" with "Bird watcher" in README.md')
    message.press("Enter")
    expect(page.get_by_text("Look at the change: it is on your disk.")).to_be_visible(timeout=SOON_MS)
    assert "# Bird watcher" in (newcomer.project / "README.md").read_text()


def look_at_it(person: Hands, *, state: str) -> None:
    """The diff, the state diagram and the diagnostics say what happened."""
    page = person.page
    page.get_by_role("tab", name="Changes").click()
    expect(page.locator("main")).to_contain_text("README.md", timeout=SOON_MS)
    expect(page.locator("main")).to_contain_text("# Bird watcher")
    page.get_by_role("tab", name="State diagram").click()
    expect(page.locator(".chart .state.current .name")).to_have_text(state, timeout=SOON_MS)
    page.get_by_role("tab", name="Diagnostics").click()
    expect(page.get_by_text("Kernel starts")).to_be_visible(timeout=SOON_MS)


def whole_way(start: Start, newcomer: Newcomer) -> None:
    with start() as person:
        install(person, newcomer)
        begin(person, newcomer)
        steer_and_stop(person)
        follow_up(person, newcomer)
        look_at_it(person, state="running")
        assert person.watch.faults() == []
    with start() as person:
        page = person.page
        page.locator("main").get_by_role("link", name="@work Count the birds").first.click(timeout=SOON_MS)
        for words in ("Demo model: round 1 of 5.", "Look at the change: it is on your disk."):
            expect(page.locator(".log")).to_contain_text(words, timeout=SOON_MS)
        look_at_it(person, state="finished")
        assert person.watch.faults() == []


def test_in_a_browser(playwright: Playwright, trap: desktop.Canary, newcomer: Newcomer, tmp_path: Path) -> None:
    whole_way(lambda: hands.in_browser(playwright, newcomer.env, trap, tmp_path / "log"), newcomer)


def test_in_the_qt_window(
    playwright: Playwright, trap: desktop.Canary, display: str, newcomer: Newcomer, tmp_path: Path
) -> None:
    whole_way(lambda: hands.in_qt_window(playwright, newcomer.env, trap, tmp_path / "log", display), newcomer)
