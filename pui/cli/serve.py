"""`pui serve`: the window's page in a browser, on this computer only; for tests and for looking into things.

In: a port, folders, lines typed in this terminal. Out: an address with a capability; the page until Ctrl-C.
Never: another address than 127.0.0.1, a second page at one time, a yes on the person's behalf.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pui.cli.output import note, say
from pui.cli.run import parse_folder
from pui.compose import App, compose_desk, composed_app
from pui.domain.errors import HostError
from pui.resources import data
from pui.shell.desk import Desk
from pui.shell.event_feed import EventFeed
from pui.shell.page_server import PageServer, bind_loopback
from pui.shell.page_site import PageSession, PageSite, page_files
from pui.shell.router import Router
from pui.shell.table import verb_table
from pui.shell.terminal_dialogs import TerminalDialogs

if TYPE_CHECKING:
    import socket

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

TOKEN_BYTES = 32
LINE_LIMIT_BYTES = 8192
GONE_AFTER_S = 5.0
_EPILOG = """\
examples:
  pui serve                              prints an address: open it in a browser on this computer
  pui serve --folder . --folder ~/docs:ro
  pui serve --port 8765 --once           ends by itself when the page was closed

The address holds a secret: who has it can do what the page can do. Whatever needs your word (folders, keys, links) is
asked in this terminal. The page that was opened last is the one that works. Ctrl-C ends it and cancels its tasks.
"""


def add_parser(subparsers: Subparsers) -> None:
    """Adds `serve`."""
    parser = subparsers.add_parser(
        "serve",
        help="show the window's page in a browser on this computer",
        description="Serve the page of the window on 127.0.0.1 and answer its questions in this terminal.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=0, metavar="N", help="the port (default: any free one)")
    parser.add_argument(
        "--folder", action="append", default=[], metavar="PATH[:ro]", help="a folder that the page may use"
    )
    parser.add_argument("--once", action="store_true", help="end when the page has gone")
    parser.set_defaults(handler=_serve)


def _serve(arguments: argparse.Namespace) -> int:
    try:
        listener = bind_loopback(arguments.port)
    except (OSError, OverflowError) as error:
        raise HostError("host.permission", f"cannot listen on port {arguments.port}: {error}") from error
    with composed_app() as app:
        return asyncio.run(_run(app, arguments, listener))


async def _run(app: App, arguments: argparse.Namespace, listener: socket.socket) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    app.supervisor.recover()
    app.notes.extend(await asyncio.to_thread(app.packs.recover))
    source = StdinLines()
    desk = compose_desk(app, TerminalDialogs(source, note), "browser")
    session = PageSession(secrets.token_urlsafe(TOKEN_BYTES), lambda: secrets.token_urlsafe(TOKEN_BYTES))
    router = Router(verb_table(desk), lambda: session.token, desk.clock)
    await _grant(desk, arguments.folder)
    site = PageSite(page_files(data("ui")), session, listener.getsockname()[1], router, desk.events)
    server = PageServer(listener, site.respond)
    await server.start()
    say(site.address)
    sys.stdout.flush()
    desk.begin()
    if arguments.once:
        loop.create_task(_end_with_the_page(desk.events, stop))
    await stop.wait()
    note("ending: tasks are cancelled")
    await app.supervisor.shutdown()
    await desk.close()
    desk.events.close()
    await server.close()
    source.close()
    return 0


async def _grant(desk: Desk, folders: list[str]) -> None:
    """Folders named on the command line are the person's word."""
    for text in folders:
        request = parse_folder(text)
        await desk.folders.add(Path(request.folder), request.read_only, is_asked=True)


async def _end_with_the_page(events: EventFeed, stop: asyncio.Event) -> None:
    """Once a page has been there: when none has followed the events for GONE_AFTER_S."""
    step_s, away_s = GONE_AFTER_S / 10, 0.0
    while not events.was_followed or away_s < GONE_AFTER_S:
        away_s = 0.0 if events.is_followed else away_s + step_s
        await asyncio.sleep(step_s)
    stop.set()


class StdinLines:
    """terminal_dialogs.LineSource on stdin, when that is a terminal."""

    def __init__(self) -> None:
        self._reader: asyncio.StreamReader | None = None
        self._transport: asyncio.ReadTransport | None = None

    @property
    def is_answered(self) -> bool:
        return sys.stdin is not None and sys.stdin.isatty()

    async def read_line(self) -> str | None:
        if self._reader is None:
            self._reader = asyncio.StreamReader(limit=LINE_LIMIT_BYTES)
            reader = self._reader
            self._transport, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
            )
        try:
            line = await self._reader.readline()
        except ValueError:  # longer than the limit: no answer
            return ""
        return line.decode("utf-8", "replace").rstrip("\r\n") if line else None

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
