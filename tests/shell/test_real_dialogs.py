"""Native dialogs of the real windows, answered with a keyboard; the window's end and its place.

In: keys and windows by xdotool. Out: what the page was told. Never: a fake picker.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from pui.domain.window_place import parse_place
from tests.shell.test_attacked_window import BACKENDS, SCRIPTS, reports, window_of
from tests.support import desktop
from tests.support.native_dialogs import Keyboard
from tests.support.waiting import wait_until

pytestmark = pytest.mark.gui


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
        keyboard.give_path("A folder", chosen)
        app.wait_for('"folder"')
        found = {key: value for report in reports(app) for key, value in report.items()}
        assert (found["refused"], found["agreed"], found["folder"]) == (False, True, str(chosen))
        keyboard.close_window("pui")
        wait_until(lambda: app.process.poll() is not None, "the end of the app", 60)
        assert app.process.returncode == 0
    place = parse_place((tmp_path / "data" / "window.json").read_bytes())
    assert place is not None and (place.width, place.height) == (1200, 800)
    assert json.loads((tmp_path / "data" / "window.json").read_bytes())["is_maximized"] is False


@pytest.mark.parametrize("backend", BACKENDS)
def test_asked_to_end_a_window_with_open_dialogs_ends(
    backend: str, display: str, trap: desktop.Canary, tmp_path: Path
) -> None:
    """Both tool kits answer a path that is not there with a box of their own, which runs a loop of its own."""
    script = '(async () => { await window.test.call("test.folder", {}); })();'
    keyboard = Keyboard(display)
    with window_of(backend, display, trap, tmp_path, [script]) as app:
        app.wait_for('"loaded"')
        keyboard.fill_path("A folder", Path("/not-there/at all"))
        before = keyboard.all_windows()
        keyboard.press_until("Return", lambda: bool(keyboard.all_windows() - before), "the tool kit's own box")
        app.process.terminate()
        wait_until(lambda: app.process.poll() is not None, "the end of the app", 60)
        assert app.process.returncode == 0
        assert '"shut_down": true' in app.said()


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
