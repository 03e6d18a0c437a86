"""The events of QEMU's monitor as lines of qmp.jsonl, and back.

In: events from a QEMU that may have been taken over; lines of the file. Out: small JSON objects; events with scrubbed
text. Never: an event larger than LINE_LIMIT_CHARS, an exception for a damaged line.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from pui.domain.events import JsonValue
from pui.domain.json_guard import JsonFault, parse_json
from pui.domain.qmp import QmpEvent
from pui.domain.scrub import scrub_line

EVENT_LIMIT = 1000
"""A guest can cause events at will; the file keeps the first ones, and says that there were more."""
LINE_LIMIT_CHARS = 1000
FULL = "MORE_EVENTS_ARE_NOT_KEPT"


@dataclass(frozen=True)
class LoggedEvent:
    """`at_ms` is Unix time; `text` is the event's data as JSON, scrubbed and cut."""

    at_ms: int
    name: str
    text: str


def event_line(event: QmpEvent) -> dict[str, JsonValue]:
    """What is written for one event; data that are too long are cut, and are a text then."""
    data: JsonValue = dict(event.data)
    text = json.dumps(data, separators=(",", ":"))
    if len(text) > LINE_LIMIT_CHARS:
        data = text[:LINE_LIMIT_CHARS] + "…"
    return {"at_us": event.at_us, "event": event.name[:64], "data": data}


def parse_qmp_log(data: bytes) -> list[LoggedEvent]:
    """The events of a file, or of its tail, in order; lines that are no event are passed over."""
    found = []
    for line in data.split(b"\n"):
        parsed = parse_json(line) if line else JsonFault("empty")
        if isinstance(parsed, JsonFault):
            continue
        at_us, name, told = parsed.value.get("at_us"), parsed.value.get("event"), parsed.value.get("data")
        if type(at_us) is not int or not isinstance(name, str):
            continue
        text = told if isinstance(told, str) else "" if not told else json.dumps(told, ensure_ascii=False)
        found.append(LoggedEvent(at_us // 1000, scrub_line(name, 64), scrub_line(text, LINE_LIMIT_CHARS)))
    return found
