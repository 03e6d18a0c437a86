"""Kills an install at each of its steps and tells what was left. A program of its own, so that it may fork.

In: argv: a folder, "plain" or "torn". Out: one JSON line per step on stdout.
Never: a verdict; the test that starts it judges.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import sys
from pathlib import Path

from pui.adapters.packs.store import InstalledPacks
from pui.domain.errors import PuiError
from tests.support.faulty_ops import PowerCutOps
from tests.support.pack_shop import PackShop
from tests.support.pack_simulator import APP, PackSim

SMALL = {
    "kernel/vmlinux": (b"kernel " * 3000, 0o644),
    "qemu/bin/qemu-system": (b"qemu " * 100, 0o755),
    "qemu/lib/ld.so": (b"loader", 0o755),
}


def sim(version: int) -> PackSim:
    files = {name: (data + b"version %d" % version, mode) for name, (data, mode) in SMALL.items()}
    return PackSim(files=files, version=version)


def in_child(ops: PowerCutOps, base: Path, *, clean_only: bool) -> bool:
    """Runs one install (or only the cleaning of a start) in a child; True if it lived to the end."""
    pid = os.fork()
    if pid == 0:
        shop = PackShop(base)
        if clean_only:
            InstalledPacks(shop.paths, APP, ops=ops).clean()
        else:
            shop.install(sim(3), ops=ops)
        os._exit(0)
    return os.waitpid(pid, 0)[1] == 0


def active_version(shop: PackShop) -> int | str:
    try:
        return shop.store.verify().manifest.pack_version
    except PuiError as error:
        return str(error)


def one_crash(prepared: Path, base: Path, step: int, *, tear: bool) -> dict[str, object]:
    shutil.rmtree(base, ignore_errors=True)
    shutil.copytree(prepared, base, symlinks=True)
    lived = in_child(PowerCutOps(step, tear=tear), base, clean_only=False)
    shop = PackShop(base)
    found: dict[str, object] = {"step": step, "lived": lived, "active": active_version(shop)}
    found["left"] = len(list(shop.paths.staging_dir.iterdir()))
    in_child(PowerCutOps(step % 3, tear=tear), base, clean_only=True)  # the recovery crashes as well
    found["cleaned"] = len(shop.store.clean())
    found["left_after"] = len(list(shop.paths.staging_dir.iterdir()))
    found["cleaned_again"] = len(shop.store.clean())
    found["after_cleaning"] = active_version(shop)
    shop.install(sim(3))
    found["then"] = active_version(shop)
    return found


def main() -> None:
    folder, tear = Path(sys.argv[1]), sys.argv[2] == "torn"
    prepared = folder / "prepared"
    prepared.mkdir()
    shop = PackShop(prepared)
    shop.install(sim(1))
    shop.install(sim(2))
    for step in itertools.count():
        found = one_crash(prepared, folder / "run", step, tear=tear)
        print(json.dumps(found), flush=True)
        if found["lived"]:
            break


if __name__ == "__main__":
    main()
