"""Executes one checked chart: an event goes in, what happened and the commands to obey come out.

In: a `Chart`, a fixed table of guards, events and the facts that guards judge.
Out: `Step` values; the only thing that changes is this machine's own state and scope.
Never: I/O, time, threads, callbacks other than guards. Activities and timers are run by the supervisor.

One plain synchronous `transitions.Machine` executes it. Of that library only guards are used: exceptions in other
callbacks leave the state half changed, its timers are threads, its async machine cancels running triggers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from transitions import EventData, Machine

from pui.domain.commands import CancelActivity, CancelTimer, Command, StartActivity, StartTimer
from pui.domain.events import ActivityDone, ActivityFailed, Event, JsonValue, TimedOut, Triggered
from pui.domain.statechart import DONE, FAILED, RESERVED_TRIGGERS, TIMED_OUT, Chart

Facts = Mapping[str, JsonValue]
Guard = Callable[[Facts], bool]
Outcome = Literal["moved", "rejected", "stale"]


@dataclass(frozen=True)
class Step:
    """What one event did. `target` and `commands` are set only when `outcome` is "moved".

    rejected: the state does not know the trigger, or none of its guards held. stale: an activity or a timer of an
    earlier visit reported late. Both change nothing.
    """

    event: Event
    trigger: str
    source: str
    target: str | None
    guard: str | None
    outcome: Outcome
    commands: tuple[Command, ...] = ()


class _Model:
    """What `transitions` writes its state into; it has no attribute that a trigger's name could collide with."""

    state: str


class ChartMachine:
    """The run of one chart. `scope` numbers the visits: 1 for the initial state, one more at each entry."""

    def __init__(self, chart: Chart, guards: Mapping[str, Guard]) -> None:
        """Raises ValueError for a chart that has parse faults or names a guard that the table lacks."""
        if chart.faults:
            raise ValueError(f"faulty chart: {chart.faults[0]}")
        unknown = sorted(chart.guards - set(guards))
        if unknown:
            raise ValueError(f"chart {chart.id!r} uses unknown guards: {', '.join(unknown)}")
        self._chart = chart
        self._guards = dict(guards)
        self._model = _Model()
        self._machine = self._build()
        self._scope = 1
        self._held_guard: str | None = None
        self._has_activity = False
        self._has_timer = False

    @classmethod
    def restore(cls, chart: Chart, guards: Mapping[str, Guard], state: str, scope: int) -> ChartMachine:
        """A machine that stands in `state` at visit `scope`, with neither activity nor timer running.

        Give a scope above the last one in the journal if `begin` is to start the state's activity again.
        Raises ValueError for an unknown state or a scope below 1.
        """
        if state not in chart.states or scope < 1:
            raise ValueError(f"chart {chart.id!r} cannot stand in {state!r} at scope {scope}")
        machine = cls(chart, guards)
        machine._machine.set_state(state, model=machine._model)
        machine._scope = scope
        return machine

    @property
    def chart(self) -> Chart:
        return self._chart

    @property
    def state(self) -> str:
        """Name of the current state."""
        return self._model.state

    @property
    def scope(self) -> int:
        """Number of the visit of the current state."""
        return self._scope

    @property
    def is_final(self) -> bool:
        return self._chart.states[self.state].is_final

    def begin(self) -> tuple[Command, ...]:
        """Commands of the state the machine was made or restored in: nothing entered it yet.

        Raises ValueError when that state's activity or timer was already ordered.
        """
        if self._has_activity or self._has_timer:
            raise ValueError(f"the visit {self._scope} of {self.state!r} has begun already")
        return self._enter()

    def handle(self, event: Event, facts: Facts) -> Step:
        """Take one event. Facts of an ActivityDone are laid over `facts` for the guards.

        A guard that raises lets its error through and nothing has changed.
        """
        source, trigger = self.state, _trigger_of(event)
        if not isinstance(event, Triggered) and event.scope != self._scope:
            return Step(event, trigger, source, None, None, "stale")
        if isinstance(event, ActivityDone):
            facts = {**facts, **event.facts}
        if _is_forged(event) or not self._fire(trigger, facts):
            return Step(event, trigger, source, None, None, "rejected")
        commands = self._leave(event)
        self._scope += 1
        return Step(event, trigger, source, self.state, self._held_guard, "moved", commands + self._enter())

    def _build(self) -> Machine:
        machine = Machine(
            model=self._model,
            states=list(self._chart.states),
            initial=self._chart.initial,
            auto_transitions=False,
            send_event=True,
        )
        for state in self._chart.states.values():
            for branch in state.branches:
                guard = None if branch.guard is None else self._condition(branch.guard)
                machine.add_transition(branch.trigger, state.name, branch.target, conditions=guard)
        return machine

    def _condition(self, name: str) -> Callable[[EventData], bool]:
        guard = self._guards[name]  # an object, never a name: `transitions` would look names up by import path

        def holds(data: EventData) -> bool:
            verdict = guard(data.kwargs["facts"])
            if verdict:
                self._held_guard = name
            return verdict

        return holds

    def _fire(self, trigger: str, facts: Facts) -> bool:
        self._held_guard = None
        if trigger not in self._chart.states[self.state].triggers:
            return False
        return bool(self._machine.events[trigger].trigger(self._model, facts=facts))

    def _leave(self, event: Event) -> tuple[Command, ...]:
        commands: list[Command] = []
        if self._has_timer and not isinstance(event, TimedOut):
            commands.append(CancelTimer(self._scope))
        if self._has_activity and not isinstance(event, ActivityDone | ActivityFailed):
            commands.append(CancelActivity(self._scope))
        return tuple(commands)

    def _enter(self) -> tuple[Command, ...]:
        state = self._chart.states[self.state]
        commands: list[Command] = []
        if state.activity is not None:
            commands.append(StartActivity(state.activity, self._scope))
        if state.timeout_ms is not None:
            commands.append(StartTimer(state.timeout_ms, self._scope))
        self._has_activity = state.activity is not None
        self._has_timer = state.timeout_ms is not None
        return tuple(commands)


def _is_forged(event: Event) -> bool:
    """The reserved triggers report activities and timers: nobody pulls them without a scope."""
    return isinstance(event, Triggered) and event.trigger in RESERVED_TRIGGERS


def _trigger_of(event: Event) -> str:
    match event:
        case Triggered(trigger):
            return trigger
        case ActivityDone():
            return DONE
        case ActivityFailed():
            return FAILED
        case TimedOut():
            return TIMED_OUT
