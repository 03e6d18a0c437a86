"""Entry of the `pui` command.

In: the process's arguments. Out: its exit code. Never: anything but a call of the command line.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    from pui.cli.window import is_window_start, run_window  # light: the window shall be there soon

    if is_window_start(sys.argv[1:]):
        sys.exit(run_window())
    from pui.cli.app import run  # late, so that a broken import is reported by Python itself, not at collection

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
