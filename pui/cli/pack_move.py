"""`pui pack move`: the whole data folder to another disk.

In: a folder. Out: what was moved where; exit 0, 1 with a named error. Never: a half-moved folder in force.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pui.adapters.data_dir import DataLease
from pui.adapters.data_move import DataMove, finish_moves
from pui.adapters.packs.this_app import this_app
from pui.adapters.paths import app_paths
from pui.cli.output import note, print_json, say
from pui.cli.pack_work import open_life, shown_steps

_MOVE = """\
Moves everything that pui keeps (packs, tasks, keys, settings) to another disk: checks the free space first, copies,
reads every byte back, switches over in one step and then empties the old folder. It is refused while another pui, a
task or an installation runs. DIR may be an existing folder: then the data goes to DIR/pui. Whatever stops it, one
whole folder is in force, and the next start ends what was begun.

Which folder pui works in: --data-dir, else PUI_DATA_DIR, else the system's usual place; if that folder was moved, the
file moved-to in it leads on to the new place.

example:
  pui pack move /mnt/large-disk
"""


def add_move_command(parts: Any, command: Callable[..., argparse.ArgumentParser]) -> None:
    """`command` makes one parser with its handler."""
    move = command(parts, "move", "move pui's data to another disk", _MOVE, _move)
    move.add_argument("folder", type=Path, metavar="DIR")
    move.add_argument("--json", action="store_true", help="print one JSON object")


def _move(arguments: argparse.Namespace) -> int:
    for sentence in finish_moves(os.environ):
        note(sentence)
    paths = app_paths()
    for sentence in open_life(paths).recover():
        note(sentence)
    lease = DataLease(paths)
    try:
        mover = DataMove(paths, this_app(), lease, os.environ)
        plan = mover.plan(arguments.folder.expanduser().absolute())
        with shown_steps("copying", quiet=arguments.json) as steps:
            result = mover.move(plan, steps)
    finally:
        lease.close()
    if arguments.json:
        print_json({"from": str(paths.data), "to": str(plan.target), "size_bytes": plan.size_bytes})
    else:
        say(result.note)
    return 0
