"""Whether this computer can run tasks, found out in the background and shown.

In: the chart, the pack store, the host probe, what a usual task asks for. Out: the SetupView; `listen` names who gets
each new one; the way through the chart. Never: two probes at once, a verdict of its own (domain/preflight.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from pui.domain.chart_names import GUARDS
from pui.domain.chart_trace import Trace, setup_trace
from pui.domain.commands import CancelActivity, CancelTimer, Command, StartActivity, StartTimer
from pui.domain.errors import CODES, PuiError
from pui.domain.events import ActivityDone, ActivityFailed, Event, JsonValue, TimedOut, Triggered
from pui.domain.facts import ArchName, OsName
from pui.domain.journal import Visit
from pui.domain.machine import ChartMachine
from pui.domain.preflight import PackFact, PreflightVerdict, ResourceRequest, decide_preflight
from pui.domain.setup_view import SetupState, setup_view
from pui.domain.statechart import Chart
from pui.ports import InstalledPack
from pui.ports.upkeep import SettingsStore
from pui.supervisor.activities import OVERLAY_NEED_BYTES, find_pack
from pui.supervisor.services import Services

VISITS_KEPT = 200


@dataclass(frozen=True)
class SetupFacts:
    """What does not change while the app runs; `has_previous` is asked at each check."""

    os: OsName
    arch: ArchName
    data_dir: str
    has_previous: Callable[[], bool]
    jail_is_on: bool = False
    jail_reason: str = ""


class SetupCheck:
    """One per app; every method belongs to the supervisor's loop."""

    def __init__(self, chart: Chart, services: Services, settings: SettingsStore, facts: SetupFacts) -> None:
        """`chart` is setup.json."""
        self._machine = ChartMachine(chart, GUARDS["setup"])
        self._visits = [Visit(chart.initial, services.clock.now_ns(), "", 0)]
        self._services = services
        self._settings = settings
        self._facts = facts
        self._listener: Callable[[dict[str, JsonValue]], None] = lambda view: None
        self._running: asyncio.Task[None] | None = None
        self._timer: asyncio.Task[None] | None = None
        self._state = SetupState(
            facts.os,
            facts.arch,
            services.machine_limit,
            facts.data_dir,
            jail_is_on=facts.jail_is_on,
            jail_reason=facts.jail_reason,
        )

    def listen(self, listener: Callable[[dict[str, JsonValue]], None]) -> None:
        """`listener` gets each new SetupView, on the loop."""
        self._listener = listener

    def view(self) -> dict[str, JsonValue]:
        """SetupView of docs/bridge.md as of the last check."""
        return setup_view(self._state)

    def first_view(self) -> dict[str, JsonValue]:
        """The same; the first one begins a check that may use a verdict which still holds."""
        if self._state.verdict is None:
            self.start(refresh=False)
        return self.view()

    def start(self, *, refresh: bool = True) -> dict[str, JsonValue]:
        """Begins a check, with a probe that really boots; nothing is begun while one runs."""
        if self._pull(Triggered("check"), refresh=refresh):
            self._listener(self.view())
        return self.view()

    def trace(self) -> Trace:
        """The way through setup.json since the app has started (the newest VISITS_KEPT visits)."""
        return setup_trace(self._visits, self._services.clock.now_ns())

    async def wait(self) -> dict[str, JsonValue]:
        """Until the check that runs is over."""
        if self._running is not None:
            await asyncio.wait([self._running])
        return self.view()

    async def close(self) -> None:
        """Ends a check that runs, and its probe machine."""
        self._pull(Triggered("close"))
        left = [task for task in (self._running, self._timer) if task is not None and not task.done()]
        if left:
            await asyncio.wait(left)

    def _pull(self, event: Event, *, refresh: bool = False) -> bool:
        """One event for the chart, and what it orders; False when its state does not know the event."""
        step = self._machine.handle(event, {})
        if step.target is None:
            return False
        self._visits.append(Visit(step.target, self._services.clock.now_ns(), step.trigger, 0))
        del self._visits[:-VISITS_KEPT]
        for command in step.commands:
            self._carry_out(command, refresh=refresh)
        return True

    def _carry_out(self, command: Command, *, refresh: bool) -> None:
        match command:
            case StartActivity(_, scope):
                self._state = replace(self._state, started_ms=self._now_ms())
                self._running = asyncio.create_task(self._check(scope, refresh=refresh), name="setup-check")
            case StartTimer(delay_ms, scope):
                self._timer = asyncio.create_task(self._time(delay_ms, scope), name="setup-limit")
            case CancelActivity():
                _cancel(self._running)
            case CancelTimer():
                _cancel(self._timer)

    async def _time(self, delay_ms: int, scope: int) -> None:
        await self._services.clock.sleep(delay_ms / 1000)
        self._tell_fault(scope, PuiError("task.timed_out", "the check of this computer took too long"))
        self._pull(TimedOut(scope))

    async def _check(self, scope: int, *, refresh: bool) -> None:
        """The activity of `checking`."""
        end: Event = ActivityFailed(scope, "task.app_ended", "the check was ended")
        try:
            pack, fact = await asyncio.to_thread(find_pack, self._services.packs)
            end = ActivityDone(scope, {"setup_is_needed": await self._judge(pack, fact, refresh=refresh)})
        except PuiError as error:
            end = self._tell_fault(scope, error)
        except Exception:
            structlog.get_logger().exception("the check of this computer failed unexpectedly")
            end = self._tell_fault(scope, PuiError("bug.unexpected", CODES["bug.unexpected"].meaning))
        finally:
            self._state = replace(self._state, started_ms=None, checked_ms=self._now_ms())
            self._pull(end)
        self._listener(self.view())

    async def _judge(self, pack: InstalledPack | None, fact: PackFact, *, refresh: bool) -> bool:
        """Whether set-up is needed."""
        facts = None if pack is None else await self._services.host.probe(pack, refresh=refresh)
        settings = self._settings.current()
        need = ResourceRequest(settings.memory_mib, settings.cpu_count, OVERLAY_NEED_BYTES)
        verdict = decide_preflight(fact, facts, need, self._services.tcg_is_allowed)
        has_previous = await asyncio.to_thread(self._facts.has_previous)
        self._state = replace(self._state, verdict=verdict, facts=facts, has_previous=has_previous)
        return verdict.setup_is_needed

    def _tell_fault(self, scope: int, error: PuiError) -> Event:
        """A check that could not be made is a finding too."""
        fault = PackFact("", error.code, error.message, error.hint)
        verdict: PreflightVerdict = decide_preflight(fault, None, ResourceRequest(0, 0, 0), tcg_is_allowed=False)
        self._state = replace(self._state, verdict=verdict, facts=None)
        return ActivityFailed(scope, error.code, error.message, error.hint)

    def _now_ms(self) -> int:
        return self._services.clock.now_ns() // 1_000_000


def _cancel(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
