"""Kills a move of the data folder at each of its steps and tells what was left. A program of its own: it forks.

In: argv: a folder, "plain" or "torn", and optionally a stride over the steps. Out: one JSON line per step on stdout.
Never: a verdict; the test that starts it judges.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from pui.adapters.data_dir import DataLease
from pui.adapters.data_move import STAYS, DataMove, finish_moves
from pui.adapters.packs.file_ops import FileOps
from pui.adapters.packs.life import PackLife
from pui.adapters.paths import AppPaths, app_paths
from pui.domain.errors import PuiError
from pui.domain.pack_job import Step
from pui.resources import load_chart
from tests.support.crash_driver import sim
from tests.support.faulty_ops import PowerCutOps
from tests.support.pack_shop import PackShop
from tests.support.pack_simulator import APP
from tests.support.simulated import SimulatedClock

OWN = STAYS
RENEWED = "stat.json"
"""Inodes of the files: another place has others."""


def environment(base: Path) -> dict[str, str]:
    return {name: str(base / part) for name, part in (("PUI_DATA_DIR", "data"), ("PUI_CACHE_DIR", "cache"))}


def prepare(base: Path) -> None:
    shop = PackShop(base)
    shop.install_living(sim(2))
    shop.life().proven(sim(2).build().pack_id)
    task = shop.paths.tasks_dir / "t1"
    task.mkdir(parents=True)
    (task / "journal.jsonl").write_text('{"seq": 1}\n')
    (task / "empty").write_bytes(b"")
    (shop.paths.data / "settings.json").write_text("{}")
    (base / "disk").mkdir()


def move(base: Path, ops: FileOps) -> None:
    env = environment(base)
    paths = app_paths(env)
    lease = DataLease(paths)
    mover = DataMove(paths, APP, lease, env, ops=ops)
    mover.move(mover.plan(base / "disk"), unwatched)
    lease.close()


def unwatched(step: Step) -> None:
    """Nobody looks."""


def in_child(act: Callable[[], object]) -> bool:
    """True if the child lived to the end."""
    pid = os.fork()
    if pid == 0:
        act()
        os._exit(0)
    return os.waitpid(pid, 0)[1] == 0


def content_of(folder: Path) -> str:
    """A digest of names, modes and bytes."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.relative_to(folder).parts[0] in OWN or path.name in (RENEWED, "install.lock", "channel.lock"):
            continue
        data = path.read_bytes() if path.is_file() else b""
        found.update(f"{path.relative_to(folder)} {path.lstat().st_mode:o} {len(data)}\n".encode() + data)
    return found.hexdigest()


def state_of(base: Path) -> dict[str, object]:
    paths: AppPaths = app_paths(environment(base))
    try:
        life = PackLife(paths, APP, load_chart("pack"), SimulatedClock())
        active: int | str = life.active().manifest.pack_version
    except PuiError as error:
        active = error.code
    return {
        "place": str(paths.data.relative_to(base)),
        "content": content_of(paths.data),
        "active": active,
        "old": sorted(path.name for path in (base / "data").iterdir()) if paths.data != base / "data" else [],
        "disk": sorted(path.name for path in (base / "disk").iterdir()),
        "own": sorted(path.name for path in paths.data.iterdir() if path.name in OWN - {"in-use.lock"}),
    }


def one_crash(prepared: Path, base: Path, step: int, *, tear: bool) -> dict[str, object]:
    shutil.rmtree(base, ignore_errors=True)
    shutil.copytree(prepared, base, symlinks=True)
    env = environment(base)
    shop = PackShop(base)
    for pack_id in shop.life().slots().folders:  # this copy has other inodes than the prepared one
        shop.store.verify(pack_id)
    before = state_of(base)
    lived = in_child(lambda: move(base, PowerCutOps(step, tear=tear)))
    at_once = state_of(base)
    in_child(lambda: finish_moves(env, PowerCutOps(step % 5, tear=tear)))  # the start dies as well
    said = finish_moves(env)
    found: dict[str, object] = {"step": step, "lived": lived, "before": before, "at_once": at_once}
    found |= {"after": state_of(base), "said": list(said), "said_again": list(finish_moves(env))}
    if at_once["place"] == "data":
        move(base, FileOps())
    return found | {"then": state_of(base)}


def main() -> None:
    folder, tear = Path(sys.argv[1]), sys.argv[2] == "torn"
    prepared = folder / "prepared"
    prepare(prepared)
    stride = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    for step in itertools.count(0, stride):
        found = one_crash(prepared, folder / "run", step, tear=tear)
        print(json.dumps(found), flush=True)
        if found["lived"]:
            break


if __name__ == "__main__":
    main()
