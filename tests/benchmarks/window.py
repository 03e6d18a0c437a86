"""From the start of the process to a window that can be used, against an empty pywebview window in the same minute.

In: Qt under Xvfb, whose picture is looked at. Out: milliseconds, taken in turns. Never: a verdict; the goal is a ratio
of 1.3.

Two moments of each start. *Told*: the empty page is loaded; pui's page has its whole state (its log says so) and takes
keys and clicks. *Drawn*: the screen shows the picture that it then keeps.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pui.shell.backend import has_gpu
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
POLL_S = 0.005
STILL_S = 0.5
"""A picture that did not change for so long is the one that stays."""
LIMIT_S = 120.0
PIXEL_STEP = 41
"""Every 41st pixel is looked at: a prime, so that no column or row is left out."""


class Taken(NamedTuple):
    told_s: float
    drawn_s: float


def measure(_pack: Path, rounds: int) -> list[Table]:
    """One round more than asked: the first fills the caches of the disk and is left out."""
    floor, empty, alike, own, waited_s = [], [], [], [], []
    with short_folder() as folder, _screen(folder / "screen") as (display, look):
        env = _env(folder, display)
        drawn_alike = env if has_gpu() else env | {"QT_QUICK_BACKEND": "software"}
        log, said = folder / "data" / "logs" / "pui.jsonl", folder / "said"

        def is_told() -> bool:
            return USABLE in said.read_text()

        for _ in range(rounds + 1):
            floor.append(_start([sys.executable, "-c", "print('usable')"], env, said, look, is_told))
            empty.append(_start([sys.executable, "-c", EMPTY], env, said, look, is_told))
            own.append(
                _start(
                    [sys.executable, "-m", "pui"], env, said, look, lambda: log.exists() and GREETED in log.read_text()
                )
            )
            waited_s.append(_waited_s(log))
            log.unlink()
            alike.append(_start([sys.executable, "-c", EMPTY], drawn_alike, said, look, is_told))
    rows = [
        _row("an empty Python program", [taken.told_s for taken in floor]),
        _row("an empty pywebview window (Qt), loaded", [taken.told_s for taken in empty]),
        _row("the same, drawn", [taken.drawn_s for taken in empty]),
        _row("the same with the drawing that pui chooses here, loaded", [taken.told_s for taken in alike]),
        _row("the same, drawn", [taken.drawn_s for taken in alike]),
        _row(
            "pui's window, its page running", [one.told_s - waited for one, waited in zip(own, waited_s, strict=True)]
        ),
        _row("pui's window with its whole state", [taken.told_s for taken in own]),
        _row("the same, drawn", [taken.drawn_s for taken in own]),
        _ratio("ratio, whole state to loaded", own, empty, 0),
        _ratio("ratio, drawn", own, empty, 1),
        _ratio("ratio to the same drawing, whole state to loaded", own, alike, 0),
        _ratio("ratio to the same drawing, drawn", own, alike, 1),
    ]
    return [Table("window", ("what", "median ms", "least ms"), rows)]


@contextmanager
def _screen(folder: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """A display, and a look at its picture, which Xvfb keeps in a file."""
    folder.mkdir()
    with (
        desktop.xvfb(options=("-fbdir", str(folder))) as display,
        (folder / "Xvfb_screen0").open("rb") as file,
        mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as memory,
        memoryview(memory) as whole,
        whole[: len(memory) // 4 * 4].cast("I") as pixels,
    ):
        yield display, lambda: pixels[::PIXEL_STEP].tobytes()


def _start(
    words: Sequence[str], env: Mapping[str, str], said: Path, look: Callable[[], bytes], is_usable: Callable[[], bool]
) -> Taken:
    said.write_text("")
    told_s = 0.0
    picture, before_s = look(), time.monotonic()
    changed_s = before_s
    with desktop.app_process(words, env, said) as app:
        while not told_s or time.monotonic() - max(changed_s, told_s) < STILL_S:
            if app.process.poll() not in (None, 0) or time.monotonic() - before_s > LIMIT_S:
                raise RuntimeError(f"it is not usable: {said.read_text()[-2000:]}")
            if not told_s and is_usable():
                told_s = time.monotonic()
            if (now := look()) != picture:
                picture, changed_s = now, time.monotonic()
            time.sleep(POLL_S)
    return Taken(told_s - before_s, changed_s - before_s)


def _waited_s(log: Path) -> float:
    """How long the page, running already, waited for the app behind it."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return next(float(line["after_its_first_call_ms"]) / 1000 for line in lines if line["event"] == GREETED)


def _row(name: str, taken_s: Sequence[float]) -> tuple[str, str, str]:
    """Without the first round."""
    return name, f"{middle(taken_s[1:]) * 1000:.0f}", f"{min(taken_s[1:]) * 1000:.0f}"


def _ratio(name: str, own: Sequence[Taken], other: Sequence[Taken], which: int) -> tuple[str, str, str]:
    """The median of the pairs of one round, and of the least of all rounds."""
    pairs = [(mine[which], theirs[which]) for mine, theirs in zip(own[1:], other[1:], strict=True)]
    least = min(mine for mine, _ in pairs) / min(theirs for _, theirs in pairs)
    return name, f"{middle([mine / theirs for mine, theirs in pairs]):.2f}", f"{least:.2f}"


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
