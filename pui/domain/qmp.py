"""QEMU's monitor protocol as a client, without any I/O.

In: bytes from the monitor's socket; commands to send. Out: greeting, replies, events, faults; bytes to send.
Never: an exception for what QEMU sends: QEMU stands behind the guest's boundary and may have been taken over.

Source: QEMU's docs/interop/qmp-spec.rst. A client sends `qmp_capabilities` after the greeting, then commands; every
reply carries the id of its command; events come at any time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from pui.domain.events import JsonValue
from pui.domain.json_guard import JsonFault, parse_json
from pui.domain.jsonl import JsonlDecoder, Oversized

LINE_LIMIT_BYTES = 1 << 20
"""The largest reply that pui asks for (query-named-block-nodes) has about 10 KiB."""
PENDING_LIMIT = 64
_TEXT_LIMIT = 512


@dataclass(frozen=True)
class QmpGreeting:
    """QEMU's first line; `version` is "major.minor.micro", "" when it does not say."""

    version: str


@dataclass(frozen=True)
class QmpReply:
    """The answer to the command with this id. `error` is "" for success, else "Class: description"."""

    id: int
    command: str
    value: JsonValue = None
    error: str = ""


@dataclass(frozen=True)
class QmpEvent:
    """Something happened in QEMU: SHUTDOWN, STOP, GUEST_PANICKED, BLOCK_IO_ERROR… `at_us` is Unix time, 0 if unsaid."""

    name: str
    data: Mapping[str, JsonValue] = field(default_factory=dict)
    at_us: int = 0


@dataclass(frozen=True)
class QmpFault:
    """QEMU broke the protocol. The caller closes the connection (`protocol.remote`)."""

    reason: str


QmpMessage = QmpGreeting | QmpReply | QmpEvent | QmpFault


class QmpClient:
    """One connection to a monitor. Numbers commands from 1 and pairs each reply with its command."""

    def __init__(self) -> None:
        self._lines = JsonlDecoder(LINE_LIMIT_BYTES)
        self._pending: dict[int, str] = {}
        self._last_id = 0

    @property
    def pending(self) -> Mapping[int, str]:
        """Ids and names of commands that were not answered yet."""
        return dict(self._pending)

    @property
    def last_id(self) -> int:
        """Id of the newest command, 0 before the first."""
        return self._last_id

    def command(self, name: str, arguments: Mapping[str, JsonValue] | None = None) -> bytes:
        """The line that orders `name`; its reply will carry `last_id`.

        ValueError when PENDING_LIMIT commands wait for an answer: the caller has a bug or QEMU is stuck.
        """
        if len(self._pending) >= PENDING_LIMIT:
            raise ValueError(f"{PENDING_LIMIT} monitor commands are not answered")
        self._last_id += 1
        self._pending[self._last_id] = name
        order: dict[str, JsonValue] = {"execute": name, "id": self._last_id}
        if arguments:
            order["arguments"] = dict(arguments)
        return json.dumps(order, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"

    def feed(self, data: bytes) -> list[QmpMessage]:
        """What `data` brought to completion, in order. Empty lines mean nothing."""
        messages: list[QmpMessage] = []
        for line in self._lines.feed(data):
            if isinstance(line, Oversized):
                messages.append(QmpFault(f"a monitor line is longer than {line.limit_bytes} bytes"))
            elif line.strip():
                messages.append(self._message(line))
        return messages

    def _message(self, line: bytes) -> QmpMessage:
        parsed = parse_json(line)
        if isinstance(parsed, JsonFault):
            return QmpFault(f"a monitor line is not usable: {parsed.reason}")
        value = parsed.value
        if "QMP" in value:
            return QmpGreeting(_version(value["QMP"]))
        if "event" in value:
            return _event(value)
        return self._reply(value)

    def _reply(self, value: Mapping[str, JsonValue]) -> QmpMessage:
        if ("return" in value) == ("error" in value):
            return QmpFault("a monitor line is neither greeting, event nor reply")
        number = value.get("id")
        # An error without an id is QEMU's answer to a line that it could not parse.
        if type(number) is not int or number not in self._pending:
            return QmpFault(f"a reply to nothing that was asked{_error_suffix(value)}")
        name = self._pending.pop(number)
        if "error" in value:
            return QmpReply(number, name, error=_error(value["error"]))
        return QmpReply(number, name, value["return"])


def mute_serial_command(client: QmpClient) -> bytes:
    """Detaches the serial log for good: how launch_plan.SERIAL_LIMIT_BYTES is kept (x86: any serial port can swap)."""
    backend: dict[str, JsonValue] = {"type": "null", "data": {}}
    return client.command("chardev-change", {"id": "serial", "backend": backend})


def _short(value: JsonValue) -> str:
    return value[:_TEXT_LIMIT] if isinstance(value, str) else ""


def _error(value: JsonValue) -> str:
    if not isinstance(value, dict):
        return "unnamed error"
    return f"{_short(value.get('class')) or 'unnamed error'}: {_short(value.get('desc'))}"


def _error_suffix(value: Mapping[str, JsonValue]) -> str:
    return f" ({_error(value['error'])})" if "error" in value else ""


def _object(value: JsonValue) -> Mapping[str, JsonValue]:
    return value if isinstance(value, dict) else {}


def _number(value: JsonValue) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _version(value: JsonValue) -> str:
    version = _object(_object(_object(value).get("version")).get("qemu"))
    parts = [_number(version.get(key)) for key in ("major", "minor", "micro")]
    return "" if None in parts else ".".join(str(part) for part in parts)


def _event(value: Mapping[str, JsonValue]) -> QmpMessage:
    name = value["event"]
    if not isinstance(name, str) or not 0 < len(name) <= _TEXT_LIMIT:
        return QmpFault("an event without a name")
    stamp = _object(value.get("timestamp"))
    seconds, microseconds = _number(stamp.get("seconds")), _number(stamp.get("microseconds"))
    at_us = 0 if seconds is None or microseconds is None else seconds * 1_000_000 + microseconds
    return QmpEvent(name, _object(value.get("data")), at_us)
