"""Kills an act of a pack's life at each of its steps and tells what was left. A program of its own: it forks.

In: argv: a folder, an act, "plain" or "torn". Out: one JSON line per step on stdout.
Never: a verdict; the test that starts it judges.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from pui.adapters.packs.keys import load_trust
from pui.adapters.packs.life import PackLife
from pui.adapters.packs.slots import read_slot
from pui.domain.errors import PuiError
from pui.domain.pack_life import catch_up
from tests.support.crash_driver import sim
from tests.support.faulty_ops import PowerCutOps
from tests.support.pack_shop import PackShop

WAYS: Mapping[str, tuple[tuple[str, ...], Callable[[PackShop, PackLife], object]]] = {
    "install": (("1", "2"), lambda shop, life: install(shop, life, 3)),
    "first-install": ((), lambda shop, life: install(shop, life, 3)),
    "prove": (("1", "2", "3?"), lambda shop, life: life.proven(named(shop, 3))),
    "fall-back": (("1", "2", "3?"), lambda shop, life: life.failed(named(shop, 3), "guest.boot_timeout", "no answer")),
    "first-fails": (("3?",), lambda shop, life: life.failed(named(shop, 3), "guest.boot_timeout", "no answer")),
    "boots-after-all": (("1", "2", "3?!"), lambda shop, life: life.proven(named(shop, 3))),
    "roll-back": (("2", "3"), lambda shop, life: life.roll_back()),
    "roll-back-trial": (("2", "3?"), lambda shop, life: life.roll_back()),
    "collect": (("1", "2", "3?!"), lambda shop, life: life.clean()),
    "repair": (("1", "2", "3#"), lambda shop, life: repair(shop, life, 3)),
}
"""An act, and what is installed before it: "?" stays on trial, "!" fails it, "#" is damaged in every way."""


def named(shop: PackShop, version: int) -> str:
    return sim(version).build().pack_id


def install(shop: PackShop, life: PackLife, version: int) -> None:
    life.install(shop.source(sim(version).build()), load_trust(shop.paths.trust_dir))


def repair(shop: PackShop, life: PackLife, version: int) -> None:
    life.repair(shop.source(sim(version).build()), load_trust(shop.paths.trust_dir))


def damage(root: Path) -> None:
    """A changed byte, a missing file, a wrong mode, an added file, an added folder."""
    with (root / "kernel/vmlinux").open("r+b") as file:
        file.write(b"!")
    (root / "qemu/bin/qemu-system").unlink()
    (root / "qemu/lib/ld.so").chmod(0o644)
    (root / "qemu/lib/evil.so").write_text("x")
    (root / "evil").mkdir()
    (root / "evil/inside").write_text("x")


def prepare(folder: Path, packs: tuple[str, ...]) -> None:
    shop = PackShop(folder)
    for text in packs:
        version = int(text.rstrip("?!#"))
        install(shop, shop.life(), version)
        if "?" not in text:
            shop.life().proven(named(shop, version))
        if "!" in text:
            shop.life().failed(named(shop, version), "guest.boot_timeout", "no answer")
        if "#" in text:
            damage(shop.paths.packs_dir / named(shop, version))


def in_child(act: Callable[[PackShop], object], base: Path) -> bool:
    """True if the child lived to the end."""
    pid = os.fork()
    if pid == 0:
        act(PackShop(base))
        os._exit(0)
    return os.waitpid(pid, 0)[1] == 0


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()] if folder.exists() else []


def state_of(shop: PackShop) -> dict[str, object]:
    life = shop.life()
    try:
        active: int | str = life.active().manifest.pack_version
    except PuiError as error:
        active = error.code
    previous = read_slot(shop.paths.previous_pack)
    packs = life.view().packs.values()
    return {
        "active": active,
        "previous": int(previous.split("-")[2]) if previous else None,
        "states": {pack.pack_id.split("-")[2]: pack.state for pack in packs if pack.state not in ("absent", "removed")},
        "reasons": {pack.pack_id.split("-")[2]: pack.reason_code for pack in packs if pack.state == "failed"},
        "folders": sorted(int(name.split("-")[2]) for name in names_in(shop.paths.packs_dir)),
        "behind": len(catch_up(life.view(), life.slots())),
        "staging": len(names_in(shop.paths.staging_dir)),
    }


def one_crash(prepared: Path, base: Path, step: int, way: str, *, tear: bool) -> dict[str, object]:
    shutil.rmtree(base, ignore_errors=True)
    shutil.copytree(prepared, base, symlinks=True)
    act = WAYS[way][1]
    lived = in_child(lambda shop: act(shop, shop.life(PowerCutOps(step, tear=tear))), base)
    shop = PackShop(base)
    at_once = state_of(shop)["active"]
    in_child(lambda dying: dying.life(PowerCutOps(step % 7, tear=tear)).recover(), base)  # the recovery dies as well
    said = shop.life().recover()
    found = {"step": step, "lived": lived, "at_once": at_once, "said": len(said), **state_of(shop)}
    found["said_again"] = len(shop.life().recover())
    if way == "repair":
        repair(shop, shop.life(), 3)
        found["sound"] = shop.store.verify().manifest.pack_version
    return found


def main() -> None:
    folder, way, tear = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "torn"
    prepare(folder / "prepared", WAYS[way][0])
    for step in itertools.count():
        found = one_crash(folder / "prepared", folder / "run", step, way, tear=tear)
        print(json.dumps(found), flush=True)
        if found["lived"]:
            break


if __name__ == "__main__":
    main()
