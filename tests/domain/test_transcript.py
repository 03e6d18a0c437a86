"""The fold of pi's records into what a person reads.

In: recorded sessions and odd records. Out: entries. Never: an exception, a control character in an entry.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pui.domain.events import JsonValue
from pui.domain.rpc import PiRecord
from pui.domain.rpc_schema import RECORDS
from pui.domain.scrub import scrub_text
from pui.domain.transcript import OUTPUT_LIMIT_CHARS, TEXT_LIMIT_CHARS, Change, Entry, Transcript, coalesce
from tests.support.recordings import NAMES, Replay


def _fold(name: str) -> tuple[Transcript, list[Change]]:
    transcript = Transcript()
    records = [event for event in Replay(name).run() if isinstance(event, PiRecord)]
    return transcript, [change for record in records for change in transcript.add(record)]


def _entries(changes: list[Change]) -> list[Entry]:
    latest = {change.entry.key: change.entry for change in changes}
    return [latest[key] for key in sorted(latest)]


def _apply(changes: list[Change]) -> dict[int, str]:
    """What a screen shows that only ever appends or replaces."""
    shown: dict[int, str] = {}
    for change in changes:
        before = "" if change.is_replaced else shown.get(change.entry.key, "")
        shown[change.entry.key] = before + change.delta
    return shown


@pytest.mark.parametrize("name", NAMES)
def test_what_was_streamed_is_what_stands_at_the_end(name: str) -> None:
    _, changes = _fold(name)
    final = {entry.key: entry.text for entry in _entries(changes) if entry.is_final}
    assert {key: text for key, text in _apply(changes).items() if key in final} == final
    assert _apply(changes) == _apply(coalesce(changes))


@pytest.mark.parametrize("name", ["full-openai", "full-anthropic", "demo-faux"])
def test_a_whole_task_reads_well(name: str) -> None:
    transcript, changes = _fold(name)
    entries = _entries(changes)
    tools = [entry for entry in entries if entry.kind == "tool"]
    assert entries[0].kind == "user"
    assert {"bash", "write", "read"} <= {tool.title for tool in tools}
    assert all(entry.is_final for entry in entries)
    assert entries[-1].kind == "text" and transcript.model_error() is None


def test_the_demo_model_reads_as_a_story() -> None:
    _, changes = _fold("demo-model")
    story = [(entry.kind, entry.title) for entry in _entries(changes) if entry.kind != "text"]
    tools = [("tool", "bash"), ("tool", "read"), ("tool", "edit"), ("tool", "bash")]
    assert story == [("user", ""), *tools] and "no intelligence" in _entries(changes)[-1].text


def test_tools_carry_arguments_output_and_duration() -> None:
    _, changes = _fold("full-openai")
    write, edit = (next(e for e in _entries(changes) if e.title == title) for title in ("write", "edit"))
    assert write.args == {"path": "hello.py", "content": "print('hello')\n"}
    assert write.text == "Successfully wrote to hello.py" and write.duration_ms == 4
    assert isinstance(edit.args["edits"], str) and "hello, world" in edit.args["edits"]


def test_the_system_prompt_is_hidden_and_thinking_is_kept_apart() -> None:
    _, changes = _fold("full-openai")
    entries = _entries(changes)
    assert not [entry for entry in entries if "coding assistant running inside pi" in entry.text]
    assert "The user wants a file. I will list the folder first." in [e.text for e in entries if e.kind == "thinking"]


def test_a_providers_error_is_an_entry_and_a_model_error() -> None:
    transcript = Transcript()
    message: dict[str, JsonValue] = {
        "role": "assistant",
        "content": [],
        "stopReason": "error",
        "errorMessage": "401: \x1b[31mno",
    }
    (change,) = transcript.add(PiRecord("message_end", {"message": message}))
    assert (change.entry.kind, change.entry.text, change.entry.is_error) == ("error", "401: no", True)
    fault = transcript.model_error()
    assert fault is not None and fault.code == "model.upstream" and fault.message == "401: no"
    transcript.add(PiRecord("agent_start", {}))
    assert transcript.model_error() is None


def test_recorded_provider_errors_are_shown() -> None:
    _, changes = _fold("provider-errors")
    texts = [entry.text for entry in _entries(changes) if entry.kind == "error"]
    assert any(text.startswith("500:") for text in texts) and any("other side closed" in text for text in texts)


@pytest.mark.parametrize("name", ["abort-tool", "abort-hang"])
def test_an_abort_is_told(name: str) -> None:
    transcript, _ = _fold(name)
    assert transcript.was_aborted and transcript.model_error() is None


def _tool(kind: str, **fields: Any) -> PiRecord:
    return PiRecord(f"tool_execution_{kind}", {"toolCallId": "1", "toolName": "bash", **fields})


def _result(text: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}]}


def test_partial_results_replace_and_are_sent_as_what_is_new() -> None:
    transcript = Transcript()
    changes = transcript.add(_tool("start", args={"command": "x\x1b[2J"}))
    assert changes[0].entry.args == {"command": "x"}
    deltas = [
        (change.delta, change.is_replaced)
        for text in ("one\n", "one\ntwo\n", "other")
        for change in transcript.add(_tool("update", partialResult=_result(text)))
    ]
    assert deltas == [("one\n", False), ("two\n", False), ("other", True)]
    (end,) = transcript.add(_tool("end", result=_result("other!"), isError=True, durationMs=5))
    assert end.delta == "!" and end.entry.is_error and end.entry.is_final and end.entry.duration_ms == 5


def test_long_output_keeps_both_ends() -> None:
    transcript = Transcript()
    (end,) = transcript.add(_tool("end", result=_result("a" * 100_000 + "z"), isError=False))
    assert len(end.entry.text) < OUTPUT_LIMIT_CHARS + 100 and end.entry.text.endswith("z")
    assert "characters …]" in end.entry.text


def test_a_tool_left_open_is_closed_when_the_run_settles() -> None:
    transcript = Transcript()
    transcript.add(_tool("start", args={}))
    (change,) = transcript.add(PiRecord("agent_settled", {"aborted": True}))
    assert change.entry.is_final and change.entry.is_error


def test_text_that_differs_from_its_deltas_is_replaced() -> None:
    transcript = Transcript()
    event: dict[str, JsonValue] = {"type": "text_delta", "contentIndex": 0, "delta": "wrong"}
    transcript.add(PiRecord("message_update", {"assistantMessageEvent": event}))
    message: dict[str, JsonValue] = {
        "role": "assistant",
        "content": [{"type": "text", "text": "right"}],
        "stopReason": "stop",
    }
    (change,) = transcript.add(PiRecord("message_end", {"message": message}))
    assert change.is_replaced and change.entry.text == "right" and change.entry.is_final


def test_a_burst_of_deltas_is_one_change_without_copies_of_the_text() -> None:
    transcript = Transcript()
    event: dict[str, JsonValue] = {"type": "text_delta", "contentIndex": 0, "delta": "word "}
    changes = [
        change
        for _ in range(100_000)
        for change in transcript.add(PiRecord("message_update", {"assistantMessageEvent": event}))
    ]
    assert not [change for change in changes if change.entry.text]
    (one,) = coalesce(changes)
    assert len(one.delta) == TEXT_LIMIT_CHARS


_VALUE = st.recursive(
    st.none() | st.integers(-2, 300) | st.text(alphabet="ab\x1b\u202e\r", max_size=5) | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["role", "content", "type", "text", "thinking", "stopReason", "delta", "contentIndex", "errorMessage"]
            ),
            inner,
        )
    ),
    max_leaves=12,
)
_FIELDS = st.dictionaries(
    st.sampled_from(
        ["message", "assistantMessageEvent", "toolCallId", "toolName", "args", "result", "partialResult", "durationMs"]
    ),
    _VALUE,
)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.sampled_from(sorted(RECORDS)), _FIELDS), max_size=8))
def test_f11_any_record_folds_to_clean_text(records: list[tuple[str, dict[str, Any]]]) -> None:
    transcript = Transcript()
    changes = [change for kind, fields in records for change in transcript.add(PiRecord(kind, fields))]
    assert all(change.entry.text == scrub_text(change.entry.text) for change in changes)
    changes += transcript.add(PiRecord("agent_settled", {}))
    assert _apply(changes) == {entry.key: entry.text for entry in _entries(changes)}
    assert all(entry.is_final for entry in _entries(changes))
