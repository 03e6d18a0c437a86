"""What a person does with packs from the window: starts jobs, asks for updates, skips one, and sees how it stands.

In: ports.PackWork, settings, what is remembered of updates. Out: the PackView, jobs; `tell` when the view has changed.
Never: an act on the loop's thread, a decision that the domain can make.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog

from pui.domain.channel_root import OfferedRoot
from pui.domain.errors import CallerError, HostError, PuiError, SetupError
from pui.domain.events import JsonValue
from pui.domain.pack_job import Job, JobKind
from pui.domain.packs_view import PackSurroundings, StoreFacts, packs_view
from pui.domain.update_policy import UpdateState, after_check, after_failure, with_skip
from pui.ports import Clock
from pui.ports.upkeep import DataMover, MovePlan, PackWork, SettingsStore, UpdateRecord
from pui.supervisor.pack_jobs import Act, Boot, PackJobs


class PackBoard:
    """One per app; every method belongs to the supervisor's loop. `listen` names who is told of a new view."""

    def __init__(
        self,
        work: PackWork,
        boot: Boot,
        settings: SettingsStore,
        updates: UpdateRecord,
        clock: Clock,
        new_id: Callable[[], str],
        state_labels: Mapping[str, str],
    ) -> None:
        self.jobs = PackJobs(boot, work.judged, clock, new_id, self._job_changed)
        self._work = work
        self._settings = settings
        self._updates = updates
        self._clock = clock
        self._labels = state_labels
        self._listener: Callable[[dict[str, JsonValue]], None] = lambda view: None
        self._facts = StoreFacts()
        self._known = UpdateState()
        self._can_build = False
        self._is_checking = False
        self._background: set[asyncio.Task[None]] = set()

    def listen(self, listener: Callable[[dict[str, JsonValue]], None]) -> None:
        """`listener` gets each new PackView, on the loop."""
        self._listener = listener

    def channel(self) -> str:
        """The address that updates come from, "" for none."""
        return self._work.channel()

    async def view(self) -> dict[str, JsonValue]:
        """PackView of docs/bridge.md, from a fresh look. Raises HostError."""
        await self._look()
        return self._view()

    async def check(self) -> UpdateState:
        """Asks the channel now; how it went is remembered and shown, a failure too.

        Raises HostError("job.busy"), CallerError("caller.rejected") when no channel is named.
        """
        if not self._work.channel():
            raise CallerError(
                "caller.rejected",
                "no channel is named",
                hint="Settings, Runtime: «Set…»; or `pui settings set channel URL`",
            )
        self._check_free()
        self._is_checking = True
        before = await asyncio.to_thread(self._updates.read)
        try:
            offer = await asyncio.to_thread(self._work.check)
            state = after_check(before, self._now_ms(), offer)
        except PuiError as error:
            structlog.get_logger().warning("the channel could not be asked", code=error.code, reason=error.message)
            state = after_failure(before, self._now_ms(), error)
        finally:
            self._is_checking = False
        await asyncio.to_thread(self._updates.write, state)
        await self.tell()
        return state

    async def read_root(self, file: Path) -> OfferedRoot:
        """What a person is asked to trust. Raises as PackWork.read_root does, HostError("job.busy")."""
        self._check_free()
        return await asyncio.to_thread(self._work.read_root, file)

    async def trust_root(self, root: bytes, told: str) -> None:
        """Trusts the channel of `root`. Raises as PackWork.trust_root does, HostError("job.busy")."""
        self._check_free()
        await asyncio.to_thread(self._work.trust_root, root, told)
        structlog.get_logger().info("the root of a channel is trusted", fingerprint=told)
        await self.begin_anew()

    async def begin_anew(self) -> None:
        """After another address or root: what was known of the channel before is of no use; who listens is told."""
        state = await asyncio.to_thread(self._updates.read)
        if state.offer is not None or state.error is not None:
            await asyncio.to_thread(self._updates.write, replace(state, offer=None, error=None))
        await self.tell()

    async def skip(self, version: int | None) -> dict[str, JsonValue]:
        """Raises CallerError("caller.bad_request") for a version that is not on offer."""
        state = with_skip(await asyncio.to_thread(self._updates.read), version)
        await asyncio.to_thread(self._updates.write, state)
        await self.tell()
        return self._view()

    async def tell(self) -> None:
        """After a fresh look, to whoever listens."""
        await self._look()
        self._listener(self._view())

    # jobs; each returns the job's id and raises HostError("job.busy")

    def update(self, kind: JobKind = "update") -> str:
        return self._start(kind, self._work.update)

    def build(self) -> str:
        return self._start("build", self._work.build)

    def install_file(self, file: Path) -> str:
        return self._start("install", lambda report: self._work.install_file(file, report))

    def repair(self) -> str:
        return self._start("repair", self._work.repair)

    def verify(self) -> str:
        return self._start("verify", self._work.verify, can_cancel=False)

    def roll_back(self, words: str | None) -> str:
        return self._start("rollback", lambda report: self._work.roll_back(words, report), can_cancel=False)

    def clean(self) -> str:
        return self._start("clean", self._work.clean, can_cancel=False)

    def move_data(self, mover: DataMover, plan: MovePlan) -> str:
        """Moves the data folder; nothing of it can be used here afterwards, and that is what everything says."""
        return self._start("move", lambda report: mover.move(plan, report))

    def try_pack(self) -> str:
        return self._start("try", self._work.to_try)

    async def finished(self, job_id: str) -> Job:
        """The job at its end, once what follows from it is written down. Raises CallerError for another job's id."""
        job = await self.jobs.wait(job_id)
        if self._background:
            await asyncio.wait(self._background)
        return job

    async def close(self) -> None:
        """Stops the job that runs, waits for it and for what follows it."""
        await self.jobs.close()
        while self._background:
            await asyncio.wait(self._background)

    def _check_free(self) -> None:
        if self._is_checking or self.jobs.is_busy:
            raise HostError("job.busy", "the channel is being asked, or a job runs")

    def _start(self, kind: JobKind, act: Act, *, can_cancel: bool = True) -> str:
        job_id = self.jobs.start(kind, act, can_cancel=can_cancel)
        self._spawn(self._after(job_id))
        return job_id

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _after(self, job_id: str) -> None:
        """A new look once a job is over; the reason of an update that failed is remembered."""
        job = await self.jobs.wait(job_id)
        try:
            await self._look()
            await self._remember(job)
            await self.tell()
        except PuiError as error:
            structlog.get_logger().warning("the end of a job could not be written down", code=error.code)

    async def _remember(self, job: Job) -> None:
        """An offer is over once its version is here; why an update failed is kept."""
        state = await asyncio.to_thread(self._updates.read)
        here = max((pack.manifest.pack_version for pack in self._facts.packs if pack.manifest), default=0)
        kept = replace(state, offer=None) if state.offer is not None and state.offer.version <= here else state
        if job.kind == "update" and job.state == "done":
            kept = replace(kept, error=None)
        if job.kind == "update" and job.state == "failed" and job.error is not None:
            kept = after_failure(kept, self._now_ms(), job.error)
        if kept != state or kept.error is not state.error:
            await asyncio.to_thread(self._updates.write, kept)

    def _job_changed(self) -> None:
        self._listener(self._view())

    async def _look(self) -> None:
        try:
            self._facts = await asyncio.to_thread(self._work.facts)
        except SetupError as error:
            if error.code != "data.moved":
                raise
            return  # what was known still holds, in another place
        self._known = await asyncio.to_thread(self._updates.read)
        self._can_build = await asyncio.to_thread(self._work.can_build)

    def _view(self) -> dict[str, JsonValue]:
        limit_bytes = self._settings.current().disk_limit_bytes
        around = PackSurroundings(self._work.channel(), limit_bytes, self._can_build, self._labels)
        return packs_view(self._facts, around, self._known, self.jobs.job)

    def _now_ms(self) -> int:
        return self._clock.now_ns() // 1_000_000
