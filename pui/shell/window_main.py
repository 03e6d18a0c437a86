"""The main thread of the window: pywebview insists on it, and nothing else happens there.

In: a chosen back end, a place, the app of the supervisor's thread. Out: a window until it is closed.
Never: pywebview's own bridge, server, downloads or inspector.
"""

from __future__ import annotations

import importlib
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pui.domain.errors import SetupError
from pui.domain.window_place import MIN_HEIGHT, MIN_WIDTH, WindowPlace
from pui.shell.backend import Backend
from pui.shell.lean_webview import leave_out_server, take_names_from_pyside
from pui.shell.window_kit import PagePolicy, WindowKit

if TYPE_CHECKING:  # asyncio is imported while the engine starts
    from pui.shell.loop_thread import LoopThread
    from pui.shell.window_app import WindowApp

TITLE = "pui"
BACKGROUND = "#17191c"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def load_kit(backend: Backend) -> WindowKit:
    """The back end's kit. Imports it: a tenth of a second, and whatever pywebview needs of it."""
    leave_out_server()
    if backend == "qt":
        take_names_from_pyside()
    kit: WindowKit = getattr(importlib.import_module(f"pui.shell.kit_{backend}"), f"{backend.capitalize()}Kit")()
    return kit


def show_window(
    app: WindowApp,
    kit: WindowKit,
    backend: Backend,
    address: str,
    place: WindowPlace,
    keep_place: Callable[[WindowPlace], None],
) -> None:
    """Show the window until it is gone; the supervisor's thread has begun already. Main thread only."""
    import webview

    logging.getLogger("pywebview").setLevel(logging.ERROR)
    for name in ("ALLOW_DOWNLOADS", "ALLOW_FILE_URLS", "OPEN_EXTERNAL_LINKS_IN_BROWSER", "OPEN_DEVTOOLS_IN_DEBUG"):
        webview.settings[name] = False
    window: Any = webview.create_window(
        TITLE,
        url=address,
        js_api=None,
        width=place.width,
        height=place.height,
        x=place.x,
        y=place.y,
        maximized=place.is_maximized,
        min_size=(MIN_WIDTH, MIN_HEIGHT),
        background_color=BACKGROUND,
    )
    kit.prepare(window, PagePolicy(address), app.bridge.take)

    def closing() -> bool:
        if (now := kit.place()) is not None:
            keep_place(now)
        if app.may_close:
            return True
        app.close_is_wanted()
        return False

    def before_show() -> None:
        """pywebview swallows what a handler raises: a view that could not be locked must not be used."""
        try:
            kit.harden()
        except Exception as error:
            app.refuse(SetupError("window.bad_backend", f"the window cannot be locked to pui's page: {error!r}"))
        else:
            app.view_is_made()

    window.events.closing += closing
    window.events.before_show += before_show
    app.destroy = window.destroy
    webview.start(gui=backend, debug=False, http_server=False, private_mode=True)


@contextmanager
def signals_end(loop: LoopThread, end: Callable[[], None]) -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP end the app in order, though the GUI's loop lets no Python handler run.

    The interpreter writes each signal's number into a socket at once; the supervisor's loop reads it. GTK's Python
    puts its own socket there and runs the handlers itself: so the handler ends the app too.
    """
    reading, writing = socket.socketpair()
    reading.setblocking(False)
    writing.setblocking(False)
    before = {number: signal.signal(number, lambda *_arguments: end()) for number in _SIGNALS}
    previous = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    loop.post(_watch, reading, end)
    try:
        yield
    finally:
        signal.set_wakeup_fd(previous)
        for number, handler in before.items():
            signal.signal(number, handler)
        loop.join()
        reading.close()
        writing.close()


def _watch(reading: socket.socket, end: Callable[[], None]) -> None:
    import asyncio

    def woken() -> None:
        if set(reading.recv(64)) & {int(number) for number in _SIGNALS}:
            end()

    asyncio.get_running_loop().add_reader(reading, woken)
