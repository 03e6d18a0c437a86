"""A keyboard at the native dialogs of the real windows.

In: a display, titles of windows, what a person would type. Out: keys by xdotool, what a field holds by its copy in the
clipboard. Never: a fake picker; a path that is sent off before the field is seen to hold all of it.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.support import desktop
from tests.support.close_window import ask_to_close
from tests.support.waiting import wait_until

SHOWN_S = 60.0
_TRIES = 10
_TOOL_S = 30.0
_COPY_S = 3.0
_TAKEN_S = 3.0


class Keyboard:
    """xdotool and xclip on one display."""

    def __init__(self, display: str) -> None:
        self._display = display
        self._env = dict(os.environ) | {"DISPLAY": display}

    def _run(self, program: str, *words: str, timeout_s: float = _TOOL_S) -> str:
        command = [desktop.program(program), *words]
        done = subprocess.run(
            command, env=self._env, capture_output=True, text=True, errors="replace", timeout=timeout_s, check=False
        )
        return done.stdout

    def windows(self, title: str) -> list[str]:
        """Numbers of the visible windows whose title begins like this."""
        return self._run("xdotool", "search", "--onlyvisible", "--name", f"^{re.escape(title)}").split()

    def all_windows(self) -> set[str]:
        """Numbers of all visible windows, nameless ones too."""
        return set(self._run("xdotool", "search", "--onlyvisible", "--name", "").split())

    def focus(self, title: str) -> None:
        """Wait for the window and give it the keyboard."""
        wait_until(lambda: bool(self.windows(title)), f"a window {title!r}", SHOWN_S)
        for window in self.windows(title)[-1:]:
            self._run("xdotool", "windowfocus", "--sync", window)

    def press(self, *keys: str) -> None:
        self._run("xdotool", "key", "--delay", "80", *keys)

    def write(self, text: str) -> None:
        self._run("xdotool", "type", "--delay", "15", text)

    def close_window(self, title: str) -> None:
        """What the window manager's cross sends."""
        ask_to_close(self._display, int(self.windows(title)[-1]))

    def fill_path(self, title: str, path: Path) -> None:
        """Type `path` into a file dialog until its field holds it: GTK shows the field at the first key and may lose
        those that follow; Qt completes while it still reads folders."""
        self.focus(title)
        for _ in range(_TRIES):
            self.press("ctrl+a")
            self.write(str(path))
            if self._field().removesuffix("/") == str(path):
                return
        raise AssertionError(f"the dialog {title!r} holds {self._field()!r}, not {path}")

    def give_path(self, title: str, path: Path) -> None:
        """Answer a file dialog. The first Return may only close the list of proposals."""
        self.fill_path(title, path)
        self.press_until("Return", lambda: not self.windows(title), f"{title!r} takes {path}")

    def press_until(self, key: str, condition: Callable[[], bool], what: str) -> None:
        for _ in range(_TRIES):
            self.press(key)
            try:
                wait_until(condition, what, _TAKEN_S)
            except AssertionError:
                continue
            return
        raise AssertionError(f"never happened: {what}")

    def _field(self) -> str:
        """What the field with the keyboard holds."""
        self.press("ctrl+a", "ctrl+c")
        try:
            return self._run("xclip", "-o", "-selection", "clipboard", timeout_s=_COPY_S)
        except subprocess.TimeoutExpired:
            return ""
