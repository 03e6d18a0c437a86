"""`make bench`: every benchmark, or those named, on the active pack; tables on the terminal and in build/.

In: names, --rounds N. Out: Markdown, build/benchmarks.json. Never: part of the test run, a verdict.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import structlog

from pui.adapters.paths import app_paths
from pui.logs import drop_events
from tests.benchmarks import boot, conversation, delta, install, look, page, pure, shares, supervisor, window
from tests.benchmarks.report import Table, write_json

ROOT = Path(__file__).parents[2]
BENCHMARKS: dict[str, Callable[[Path, int], list[Table]]] = {
    "boot": boot.measure,
    "shares": shares.measure,
    "supervisor": supervisor.measure,
    "install": install.measure,
    "delta": delta.measure,
    "pure": pure.measure,
    "conversation": conversation.measure,
    "look": look.measure,
    "window": window.measure,
    "page": page.measure,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)} (default: all)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "benchmarks.json")
    wanted = parser.parse_args()
    structlog.configure(processors=[drop_events])
    paths = app_paths()
    pack = paths.packs_dir / paths.active_pack.read_text().strip()
    about = _about(pack, wanted.rounds)
    print(about, flush=True)  # noqa: T201 - a program for the terminal
    tables: list[Table] = []
    for name in wanted.names or BENCHMARKS:
        for table in BENCHMARKS[name](pack, wanted.rounds):
            tables.append(table)
            print(f"\n## {table.name}\n\n{table.markdown()}", flush=True)  # noqa: T201 - as above
    write_json(tables, about, wanted.json)
    return 0


def _about(pack: Path, rounds: int) -> dict[str, str]:
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    when = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, load before {load}"
    return {"when": when, "machine": machine, "pack": pack.name, "accelerator": "tcg", "rounds": str(rounds)}


if __name__ == "__main__":
    sys.exit(main())
