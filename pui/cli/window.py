"""`pui` and `pui window`: the desktop window.

In: the environment. Out: a window until it is closed; an exit code.
Never: a slow import before the window is on its way (measured by tests/benchmarks/window.py).
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from pui.domain.errors import HostError, PuiError

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from pui.adapters.paths import AppPaths
    from pui.domain.window_place import WindowPlace
    from pui.ports import Dialogs
    from pui.shell.window_app import Compose, ReadyApp

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

NAME = "window"
FAILED = 1
TOKEN_BYTES = 32
SWITCH_INTERVAL_S = 0.0005
"""The app is imported while the page loads: short turns between threads let its files through in between."""
WINDOW_MODULES = ("pui.shell.loop_thread", "pui.shell.page_site", "pui.shell.window_app")
"""What the main thread needs next."""
APP_MODULES = ("pui.compose", "pui.shell.router", "pui.shell.table")
_EPILOG = """\
examples:
  pui                       the same as `pui window`
  PUI_GUI=qt pui            show it with Qt instead of GTK (or gtk instead of qt)

A second start brings the running window to the front. Closing the window cancels the tasks that run, after a question.
"""


def add_parser(subparsers: Subparsers) -> None:
    """Adds `window`."""
    import argparse

    parser = subparsers.add_parser(
        NAME,
        help="open the window (the same as pui alone)",
        description="Open the window.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(handler=lambda _arguments: open_window())


def is_window_start(arguments: Sequence[str]) -> bool:
    """`pui` alone and `pui window` skip the command line's parser and its imports."""
    return not arguments or list(arguments) == [NAME]


def run_window() -> int:
    """open_window with errors as words."""
    try:
        return open_window()
    except PuiError as fault:
        from pui.cli.output import print_error

        print_error(fault)
        return FAILED


def open_window(page: Path | None = None, composer: Callable[[dict[str, str]], Compose] | None = None) -> int:
    """The window until it is closed. Raises PuiError when it cannot be shown or the app cannot start.

    `page` (a folder) and `composer` (environment to Compose) are pui's own unless a test gives others.
    """
    from pui.adapters.paths import app_paths, own_dir, private_dir
    from pui.shell.backend import choose_backend, prepare_environment
    from pui.shell.instance import claim_instance
    from pui.shell.window_kit import without_devtools
    from pui.shell.window_main import load_kit

    gc.disable()  # until the app is imported: a fifth of that time would go into looking for garbage
    backend = choose_backend(os.environ)
    paths = app_paths(os.environ)
    own_dir(paths.data)
    private_dir(paths.runtime)
    claim = claim_instance(paths.instance_lock, paths.instance_socket)
    if claim is None:
        print("pui runs already: its window is in front now")
        return 0
    environ = dict(os.environ)
    _drop_keys()
    without_devtools(os.environ, environ)
    prepare_environment(backend, os.environ)
    kit = load_kit(backend)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    importing = threading.Thread(target=_import_app, name="pui-import")
    importing.start()
    kit.start_engine()

    import secrets

    from pui.resources import data
    from pui.shell.loop_thread import LoopThread
    from pui.shell.page_server import PageServer, bind_loopback
    from pui.shell.page_site import PageSession, PageSite, page_files
    from pui.shell.window_app import WindowApp
    from pui.shell.window_main import show_window, signals_end

    try:
        listener = bind_loopback()
    except OSError as error:
        claim.close()
        raise HostError("host.permission", f"cannot listen on this computer's own address: {error}") from error
    session = PageSession(secrets.token_urlsafe(TOKEN_BYTES), lambda: secrets.token_urlsafe(TOKEN_BYTES))
    site = PageSite(page_files(page or data("ui")), session, listener.getsockname()[1])
    app = WindowApp(kit, PageServer(listener, site.respond), session, claim, (composer or _composer)(environ))
    loop = LoopThread(app.run)
    app.attach(loop.post)
    place = _read_place(paths)
    loop.start()
    with signals_end(loop, app.end):
        try:
            show_window(app, kit, backend, site.address, place, lambda now: _keep_place(paths, now))
        finally:
            app.end()
    importing.join()
    claim.close()
    if app.fault is not None:
        raise app.fault
    if loop.error is not None:
        raise loop.error
    return 0


def _import_app() -> None:
    """What the window needs next, then the app: on a thread of its own while the engine starts."""
    try:
        for name in WINDOW_MODULES:
            importlib.import_module(name)
        _import_structlog()
        for name in APP_MODULES:
            importlib.import_module(name)
    finally:
        gc.freeze()
        gc.enable()


def _import_structlog() -> None:
    """structlog looks for rich, which would draw on a terminal that the window does not have: forty modules."""
    is_left_out = "rich" not in sys.modules
    if is_left_out:
        sys.modules["rich"] = None  # type: ignore[assignment]  # an import fails as if it were not installed
    try:
        importlib.import_module("structlog")
    finally:
        if is_left_out:
            del sys.modules["rich"]


def _drop_keys() -> None:
    """The back end's own processes inherit the environment: no key may be in it. The app gets a copy from before."""
    from pui.domain.model_policy import PROVIDERS

    for kind in PROVIDERS.values():
        if kind.key_variable:
            os.environ.pop(kind.key_variable, None)


def _composer(environ: dict[str, str]) -> Compose:
    @contextmanager
    def compose(dialogs: Dialogs) -> Iterator[ReadyApp]:
        from pui.compose import compose_desk, composed_app
        from pui.shell.table import verb_table
        from pui.shell.window_app import ReadyApp

        with composed_app(environ) as app:
            app.notes.extend(app.packs.recover())
            desk = compose_desk(app, dialogs, "window")
            yield ReadyApp(desk, verb_table(desk))

    return compose


def _read_place(paths: AppPaths) -> WindowPlace:
    from pui.adapters.private_file import read_private
    from pui.domain.window_place import FILE_LIMIT_BYTES, WindowPlace, parse_place

    with suppress(PuiError):
        data = read_private(paths.window_place, FILE_LIMIT_BYTES)
        return (parse_place(data) if data is not None else None) or WindowPlace()
    return WindowPlace()


def _keep_place(paths: AppPaths, place: WindowPlace) -> None:
    """A place that cannot be kept is no reason to keep the window open."""
    from pui.adapters.private_file import write_private
    from pui.domain.window_place import render_place

    with suppress(PuiError):
        write_private(paths.window_place, render_place(place))
