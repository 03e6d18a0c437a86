"""A computer with real packs, a real channel on loopback and real settings, whose machines are played.

In: a temporary folder, what boots shall bring. Out: what the app has for its upkeep. Never: a fake installer.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pui.adapters.clock import SystemClock
from pui.adapters.data_dir import DataLease
from pui.adapters.data_move import DataMove
from pui.adapters.keystore import read_model_environment
from pui.adapters.model_keys import ModelKeyring
from pui.adapters.os_keystore import OsKeystore
from pui.adapters.packs.operations import Builder, PackOperations, Surroundings
from pui.adapters.packs.web import FetchLimits, Web
from pui.adapters.settings_file import SettingsFile
from pui.adapters.update_file import UpdateFile
from pui.domain.events import JsonValue
from pui.domain.journal import Outcome, TaskView
from pui.domain.pack_job import Job, Step
from pui.ports import Clock, InstalledPack
from pui.ports.upkeep import StepReport
from pui.resources import load_chart
from pui.supervisor.pack_board import PackBoard
from pui.supervisor.update_watch import UpdateWatch
from tests.support.channel_rig import PATIENT, ChannelRig
from tests.support.pack_simulator import APP, PackSim


@dataclass
class PlayedBoots:
    """Health boots: each takes its word from `script` ("good", "bad", "setup", "hang"), the last one stays."""

    rig: UpkeepRig
    script: list[str] = field(default_factory=lambda: ["good"])
    booted: list[str] = field(default_factory=list)
    cancelled: int = 0

    async def __call__(self, pack: InstalledPack, on_state: Callable[[str], None]) -> TaskView:
        self.booted.append(pack.pack_id)
        on_state("Starting the machine")
        word = self.script[0] if len(self.script) == 1 else self.script.pop(0)
        life = self.rig.work.life
        if word == "hang":
            try:
                await asyncio.sleep(600)
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        if word == "good":
            await asyncio.to_thread(life.proven, pack.pack_id)
            return TaskView(outcome=Outcome("completed"))
        if word == "setup":
            finding: JsonValue = {"code": "accel.missing", "severity": "blocker", "message": "none", "hint": "do this"}
            return TaskView(facts={"findings": [finding]}, outcome=Outcome("cancelled"))
        await asyncio.to_thread(life.failed, pack.pack_id, "guest.boot_timeout", "no hello")
        return TaskView(outcome=Outcome("failed", "guest.boot_timeout", "no hello"))


class PlayedBuilder(Builder):
    """Brings `version` at the second step, if nobody stops it before."""

    def __init__(self, folder: Path, version: int = 7) -> None:
        self._folder = folder
        self._version = version

    def is_possible(self) -> bool:
        return True

    def build(self, report: StepReport) -> Path:
        report(Step("building", note="resolving"))
        report(Step("building", 1, 2, "image"))
        return PackSim(version=self._version).build().write(self._folder)


@dataclass
class Metered:
    answer: bool = False

    async def is_metered(self) -> tuple[bool, str]:
        return self.answer, "the test says so"


class UpkeepRig:
    """`views` are the PackViews that were told; `channel` the operator's side."""

    def __init__(self, base: Path, clock: Clock | None = None, limits: FetchLimits = PATIENT) -> None:
        self.channel = ChannelRig(base)
        self.shop = self.channel.shop
        self.paths = self.shop.paths
        self.notes: list[str] = []
        self.settings = SettingsFile(self.paths, self.notes.append)
        self.clock = clock or SystemClock()
        around = Surroundings(lambda: self.settings.current().channel, web=Web(limits))
        builder = PlayedBuilder(base / "built-here")
        self.work = PackOperations(self.paths, APP, self.shop.life(), self.settings, around, builder)
        self.boots = PlayedBoots(self)
        self.updates = UpdateFile(self.paths)
        self.metered = Metered()
        self.views: list[dict[str, Any]] = []
        self.keys = ModelKeyring(self.paths, self.settings, read_model_environment({}), OsKeystore())
        self._lease: DataLease | None = None
        self._numbers = itertools.count(1)
        self._base = base

    def board(self) -> PackBoard:
        """To be made on the loop that uses it."""
        labels = {name: state.label for name, state in load_chart("pack").states.items()}
        board = PackBoard(self.work, self.boots, self.settings, self.updates, self.clock, self._new_id, labels)
        board.listen(self.views.append)
        return board

    def watch(self, board: PackBoard) -> UpdateWatch:
        return UpdateWatch(board, self.settings, self.updates, self.metered, self.clock, lambda: 0.5)

    def mover(self) -> DataMove:
        """Holds the data folder as a running app does, until `close`."""
        self._lease = DataLease(self.paths)
        return DataMove(self.paths, APP, self._lease, {"PUI_DATA_DIR": str(self.paths.data)})

    def close(self) -> None:
        if self._lease is not None:
            self._lease.close()

    def built(self, version: int) -> Path:
        """A pack's archive in a file, as somebody gives it to a person."""
        return PackSim(version=version).build().write(self._base / "given")

    def pack_id(self, version: int) -> str:
        return PackSim(version=version).build().pack_id

    def state(self, version: int) -> str:
        return self.work.judged(self.pack_id(version)).state

    def active_version(self) -> int:
        return self.work.life.active().manifest.pack_version

    def _new_id(self) -> str:
        return f"job{next(self._numbers)}"


async def finished(board: PackBoard, job_id: str) -> Job:
    """The job at its end, with all that follows it."""
    return await board.finished(job_id)
