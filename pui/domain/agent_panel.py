"""What a person sees of pi beside its words: model, queue, questions, cost, what extensions put on the screen.

In: the events of an RpcClient in order, with the time. Out: the AgentPanel of docs/bridge.md.
Never: I/O, a timer, raw text (all of it is scrubbed), more than the limits below, an exception for an odd record.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pui.domain.agent_view import AgentView
from pui.domain.events import JsonValue
from pui.domain.lenient_fields import table_in, text_in
from pui.domain.rpc import Dialog, DialogsClosed, Notice, PiRecord, Response, RpcEvent, RpcFault, Unsupported
from pui.domain.scrub import scrub_line, scrub_text
from pui.domain.statechart import Chart

QUEUE_LIMIT, QUEUE_TEXT_LIMIT_CHARS = 32, 16_384
OPTION_LIMIT, OPTION_LIMIT_CHARS = 64, 400
TITLE_LIMIT_CHARS, MESSAGE_LIMIT_CHARS, EDITOR_LIMIT_CHARS = 2000, 8000, 65_536
DIALOG_TIMEOUT_LIMIT_MS = 24 * 3600 * 1000
STATUS_LIMIT, WIDGET_LIMIT, WIDGET_LINE_LIMIT, LINE_LIMIT_CHARS = 16, 8, 40, 300
UNSUPPORTED_LIMIT = 10
LEVEL_LIMIT = 16

_Json = Mapping[str, JsonValue]
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class OpenDialog:
    """A question as it is shown. `raw_options` are what pi wants to hear, in the order of `options`."""

    id: str
    method: str
    title: str
    message: str
    options: tuple[str, ...]
    raw_options: tuple[str, ...]
    initial_text: str
    timeout_ms: int | None
    opened_ms: int

    def to_json(self) -> dict[str, JsonValue]:
        return {
            "id": self.id,
            "method": self.method,
            "title": self.title,
            "message": self.message,
            "options": list(self.options),
            "initial_text": self.initial_text,
            "timeout_ms": self.timeout_ms,
            "opened_ms": self.opened_ms,
        }


@dataclass
class _Shown:
    """Everything of the panel that records change."""

    model: dict[str, JsonValue] | None = None
    thinking_level: str = ""
    thinking_levels: list[JsonValue] = field(default_factory=list)
    steering: list[JsonValue] = field(default_factory=list)
    follow_up: list[JsonValue] = field(default_factory=list)
    stats: dict[str, JsonValue] | None = None
    stats_before: dict[str, JsonValue] | None = None
    retry: dict[str, JsonValue] | None = None
    is_compacting: bool = False
    statuses: dict[str, str] = field(default_factory=dict)
    widgets: dict[str, dict[str, JsonValue]] = field(default_factory=dict)
    title: str = ""
    editor_text: dict[str, JsonValue] | None = None
    unsupported: list[JsonValue] = field(default_factory=list)
    odd_lines: int = 0


class AgentPanel:
    """The fold. `agent` follows agent.json and is moved by its owner (supervisor/session.py)."""

    def __init__(self, chart: Chart) -> None:
        """`chart` is agent.json. Raises ValueError when it is not."""
        self.agent = AgentView(chart)
        self._labels = {name: state.label for name, state in chart.states.items()}
        self._shown = _Shown()
        self._dialogs: dict[str, OpenDialog] = {}
        self._editor_seq = 0

    def observe(self, event: RpcEvent, at_ms: int) -> bool:
        """Take one event; True when there is something new to show."""
        match event:
            case PiRecord(kind, fields):
                return self._on_record(kind, fields, at_ms)
            case Response(_, command, True, data):
                return self._on_response(command, data)
            case Dialog():
                self._dialogs[event.id] = _shown_dialog(event, at_ms)
            case DialogsClosed(ids):
                for dialog_id in ids:
                    self._dialogs.pop(dialog_id, None)
            case Notice(method, fields):
                return self._on_notice(method, fields)
            case Unsupported(method):
                return self._on_unsupported(method)
            case RpcFault():
                self._shown.odd_lines += 1
            case _:
                return False
        return True

    def close_dialog(self, dialog_id: str) -> None:
        """It was answered, or its time is over."""
        self._dialogs.pop(dialog_id, None)

    def raw_option(self, dialog_id: str, shown: str) -> str:
        """The option that pi wants to hear for the one that was shown; the text itself for any other dialog."""
        dialog = self._dialogs.get(dialog_id)
        if dialog is None or dialog.method != "select" or shown not in dialog.options:
            return shown
        return dialog.raw_options[dialog.options.index(shown)]

    def end(self, stats: JsonValue = None, model: JsonValue = None) -> None:
        """pi has ended: nothing waits any more. `stats` and `model` are what a journal has kept of them."""
        self.agent.exit()
        self._dialogs.clear()
        shown = self._shown
        shown.steering, shown.follow_up, shown.retry, shown.is_compacting = [], [], None, False
        shown.stats = dict(stats) if isinstance(stats, dict) else shown.stats
        shown.model = dict(model) if isinstance(model, dict) else shown.model

    def count_from_here(self) -> None:
        """Statistics leave out what has been so far: pi adds up its whole session, the earlier machine's part too."""
        self._shown.stats_before, self._shown.stats = self._shown.stats, None

    @property
    def is_busy(self) -> bool:
        """A run is open, or the conversation is being summed up."""
        return self.agent.run_is_open or self._shown.is_compacting

    @property
    def dialogs(self) -> tuple[OpenDialog, ...]:
        return tuple(self._dialogs.values())

    @property
    def is_retrying(self) -> bool:
        return self._shown.retry is not None

    @property
    def stats(self) -> dict[str, JsonValue] | None:
        """Tokens, cost and context as of the last time pi was asked."""
        return self._shown.stats

    @property
    def provider(self) -> str:
        """Of the model that pi uses now; "" when it has not said."""
        return str((self._shown.model or {}).get("provider", ""))

    def to_json(self) -> dict[str, JsonValue]:
        """The AgentPanel of docs/bridge.md."""
        shown, state = self._shown, self.agent.state
        return {
            "state": state,
            "label": self._labels[state],
            "is_busy": self.is_busy,
            "model": shown.model,
            "thinking_level": shown.thinking_level,
            "thinking_levels": list(shown.thinking_levels),
            "queue": {"steering": list(shown.steering), "follow_up": list(shown.follow_up)},
            "stats": shown.stats,
            "retry": shown.retry,
            "is_compacting": shown.is_compacting,
            "dialogs": [dialog.to_json() for dialog in self._dialogs.values()],
            "statuses": [{"key": key, "text": text} for key, text in shown.statuses.items()],
            "widgets": [{"key": key, **widget} for key, widget in shown.widgets.items()],
            "title": shown.title,
            "editor_text": shown.editor_text,
            "unsupported": list(shown.unsupported),
            "odd_lines": shown.odd_lines,
        }

    # records

    def _on_record(self, kind: str, fields: _Json, at_ms: int) -> bool:
        handler = _RECORDS.get(kind)
        if handler is None:
            return False
        handler(self._shown, fields, at_ms)
        return True

    def _on_response(self, command: str, data: _Json) -> bool:
        handler = _RESPONSES.get(command)
        if handler is None:
            return False
        handler(self._shown, data)
        return True

    def _on_unsupported(self, method: str) -> bool:
        shown = self._shown.unsupported
        text = f"An extension asked for “{method}”, which only a terminal can show."
        if text in shown or len(shown) >= UNSUPPORTED_LIMIT:
            return False
        shown.append(text)
        return True

    def _on_notice(self, method: str, fields: _Json) -> bool:
        shown = self._shown
        if method == "setTitle":
            shown.title = scrub_line(text_in(fields, "title"))
        elif method == "set_editor_text":
            self._editor_seq += 1
            text = scrub_text(text_in(fields, "text")[:EDITOR_LIMIT_CHARS])[:EDITOR_LIMIT_CHARS]
            shown.editor_text = {"seq": self._editor_seq, "text": text}
        elif method == "setStatus":
            _put(shown.statuses, fields, "statusKey", STATUS_LIMIT, _status(fields))
        elif method == "setWidget":
            _put(shown.widgets, fields, "widgetKey", WIDGET_LIMIT, _widget(fields))
        return method != "notify"


def _put(table: dict[str, _Value], fields: _Json, key_name: str, limit: int, value: _Value | None) -> None:
    """Under the extension's key; None takes it away. A full table takes no new key."""
    key = scrub_line(text_in(fields, key_name), 80)
    if value is None:
        table.pop(key, None)
    elif key in table or len(table) < limit:
        table[key] = value


def _status(fields: _Json) -> str | None:
    return scrub_line(text_in(fields, "statusText"), LINE_LIMIT_CHARS) or None


def _widget(fields: _Json) -> dict[str, JsonValue] | None:
    lines = fields.get("widgetLines")
    if not isinstance(lines, list) or not lines:
        return None
    shown: list[JsonValue] = [_shown_line(line) for line in lines[:WIDGET_LINE_LIMIT]]
    return {"lines": shown, "placement": scrub_line(text_in(fields, "widgetPlacement"), 40)}


def _shown_line(line: JsonValue) -> str:
    """Spaces at the beginning stay: widgets are drawn with them."""
    text = line if isinstance(line, str) else ""
    return scrub_text(text[: LINE_LIMIT_CHARS * 4]).replace("\n", " ")[:LINE_LIMIT_CHARS]


def _shown_dialog(dialog: Dialog, at_ms: int) -> OpenDialog:
    raw = dialog.options[:OPTION_LIMIT]
    timeout_ms = min(dialog.timeout_ms, DIALOG_TIMEOUT_LIMIT_MS) if dialog.timeout_ms else None
    return OpenDialog(
        id=dialog.id,
        method=dialog.method,
        title=_cut(dialog.title, TITLE_LIMIT_CHARS),
        message=_cut(dialog.message, MESSAGE_LIMIT_CHARS),
        options=tuple(scrub_line(option, OPTION_LIMIT_CHARS) for option in raw),
        raw_options=raw,
        initial_text=_cut(dialog.initial_text, EDITOR_LIMIT_CHARS),
        timeout_ms=timeout_ms,
        opened_ms=at_ms,
    )


def _on_queue(shown: _Shown, fields: _Json, _at_ms: int) -> None:
    shown.steering, shown.follow_up = queue_texts(fields.get("steering")), queue_texts(fields.get("followUp"))


def queue_texts(value: JsonValue) -> list[JsonValue]:
    """What waits in pi's queue, bounded and scrubbed."""
    texts = [item for item in (value if isinstance(value, list) else []) if isinstance(item, str)]
    return [_cut(text, QUEUE_TEXT_LIMIT_CHARS) for text in texts[:QUEUE_LIMIT]]


def _on_thinking(shown: _Shown, fields: _Json, _at_ms: int) -> None:
    shown.thinking_level = scrub_line(text_in(fields, "level"), 40)


def _on_retry(shown: _Shown, fields: _Json, at_ms: int) -> None:
    shown.retry = {
        "attempt": _count(fields, "attempt"),
        "max_attempts": _count(fields, "maxAttempts"),
        "error": scrub_line(text_in(fields, "errorMessage"), 500),
        "until_ms": at_ms + min(_count(fields, "delayMs"), DIALOG_TIMEOUT_LIMIT_MS),
    }


def _on_retry_end(shown: _Shown, _fields: _Json, _at_ms: int) -> None:
    shown.retry = None


def _on_compaction(shown: _Shown, _fields: _Json, _at_ms: int) -> None:
    shown.is_compacting = True


def _on_compaction_end(shown: _Shown, _fields: _Json, _at_ms: int) -> None:
    shown.is_compacting = False


def _on_settled(shown: _Shown, _fields: _Json, _at_ms: int) -> None:
    shown.retry = None


def _on_started(_shown: _Shown, _fields: _Json, _at_ms: int) -> None:
    """Nothing of its own: busy is the chart's."""


_RECORDS: Mapping[str, Callable[[_Shown, _Json, int], None]] = {
    "agent_start": _on_started,
    "agent_settled": _on_settled,
    "queue_update": _on_queue,
    "thinking_level_changed": _on_thinking,
    "auto_retry_start": _on_retry,
    "auto_retry_end": _on_retry_end,
    "compaction_start": _on_compaction,
    "compaction_end": _on_compaction_end,
}


# responses


def _on_state(shown: _Shown, data: _Json) -> None:
    model = data.get("model")
    shown.model = shown_model(model) if isinstance(model, dict) else shown.model
    shown.thinking_level = scrub_line(text_in(data, "thinkingLevel"), 40) or shown.thinking_level
    shown.is_compacting = data.get("isCompacting") is True


def _on_model(shown: _Shown, data: _Json) -> None:
    shown.model = shown_model(data)


def _on_levels(shown: _Shown, data: _Json) -> None:
    levels = data.get("levels")
    named = [level for level in (levels if isinstance(levels, list) else []) if isinstance(level, str)]
    shown.thinking_levels = [scrub_line(level, 40) for level in named[:LEVEL_LIMIT]]


def _on_stats(shown: _Shown, data: _Json) -> None:
    stats = session_stats(data)
    shown.stats = stats if shown.stats_before is None else stats_since(stats, shown.stats_before)


def _on_cleared(shown: _Shown, _data: _Json) -> None:
    shown.steering, shown.follow_up = [], []


_RESPONSES: Mapping[str, Callable[[_Shown, _Json], None]] = {
    "get_state": _on_state,
    "set_model": _on_model,
    "get_available_thinking_levels": _on_levels,
    "get_session_stats": _on_stats,
    "clear_queue": _on_cleared,
}


def shown_model(model: _Json) -> dict[str, JsonValue]:
    """{provider, id, name} of pi's description of a model."""
    name = text_in(model, "name") or text_in(model, "id")
    return {
        "provider": scrub_line(text_in(model, "provider"), 80),
        "id": scrub_line(text_in(model, "id"), 128),
        "name": scrub_line(name, 128),
    }


def session_stats(data: _Json) -> dict[str, JsonValue]:
    """pi's get_session_stats as the journal and the page hold it: whole counts, cost in US dollars."""
    tokens, usage = table_in(data, "tokens"), data.get("contextUsage")
    context: JsonValue = None
    if isinstance(usage, dict):
        context = {
            "tokens": None if usage.get("tokens") is None else _count(usage, "tokens"),
            "window": _count(usage, "contextWindow"),
            "percent": None if usage.get("percent") is None else _number(usage, "percent"),
        }
    names = {"input": "input", "output": "output", "cache_read": "cacheRead", "cache_write": "cacheWrite"}
    counts: dict[str, JsonValue] = {name: _count(tokens, key) for name, key in names.items()}
    return {
        "tokens": counts | {"total": _count(tokens, "total")},
        "cost_usd": _number(data, "cost"),
        "context": context,
        "messages": _count(data, "totalMessages"),
    }


def stats_since(stats: _Json, before: _Json) -> dict[str, JsonValue]:
    """`stats` of session_stats without what was counted `before`; the context stays that of the whole conversation."""
    tokens, old = table_in(stats, "tokens"), table_in(before, "tokens")
    counts: dict[str, JsonValue] = {name: max(_count(tokens, name) - _count(old, name), 0) for name in tokens}
    cost_usd = max(_number(stats, "cost_usd") - _number(before, "cost_usd"), 0.0)
    messages = max(_count(stats, "messages") - _count(before, "messages"), 0)
    return {**stats, "tokens": counts, "cost_usd": cost_usd, "messages": messages}


def _cut(text: str, limit_chars: int) -> str:
    return scrub_text(text[: limit_chars * 2])[:limit_chars]


def _number(value: _Json, key: str) -> float:
    found = value.get(key)
    is_number = isinstance(found, int | float) and not isinstance(found, bool) and math.isfinite(found)
    return max(0.0, float(found)) if is_number and isinstance(found, int | float) else 0.0


def _count(value: _Json, key: str) -> int:
    return min(int(_number(value, key)), 2**53)
