"""The real windows know whether they have the focus: only who looks elsewhere is notified.

In: the question of ui/js/presence.js inside the real Qt and GTK windows; xdotool, which gives the focus away and back.
Out: what the page told. Never: a window manager.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.shell.test_attacked_window import BACKENDS, SCRIPTS, reports, window_of
from tests.support import desktop
from tests.support.waiting import wait_until

pytestmark = pytest.mark.gui


def xdotool(display: str, *words: str) -> str:
    env = {**os.environ, "DISPLAY": display}
    done = subprocess.run(
        [desktop.program("xdotool"), *words], env=env, capture_output=True, text=True, check=False, timeout=30
    )
    return done.stdout.strip()


ANOTHER_WINDOW = """\
import gi
gi.require_version("Gtk", "3.0")
from gi.repository import Gtk
window = Gtk.Window(title="another program")
window.show()
Gtk.main()
"""


@contextmanager
def another_window(display: str) -> Iterator[str]:
    """The number of a window of some other program."""
    env = {**os.environ, "DISPLAY": display, "GDK_BACKEND": "x11", "NO_AT_BRIDGE": "1"}
    with subprocess.Popen(["/usr/bin/python3", "-I", "-c", ANOTHER_WINDOW], env=env) as process:
        try:
            number = ""
            while not number:
                assert process.poll() is None
                number = xdotool(display, "search", "--onlyvisible", "--name", "^another program$")
            yield number
        finally:
            process.kill()


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_page_knows_when_the_window_has_the_focus(
    backend: str, display: str, trap: desktop.Canary, tmp_path: Path
) -> None:
    script = (SCRIPTS / "presence.js").read_text()
    with window_of(backend, display, trap, tmp_path, [script]) as app:
        app.wait_for('"here"')
        (window, *_) = xdotool(display, "search", "--onlyvisible", "--name", "^pui").split("\n")
        with another_window(display) as other:
            for number, here in ((window, True), (other, False), (window, True)):
                xdotool(display, "windowfocus", number)
                wait_until(lambda: reports(app)[-1] == {"here": here}, f"here is {here}", 30)  # noqa: B023
