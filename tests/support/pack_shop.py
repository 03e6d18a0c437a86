"""A private set of folders with an installer, a store and a look at everything they hold.

In: a temporary folder. Out: what a test of packs needs. Never: a fake part.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from pui.adapters.packs.file_ops import FileOps
from pui.adapters.packs.install import InstallResult, PackInstaller
from pui.adapters.packs.keys import add_trusted_key, load_trust
from pui.adapters.packs.life import PackLife
from pui.adapters.packs.source import FileSource, PackSource
from pui.adapters.packs.store import InstalledPacks
from pui.adapters.paths import AppPaths
from pui.ports import Clock
from pui.resources import load_chart
from tests.support.pack_simulator import APP, KEY, BuiltSim, PackSim
from tests.support.simulated import SimulatedClock

Snapshot = dict[str, tuple[int, bytes]]


class PackShop:
    """`base` is a temporary folder of the test; one trusted key, nothing installed."""

    def __init__(self, base: Path) -> None:
        self.base = base
        base.mkdir(parents=True, exist_ok=True)
        self.paths = AppPaths(base / "data", base / "cache", base / "run")
        add_trusted_key(self.paths.trust_dir, KEY.trusted())
        self.clock = SimulatedClock()
        self.canary = base / "outside"
        self.canary.write_bytes(b"untouched")

    def life(self, ops: FileOps | None = None, clock: Clock | None = None) -> PackLife:
        """Real, but for the clock: time stands still unless a test moves it."""
        return PackLife(self.paths, APP, load_chart("pack"), clock or self.clock, ops=ops, lock_wait_s=0.0)

    def install_living(self, sim: PackSim | BuiltSim, *, ops: FileOps | None = None) -> InstallResult:
        """Like install(), written down: the pack is on trial."""
        built = sim.build() if isinstance(sim, PackSim) else sim
        return self.life(ops).install(self.source(built), load_trust(self.paths.trust_dir))

    @property
    def store(self) -> InstalledPacks:
        return InstalledPacks(self.paths, APP)

    def installer(self, ops: FileOps | None = None, lock_wait_s: float = 0.0) -> PackInstaller:
        return PackInstaller(self.paths, APP, ops=ops, lock_wait_s=lock_wait_s)

    def source(self, built: BuiltSim) -> PackSource:
        return FileSource(built.write(self.base / "source"))

    def install(
        self, sim: PackSim | BuiltSim, *, ops: FileOps | None = None, allow_older: bool = False
    ) -> InstallResult:
        built = sim.build() if isinstance(sim, PackSim) else sim
        trust = load_trust(self.paths.trust_dir)
        return self.installer(ops).install(self.source(built), trust, allow_older=allow_older)

    def snapshot(self) -> Snapshot:
        """Mode and bytes of every entry below the runtime folder and the canary; the empty lock file does not count."""
        found: Snapshot = {"canary": (0, self.canary.read_bytes())}
        for folder, _, names in os.walk(self.paths.pack_dir):
            for path in [Path(folder), *(Path(folder) / name for name in names)]:
                if path != self.paths.install_lock:
                    found[str(path)] = (path.lstat().st_mode, _content(path))
        return found


def _content(path: Path) -> bytes:
    mode = path.lstat().st_mode
    return path.read_bytes() if stat.S_ISREG(mode) else b""
