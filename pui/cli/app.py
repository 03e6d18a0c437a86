"""The `pui` command: one parser, one handler a sub-command.

In: arguments. Out: an exit code: 0 done, 1 failed with a named error, 2 wrong usage, 3 set-up required, 130 cancelled.
Never: a traceback for an expected failure.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

import pui.cli.cache
import pui.cli.chart
import pui.cli.doctor
import pui.cli.keys
import pui.cli.pack
import pui.cli.run
import pui.cli.serve
import pui.cli.settings
import pui.cli.tasks
import pui.cli.window
from pui.adapters.paths import ENV_DATA_DIR
from pui.cli.output import print_error
from pui.domain.errors import PuiError

FAILED, WRONG_USAGE, CANCELLED = 1, 2, 130

_EPILOG = """\
first steps:
  pui                                       the window
  pui doctor                                what this computer can do, and what is missing
  pui pack build --install                  make and install a runtime pack (once)
  pui run --folder ~/code/app "Fix the typo in README.md"

pui gives each task its own Linux machine. Only the folders that you name are visible in it.
"""


def parser() -> argparse.ArgumentParser:
    """The whole command line; `--help` of each part teaches by an example."""
    top = argparse.ArgumentParser(
        prog="pui",
        description="Run the coding agent pi in a Linux machine of its own, one per task.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"pui {version('pui')}")
    top.add_argument("--data-dir", metavar="DIR", help=f"where pui keeps packs, keys and tasks (sets {ENV_DATA_DIR})")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    for module in (
        pui.cli.window,
        pui.cli.run,
        pui.cli.serve,
        pui.cli.doctor,
        pui.cli.pack,
        pui.cli.tasks,
        pui.cli.chart,
        pui.cli.cache,
        pui.cli.settings,
        pui.cli.keys,
    ):
        module.add_parser(commands)
    return top


def run(arguments: Sequence[str]) -> int:
    """Parse and run; every PuiError ends as words and an exit code."""
    top = parser()
    chosen = top.parse_args(arguments)
    if chosen.command is None:
        top.print_help()
        return WRONG_USAGE
    if chosen.data_dir is not None:
        os.environ[ENV_DATA_DIR] = chosen.data_dir
    try:
        return int(chosen.handler(chosen))
    except PuiError as fault:
        print_error(fault)
        return WRONG_USAGE if fault.code == "caller.bad_request" else FAILED
    except BrokenPipeError:  # the reader of our output has gone (`pui … | head`)
        sys.stderr.close()
        return FAILED
    except KeyboardInterrupt:
        return CANCELLED
