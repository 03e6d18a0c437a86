"""The model of a statechart file, read leniently so that every fault can be told at once.

In: the bytes of a chart file and the schema (statecharts/schema.json, already decoded).
Out: `Chart` (frozen); what breaks JSON or the schema is kept in `Chart.faults`.
Never: I/O, execution (machine.py), judgement about the graph (chart_check.py).

Format: a flat subset of XState v5 JSON; docs/adr/0005-statecharts.md gives the reasons, the schema every key.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # imported when a schema has to be asked: it takes as long as all charts together
    import jsonschema

DONE = "done"
FAILED = "failed"
TIMED_OUT = "timed_out"
RESERVED_TRIGGERS = frozenset({DONE, FAILED, TIMED_OUT, "state", "trigger"})
MAX_CHART_SIZE_BYTES = 256 * 1024
MAX_FAULTS = 200


@dataclass(frozen=True)
class Fault:
    """One thing wrong in a chart: `file`, `place` (JSON pointer, RFC 6901), a stable `code`, a sentence."""

    file: str
    place: str
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}#{self.place}: {self.code}: {self.message}"


@dataclass(frozen=True)
class Branch:
    """One possible transition: `trigger` leads to `target` if `guard` (a name) holds or is None."""

    trigger: str
    target: str
    guard: str | None
    place: str


@dataclass(frozen=True)
class State:
    """One state. `branches` are in file order, the triggers of `on` first; `timeout_ms` is unscaled."""

    name: str
    label: str
    description: str
    tags: tuple[str, ...]
    is_final: bool
    activity: str | None
    timeout_ms: int | None
    branches: tuple[Branch, ...]
    place: str

    @property
    def triggers(self) -> tuple[str, ...]:
        """Every trigger this state knows, once each, in file order."""
        return tuple(dict.fromkeys(branch.trigger for branch in self.branches))

    def branches_of(self, trigger: str) -> tuple[Branch, ...]:
        return tuple(branch for branch in self.branches if branch.trigger == trigger)


@dataclass(frozen=True)
class Chart:
    """A chart as its file says it. A chart with `faults` is for reporting only: ChartMachine refuses it."""

    id: str
    description: str
    initial: str
    states: Mapping[str, State]
    file: str
    faults: tuple[Fault, ...] = ()

    @property
    def triggers(self) -> tuple[str, ...]:
        """Every trigger of the chart, sorted."""
        return tuple(sorted({trigger for state in self.states.values() for trigger in state.triggers}))

    @property
    def guards(self) -> frozenset[str]:
        """Names of every guard the chart uses."""
        branches = (branch for state in self.states.values() for branch in state.branches)
        return frozenset(branch.guard for branch in branches if branch.guard is not None)

    @property
    def activities(self) -> frozenset[str]:
        """Names of every activity the chart invokes."""
        return frozenset(state.activity for state in self.states.values() if state.activity is not None)


def parse_chart(data: bytes, place: str, schema: Mapping[str, object] | None) -> Chart:
    """Read one chart file. `place` is how a person would name the file. Without `schema` the file is known to fit it.

    Raises nothing for bad content: see `Chart.faults`, and `check_chart`, which returns them with all others.
    """
    try:
        document, faults = _decode(data, place)
    except (ValueError, RecursionError) as error:
        return Chart("", "", "", {}, place, (Fault(place, "", "not-json", _one_line(error)),))
    if schema is not None:
        faults += _schema_faults(document, place, schema)
    root = _mapping(document)
    states = {name: _state(name, _mapping(raw)) for name, raw in _mapping(root.get("states")).items()}
    return Chart(
        id=_text(root.get("id")),
        description=_text(root.get("description")),
        initial=_text(root.get("initial")),
        states=states,
        file=place,
        faults=tuple(faults),
    )


class _Object(dict[str, object]):
    """A JSON object that remembers which of its keys came twice: json.loads keeps only the last one."""

    twice: tuple[str, ...] = ()


def _object(pairs: list[tuple[str, object]]) -> _Object:
    found = _Object(pairs)
    names = [name for name, _ in pairs]
    found.twice = tuple(sorted({name for name in names if names.count(name) > 1}))
    return found


def _refuse_constant(text: str) -> object:
    raise ValueError(f"{text} is not JSON")


def _decode(data: bytes, place: str) -> tuple[object, list[Fault]]:
    if len(data) > MAX_CHART_SIZE_BYTES:
        raise ValueError(f"{len(data)} bytes; a chart has at most {MAX_CHART_SIZE_BYTES}")
    document = json.loads(data.decode("utf-8"), object_pairs_hook=_object, parse_constant=_refuse_constant)
    twice = [
        Fault(place, pointer, "key-twice", f"the key {name!r} comes twice; only the last one would count")
        for pointer, found in _objects(document, "")
        for name in found.twice
    ]
    return document, twice


def _objects(value: object, pointer: str) -> Iterator[tuple[str, _Object]]:
    if isinstance(value, _Object):
        yield pointer, value
        for name, inner in value.items():
            yield from _objects(inner, pointer_to(pointer, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _objects(inner, f"{pointer}/{index}")


def pointer_to(base: str, *keys: object) -> str:
    """The JSON pointer of a key below `base` (RFC 6901: ~ is ~0, / is ~1)."""
    return base + "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in keys)


_BY_KEYWORD: Mapping[str, str] = {
    "additionalProperties": "unknown-key",
    "required": "missing-key",
    "pattern": "bad-name",
    "minProperties": "empty",
    "minItems": "empty",
    "minLength": "empty",
    "not": "reserved-trigger",
}
_BY_MISSING_KEY: Mapping[str, str] = {
    "onDone": "invoke-without-done",
    "onError": "invoke-without-error",
    "label": "missing-label",
    "meta": "missing-label",
    "description": "missing-description",
    "target": "missing-target",
}


def _schema_faults(document: object, place: str, schema: Mapping[str, object]) -> list[Fault]:
    import jsonschema

    validator = jsonschema.Draft202012Validator(dict(schema))
    errors = sorted(validator.iter_errors(document), key=lambda error: [str(step) for step in error.absolute_path])
    return [fault for error in errors[:MAX_FAULTS] for fault in _faults_of(error, place)]


def _faults_of(error: jsonschema.ValidationError, place: str) -> Iterator[Fault]:
    pointer = pointer_to("", *error.absolute_path)
    keyword = str(error.validator)
    if keyword == "additionalProperties":
        allowed = _mapping(_mapping(error.schema).get("properties"))
        for key in sorted(set(_mapping(error.instance)) - set(allowed)):
            known = ", ".join(allowed)
            yield Fault(place, pointer_to(pointer, key), "unknown-key", f"{key!r} is not one of: {known}")
    elif keyword == "required":
        key = next(name for name in _names(error.validator_value) if f"'{name}' is a required" in error.message)
        yield Fault(place, pointer, _BY_MISSING_KEY.get(key, "missing-key"), f"the key {key!r} is missing")
    else:
        yield Fault(place, pointer, _code_of(error, keyword), _explain(error, keyword))


def _code_of(error: jsonschema.ValidationError, keyword: str) -> str:
    last = str(error.absolute_path[-1]) if error.absolute_path else ""
    in_path = [str(step) for step in error.absolute_path]
    if last == "after" and keyword == "minProperties":
        return "timeout-without-transition"
    if "after" in in_path[2:3] and keyword in {"type", "minLength", "minItems"}:
        return "timeout-without-transition"
    if last in {"label", "description"} and keyword in {"pattern", "type"}:
        return f"missing-{last}"
    return _BY_KEYWORD.get(keyword, "bad-value")


def _explain(error: jsonschema.ValidationError, keyword: str) -> str:
    shown = _one_line(repr(error.instance))
    if keyword == "not":
        return f"{shown} is a reserved trigger name ({', '.join(sorted(RESERVED_TRIGGERS))})"
    if keyword == "pattern":
        return f"{shown} does not match {error.validator_value}"
    if keyword == "maxProperties":
        return "more than one delay: a state has one timeout at most"
    return f"{shown}: {keyword} {_one_line(error.validator_value)} is not met"


def _state(name: str, raw: Mapping[str, object]) -> State:
    place = pointer_to("/states", name)
    after = _mapping(raw.get("after"))
    invoke = _mapping(raw.get("invoke"))
    delays = [int(key) for key in after if key.isascii() and key.isdigit()]
    return State(
        name=name,
        label=_text(_mapping(raw.get("meta")).get("label")),
        description=_text(raw.get("description")),
        tags=tuple(_names(raw.get("tags"))),
        is_final=raw.get("type") == "final",
        activity=_text(invoke.get("src")) or None,
        timeout_ms=delays[0] if delays else None,
        branches=tuple(_branches(raw, place)),
        place=place,
    )


def _branches(raw: Mapping[str, object], place: str) -> Iterator[Branch]:
    for trigger, target in _mapping(raw.get("on")).items():
        yield from _targets(trigger, target, pointer_to(place, "on", trigger))
    invoke = _mapping(raw.get("invoke"))
    yield from _targets(DONE, invoke.get("onDone"), pointer_to(place, "invoke", "onDone"))
    yield from _targets(FAILED, invoke.get("onError"), pointer_to(place, "invoke", "onError"))
    for delay, target in _mapping(raw.get("after")).items():
        yield from _targets(TIMED_OUT, target, pointer_to(place, "after", delay))


def _targets(trigger: str, raw: object, place: str) -> Iterator[Branch]:
    if isinstance(raw, list):
        for index, entry in enumerate(raw):
            if isinstance(entry, Mapping):
                yield from _targets(trigger, entry, pointer_to(place, index))
        return
    entry = raw if isinstance(raw, Mapping) else {"target": raw}
    target = _text(entry.get("target"))
    if target:
        yield Branch(trigger, target, _text(entry.get("guard")) or None, place)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _names(value: object) -> Sequence[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _one_line(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 120 else text[:117] + "..."
