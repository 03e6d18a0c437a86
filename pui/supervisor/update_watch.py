"""Looks for updates in the background, downloads and tries them: the pack that runs is never stopped by it.

In: settings, what is remembered, whether the network is metered, the clock. Out: rounds of the pack board; the reason
of each failure stays to be shown. Never: a second job beside a person's, a way around the trial of a new pack.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import structlog

from pui.domain.errors import PuiError
from pui.domain.settings import Settings
from pui.domain.update_policy import ANSWER_WORDS, Answer, decide_answer, due_ms
from pui.ports import Clock
from pui.ports.upkeep import MeteredProbe, SettingsStore, UpdateRecord
from pui.supervisor.pack_board import PackBoard

LOOK_INTERVAL_S = 60.0
"""How soon a changed setting counts, and how soon a suspended computer notices that it woke."""


class UpdateWatch:
    """One per app. `chance` draws a number from 0 to 1."""

    def __init__(
        self,
        board: PackBoard,
        settings: SettingsStore,
        updates: UpdateRecord,
        metered: MeteredProbe,
        clock: Clock,
        chance: Callable[[], float],
    ) -> None:
        self._board = board
        self._settings = settings
        self._updates = updates
        self._metered = metered
        self._clock = clock
        self._chance = chance
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to watch, until `close`."""
        if self._task is None:
            self._task = asyncio.create_task(self._watch(), name="update-watch")

    async def close(self) -> None:
        """Idempotent; a job that it began is the board's to end."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def round(self) -> list[str]:
        """One check and what follows from it, whatever the clock says; what happened, a sentence each.

        Raises HostError("job.busy"); every fault of the channel or the new pack is a sentence, not an error.
        """
        state = await self._board.check()
        if state.error is not None:
            return [f"the channel could not be used: {state.error}; what is installed goes on working"]
        is_metered, how_known = await self._metered.is_metered()
        answer: Answer = decide_answer(self._now_settings(), state, is_metered)
        said = [ANSWER_WORDS[answer]]
        if answer in ("metered", "install"):
            said.append(how_known)
        if answer == "install":
            job = await self._board.finished(self._board.update())
            said.append(f"the update: {job.error}" if job.error is not None else job.note)
        return said

    def _now_settings(self) -> Settings:
        return replace(self._settings.current(), channel=self._board.channel())

    async def _watch(self) -> None:
        began_ms, chance = self._now_ms(), self._chance()
        while True:
            state, now_ms = await asyncio.to_thread(self._updates.read), self._now_ms()
            due = due_ms(self._now_settings(), state, began_ms, now_ms, chance)
            if due is not None and due <= now_ms:
                chance = self._chance()
                await self._round_quietly()
            await self._clock.sleep(LOOK_INTERVAL_S)

    async def _round_quietly(self) -> None:
        try:
            for sentence in await self.round():
                structlog.get_logger().info("update watch", said=sentence)
        except PuiError as error:  # a person's job runs, or the disk is full: later
            structlog.get_logger().warning("update watch", code=error.code, reason=error.message)

    def _now_ms(self) -> int:
        return self._clock.now_ns() // 1_000_000
