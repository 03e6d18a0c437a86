"""Native dialogs of the real windows, answered with a keyboard; the window's end and its place.

In: keys and windows by xdotool. Out: what the page was told. Never: a fake picker.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from pui.domain.window_place import parse_place
from tests.shell.test_attacked_window import BACKENDS, SCRIPTS, reports, window_of
from tests.support import desktop
from tests.support.close_window import ask_to_close
from tests.support.waiting import wait_until

pytestmark = pytest.mark.gui


class Keyboard:
    """xdotool on one display."""

    def __init__(self, display: str) -> None:
        self._env = dict(os.environ) | {"DISPLAY": display}
        self._tool = desktop.program("xdotool")

    def _run(self, *words: str) -> str:
        done = subprocess.run([self._tool, *words], env=self._env, capture_output=True, text=True, check=False)
        return done.stdout

    def focus(self, title: str) -> None:
        """Wait for the window and give it the keyboard."""
        wait_until(lambda: bool(self._run("search", "--onlyvisible", "--name", title)), f"a window {title!r}", 60)
        number = self._run("search", "--onlyvisible", "--name", title).split()[-1]
        self._run("windowfocus", "--sync", number)

    def press(self, *keys: str) -> None:
        self._run("key", "--delay", "80", *keys)

    def write(self, text: str) -> None:
        self._run("type", "--delay", "15", text)

    def close_window(self, title: str) -> None:
        """What the window manager's cross sends."""
        ask_to_close(self._env["DISPLAY"], int(self._run("search", "--onlyvisible", "--name", title).split()[-1]))


@pytest.mark.parametrize("backend", BACKENDS)
def test_dialogs_are_answered_and_the_place_is_kept(
    backend: str, display: str, trap: desktop.Canary, tmp_path: Path
) -> None:
    chosen = tmp_path / "a project"
    chosen.mkdir()
    keyboard = Keyboard(display)
    with window_of(backend, display, trap, tmp_path, [(SCRIPTS / "ask.js").read_text()]) as app:
        app.wait_for('"loaded"')
        keyboard.focus("Refuse")
        keyboard.press("Escape")
        app.wait_for('"refused"')
        keyboard.focus("Agree")
        keyboard.press("Tab", "space")
        app.wait_for('"agreed"')
        keyboard.focus("A folder")
        keyboard.write(str(chosen))
        keyboard.press("Return")
        if '"folder"' not in app.said():
            keyboard.press("Return")
        app.wait_for('"folder"')
        found = {key: value for report in reports(app) for key, value in report.items()}
        assert (found["refused"], found["agreed"], found["folder"]) == (False, True, str(chosen))
        keyboard.close_window("^pui$")
        wait_until(lambda: app.process.poll() is not None, "the end of the app", 60)
        assert app.process.returncode == 0
    place = parse_place((tmp_path / "data" / "window.json").read_bytes())
    assert place is not None and (place.width, place.height) == (1200, 800)
    assert json.loads((tmp_path / "data" / "window.json").read_bytes())["is_maximized"] is False


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_page_whose_process_is_killed_comes_back(
    backend: str, display: str, trap: desktop.Canary, tmp_path: Path
) -> None:
    with window_of(backend, display, trap, tmp_path, []) as app:
        app.wait_for('"loaded"')
        (renderer,) = _renderers(app.process.pid)
        os.kill(renderer, signal.SIGKILL)
        wait_until(lambda: app.said().count('"loaded"') == 2, "the page again", 60)
    assert app.process.returncode == 0


def _renderers(leader: int) -> list[int]:
    """The page's own processes in the app's process group: QtWebEngine forks them off a helper that keeps its name."""
    helpers, found = {}, []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes()
            parent, group = (int(word) for word in (folder / "stat").read_text().rpartition(")")[2].split()[1:3])
        except OSError:
            continue
        if group == leader and b"WebKitWebProcess" in words:
            found.append(int(folder.name))
        elif group == leader and b"QtWebEngineProcess" in words:
            helpers[int(folder.name)] = parent
    return found + [pid for pid, parent in helpers.items() if parent in helpers]
