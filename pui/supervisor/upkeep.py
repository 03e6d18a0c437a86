"""What keeps the app itself in order, in one value: settings, models and keys, set-up, packs, updates.

In: the parts, made by compose.py. Out: the same by name; one way to end them all. Never: a decision.
"""

from __future__ import annotations

from dataclasses import dataclass

from pui.ports import ModelChoices
from pui.ports.upkeep import DataMover, ModelKeys, SettingsStore
from pui.supervisor.pack_board import PackBoard
from pui.supervisor.setup_check import SetupCheck
from pui.supervisor.update_watch import UpdateWatch


@dataclass(frozen=True)
class Upkeep:
    """`watch` runs only once somebody starts it: the window and `pui serve` do, a command does not."""

    settings: SettingsStore
    models: ModelChoices
    keys: ModelKeys
    setup: SetupCheck
    packs: PackBoard
    watch: UpdateWatch
    mover: DataMover

    async def close(self) -> None:
        """Ends what runs in the background, the health boot of a job too."""
        await self.watch.close()
        await self.setup.close()
        await self.packs.close()
