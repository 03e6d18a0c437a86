"""What the window needs of a back end (Qt, GTK), and the rules that every back end keeps.

In: the address of our page. Out: verdicts on addresses; the interface that kit_qt.py and kit_gtk.py implement.
Never: a back end's module: importing one takes half a second.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

from pui.domain.window_place import WindowPlace

FileQuestion = Literal["folder", "file", "save"]

REVIVAL_LIMIT = 20
"""How often a page whose process died is loaded anew in one start of the app."""
REVIVAL_DELAY_MS = 300

BOOTSTRAP_TAIL = (
    'Object.defineProperty(window,"puiSend",{value:send,writable:false,configurable:true});'
    'window.dispatchEvent(new Event("pui-ready"));'
)


@dataclass(frozen=True)
class PagePolicy:
    """`address` is the index with its capability: the only document that the window ever shows."""

    address: str

    def is_ours(self, url: str) -> bool:
        """May the window show this document? Only our index; a fragment after it is the page's own business."""
        return url.partition("#")[0] == self.address

    def only_in_ours(self, script: str) -> str:
        """`script` in such a form that it does nothing in another document."""
        return f'if(location.href.split("#")[0]==={json.dumps(self.address)}){{{script}}}'

    def may_load(self, url: str) -> bool:
        """May the page load this? What our server has, and images that stand in the page itself."""
        try:
            ours, theirs = urlsplit(self.address), urlsplit(url)
        except ValueError:
            return False
        return theirs.scheme == "data" or (theirs.scheme, theirs.netloc) == (ours.scheme, ours.netloc)


class WindowKit(Protocol):
    """One back end. `start_engine`, `prepare` and `harden` come in this order; all but these and `place` may be called
    from any thread."""

    def start_engine(self) -> None:
        """Start what shows pages, on the GUI's thread; the interpreter is free for other threads meanwhile."""

    def prepare(self, window: Any, policy: PagePolicy, on_call: Callable[[str], None]) -> None:
        """Lock pywebview's classes before the window is made, and send the page's calls to `on_call`.

        `on_call` runs on the GUI's thread and returns at once.
        """

    def harden(self) -> None:
        """Lock the view that was made, on the GUI's thread, before it loads anything. Raises whatever went wrong."""

    def post_script(self, script: str, done: Callable[[], None]) -> None:
        """Run an ASCII script in our page; `done` is called on some thread when it ran. Lost if there is no window."""

    def confirm(self, title: str, lines: Sequence[str], yes: str, done: Callable[[bool], None]) -> None: ...

    def ask_text(self, title: str, lines: Sequence[str], initial: str, done: Callable[[str | None], None]) -> None: ...

    def ask_file(
        self,
        question: FileQuestion,
        title: str,
        name: str,
        suffixes: Sequence[str],
        done: Callable[[Path | None], None],
    ) -> None: ...

    def focus(self) -> None:
        """Bring the window to the front."""

    def hide(self) -> None:
        """Take the window and what is open over it from the screen: the app ends."""

    def place(self) -> WindowPlace | None:
        """Size and place now; on the GUI's thread only."""


def refuse_walk(*_arguments: object) -> None:
    """Stands in for pywebview's js_bridge_call, which walks attributes by names that the page sends."""


def without_devtools(environ: MutableMapping[str, str], own: Mapping[str, str]) -> None:
    """Takes what would open an inspector out of the environment, unless the developer switch PUI_DEVTOOLS=1 is set."""
    if own.get("PUI_DEVTOOLS") == "1":
        return
    for name in ("QTWEBENGINE_REMOTE_DEBUGGING", "WEBKIT_INSPECTOR_SERVER", "WEBKIT_INSPECTOR_HTTP_SERVER"):
        environ.pop(name, None)
    flags = environ.get("QTWEBENGINE_CHROMIUM_FLAGS", "").split()
    kept = [flag for flag in flags if not flag.startswith(("--remote-debugging", "--remote-allow", "--auto-open"))]
    if kept != flags:
        environ["QTWEBENGINE_CHROMIUM_FLAGS"] = " ".join(kept)
