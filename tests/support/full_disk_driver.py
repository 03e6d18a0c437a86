"""Installs and rolls back on a file system of its own that is really full, or really read-only.

In: argv: a folder on which a tmpfs is mounted, in a mount namespace of our own. Out: one JSON line per room.
Never: a verdict; the test that starts it judges. Never: a mount that outlives this process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from pui.adapters.packs.file_ops import FileOps
from pui.adapters.packs.keys import load_trust
from pui.domain.errors import PuiError
from tests.support.crash_driver import sim
from tests.support.life_crash_driver import install, state_of
from tests.support.pack_shop import PackShop

DISK_BYTES = 24 * 1024 * 1024  # an install asks for 16 MiB before it begins
STEP_BYTES = 4096
ROOMS = 20


class Hopeful(FileOps):
    """Believes that there is room: the look before the start must not be what saves us."""

    def free_bytes(self, path: Path) -> int:
        return 1 << 40


def tmpfs(folder: Path, *options: str) -> None:
    subprocess.run(["mount", *options, "tmpfs", str(folder)], check=True)


def code_of(act: Callable[[], object]) -> str:
    try:
        act()
    except PuiError as error:
        return error.code
    return ""


def one_room(folder: Path, room: int | None) -> dict[str, object]:
    """An install and a rollback with `room` bytes left, or (None) on a disk that cannot be written."""
    tmpfs(folder, "-t", "tmpfs", "-o", f"size={DISK_BYTES}")
    try:
        shop = PackShop(folder)
        for version in (1, 2):
            install(shop, shop.life(), version)
            shop.life().proven(sim(version).build().pack_id)
        sources = shop.source(sim(3).build())  # lies on the same disk, before it is full
        filler = folder / "filler"
        if room is None:
            tmpfs(folder, "-o", "remount,ro")
        else:
            fill(filler, room)
        life = shop.life(Hopeful())
        installed = code_of(lambda: life.install(sources, load_trust(shop.paths.trust_dir)))
        found: dict[str, object] = {"room": room, "install": installed, "active_at_once": state_of(shop)["active"]}
        found["rollback"] = code_of(lambda: shop.life(Hopeful()).roll_back())
        found["active_then"] = state_of(shop)["active"]
        if room is None:
            tmpfs(folder, "-o", "remount,rw")
        filler.unlink(missing_ok=True)
        shop.life().recover()
        install(shop, shop.life(), 4)
        return {**found, **state_of(shop)}
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(path: Path, room: int) -> None:
    """Writes until the disk is full, then gives `room` bytes back."""
    block = bytes(65536)
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(block)
        except OSError:
            file.truncate(max(0, file.tell() - room))


def main() -> None:
    folder = Path(sys.argv[1])
    for room in [None, *(number * STEP_BYTES for number in range(ROOMS))]:
        print(json.dumps(one_room(folder, room)), flush=True)


if __name__ == "__main__":
    main()
