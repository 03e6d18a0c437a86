"""`pui settings`: what a person has chosen for the whole app.

In: a key, a value. Out: the settings as lines or JSON; exit 0, 2 for a value that is not allowed. Never: a model's key.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pui.adapters.paths import app_paths
from pui.adapters.settings_file import SettingsFile
from pui.cli.output import note, print_json, say
from pui.domain.errors import CallerError
from pui.domain.events import JsonValue
from pui.domain.settings import KEYS, Settings, changed_by_text, settings_to_json

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

_EPILOG = """\
examples:
  pui settings                                  every setting and its value
  pui settings set channel https://example.org/channel
  pui settings set model anthropic/MODEL        or `none`: as the environment says
  pui settings set disk_limit_bytes 5368709120  packs may take up 5 GiB; `none`: no limit
  pui settings get update_interval_h

keys of models are no settings: see `pui key --help`
"""


def add_parser(subparsers: Subparsers) -> None:
    """Adds `settings`."""
    parser = subparsers.add_parser(
        "settings",
        help="what you have chosen for the whole app",
        description="Show and change the settings.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("act", nargs="?", choices=("list", "get", "set"), default="list")
    parser.add_argument("key", nargs="?", metavar="KEY", help=", ".join(KEYS))
    parser.add_argument("value", nargs="?", metavar="VALUE")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.set_defaults(handler=_run)


def _run(arguments: argparse.Namespace) -> int:
    expected = {"list": 0, "get": 1, "set": 2}[arguments.act]
    given = [arguments.key, arguments.value]
    if given.count(None) != 2 - expected:
        raise CallerError("caller.bad_request", f"`pui settings {arguments.act}` takes {expected} argument(s)")
    paths = app_paths()
    store = SettingsFile(paths, note)
    settings = store.current()
    if arguments.act == "set":
        settings = store.replace(changed_by_text(settings, arguments.key, arguments.value))
    _show(settings, arguments)
    return 0


def _show(settings: Settings, arguments: argparse.Namespace) -> None:
    values = settings_to_json(settings)
    if arguments.key is not None:
        if arguments.key not in values:
            raise CallerError("caller.bad_request", f"there is no setting {arguments.key!r}", hint="`pui settings`")
        values = {arguments.key: values[arguments.key]}
    if arguments.json:
        print_json({**values, "data_dir": str(app_paths().data)} if arguments.key is None else dict(values))
        return
    for key, value in values.items():
        say(f"{key:18} {_shown(value)}" if arguments.key is None else _shown(value))
    if arguments.key is None:
        say(f"{'data folder':18} {app_paths().data}")


def _shown(value: JsonValue) -> str:
    if isinstance(value, dict):
        if set(value) == {"provider", "model"}:
            return f"{value['provider']}/{value['model']}"
        return ", ".join(f"{name} {address}" for name, address in value.items()) or "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    return "none" if value in (None, "") else str(value)
