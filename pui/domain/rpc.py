"""A client of pi's RPC mode, without I/O: commands out as bytes, records in as typed events.

In: bytes of pi's stdout (hostile: anything in the guest may have written them); commands by name.
Out: Response, PiRecord, Dialog, Notice, DialogsClosed, Unsupported, RpcFault; one line of bytes a command.
Never: I/O, waiting, a value of the guest sent back unchecked. Source: pi 1.5.2 docs/rpc.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from pui.domain.errors import ProtocolError
from pui.domain.events import JsonValue
from pui.domain.json_guard import JsonFault, ParsedJson, parse_json
from pui.domain.jsonl import LINE_LIMIT_BYTES, JsonlDecoder, Oversized
from pui.domain.lenient_fields import text_in
from pui.domain.rpc_schema import COMMANDS, DIALOGS, NOTICES, RECORDS, RESPONSE, check_fields
from pui.domain.scrub import scrub_line

FAULT_LIMIT = 100
OPEN_DIALOG_LIMIT = 32
PENDING_LIMIT = 256
_ID_LIMIT_CHARS = 200
_MARK_UNKNOWN = "unknown"


@dataclass(frozen=True)
class Sent:
    """A command ready to be written: `line` ends with LF; the answer is the Response with this `id`."""

    id: str
    line: bytes


@dataclass(frozen=True)
class Response:
    """pi's answer to command `id`. `ok` says it was taken, not that a run ended well (see message_end)."""

    id: str
    command: str
    ok: bool
    data: Mapping[str, JsonValue]
    error: str
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class PiRecord:
    """Something happened in pi. `fields` has no `type`; marks: "unknown" for a type that no version we know sends."""

    type: str
    fields: Mapping[str, JsonValue]
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dialog:
    """The guest asks. Answer with RpcClient.answer; pi never says that a dialog timed out: run an own timer."""

    id: str
    method: str
    title: str
    message: str = ""
    options: tuple[str, ...] = ()
    initial_text: str = ""
    timeout_ms: int | None = None


@dataclass(frozen=True)
class Notice:
    """An extension shows something; no answer wanted."""

    method: str
    fields: Mapping[str, JsonValue]


@dataclass(frozen=True)
class Unsupported:
    """An extension wants something of the screen that only a terminal can do; `method` is what it called it."""

    method: str


@dataclass(frozen=True)
class StopOrder:
    """What stops a run: bytes to be written, and the ids whose answers tell what was queued and that it is over."""

    line: bytes
    clear_queue: str
    abort: str


@dataclass(frozen=True)
class DialogsClosed:
    """These dialogs can no longer be answered usefully."""

    ids: tuple[str, ...]


@dataclass(frozen=True)
class RpcFault:
    """A line that is not used and why. `fatal_code` is an error code when the channel has to end, else empty."""

    reason: str
    fatal_code: str = ""


RpcEvent = Response | PiRecord | Dialog | Notice | DialogsClosed | Unsupported | RpcFault


@dataclass
class RpcClient:
    """One pi process. `feed` never raises and yields nothing more after a fatal fault.

    Busy from `agent_start` to `agent_settled` (`agent_end` is not the end: a retry or a queued message may follow).
    """

    id_prefix: str = "pui"
    is_busy: bool = field(default=False, init=False)
    _lines: JsonlDecoder = field(default_factory=JsonlDecoder, init=False)
    _pending: dict[str, str] = field(default_factory=dict, init=False)
    _open_dialogs: dict[str, Dialog] = field(default_factory=dict, init=False)
    _unanswered: dict[str, None] = field(default_factory=dict, init=False)
    _next_id: int = field(default=1, init=False)
    _faults: int = field(default=0, init=False)
    _is_dead: bool = field(default=False, init=False)

    @property
    def pending(self) -> Mapping[str, str]:
        """Commands that wait for their answer: id to command name."""
        return dict(self._pending)

    @property
    def open_dialogs(self) -> tuple[Dialog, ...]:
        return tuple(self._open_dialogs.values())

    def command(self, name: str, /, **fields: JsonValue) -> Sent:
        """Raises ProtocolError("protocol.local"): unknown command or field, wrong type, over 8 MiB, 256 unanswered."""
        known = COMMANDS.get(name)
        if known is None:
            raise ProtocolError("protocol.local", f"pi has no command `{name}`")
        faults = check_fields(fields, known) + [f"`{key}` is not a field of it" for key in fields if key not in known]
        if faults:
            raise ProtocolError("protocol.local", f"command `{name}`: " + "; ".join(faults))
        if len(self._pending) >= PENDING_LIMIT:
            raise ProtocolError("protocol.local", f"{PENDING_LIMIT} commands wait for an answer")
        sent_id = f"{self.id_prefix}-{self._next_id}"
        line = _line({"id": sent_id, "type": name, **fields})
        self._next_id += 1
        self._pending[sent_id] = name
        return Sent(sent_id, line)

    def forget(self, sent_id: str) -> None:
        """A deadline passed: a late answer becomes a fault that is only counted."""
        self._pending.pop(sent_id, None)

    def answer(
        self, dialog_id: str, *, value: str | None = None, confirmed: bool | None = None, cancelled: bool = False
    ) -> bytes:
        """The line that answers a dialog, exactly one of the three. Raises ProtocolError("protocol.local").

        A select's value has to be one of its options; an answer to a dialog that closed meanwhile is empty bytes.
        """
        if [value is not None, confirmed is not None, cancelled].count(True) != 1:
            raise ProtocolError("protocol.local", "a dialog needs exactly one answer")
        dialog = self._open_dialogs.pop(dialog_id, None)
        if dialog is None:
            return b""
        if value is not None and dialog.method == "select" and value not in dialog.options:
            self._open_dialogs[dialog_id] = dialog
            raise ProtocolError("protocol.local", "the answer is not one of the options")
        self._unanswered.pop(dialog_id, None)
        return _answer_line(dialog_id, value, confirmed)

    def stop(self) -> StopOrder:
        """What stops a run: cancel every dialog ever left unanswered, clear the queue, abort.

        The order matters: abort hangs while an extension without a signal waits for its dialog.
        """
        lines = [_answer_line(dialog_id, None, None) for dialog_id in self._unanswered]
        self._unanswered.clear()
        self._open_dialogs.clear()
        clear, abort = self.command("clear_queue"), self.command("abort")
        return StopOrder(b"".join([*lines, clear.line, abort.line]), clear.id, abort.id)

    def feed(self, data: bytes) -> list[RpcEvent]:
        """What the bytes say, in order."""
        events: list[RpcEvent] = []
        if self._is_dead:
            return events
        for item in self._lines.feed(data):
            events += self._on_oversized(item) if isinstance(item, Oversized) else self._on_line(item)
            if self._is_dead:
                break
        return events

    def resync(self) -> None:
        """After a reconnect: drop the torn line. Then send get_state and get_entries(since)."""
        self._lines.resync()

    def _on_oversized(self, item: Oversized) -> list[RpcEvent]:
        self._is_dead = item.is_flood
        reason = f"line of more than {item.limit_bytes} bytes (number {item.count}) dropped"
        return [RpcFault(reason, "protocol.flood" if item.is_flood else "")]

    def _on_line(self, line: bytes) -> list[RpcEvent]:
        parsed = parse_json(line)
        if isinstance(parsed, JsonFault):
            return self._fault(parsed.reason)
        kind = parsed.value.get("type")
        if not isinstance(kind, str) or not kind:
            return self._fault("a record without a type")
        if kind == "response":
            return self._on_response(parsed)
        if kind == "extension_ui_request":
            return self._on_ui_request(parsed)
        return self._on_record(kind, parsed)

    def _fault(self, reason: str) -> list[RpcEvent]:
        self._faults += 1
        self._is_dead = self._faults >= FAULT_LIMIT
        return [RpcFault(reason, "protocol.remote" if self._is_dead else "")]

    def _on_response(self, parsed: ParsedJson) -> list[RpcEvent]:
        value = parsed.value
        faults = check_fields(value, RESPONSE)
        sent_id = value.get("id")
        if faults:
            return self._fault("a response: " + "; ".join(faults))
        if not isinstance(sent_id, str) or sent_id not in self._pending:
            detail = f": {scrub_line(text_in(value, 'error'))}" if value.get("error") else ""
            return self._fault("a response to nothing that was asked" + detail)
        if value.get("command") not in (None, self._pending[sent_id]):
            return self._fault("a response that names another command")
        data = value.get("data")
        return [
            Response(
                id=sent_id,
                command=self._pending.pop(sent_id),
                ok=value["success"] is True,
                data=data if isinstance(data, dict) else {},
                error=text_in(value, "error"),
                marks=parsed.marks,
            )
        ]

    def _on_ui_request(self, parsed: ParsedJson) -> list[RpcEvent]:
        method = parsed.value.get("method")
        if isinstance(method, str) and method in DIALOGS:
            return self._on_dialog(method, parsed.value)
        if not isinstance(method, str) or method not in NOTICES:
            known_form = isinstance(method, str) and 0 < len(method) <= _ID_LIMIT_CHARS
            return [Unsupported(scrub_line(str(method), 40))] if known_form else self._fault("a question of no kind")
        faults = check_fields(parsed.value, NOTICES[method])
        if faults:
            return self._fault(f"notice `{method}`: " + "; ".join(faults))
        return [Notice(method, {key: parsed.value[key] for key in NOTICES[method] if key in parsed.value})]

    def _on_dialog(self, method: str, value: Mapping[str, JsonValue]) -> list[RpcEvent]:
        faults = check_fields(value, DIALOGS[method])
        dialog_id, options = value.get("id"), value.get("options")
        options = [] if options is None else options
        if faults or not isinstance(dialog_id, str) or not isinstance(options, list):
            return self._fault(f"dialog `{method}`: " + "; ".join(faults))
        texts = tuple(option for option in options if isinstance(option, str))
        if not 0 < len(dialog_id) <= _ID_LIMIT_CHARS or len(texts) != len(options):
            return self._fault(f"dialog `{method}` with an odd id or option")
        if dialog_id in self._open_dialogs:
            return self._fault("two open dialogs with one id")
        if len(self._open_dialogs) >= OPEN_DIALOG_LIMIT or len(self._unanswered) >= 8 * OPEN_DIALOG_LIMIT:
            self._is_dead = True
            return [RpcFault(f"more than {OPEN_DIALOG_LIMIT} open dialogs", "protocol.remote")]
        dialog = Dialog(
            id=dialog_id,
            method=method,
            title=text_in(value, "title"),
            message=text_in(value, "message"),
            options=texts,
            initial_text=text_in(value, "prefill") or text_in(value, "placeholder"),
            timeout_ms=_whole_number(value.get("timeout")),
        )
        self._open_dialogs[dialog_id] = dialog
        self._unanswered[dialog_id] = None
        return [dialog]

    def _on_record(self, kind: str, parsed: ParsedJson) -> list[RpcEvent]:
        known = RECORDS.get(kind)
        faults = check_fields(parsed.value, known or {})
        if faults:
            return self._fault(f"record `{kind}`: " + "; ".join(faults))
        marks = parsed.marks if known is not None else (*parsed.marks, _MARK_UNKNOWN)
        if kind in ("agent_start", "agent_settled"):
            self.is_busy = kind == "agent_start"
        fields = {key: item for key, item in parsed.value.items() if key != "type"}
        closed = self._close_dialogs() if kind in ("tool_execution_end", "agent_settled") else []
        if kind == "agent_settled":
            self._unanswered.clear()
        return [PiRecord(kind, fields, marks), *closed]

    def _close_dialogs(self) -> list[RpcEvent]:
        ids = tuple(self._open_dialogs)
        self._open_dialogs.clear()
        return [DialogsClosed(ids)] if ids else []


def _line(value: Mapping[str, JsonValue]) -> bytes:
    try:
        line = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"
    except ValueError as fault:
        raise ProtocolError("protocol.local", "a command with a number that is not finite") from fault
    if len(line) > LINE_LIMIT_BYTES:
        raise ProtocolError("protocol.local", f"a command of {len(line)} bytes")
    return line


def _answer_line(dialog_id: str, value: str | None, confirmed: bool | None) -> bytes:
    answer: dict[str, JsonValue] = {"cancelled": True}
    if value is not None:
        answer = {"value": value}
    elif confirmed is not None:
        answer = {"confirmed": confirmed}
    return _line({"type": "extension_ui_response", "id": dialog_id, **answer})


def _whole_number(value: JsonValue) -> int | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return max(0, int(value)) if is_number and isinstance(value, int | float) else None
