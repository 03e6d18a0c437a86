"""The records of a task's journal, and what they add up to.

In: bytes of `journal.jsonl`, or one record after the other. Out: records, and the TaskView that a person is shown.
Never: the file itself (adapters/journal_file.py), the clock.

Every record: `seq` (from 1, no gap), `at_ns` (Unix time), `type`, `cause` (the seq that led here, or null).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from pui.domain.errors import PuiError
from pui.domain.events import JsonValue

LINE_LIMIT_BYTES = 4 * 1024 * 1024

RECORD_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "created": "The task was written down: its spec, and the app that owns it.",
        "event": "Something happened: a trigger, the end of an activity, a timeout.",
        "transition": "The task went from one state to another.",
        "rejected": "A trigger was not possible in this state; nothing changed.",
        "stale": "A late result of a state already left; nothing changed.",
        "activity-started": "The work that belongs to a state began.",
        "activity-stuck": "An activity did not end when it was cancelled.",
        "acquired": "The task holds a resource that teardown must release.",
        "released": "A resource was released.",
        "release-failed": "A resource could not be released.",
        "fact": "Something was found out: findings, accelerator, boot stages.",
        "outcome": "How the task ended: completed, cancelled or failed with a code.",
        "recovered": "A later start of the app cleaned up what this task had left.",
    }
)


@dataclass(frozen=True)
class Record:
    """One line of the journal; `fields` are those of its type."""

    seq: int
    at_ns: int
    type: str
    cause: int | None
    fields: Mapping[str, JsonValue] = field(default_factory=dict)

    def to_json(self) -> dict[str, JsonValue]:
        """The line's JSON object."""
        head: dict[str, JsonValue] = {"seq": self.seq, "at_ns": self.at_ns, "type": self.type, "cause": self.cause}
        return head | dict(self.fields)


@dataclass(frozen=True)
class Outcome:
    """How a task ended. `result` is completed, cancelled or failed; the rest is empty unless failed."""

    result: str
    code: str = ""
    message: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Visit:
    """One visit of a state: since when, and by which trigger it was entered."""

    state: str
    entered_at_ns: int
    trigger: str
    seq: int


@dataclass(frozen=True)
class TaskView:
    """What the journal adds up to. `held` maps a resource's name to its `acquired` record, in order of acquisition."""

    state: str = "created"
    created_at_ns: int = 0
    changed_at_ns: int = 0
    spec: Mapping[str, JsonValue] = field(default_factory=dict)
    app: Mapping[str, JsonValue] = field(default_factory=dict)
    folders: tuple[JsonValue, ...] = ()
    visits: tuple[Visit, ...] = ()
    facts: Mapping[str, JsonValue] = field(default_factory=dict)
    held: Mapping[str, Record] = field(default_factory=dict)
    outcome: Outcome | None = None
    notes: tuple[str, ...] = ()
    last_seq: int = 0
    is_health_boot: bool = False


@dataclass(frozen=True)
class ParsedJournal:
    """Records in order; `is_torn` when the last line was cut (a crash while writing) and left out."""

    records: tuple[Record, ...]
    is_torn: bool


def parse_journal(data: bytes) -> ParsedJournal:
    """Records of a journal file. Raises PuiError("journal.unreadable") unless only the last line is faulty."""
    lines = data.split(b"\n")
    is_torn = lines[-1] != b""
    whole = lines[:-1]
    records = [_parse_line(line, number) for number, line in enumerate(whole, 1)]
    return ParsedJournal(tuple(records), is_torn)


def _parse_line(line: bytes, number: int) -> Record:
    if len(line) > LINE_LIMIT_BYTES:
        raise PuiError("journal.unreadable", f"line {number} has {len(line)} bytes")
    try:
        value = json.loads(line.decode("utf-8"))
        record = _record_from_json(value)
    except (ValueError, TypeError, KeyError, RecursionError) as fault:
        raise PuiError("journal.unreadable", f"line {number}: {fault!r}") from fault
    if record.seq != number:
        raise PuiError("journal.unreadable", f"line {number} has seq {record.seq}")
    return record


def _record_from_json(value: object) -> Record:
    if not isinstance(value, dict):
        raise TypeError("not an object")
    fields = {key: item for key, item in value.items() if key not in {"seq", "at_ns", "type", "cause"}}
    seq, at_ns, cause, kind = value["seq"], value["at_ns"], value["cause"], value["type"]
    if type(seq) is not int or type(at_ns) is not int or (cause is not None and type(cause) is not int):
        raise TypeError("seq, at_ns or cause is not a whole number")
    if kind not in RECORD_TYPES:
        raise ValueError(f"unknown type {kind!r}")
    return Record(seq, at_ns, kind, cause, fields)


def fold(records: Iterable[Record]) -> TaskView:
    """The view after all records."""
    view = TaskView()
    for record in records:
        view = fold_one(view, record)
    return view


def fold_one(view: TaskView, record: Record) -> TaskView:
    """The view after one record more. Unknown fields have no effect."""
    seen = replace(view, last_seq=record.seq, changed_at_ns=record.at_ns)
    step = _FOLDS.get(record.type)
    return seen if step is None else step(seen, record)


def _created(view: TaskView, record: Record) -> TaskView:
    visit = Visit("created", record.at_ns, "", record.seq)
    return replace(
        view,
        created_at_ns=record.at_ns,
        spec=_object(record, "spec"),
        app=_object(record, "app"),
        folders=_list(record, "folders"),
        visits=(visit,),
        is_health_boot=record.fields.get("only_boot") is True,
    )


def _transition(view: TaskView, record: Record) -> TaskView:
    state = str(record.fields.get("to", view.state))
    visit = Visit(state, record.at_ns, str(record.fields.get("trigger", "")), record.seq)
    return replace(view, state=state, visits=(*view.visits, visit))


def _acquired(view: TaskView, record: Record) -> TaskView:
    return replace(view, held=dict(view.held) | {str(record.fields.get("name", "")): record})


def _released(view: TaskView, record: Record) -> TaskView:
    name = str(record.fields.get("name", ""))
    return replace(view, held={key: item for key, item in view.held.items() if key != name})


def _fact(view: TaskView, record: Record) -> TaskView:
    return replace(view, facts=dict(view.facts) | dict(_object(record, "facts")))


def _outcome(view: TaskView, record: Record) -> TaskView:
    known = record.fields
    outcome = Outcome(
        str(known.get("result", "failed")),
        str(known.get("code", "")),
        str(known.get("message", "")),
        str(known.get("hint", "")),
    )
    return replace(view, outcome=view.outcome or outcome)


def _recovered(view: TaskView, record: Record) -> TaskView:
    notes = tuple(str(item) for item in _list(record, "did"))
    visit = Visit("finished", record.at_ns, "recovered", record.seq)
    return replace(view, state="finished", visits=(*view.visits, visit), held={}, notes=view.notes + notes)


def _object(record: Record, key: str) -> Mapping[str, JsonValue]:
    value = record.fields.get(key)
    return value if isinstance(value, dict) else {}


def _list(record: Record, key: str) -> tuple[JsonValue, ...]:
    value = record.fields.get(key)
    return tuple(value) if isinstance(value, list) else ()


_FOLDS = {
    "created": _created,
    "transition": _transition,
    "acquired": _acquired,
    "released": _released,
    "fact": _fact,
    "outcome": _outcome,
    "recovered": _recovered,
}
