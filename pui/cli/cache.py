"""`pui cache`: what tasks of a folder keep for later tasks of the same folder.

In: nothing but flags. Out: words or JSON. Never: a volume that a task is using.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pui.adapters.paths import app_paths
from pui.adapters.qemu.cache_volumes import CacheFolder, StoredVolume
from pui.cli.output import print_json, say

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

_ABOUT = """\
A task started with --cache has a second disk at /cache, kept for the next task in the same folder: what package
managers and compilers can fetch or make again (npm, pip, cargo, go, ccache). Tasks of other folders never see it.

examples:
  pui run --folder . --cache "Run the tests"
  pui cache list
  pui cache clear
"""


def add_parser(subparsers: Subparsers) -> None:
    """Adds `cache` with its two actions."""
    style = argparse.RawDescriptionHelpFormatter
    cache = subparsers.add_parser(
        "cache", help="list and clear cache volumes", description=_ABOUT, formatter_class=style
    )
    actions = cache.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, about, handler in (
        ("list", "list the volumes and the space they take", _list),
        ("clear", "remove every volume that no task is using", _clear),
    ):
        action = actions.add_parser(name, help=about, description=about.capitalize() + ".")
        action.add_argument("--json", action="store_true", help="one JSON object on stdout")
        action.set_defaults(handler=handler)


def _list(arguments: argparse.Namespace) -> int:
    stored = CacheFolder(app_paths()).stored()
    if arguments.json:
        print_json({"volumes": [_row(volume) for volume in stored]})
        return 0
    for volume in stored:
        say(f"{volume.name}  {_mib(volume.size_bytes)}")
    say(f"{len(stored)} cache volumes, {_mib(sum(volume.size_bytes for volume in stored))}")
    return 0


def _clear(arguments: argparse.Namespace) -> int:
    removed, busy = CacheFolder(app_paths()).clear()
    if arguments.json:
        print_json({"removed": [_row(volume) for volume in removed], "in_use": list(busy)})
        return 0
    say(f"removed {len(removed)} cache volumes, {_mib(sum(volume.size_bytes for volume in removed))}")
    for name in busy:
        say(f"{name} is being used by a task and was kept")
    return 0


def _row(volume: StoredVolume) -> dict[str, object]:
    return {"name": volume.name, "size_bytes": volume.size_bytes}


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:.1f} MiB"
