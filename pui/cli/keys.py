"""`pui key`: keys of model providers, kept in the system's keystore or in a private file.

In: a provider; the key by a hidden question or on stdin. Out: what is set, never more than its ending.
Never: a key in an argument, in a message or on a terminal.
"""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from typing import TYPE_CHECKING

from pui.adapters.keystore import KEY_LIMIT_BYTES, read_model_environment
from pui.adapters.model_keys import ModelKeyring
from pui.adapters.paths import app_paths
from pui.adapters.settings_file import SettingsFile
from pui.cli.output import note, print_json, say
from pui.domain.errors import CallerError
from pui.domain.model_policy import PROVIDERS, SecretText
from pui.domain.models_view import ProviderState, models_view

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

_EPILOG = """\
examples:
  pui key                                   which providers have a key, and where it is kept
  pui key set anthropic                     asks for the key; it goes into the system's keystore
  pui key set openai --keep file < key.txt  into a file that only you can read
  pui key address openai-compatible https://models.example.org/v1
  pui key forget anthropic

A key for one run only: ANTHROPIC_API_KEY, OPENAI_API_KEY or PUI_API_KEY_FILE (`pui run --help`). No key ever gets into
a task's machine.
"""


def add_parser(subparsers: Subparsers) -> None:
    """Adds `key`."""
    parser = subparsers.add_parser(
        "key",
        help="keys and addresses of model providers",
        description="Keep, show and forget the keys of model providers.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("act", nargs="?", choices=("list", "set", "forget", "address"), default="list")
    parser.add_argument("provider", nargs="?", metavar="PROVIDER", help=", ".join(PROVIDERS))
    parser.add_argument("address", nargs="?", metavar="URL", help="for `address`; none: the provider's own")
    parser.add_argument("--keep", choices=("keystore", "file"), help="where (default: the keystore if there is one)")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.set_defaults(handler=_run)


def _run(arguments: argparse.Namespace) -> int:
    paths = app_paths()
    keys = ModelKeyring(paths, SettingsFile(paths, note), read_model_environment(os.environ))
    act, provider = arguments.act, arguments.provider
    if (provider is None) != (act == "list") or (arguments.address is not None and act != "address"):
        raise CallerError("caller.bad_request", f"`pui key {act}` does not take these arguments", hint="pui key --help")
    if act == "set":
        _set(keys, provider, arguments.keep)
    elif act == "forget":
        keys.forget_key(provider)
    elif act == "address":
        keys.set_address(provider, arguments.address or "")
    if arguments.json:
        print_json(dict(models_view(keys.providers(), keys.default(), keys.places())))
        return 0
    for state in keys.providers():
        if provider in (None, state.name):
            say(_line(state))
    return 0


def _set(keys: ModelKeyring, provider: str, place: str | None) -> None:
    has_keystore = "keystore" in keys.places()
    if place is None and not has_keystore:
        hint = "`--keep file` keeps the key in a file that only you (and root) can read."
        raise CallerError("caller.bad_request", "this computer has no keystore that pui can use", hint=hint)
    if place == "keystore" and not has_keystore:
        raise CallerError("caller.bad_request", "this computer has no keystore that pui can use")
    key = SecretText(_read_key(provider))
    if not key:
        raise CallerError("caller.bad_request", "no key was given")
    keys.set_key(provider, key, "file" if place == "file" else "keystore")


def _read_key(provider: str) -> str:
    if sys.stdin.isatty():
        return getpass.getpass(f"key of {provider} (not shown): ").strip()
    return sys.stdin.readline(KEY_LIMIT_BYTES + 2).strip()


def _line(state: ProviderState) -> str:
    ending = f", ends …{state.ending}" if state.ending else ""
    key = f"set{ending} ({state.source})" if state.source else "not set"
    return f"{state.name:22} {key if state.name != 'demo' else 'needs no key'}  {state.address}".rstrip()
