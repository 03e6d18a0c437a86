"""The hands of a person at the real app: the page, and the answers that are given outside of it.

In: an environment with data folders, a screen or a browser. Out: `Hands` on a running app, in its Qt window or in a
browser on `pui serve`; native dialogs and questions of the terminal are answered. Never: a verb called past the page.
"""

from __future__ import annotations

import os
import pty
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from playwright.sync_api import Page, Playwright

from tests.support import desktop
from tests.support.native_dialogs import Keyboard
from tests.support.waiting import wait_until

DIALOG_S = 60.0


class Hands(Protocol):
    page: Page
    watch: desktop.Watch

    def give_path(self, title: str, path: Path) -> None:
        """Answer the question for a file or folder that has this title."""


@dataclass
class TerminalHands:
    """In a browser; questions are answered in the terminal of `pui serve`."""

    page: Page
    watch: desktop.Watch
    app: desktop.AppProcess
    terminal: int
    asked: int = field(default=0)

    def give_path(self, title: str, path: Path) -> None:
        self.asked += 1
        wait_until(lambda: self.app.said().count("\n? ") >= self.asked, f"the question {title!r}", DIALOG_S)
        assert self.app.said().rsplit("\n? ", 1)[1].startswith(title)
        os.write(self.terminal, f"{path}\n".encode())


@dataclass
class WindowHands:
    """In the Qt window; native dialogs get keys."""

    page: Page
    watch: desktop.Watch
    display: str

    def give_path(self, title: str, path: Path) -> None:
        Keyboard(self.display).give_path(title, path)


@contextmanager
def in_browser(playwright: Playwright, env: Mapping[str, str], trap: desktop.Canary, log: Path) -> Iterator[Hands]:
    """`pui serve` as a child, on a terminal of its own, and Chromium at its address."""
    ours, theirs = pty.openpty()
    try:
        words = desktop.pui_command("serve")
        with desktop.app_process(words, env, log, stdin=theirs) as app, desktop.chromium(playwright, trap) as browser:
            said = app.wait_for("/?k=")
            address = next(word for word in said.split() if "/?k=" in word)
            page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
            watch = desktop.watch(page, trap, home=address.split("/")[2])
            page.goto(address)
            yield TerminalHands(page, watch, app, ours)
    finally:
        os.close(ours)
        os.close(theirs)


@contextmanager
def in_qt_window(
    playwright: Playwright, env: Mapping[str, str], trap: desktop.Canary, log: Path, display: str
) -> Iterator[Hands]:
    """`pui window` as a child in its real Qt window, its page driven over DevTools."""
    with desktop.qt_window(env, display, trap, log) as app, desktop.attached(playwright, app) as page:
        yield WindowHands(page, desktop.watch(page, trap), display)
