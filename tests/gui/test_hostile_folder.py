"""I1 with everything real: a repository made to attack the page, pi in a real machine that lists, reads and edits it.

In: the person's installed pack (copied), a folder whose names and texts are the corpus. Out: an audit of every view of
the task, in the Qt window and in a browser. Never: a played side: what the page shows came out of the machine.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from playwright.sync_api import Playwright, expect

from pui.domain.errors import PuiError
from tests.support import desktop, hands, hostile_page, xss
from tests.support.app_process import processes_of
from tests.support.hands import Hands
from tests.support.real_machine import RealApp, real_app
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.gui, pytest.mark.vm, pytest.mark.threat("I1"), pytest.mark.timeout(900)]

SOON_MS, BOOT_MS = 60_000, 300_000
PROMPT = "<img src=x onerror=xss()> [look](javascript:xss()) around"
NAME_LIMIT_BYTES = 200


@pytest.fixture
def app() -> Iterator[RealApp]:
    folder = Path(tempfile.mkdtemp(prefix="pui-xss-"))
    try:
        try:
            yield real_app(folder)
        except PuiError as fault:
            pytest.fail(f"no usable runtime pack: {fault} → {fault.hint}")
        wait_until(lambda: processes_of(folder) == {}, "the end of every process of the app", 30.0)
    finally:
        shutil.rmtree(folder)


def hostile_folder(app: RealApp, texts: list[str]) -> Path:
    """A README.md of hostile paragraphs among files with hostile names."""
    project = app.project("attack")
    (project / "README.md").write_text("# Attack\n\n" + "\n\n".join(texts), "utf-8", "replace")
    write_names(project, texts[::2])
    return project


def write_names(project: Path, texts: list[str]) -> int:
    """A file for each text that Linux takes as a name; how many there are."""
    names = {text.replace("/", "∕").replace("\0", "") for text in texts}
    fitting = [name for name in names if 0 < len(name.encode("utf-8", "replace")) <= NAME_LIMIT_BYTES]
    for name in fitting:
        (project / name.encode("utf-8", "replace").decode()).write_text(f"{name}\n", "utf-8", "replace")
    return len(fitting)


def attack(start: Callable[[], AbstractContextManager[Hands]], app: RealApp, trap: desktop.Canary) -> None:
    texts = [vector.text for vector in xss.corpus(trap.address)]
    project = hostile_folder(app, texts)
    with start() as person:
        page = person.page
        page.evaluate(f"{xss.MARKER}; 0")  # Playwright calls a function that is the value
        page.evaluate("location.hash = '#/new'")
        page.get_by_role("button", name="Add folder…").click(timeout=SOON_MS)
        person.give_path("Choose a folder for the task's machine", project)
        expect(page.locator(".folder-line")).to_be_visible(timeout=SOON_MS)
        page.locator("#prompt").fill(PROMPT)
        page.get_by_role("button", name="Start task").click()
        expect(page.get_by_text("This was the demo model.")).to_be_visible(timeout=BOOT_MS)
        written = write_names(project, texts[1::2])
        assert written > 300
        for tab in ("Conversation", "Changes", "State diagram", "Diagnostics"):
            page.get_by_role("tab", name=tab).click()
            page.wait_for_timeout(1500)
            page.mouse.wheel(0, 4000)
            page.wait_for_timeout(300)
            assert hostile_page.audit(page) == [], tab
        page.get_by_role("tab", name="Changes").click()
        expect(page.locator("main")).to_contain_text("<script>xss()", timeout=SOON_MS)
        page.evaluate("location.hash = '#/tasks'")
        expect(page.locator("main")).to_contain_text("<img src=x onerror=xss()>", timeout=SOON_MS)
        assert hostile_page.audit(page) == []
        assert person.watch.faults() == []
        assert person.watch.blocked == []


def test_i1_in_a_browser(playwright: Playwright, trap: desktop.Canary, app: RealApp, tmp_path: Path) -> None:
    attack(lambda: hands.in_browser(playwright, app.env, trap, tmp_path / "log"), app, trap)


def test_i1_in_the_qt_window(
    playwright: Playwright, trap: desktop.Canary, display: str, app: RealApp, tmp_path: Path
) -> None:
    attack(lambda: hands.in_qt_window(playwright, app.env, trap, tmp_path / "log", display), app, trap)
