"""One job on packs at a time: its act in a thread of its own, then the health boot, and how far it is.

In: acts over ports.PackWork, a way to boot a pack, a clock. Out: the Job as it stands, told at most ten times a second.
Never: two jobs at once, a decision about a pack, an error that nobody sees.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

import structlog

from pui.domain.channel import Pace
from pui.domain.errors import CODES, CallerError, HostError, PuiError
from pui.domain.journal import TaskView
from pui.domain.pack_job import Job, JobKind, JobState, Step, state_of_error
from pui.domain.pack_life import PackView, unhealthy
from pui.ports import Clock, InstalledPack
from pui.ports.upkeep import JobResult, StepReport
from pui.supervisor.pack_trial import boot_words

TELL_INTERVAL_S = 0.1

Act = Callable[[StepReport], JobResult]
Judged = Callable[[str], PackView]


class Boot(Protocol):
    """pack_trial.PackTrier.boot."""

    def __call__(self, pack: InstalledPack, on_state: Callable[[str], None], /) -> Awaitable[TaskView]: ...


class _Report:
    """ports.StepReport: the last step, and whether the person has stopped the job. Used by two threads."""

    def __init__(self) -> None:
        self.step = Step("waiting")
        self.stop = threading.Event()

    def __call__(self, step: Step) -> None:
        self.step = step
        self.check()

    def show(self, step: Step) -> None:
        """For a part that is stopped in another way."""
        self.step = step

    def check(self) -> None:
        """Raises PuiError("job.cancelled")."""
        if self.stop.is_set():
            raise PuiError("job.cancelled", "stopped by the person")


class PackJobs:
    """Every method belongs to the supervisor's loop. `on_change` is called on it too."""

    def __init__(
        self, boot: Boot, judged: Judged, clock: Clock, new_id: Callable[[], str], on_change: Callable[[], None]
    ) -> None:
        self._boot = boot
        self._judged = judged
        self._clock = clock
        self._new_id = new_id
        self._on_change = on_change
        self._job: Job | None = None
        self._report = _Report()
        self._running: asyncio.Task[None] | None = None
        self._booting: asyncio.Task[TaskView] | None = None
        self._pace = Pace()

    @property
    def job(self) -> Job | None:
        """The job that runs, or the last one of this app."""
        return self._job

    @property
    def is_busy(self) -> bool:
        return self._running is not None and not self._running.done()

    def start(self, kind: JobKind, act: Act, *, can_cancel: bool = True) -> str:
        """Returns the job's id at once. Raises HostError("job.busy")."""
        if self.is_busy:
            raise HostError("job.busy", f"a job ({self._job.kind if self._job else ''}) is running already")
        self._job = Job(self._new_id(), kind, self._clock.now_ns() // 1_000_000, can_cancel=can_cancel)
        self._report, self._pace = _Report(), Pace()
        self._running = asyncio.create_task(self._run(act), name=f"pack-job-{kind}")
        self._on_change()
        return self._job.job_id

    def cancel(self, job_id: str) -> None:
        """Asks the job to stop: it does at its next step. Raises CallerError for a job that cannot be stopped."""
        job = self._job
        if job is None or job.job_id != job_id or not self.is_busy:
            raise CallerError("caller.bad_request", "no such job is running")
        if not job.can_cancel:
            raise CallerError("caller.rejected", "this job cannot be stopped; it is over in a moment")
        self._stop()

    async def wait(self, job_id: str) -> Job:
        """Until the job is over. Raises CallerError for one that is not this one."""
        if self._job is None or self._job.job_id != job_id:
            raise CallerError("caller.bad_request", "there is no such job any more")
        if self._running is not None:
            await asyncio.shield(self._running)
        return self._job

    async def close(self) -> None:
        """Stops what runs and waits for its end."""
        if self._running is not None and not self._running.done():
            self._stop()
            await asyncio.wait([self._running])

    def _stop(self) -> None:
        self._report.stop.set()
        if self._booting is not None:
            self._booting.cancel()

    async def _run(self, act: Act) -> None:
        ticker = asyncio.create_task(self._tick())
        try:
            result = await asyncio.to_thread(act, self._report)
            note = result.note
            if result.to_boot is not None:
                note = "; ".join(filter(None, [note, *await self._try(result.to_boot)]))
            self._end("done", note=note)
        except PuiError as error:
            self._end("cancelled" if self._report.stop.is_set() else state_of_error(error), error=error)
        except Exception:
            structlog.get_logger().exception("a job on packs failed unexpectedly")
            self._end("failed", error=PuiError("bug.unexpected", CODES["bug.unexpected"].meaning))
        finally:
            ticker.cancel()
            with suppress(asyncio.CancelledError):
                await ticker
        self._on_change()

    async def _try(self, pack: InstalledPack) -> list[str]:
        """The health boot. Raises SetupError pack.unhealthy, PuiError job.cancelled: then it stays on trial."""
        self._report(Step("trying", note=f"trying {pack.pack_id}"))
        self._booting = asyncio.ensure_future(
            self._boot(pack, lambda label: self._report.show(Step("trying", note=label)))
        )
        try:
            view = await self._booting
        except asyncio.CancelledError:
            self._report.check()
            raise
        finally:
            self._booting = None
        judged = self._judged(pack.pack_id)
        if judged.state == "failed":
            raise unhealthy(judged)
        reached_pi = view.outcome is not None and view.outcome.result == "completed"
        return [*([f"a machine of {pack.pack_id} has reached pi"] if reached_pi else []), *boot_words(view)]

    def _end(self, state: JobState, *, note: str = "", error: PuiError | None = None) -> None:
        if self._job is not None:
            job = replace(self._job, state=state, step=self._report.step, note=note, error=error)
            self._job = replace(job, rate_bytes_s=None, left_s=None)

    async def _tick(self) -> None:
        """Tells what has changed since the last look."""
        while True:
            await self._clock.sleep(TELL_INTERVAL_S)
            step, job = self._report.step, self._job
            if job is None or step == job.step:
                continue
            if step.phase != job.step.phase:
                self._pace = Pace()
            self._pace.add(self._clock.monotonic_s(), step.done_bytes)
            left_s = self._pace.left_s(step.total_bytes) if step.total_bytes else None
            self._job = replace(job, step=step, rate_bytes_s=self._pace.bytes_per_s, left_s=left_s)
            self._on_change()
