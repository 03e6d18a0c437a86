"""One mailbox, one machine, one resource stack: runs a task's chart.

In: events (triggers from outside, ends of activities, timeouts). Out: records in the journal, then commands
carried out.
Never: a decision that is not in the chart, an event handled while another one is being handled.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Mapping

import structlog

from pui.domain.commands import CancelActivity, CancelTimer, Command, StartActivity, StartTimer
from pui.domain.errors import PuiError
from pui.domain.events import ActivityDone, ActivityFailed, Event, JsonValue, TimedOut, Triggered
from pui.domain.journal import Outcome
from pui.domain.machine import ChartMachine, Step
from pui.domain.outcome import decide_outcome
from pui.ports import Clock
from pui.supervisor.task_journal import TaskJournal

Activity = Callable[[int], Awaitable[Mapping[str, JsonValue]]]

CANCEL_LIMIT_S = 5.0

_log = structlog.get_logger()


class TaskRunner:
    """Runs one chart to a final state. `activities` maps a name of the chart to a function of the causing seq."""

    def __init__(
        self,
        machine: ChartMachine,
        activities: Mapping[str, Activity],
        journal: TaskJournal,
        clock: Clock,
    ) -> None:
        self._machine = machine
        self._activities = activities
        self._journal = journal
        self._clock = clock
        self._inbox: asyncio.Queue[tuple[Event, int | None]] = asyncio.Queue()
        self._facts: dict[str, JsonValue] = {}
        self._running: dict[int, asyncio.Task[None]] = {}
        self._timers: dict[int, asyncio.Task[None]] = {}
        journal.on_fault = self._end_on_journal_fault

    @property
    def state(self) -> str:
        """The state the chart is in."""
        return self._machine.state

    def post(self, event: Event, cause: int | None = None) -> None:
        """Put an event into the mailbox; it is handled after those before it."""
        self._inbox.put_nowait((event, cause))

    async def run(self) -> None:
        """Until the chart is in a final state. Cancelling this is for the end of the app only: nothing is released."""
        try:
            while not self._machine.is_final:
                event, cause = await self._inbox.get()
                await self._handle(event, cause)
        finally:
            await self._end_all()

    async def _handle(self, event: Event, cause: int | None) -> None:
        seq = self._journal.write("event", cause, describe_event(event))
        if isinstance(event, ActivityDone):
            self._facts |= dict(event.facts)
        step = self._machine.handle(event, self._facts)
        if step.outcome != "moved":
            self._journal.write(step.outcome, seq, {"state": step.source, "trigger": step.trigger})
            return
        self._write_outcome(step, event, seq)
        moved = self._journal.write("transition", seq, self._describe_step(step))
        structlog.contextvars.bind_contextvars(state=step.target)
        _log.info("transition", source=step.source, trigger=step.trigger)
        for command in step.commands:
            await self._carry_out(command, moved)

    def _end_on_journal_fault(self) -> None:
        """A task whose journal cannot be written is ended; its resources are released as ever."""
        self.post(Triggered("cancel"), self._journal.view.last_seq)

    def _write_outcome(self, step: Step, event: Event, cause: int) -> None:
        """The outcome stands in the journal before the transition that it explains; the first one counts."""
        outcome = decide_outcome(step.source, step.target, event, self._journal.view.facts)
        if outcome is None or self._journal.view.outcome is not None:
            return
        fault = self._journal.fault
        if fault is not None:
            outcome = Outcome("failed", fault.code, fault.message, fault.hint)
        fields: dict[str, JsonValue] = {
            "result": outcome.result,
            "code": outcome.code,
            "message": outcome.message,
            "hint": outcome.hint,
        }
        self._journal.write("outcome", cause, fields)

    def _describe_step(self, step: Step) -> dict[str, JsonValue]:
        return {
            "from": step.source,
            "to": step.target,
            "trigger": step.trigger,
            "guard": step.guard,
            "scope": self._machine.scope,
        }

    async def _carry_out(self, command: Command, cause: int) -> None:
        match command:
            case StartActivity(activity, scope):
                self._start_activity(activity, scope, cause)
            case CancelActivity(scope):
                await self._cancel_activity(scope, cause)
            case StartTimer(delay_ms, scope):
                self._timers[scope] = asyncio.create_task(self._time(delay_ms, scope, cause), name=f"timer-{scope}")
            case CancelTimer(scope):
                _cancel(self._timers.pop(scope, None))

    def _start_activity(self, name: str, scope: int, cause: int) -> None:
        seq = self._journal.write("activity-started", cause, {"activity": name, "scope": scope})
        work = self._run_activity(self._activities[name], scope, seq)
        self._running[scope] = asyncio.create_task(work, name=f"{name}-{scope}")

    async def _run_activity(self, activity: Activity, scope: int, seq: int) -> None:
        """Every end of an activity is an event; only a cancelled one says nothing."""
        try:
            facts = await activity(seq)
        except PuiError as fault:
            event: Event = ActivityFailed(scope, fault.code, fault.message, fault.hint, fault.detail)
        except Exception as fault:  # a bug: the task fails with it, the traceback stays in the journal
            detail = "".join(traceback.format_exception(fault))
            event = ActivityFailed(scope, "bug.unexpected", repr(fault), "", detail)
        else:
            event = ActivityDone(scope, facts)
        self.post(event, seq)

    async def _cancel_activity(self, scope: int, cause: int) -> None:
        task = self._running.pop(scope, None)
        if task is None or task.done():
            return
        task.cancel()
        _, pending = await asyncio.wait({task}, timeout=CANCEL_LIMIT_S)
        if pending:  # it goes on in the background; what it reports later is stale
            self._journal.write("activity-stuck", cause, {"scope": scope, "limit_s": CANCEL_LIMIT_S})

    async def _time(self, delay_ms: int, scope: int, cause: int) -> None:
        await self._clock.sleep(delay_ms / 1000 * self._timeout_scale())
        self.post(TimedOut(scope), cause)

    def _timeout_scale(self) -> float:
        """Limits are for hardware acceleration; preflight says by how much this task's machine is slower."""
        scale = self._facts.get("timeout_scale", 1.0)
        return float(scale) if isinstance(scale, int | float) else 1.0

    async def _end_all(self) -> None:
        left = [task for task in (*self._running.values(), *self._timers.values()) if not task.done()]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=CANCEL_LIMIT_S)


def _cancel(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()


def describe_event(event: Event) -> dict[str, JsonValue]:
    """The journal's fields for an event."""
    match event:
        case Triggered(trigger):
            return {"event": "triggered", "trigger": trigger}
        case ActivityDone(scope, facts):
            return {"event": "done", "scope": scope, "facts": dict(facts)}
        case TimedOut(scope):
            return {"event": "timed-out", "scope": scope}
        case ActivityFailed(scope, code, message, hint, detail):
            failed: dict[str, JsonValue] = {"event": "failed", "scope": scope, "code": code, "message": message}
            return failed | {"hint": hint, "detail": detail[-16_384:]}
