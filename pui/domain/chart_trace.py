"""A journal laid over its chart: which way a task, its agent or a pack went and how long it stayed where.

In: the records of a journal, the lines about pi's state in a transcript. Out: `Trace`, which the drawings, the text and
the page take.
Never: the file, the clock: a state that still lasts is measured up to the last record.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pui.domain.journal import Record, Visit, fold
from pui.domain.json_guard import JsonFault, parse_json
from pui.domain.statechart import Chart


@dataclass(frozen=True)
class TraceStep:
    """The `number`th move (from 1): `source` was left for `target` after `spent_ns` there.

    `seq` is the record that tells of it, 0 where there is none.
    """

    number: int
    source: str
    target: str
    trigger: str
    guard: str | None
    at_ns: int
    spent_ns: int
    seq: int = 0


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
    """The trace of a task's journal in order; an empty one stands in "created" and has spent no time."""
    view = fold(records)
    return replace(
        _trace(view.visits, view.changed_at_ns, _guards(records)),
        current=view.state,
        refusals=_refusals(records),
        outcome=_outcome_text(records),
    )


def pack_trace(records: Sequence[Record], pack_id: str, initial: str) -> Trace:
    """The trace of one pack in the store's journal, all its lives; one that the journal does not know has not moved."""
    own = [record for record in records if record.type == "transition" and record.fields.get("pack") == pack_id]
    moves = [
        Visit(str(record.fields.get("to", "")), record.at_ns, str(record.fields.get("trigger", "")), record.seq)
        for record in own
    ]
    first_ns = own[0].at_ns if own else 0
    last_ns = max(record.at_ns for record in records) if own else 0
    return _trace((Visit(initial, first_ns, "", 0), *moves), last_ns, _guards(own))


def setup_trace(visits: Sequence[Visit], now_ns: int) -> Trace:
    """The trace of the set-up's check since the app has started; it is kept in memory only."""
    return _trace(visits, now_ns, {})


_AGENT_LINE = re.compile(rb'\{"at_ns":[0-9]{1,20},"agent":"')


def agent_trace(transcript: bytes, chart: Chart) -> Trace:
    """The trace of pi by the lines of transcript.jsonl that tell its state; every other line is passed over.

    A line names the state alone: its trigger is that of the chart's only way there, or all that lead there.
    """
    visits: list[Visit] = []
    for line in transcript.split(b"\n"):
        if _AGENT_LINE.match(line) is None:
            continue
        parsed = parse_json(line)
        if isinstance(parsed, JsonFault):
            continue
        at_ns, state = parsed.value.get("at_ns"), parsed.value.get("agent")
        if not isinstance(at_ns, int) or not isinstance(state, str) or state not in chart.states:
            continue
        if not visits:
            visits.append(Visit(chart.initial, at_ns, "", 0))
        visits.append(Visit(state, at_ns, _triggers_between(chart, visits[-1].state, state), 0))
    if not visits:
        visits.append(Visit(chart.initial, 0, "", 0))
    return _trace(visits, visits[-1].entered_at_ns, {})


def _triggers_between(chart: Chart, source: str, target: str) -> str:
    ways = [branch.trigger for branch in chart.states[source].branches if branch.target == target]
    return " · ".join(dict.fromkeys(ways))


def _trace(visits: Sequence[Visit], changed_at_ns: int, guards: Mapping[int, str]) -> Trace:
    steps = _steps(visits, guards)
    spent: dict[str, int] = {}
    counts: dict[str, int] = {}
    for step in steps:
        spent[step.source] = spent.get(step.source, 0) + step.spent_ns
    for visit in visits:
        counts[visit.state] = counts.get(visit.state, 0) + 1
    if visits:
        last = visits[-1]
        spent[last.state] = spent.get(last.state, 0) + max(0, changed_at_ns - last.entered_at_ns)
    return Trace(
        steps=steps,
        spent_ns=spent,
        visits=counts,
        refusals={},
        current=visits[-1].state if visits else "",
        total_ns=max(0, changed_at_ns - visits[0].entered_at_ns) if visits else 0,
        outcome="",
    )


def _guards(records: Iterable[Record]) -> dict[int, str]:
    return {record.seq: guard for record in records if isinstance(guard := record.fields.get("guard"), str)}


def _steps(visits: Sequence[Visit], guards: Mapping[int, str]) -> tuple[TraceStep, ...]:
    found = []
    for number, (left, entered) in enumerate(itertools.pairwise(visits), 1):
        spent_ns = max(0, entered.entered_at_ns - left.entered_at_ns)  # the clock of the system may be set back
        at_ns, seq = entered.entered_at_ns, entered.seq
        step = TraceStep(number, left.state, entered.state, entered.trigger, guards.get(seq), at_ns, spent_ns, seq)
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
