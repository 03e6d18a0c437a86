"""From the start of the process to a window that can be used, against an empty pywebview window in the same minute.

In: Qt under Xvfb. Out: milliseconds, taken in turns. Never: a verdict; the goal is a ratio of 1.3.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pui.shell.window_bridge import GREETED
from tests.benchmarks.report import Table, middle
from tests.support import desktop
from tests.support.machines import short_folder

USABLE = "usable"
EMPTY = """
import webview
window = webview.create_window("empty", html="<p>hi</p>", width=1200, height=800)
def tell():
    window.events.loaded.wait()
    print("usable", flush=True)
webview.start(tell, gui="qt", http_server=False)
"""
POLL_S = 0.01
LIMIT_S = 120.0


def measure(_pack: Path, rounds: int) -> list[Table]:
    """One round more than asked: the first fills the caches of the disk and is left out."""
    empty, own, floor, waited_s = [], [], [], []
    with desktop.xvfb() as display, short_folder() as folder:
        env = _env(folder, display)
        log = folder / "data" / "logs" / "pui.jsonl"
        said = folder / "said"
        for _ in range(rounds + 1):
            floor.append(
                _start([sys.executable, "-c", "print('usable')"], env, said, lambda: USABLE in said.read_text())
            )
            empty.append(_start([sys.executable, "-c", EMPTY], env, said, lambda: USABLE in said.read_text()))
            own.append(
                _start([sys.executable, "-m", "pui"], env, said, lambda: log.exists() and GREETED in log.read_text())
            )
            waited_s.append(_waited_s(log))
            log.unlink()
    rows = [_row("an empty Python program", floor[1:]), _row("an empty pywebview window (Qt)", empty[1:])]
    drawn = [taken - waited for taken, waited in zip(own[1:], waited_s[1:], strict=True)]
    rows.append(_row("pui's window, its page running (Qt)", drawn))
    rows.append(_row("pui's window with its whole state (Qt)", own[1:]))
    ratio = middle([mine / theirs for mine, theirs in zip(own[1:], empty[1:], strict=True)])
    rows.append(("ratio, median of pairs", f"{ratio:.2f}", f"{min(own[1:]) / min(empty[1:]):.2f}"))
    return [Table("window", ("what", "median ms", "least ms"), rows)]


def _start(words: Sequence[str], env: Mapping[str, str], said: Path, is_usable: Callable[[], bool]) -> float:
    said.write_text("")
    before_s = time.monotonic()
    with desktop.app_process(words, env, said) as app:
        while not is_usable():
            if app.process.poll() not in (None, 0) or time.monotonic() - before_s > LIMIT_S:
                raise RuntimeError(f"it is not usable: {said.read_text()[-2000:]}")
            time.sleep(POLL_S)
        return time.monotonic() - before_s


def _waited_s(log: Path) -> float:
    """How long the page, running already, waited for the app behind it."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return next(float(line["after_its_first_call_ms"]) / 1000 for line in lines if line["event"] == GREETED)


def _row(name: str, taken_s: Sequence[float]) -> tuple[str, str, str]:
    return name, f"{middle(taken_s) * 1000:.0f}", f"{min(taken_s) * 1000:.0f}"


def _env(folder: Path, display: str) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return plain | {
        "PYTHONPYCACHEPREFIX": str(folder / "compiled"),  # as an installed pui has it, and the tree stays clean
        "DISPLAY": display,
        "PUI_GUI": "qt",
        "QT_QPA_PLATFORM": "xcb",
        "QTWEBENGINE_DISABLE_SANDBOX": "1",
        "QTWEBENGINE_CHROMIUM_FLAGS": "--no-sandbox --disable-gpu",
        "PUI_DATA_DIR": str(folder / "data"),
        "PUI_CACHE_DIR": str(folder / "cache"),
        "PUI_RUNTIME_DIR": str(folder / "run"),
    }
