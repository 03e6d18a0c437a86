"""What a person reads of a run: pi's records folded into entries.

In: PiRecords in order. Out: Changes, each an Entry as it stands now and the text that was added to it.
Never: I/O, raw text (all of it is scrubbed), unbounded text, an exception for an odd record.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from pui.domain.errors import ModelError
from pui.domain.events import JsonValue
from pui.domain.lenient_fields import table_in, text_in
from pui.domain.links import find_links
from pui.domain.rpc import PiRecord
from pui.domain.scrub import scrub_line, scrub_text

TEXT_LIMIT_CHARS = 262_144
OUTPUT_LIMIT_CHARS = 32_768
DIFF_LIMIT_CHARS = 65_536
OPEN_LIMIT = 256
_TIME_LIMIT_MS = 2**53

_Json = Mapping[str, JsonValue]


@dataclass(frozen=True)
class Entry:
    """One card of the transcript.

    `key` counts from 1, `at_ms` is when it began (Unix time). `kind`: user, text, thinking, tool, error, notice. For a
    tool `title` is its name, `args` its arguments as given (scrubbed texts), `text` its output so far, `is_error` and
    `duration_ms` its end, `diff` the patch of an edit. While a text streams, `text` stays empty (a burst of deltas must
    not hold a copy of all of it each): add up the deltas. `said_ms` is pi's own time of a user's message, 0 where it
    is not known: with it the message is found in pi's session.
    """

    key: int
    kind: str
    text: str = ""
    title: str = ""
    args: _Json = field(default_factory=dict)
    is_error: bool = False
    is_final: bool = False
    duration_ms: int | None = None
    at_ms: int = 0
    diff: str = ""
    said_ms: int = 0

    @property
    def links(self) -> tuple[str, ...]:
        """The addresses in a final text, in order; a tool's output has none."""
        return find_links(self.text) if self.is_final and self.kind != "tool" else ()

    def to_json(self) -> dict[str, JsonValue]:
        """What is shown of it; the page gets `links` too (views.py)."""
        return {
            "key": self.key,
            "kind": self.kind,
            "text": self.text,
            "title": self.title,
            "args": dict(self.args),
            "is_error": self.is_error,
            "is_final": self.is_final,
            "duration_ms": self.duration_ms,
            "at_ms": self.at_ms,
            "diff": self.diff,
        }

    def to_line(self) -> dict[str, JsonValue]:
        """What transcript.jsonl holds of it."""
        return self.to_json() | ({"said_ms": self.said_ms} if self.said_ms else {})


@dataclass(frozen=True)
class Change:
    """`entry` as it is now. `delta` is what was appended to its text; when `is_replaced` the text is new as a whole."""

    entry: Entry
    delta: str = ""
    is_replaced: bool = False


def coalesce(changes: Iterable[Change]) -> list[Change]:
    """Neighbouring changes of one entry become one, so that a burst of deltas is a single redraw."""
    merged: list[Change] = []
    for change in changes:
        last = merged[-1] if merged else None
        if last is None or last.entry.key != change.entry.key:
            merged.append(change)
        elif change.is_replaced:
            merged[-1] = change
        else:
            merged[-1] = replace(change, delta=last.delta + change.delta, is_replaced=last.is_replaced)
    return merged


@dataclass
class _Block:
    """A text or thinking block that is still streamed: what was shown of it, in pieces."""

    entry: Entry
    parts: list[str] = field(default_factory=list)
    size_chars: int = 0

    def append(self, delta: str) -> Change:
        shown = scrub_text(delta)[: max(0, TEXT_LIMIT_CHARS - self.size_chars)]
        self.parts.append(shown)
        self.size_chars += len(shown)
        return Change(self.entry, shown)

    def settle(self, content: str, *, is_final: bool) -> list[Change]:
        """The authoritative text; a replacement only if it is not what the deltas added up to."""
        text, shown = _cut(scrub_text(content)), "".join(self.parts)
        done = replace(self.entry, text=text, is_final=is_final)
        is_news = done != self.entry
        self.entry, self.parts, self.size_chars = done, [text], len(text)
        if not text.startswith(shown):
            return [Change(done, text, is_replaced=True)]
        return [Change(done, text[len(shown) :])] if is_news else []


class Transcript:
    """The fold. Holds only what is still open; `last_error` is the message of a run that ended by an error."""

    def __init__(self, first_key: int = 1) -> None:
        self._next_key = first_key
        self._at_ms = 0
        self._blocks: dict[int, _Block] = {}
        self._tools: dict[str, Entry] = {}
        self.last_error = ""
        self.was_aborted = False

    def add(self, record: PiRecord, at_ms: int = 0) -> list[Change]:
        """The changes that `record` makes at this time; none for a record a person need not see."""
        self._at_ms = at_ms
        handler = _HANDLERS.get(record.type)
        return handler(self, record.fields) if handler else []

    def note(self, kind: str, text: str, at_ms: int, *, is_error: bool = False) -> list[Change]:
        """An entry of pui's own: what pi refused, what went wrong."""
        self._at_ms = at_ms
        return self._said(kind, text, is_error=is_error)

    def end(self, at_ms: int) -> list[Change]:
        """Nothing more comes: what is still open ends as it was shown."""
        self._at_ms = at_ms
        return self._on_settled({})

    def model_error(self) -> ModelError | None:
        """ModelError("model.upstream") if the last assistant message ended by an error, else None."""
        return ModelError("model.upstream", scrub_line(self.last_error, 500)) if self.last_error else None

    def _new(self, kind: str, text: str = "", *, is_final: bool = False, is_error: bool = False) -> Entry:
        shown = _cut(scrub_text(text))
        entry = Entry(self._next_key, kind, shown, is_final=is_final, is_error=is_error, at_ms=self._at_ms)
        self._next_key += 1
        return entry

    def _said(self, kind: str, text: str, *, is_error: bool = False, said_ms: int = 0) -> list[Change]:
        entry = replace(self._new(kind, text, is_final=True, is_error=is_error), said_ms=said_ms)
        return [Change(entry, entry.text)]

    def _on_agent_start(self, _fields: _Json) -> list[Change]:
        self.last_error, self.was_aborted = "", False
        return []

    def _on_message_start(self, _fields: _Json) -> list[Change]:
        return self._end_blocks()

    def _end_blocks(self) -> list[Change]:
        """Blocks that were never ended by their message end as they were shown."""
        left = [
            change for block in self._blocks.values() for change in block.settle("".join(block.parts), is_final=True)
        ]
        self._blocks.clear()
        return left

    def _on_update(self, fields: _Json) -> list[Change]:
        event = table_in(fields, "assistantMessageEvent")
        kind, _, phase = text_in(event, "type").partition("_")
        index = event.get("contentIndex")
        if kind not in ("text", "thinking") or not isinstance(index, int):
            return []
        if index not in self._blocks:
            if len(self._blocks) >= OPEN_LIMIT:
                return []
            self._blocks[index] = _Block(self._new(kind))
        block = self._blocks[index]
        if phase == "end":
            return block.settle(text_in(event, "content"), is_final=False)
        return [block.append(text_in(event, "delta"))]

    def _on_message_end(self, fields: _Json) -> list[Change]:
        message = table_in(fields, "message")
        role = text_in(message, "role")
        if role == "assistant":
            return self._end_assistant(message)
        left, text = self._end_blocks(), _content_text(message.get("content"))
        if role == "user":
            return left + self._said("user", text, said_ms=said_at_ms(message))
        hidden = role in ("system", "toolResult") or not text
        return left if hidden else left + self._said("notice", f"{scrub_line(role, 40)}: {text}")

    def _end_assistant(self, message: _Json) -> list[Change]:
        changes: list[Change] = []
        content = message.get("content")
        for index, block in enumerate(content[:OPEN_LIMIT] if isinstance(content, list) else []):
            kind = text_in(block, "type") if isinstance(block, dict) else ""
            if kind in ("text", "thinking") and isinstance(block, dict):
                open_block = self._blocks.pop(index, None) or _Block(self._new(kind))
                changes += open_block.settle(text_in(block, kind), is_final=True)
        return changes + self._end_blocks() + self._end_reason(message)

    def _end_reason(self, message: _Json) -> list[Change]:
        reason = text_in(message, "stopReason")
        self.last_error = (text_in(message, "errorMessage") or "no reason was given") if reason == "error" else ""
        if self.last_error:
            return self._said("error", self.last_error, is_error=True)
        if reason == "aborted":
            self.was_aborted = True
            return self._said("notice", "Stopped.")
        return self._said("notice", "The answer was cut at the model's limit.") if reason == "length" else []

    def _on_tool_start(self, fields: _Json) -> list[Change]:
        if len(self._tools) >= OPEN_LIMIT:
            return []
        entry = replace(
            self._new("tool"),
            title=scrub_line(text_in(fields, "toolName"), 80),
            args=_safe_args(table_in(fields, "args")),
        )
        call_id = text_in(fields, "toolCallId")
        lost = self._tools.pop(call_id, None)  # the same id again: nobody will end the first one
        self._tools[call_id] = entry
        return [*([Change(_unfinished(lost))] if lost else []), Change(entry)]

    def _on_tool_update(self, fields: _Json) -> list[Change]:
        entry = self._tools.get(text_in(fields, "toolCallId"))
        return self._tool_text(entry, table_in(fields, "partialResult"), fields) if entry else []

    def _tool_text(self, entry: Entry, result: _Json, fields: _Json) -> list[Change]:
        """pi sends the whole output so far each time; what was there before is not sent again."""
        text = _ends(scrub_text(_content_text(result.get("content"))))
        self._tools[text_in(fields, "toolCallId")] = now = replace(entry, text=text)
        is_more = text.startswith(entry.text)
        delta = text[len(entry.text) :] if is_more else text
        return [Change(now, delta, is_replaced=not is_more)] if text != entry.text else []

    def _on_tool_end(self, fields: _Json) -> list[Change]:
        call_id = text_in(fields, "toolCallId")
        entry = self._tools.pop(call_id, None) or replace(
            self._new("tool"), title=scrub_line(text_in(fields, "toolName"), 80)
        )
        changes = self._tool_text(entry, table_in(fields, "result"), fields)
        now = self._tools.pop(call_id, entry)
        duration = fields.get("durationMs")
        done = replace(
            now,
            is_error=fields.get("isError") is True,
            is_final=True,
            duration_ms=int(duration) if isinstance(duration, int | float) else None,
            diff=_patch(table_in(fields, "result")),
        )
        return coalesce([*changes, Change(done)])

    def _on_settled(self, fields: _Json) -> list[Change]:
        self.was_aborted = self.was_aborted or fields.get("aborted") is True
        left = [Change(_unfinished(entry)) for entry in self._tools.values()]
        self._tools.clear()
        return self._end_blocks() + left

    def _on_retry(self, fields: _Json) -> list[Change]:
        text = (
            f"Trying again ({fields.get('attempt')} of {fields.get('maxAttempts')}): {text_in(fields, 'errorMessage')}"
        )
        return self._said("notice", text)

    def _on_retry_end(self, fields: _Json) -> list[Change]:
        if fields.get("success") is True:
            self.last_error = ""
            return []
        return self._said("notice", f"Gave up trying again: {text_in(fields, 'finalError')}")

    def _on_compaction_end(self, fields: _Json) -> list[Change]:
        fault = text_in(fields, "errorMessage")
        return self._said(
            "notice", f"The conversation was not shortened: {fault}" if fault else "Conversation shortened."
        )

    def _on_extension_error(self, fields: _Json) -> list[Change]:
        return self._said("notice", f"An extension failed: {text_in(fields, 'error')}", is_error=True)


_HANDLERS = {
    "agent_start": Transcript._on_agent_start,
    "message_start": Transcript._on_message_start,
    "message_update": Transcript._on_update,
    "message_end": Transcript._on_message_end,
    "tool_execution_start": Transcript._on_tool_start,
    "tool_execution_update": Transcript._on_tool_update,
    "tool_execution_end": Transcript._on_tool_end,
    "agent_settled": Transcript._on_settled,
    "auto_retry_start": Transcript._on_retry,
    "auto_retry_end": Transcript._on_retry_end,
    "compaction_end": Transcript._on_compaction_end,
    "extension_error": Transcript._on_extension_error,
}


def said_at_ms(message: _Json) -> int:
    """pi's own time of a message, 0 where it gives none that can be one."""
    found = message.get("timestamp")
    return found if type(found) is int and 0 < found < _TIME_LIMIT_MS else 0


def shown_text(message: _Json) -> str:
    """The text of a message as an entry shows it."""
    return _cut(scrub_text(_content_text(message.get("content"))))


def _patch(result: _Json) -> str:
    """The unified patch of a tool that edits, where pi gives one and it can be shown whole."""
    patch = scrub_text(text_in(table_in(result, "details"), "patch")[: DIFF_LIMIT_CHARS + 1])
    return patch if len(patch) <= DIFF_LIMIT_CHARS else ""


def _unfinished(tool: Entry) -> Entry:
    return replace(tool, is_final=True, is_error=True)


def _content_text(content: JsonValue) -> str:
    """The texts of a message's or a result's content; other blocks as `[image]` and the like."""
    if isinstance(content, str):
        return content
    parts = []
    for block in content if isinstance(content, list) else []:
        kind = text_in(block, "type") if isinstance(block, dict) else ""
        parts.append(text_in(block, "text") if kind == "text" and isinstance(block, dict) else f"[{kind or 'unknown'}]")
    return "\n".join(parts)


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_LIMIT_CHARS else text[:TEXT_LIMIT_CHARS]


def _ends(text: str) -> str:
    """Both ends of a long output: the beginning says what it is, the end how it went."""
    if len(text) <= OUTPUT_LIMIT_CHARS:
        return text
    half = OUTPUT_LIMIT_CHARS // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half} characters …]\n{text[-half:]}"


def _safe_args(args: _Json) -> _Json:
    """Arguments with every text scrubbed and cut; anything deep is shown as its JSON."""
    return {scrub_line(key, 80): _safe_arg(value) for key, value in list(args.items())[:64]}


def _safe_arg(value: JsonValue) -> JsonValue:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _ends(scrub_text(text))
