"""A journal laid over its chart: which way a task went and how long it stayed where.

In: the records of a journal. Out: `Trace`, which the drawings and the text take.
Never: the file, the clock: a state that still lasts is measured up to the last record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pui.domain.journal import Record, fold
from pui.domain.statechart import Chart


@dataclass(frozen=True)
class TraceStep:
    """The `number`th move (from 1): `source` was left for `target` after `spent_ns` there."""

    number: int
    source: str
    target: str
    trigger: str
    guard: str | None
    at_ns: int
    spent_ns: int


@dataclass(frozen=True)
class Trace:
    """The way through a chart. `spent_ns` and `visits` are per state; `current` is where it stands.

    `refusals` counts triggers that were rejected or came too late, per state.
    """

    steps: tuple[TraceStep, ...]
    spent_ns: Mapping[str, int]
    visits: Mapping[str, int]
    refusals: Mapping[str, int]
    current: str
    total_ns: int
    outcome: str

    def steps_between(self, source: str, target: str, triggers: Iterable[str]) -> tuple[TraceStep, ...]:
        """Steps that one drawn line stands for."""
        known = frozenset(triggers)
        return tuple(s for s in self.steps if (s.source, s.target) == (source, target) and s.trigger in known)


def end_text(chart: Chart, trace: Trace) -> str:
    """How it ended, or where it stands."""
    state = chart.states.get(trace.current)
    is_over = state is not None and state.is_final
    return trace.outcome or f"{'ended' if is_over else 'now'} in {trace.current}"


def trace_of(records: Sequence[Record]) -> Trace:
    """The trace of a journal in order; an empty one stands in "created" and has spent no time."""
    view = fold(records)
    steps = _steps(records)
    spent: dict[str, int] = {}
    visits: dict[str, int] = {}
    for step in steps:
        spent[step.source] = spent.get(step.source, 0) + step.spent_ns
    if view.visits:
        last = view.visits[-1]
        spent[last.state] = spent.get(last.state, 0) + max(0, view.changed_at_ns - last.entered_at_ns)
    for visit in view.visits:
        visits[visit.state] = visits.get(visit.state, 0) + 1
    return Trace(
        steps=steps,
        spent_ns=spent,
        visits=visits,
        refusals=_refusals(records),
        current=view.state,
        total_ns=max(0, view.changed_at_ns - view.created_at_ns),
        outcome=_outcome_text(records),
    )


def _steps(records: Sequence[Record]) -> tuple[TraceStep, ...]:
    guards = {record.seq: record.fields.get("guard") for record in records}
    visits = fold(records).visits
    found = []
    for number, (left, entered) in enumerate(zip(visits, visits[1:], strict=False), 1):
        guard = guards.get(entered.seq)
        spent_ns = max(0, entered.entered_at_ns - left.entered_at_ns)  # the clock of the system may be set back
        named = guard if isinstance(guard, str) else None
        step = TraceStep(number, left.state, entered.state, entered.trigger, named, entered.entered_at_ns, spent_ns)
        found.append(step)
    return tuple(found)


def _refusals(records: Iterable[Record]) -> dict[str, int]:
    found: dict[str, int] = {}
    for record in records:
        if record.type in {"rejected", "stale"}:
            state = str(record.fields.get("state", ""))
            found[state] = found.get(state, 0) + 1
    return found


def _outcome_text(records: Sequence[Record]) -> str:
    outcome = fold(records).outcome
    if outcome is None:
        return ""
    return f"{outcome.result} ({outcome.code})" if outcome.code else outcome.result


def duration_text(duration_ns: int) -> str:
    """A duration as a person reads it: 4 ms, 1.42 s, 3 min 05 s, 2 h 10 min."""
    milliseconds = round(duration_ns / 1e6)
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    if milliseconds < 60_000:
        seconds = milliseconds / 1000
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, seconds_left = divmod(round(milliseconds / 1000), 60)
    if minutes < 60:
        return f"{minutes} min {seconds_left:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def timeout_text(timeout_ms: int) -> str:
    """A timeout in the largest unit that divides it: 60 s, 24 h, 1500 ms."""
    for unit_ms, unit in ((3_600_000, "h"), (1000, "s")):
        if timeout_ms % unit_ms == 0:
            return f"{timeout_ms // unit_ms} {unit}"
    return f"{timeout_ms} ms"
