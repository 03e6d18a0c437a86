"""`pui pack watch` and `pui pack skip`: what the window does about updates by itself, for a terminal or a timer.

In: flags. Out: what happened, a sentence each; exit 0, 1 when the channel could not be used or the update failed.
Never: another decision than the window's.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Callable
from typing import Any

from pui.adapters.paths import ENV_CHANNEL, app_paths
from pui.adapters.update_file import UpdateFile
from pui.cli.output import note, print_json, say
from pui.compose import App, compose_upkeep, composed_app
from pui.domain.errors import CallerError
from pui.domain.update_policy import with_skip

_WATCH = """\
Asks the channel as the settings say (update_check, update_interval_h), downloads, installs and tries what is newer
(update_download, update_on_metered), and falls back by itself when a new pack is bad. --once does one round now.

example:
  pui pack watch --once
  pui settings set update_on_metered on
"""
_SKIP = """\
The version on offer is not installed by itself and not offered any more; a later one is. `none` takes that back.

example:
  pui pack skip 2026112301
  pui pack skip none
"""


def add_watch_commands(parts: Any, command: Callable[..., argparse.ArgumentParser]) -> None:
    """Adds the sub-commands; `command` makes one parser with its handler."""
    watch = command(parts, "watch", "look for updates as the window does by itself", _WATCH, _watch)
    watch.add_argument("--once", action="store_true", help="one round now, whatever the clock says")
    watch.add_argument("--channel", metavar="URL", help=f"address of the channel (sets {ENV_CHANNEL})")
    skip = command(parts, "skip", "skip a version", _SKIP, _skip)
    skip.add_argument("version", metavar="VERSION", help="or none")
    for part in (watch, skip):
        part.add_argument("--json", action="store_true", help="print one JSON object")


def _watch(arguments: argparse.Namespace) -> int:
    if arguments.channel:
        os.environ[ENV_CHANNEL] = arguments.channel
    with composed_app() as app:
        if arguments.once:
            return asyncio.run(_once(app, arguments))
        asyncio.run(_for_long(app))
    return 0


async def _once(app: App, arguments: argparse.Namespace) -> int:
    app.supervisor.recover()
    await asyncio.to_thread(app.packs.recover)
    upkeep = compose_upkeep(app)
    try:
        said = await upkeep.watch.round()
        view = await upkeep.packs.view()
    finally:
        await upkeep.close()
    error = view["check_error"]
    if arguments.json:
        print_json({"said": said, "error": error, "active": view["active"], "update": view["update"]})
    else:
        for sentence in said:
            say(sentence)
    return 0 if error is None else 1


async def _for_long(app: App) -> None:
    """Until Ctrl-C."""
    app.supervisor.recover()
    await asyncio.to_thread(app.packs.recover)
    upkeep = compose_upkeep(app)
    upkeep.watch.start()
    note("watching for updates; Ctrl-C ends it")
    try:
        await asyncio.Event().wait()
    finally:
        await upkeep.close()


def _skip(arguments: argparse.Namespace) -> int:
    text = arguments.version
    if text != "none" and not (text.isascii() and text.isdigit() and len(text) < 16):
        raise CallerError("caller.bad_request", "a version is a whole number, or none")
    record = UpdateFile(app_paths())
    state = with_skip(record.read(), None if text == "none" else int(text))
    record.write(state)
    if arguments.json:
        print_json({"skip_version": state.skip_version})
    else:
        say("no version is skipped" if state.skip_version is None else f"version {state.skip_version} is skipped")
    return 0
