"""pi's RPC mode: every recorded session, and everything a hostile guest can write into it.

In: recordings whole and cut; lines of the wrong shape. Out: typed events. Never: an exception out of `feed`.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pui.domain.errors import ProtocolError
from pui.domain.rpc import (
    FAULT_LIMIT,
    OPEN_DIALOG_LIMIT,
    Dialog,
    DialogsClosed,
    Notice,
    PiRecord,
    Response,
    RpcClient,
    RpcEvent,
    RpcFault,
    Unsupported,
)
from pui.domain.rpc_schema import COMMANDS, RECORDS
from tests.support.recordings import NAMES, Replay

# Responses to raw lines that our client refuses to send; elsewhere everything is understood.
EXPECTED_FAULTS = {"framing": 14, "eof-no-lf": 1}


def _bytes(**value: Any) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _one(client: RpcClient, **value: Any) -> RpcEvent:
    events = client.feed(_bytes(**value))
    assert len(events) == 1, events
    return events[0]


def _fault(client: RpcClient, data: bytes) -> RpcFault:
    (event,) = client.feed(data)
    assert isinstance(event, RpcFault), event
    return event


def test_there_are_recordings() -> None:
    assert len(NAMES) >= 40


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_session_is_understood(name: str) -> None:
    replay = Replay(name)
    events = replay.run()
    faults = [event for event in events if isinstance(event, RpcFault)]
    unknown = [event for event in events if isinstance(event, PiRecord) and event.marks]
    assert len(faults) == EXPECTED_FAULTS.get(name, 0), faults
    assert unknown == []
    assert len([event for event in events if not isinstance(event, DialogsClosed)]) == replay.received


@pytest.mark.parametrize("name", NAMES)
def test_f7_cut_anywhere_it_is_the_same(name: str) -> None:
    assert Replay(name, step=1).run() == Replay(name).run()


def test_busy_lasts_until_settled_not_until_agent_end() -> None:
    client = RpcClient()
    client.feed(_bytes(type="agent_start"))
    client.feed(_bytes(type="agent_end", messages=[], willRetry=True))
    assert client.is_busy
    client.feed(_bytes(type="agent_settled", aborted=False))
    assert not client.is_busy


def test_answers_are_matched_by_id_in_any_order() -> None:
    client = RpcClient()
    first, second = client.command("get_state"), client.command("prompt", message="hi")
    assert json.loads(second.line) == {"id": "pui-2", "type": "prompt", "message": "hi"}
    refused = _one(client, id=second.id, type="response", command="prompt", success=False, error="No API key")
    assert refused == Response(second.id, "prompt", False, {}, "No API key")
    assert client.pending == {first.id: "get_state"}
    taken = _one(client, id=first.id, type="response", command="get_state", success=True, data={"isStreaming": False})
    assert taken == Response(first.id, "get_state", True, {"isStreaming": False}, "")


@pytest.mark.parametrize("sent_id", ["pui-1", "pui-99", "", 1, None, ["pui-1"], {"a": 1}, True])
def test_f9_f10_a_response_to_nothing_is_a_fault(sent_id: Any) -> None:
    client = RpcClient()
    client.feed(_bytes(id=client.command("get_state").id, type="response", command="get_state", success=True))
    reply = _fault(client, _bytes(id=sent_id, type="response", command="get_state", success=True))
    assert reply == RpcFault("a response to nothing that was asked")


def test_f10_a_response_with_anothers_command_does_not_settle_it() -> None:
    client = RpcClient()
    sent = client.command("get_state")
    assert (
        "another command" in _fault(client, _bytes(id=sent.id, type="response", command="abort", success=True)).reason
    )
    assert sent.id in client.pending


def test_a_late_answer_after_its_deadline_is_only_counted() -> None:
    client = RpcClient()
    sent = client.command("get_state")
    client.forget(sent.id)
    assert "nothing that was asked" in _fault(client, _bytes(id=sent.id, type="response", success=True)).reason


@pytest.mark.parametrize("line", [b"null\n", b"[]\n", b"\n", b"not json\n", b"{}\n", b'{"type":5}\n', b'{"type":""}\n'])
def test_f1_a_line_that_is_no_record_is_a_fault_and_the_next_is_read(line: bytes) -> None:
    client = RpcClient()
    fault, record = client.feed(line + b'{"type":"agent_start"}\n')
    assert isinstance(fault, RpcFault) and not fault.fatal_code
    assert record == PiRecord("agent_start", {})


def test_an_unknown_record_is_passed_on_with_a_mark() -> None:
    assert _one(RpcClient(), type="from_the_future", x=1) == PiRecord("from_the_future", {"x": 1}, ("unknown",))


def test_f2_f5_mended_text_is_marked() -> None:
    (record,) = RpcClient().feed(b'{"type":"session_info_changed","name":"\xff\\ud800\x7f"}\n')
    assert record == PiRecord(
        "session_info_changed", {"name": "\ufffd\ufffd\x7f"}, ("utf8-replaced", "surrogate-replaced")
    )


def test_f3_the_third_oversized_line_ends_the_channel() -> None:
    client = RpcClient()
    faults = [event for _ in range(3) for event in client.feed(b"x" * (8 * 1024 * 1024 + 1) + b"\n")]
    assert [fault.fatal_code for fault in faults if isinstance(fault, RpcFault)] == ["", "", "protocol.flood"]
    assert client.feed(b'{"type":"agent_start"}\n') == []


def test_f4_a_deep_line_is_a_fault() -> None:
    assert "nested" in _fault(RpcClient(), b'{"type":"x","a":' + b"[" * 100_000 + b"\n").reason


def test_f1_a_hundred_bad_lines_end_the_channel() -> None:
    faults = RpcClient().feed(b"?\n" * (FAULT_LIMIT + 50))
    codes = [fault.fatal_code for fault in faults if isinstance(fault, RpcFault)]
    assert codes == [""] * (FAULT_LIMIT - 1) + ["protocol.remote"]


_WRONG: list[Any] = [None, True, 1, 1.5, "x", [], {}, [[]], {"a": 1}]


@pytest.mark.parametrize("kind", sorted(RECORDS))
def test_f11_each_field_of_the_wrong_type_is_a_fault(kind: str) -> None:
    samples: dict[str, Any] = {"text": "x", "object": {}, "list": [], "truth value": True, "number": 1}
    good = {name: samples[wanted.removeprefix("?")] for name, wanted in RECORDS[kind].items()}
    assert isinstance(_one(RpcClient(), type=kind, **good), PiRecord)
    for name, wanted in RECORDS[kind].items():
        for value in _WRONG:
            fits = isinstance(value, type(samples[wanted.removeprefix("?")])) or (
                wanted.endswith("number") and isinstance(value, float)
            )
            fits = fits and not (wanted.endswith("number") and isinstance(value, bool))
            fits = fits or (value is None and wanted.startswith("?"))
            event = _one(RpcClient(), **{"type": kind, **good, name: value})
            assert isinstance(event, PiRecord if fits else RpcFault), (name, value)


def _select(dialog_id: str = "d1", **more: Any) -> bytes:
    value = {"title": "Allow?", "options": ["Yes", "No"], "timeout": 5000, **more}
    return _bytes(type="extension_ui_request", id=dialog_id, method="select", **value)


def test_a_dialog_is_asked_answered_once_and_only_with_an_option() -> None:
    client = RpcClient()
    assert client.feed(_select()) == [Dialog("d1", "select", "Allow?", options=("Yes", "No"), timeout_ms=5000)]
    with pytest.raises(ProtocolError, match="not one of the options"):
        client.answer("d1", value="Maybe")
    with pytest.raises(ProtocolError, match="exactly one"):
        client.answer("d1", value="Yes", cancelled=True)
    assert json.loads(client.answer("d1", value="Yes")) == {
        "type": "extension_ui_response",
        "id": "d1",
        "value": "Yes",
    }
    assert client.answer("d1", value="Yes") == b""


def test_a_confirm_is_answered_by_a_truth_value() -> None:
    client = RpcClient()
    client.feed(_bytes(type="extension_ui_request", id="c", method="confirm", title="t", message="m"))
    assert json.loads(client.answer("c", confirmed=False))["confirmed"] is False


def test_dialogs_close_with_the_tool_and_the_run() -> None:
    client = RpcClient()
    client.feed(_select())
    events = client.feed(_bytes(type="agent_settled", aborted=False))
    assert events[1:] == [DialogsClosed(("d1",))]
    assert client.open_dialogs == ()


def test_stop_cancels_dialogs_then_clears_the_queue_then_aborts() -> None:
    client = RpcClient()
    client.feed(_select("d1") + _select("d2"))
    client.answer("d1", value="No")
    client.feed(_bytes(type="tool_execution_end", toolCallId="a", toolName="bash", result={}, isError=True))
    order = client.stop()
    lines = [json.loads(line) for line in order.line.split(b"\n") if line]
    assert lines[0] == {"type": "extension_ui_response", "id": "d2", "cancelled": True}
    assert [line["type"] for line in lines[1:]] == ["clear_queue", "abort"]
    assert [line["id"] for line in lines[1:]] == [order.clear_queue, order.abort]


@pytest.mark.parametrize(
    "more", [{"options": ["a", 1]}, {"options": None}, {"title": 7}, {"id": "x" * 201}, {"id": ""}, {"timeout": "soon"}]
)
def test_f11_an_odd_dialog_is_a_fault(more: dict[str, Any]) -> None:
    value = {"type": "extension_ui_request", "id": "d", "method": "select", "title": "t", "options": [], **more}
    assert isinstance(_one(RpcClient(), **value), RpcFault)


def test_an_unknown_kind_of_question_is_told_and_a_repeated_id_is_a_fault() -> None:
    client = RpcClient()
    assert client.feed(_bytes(type="extension_ui_request", id="d", method="pay\u202e")) == [Unsupported("pay<U+202E>")]
    assert "no kind" in _fault(client, _bytes(type="extension_ui_request", id="d", method=7)).reason
    assert "no kind" in _fault(client, _bytes(type="extension_ui_request", id="d", method="x" * 201)).reason
    client.feed(_select())
    assert "one id" in _fault(client, _select()).reason


def test_too_many_open_dialogs_end_the_channel() -> None:
    client = RpcClient()
    events = client.feed(b"".join(_select(f"d{number}") for number in range(OPEN_DIALOG_LIMIT + 1)))
    assert isinstance(events[-1], RpcFault) and events[-1].fatal_code == "protocol.remote"


def test_a_notice_keeps_its_known_fields_only() -> None:
    value = {"type": "extension_ui_request", "id": "n", "method": "notify", "message": "m", "evil": 1}
    assert _one(RpcClient(), **value) == Notice("notify", {"message": "m"})


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("reboot", {}),
        ("prompt", {}),
        ("prompt", {"message": 5}),
        ("abort", {"now": True}),
        ("set_auto_retry", {"enabled": 1}),
        ("prompt", {"message": "x" * (8 * 1024 * 1024)}),
        ("prompt", {"message": "x", "images": [float("nan")]}),
    ],
)
def test_a_command_pi_would_not_take_is_our_fault(name: str, fields: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError) as raised:
        RpcClient().command(name, **fields)
    assert raised.value.code == "protocol.local"


def test_commands_wait_in_a_bounded_number() -> None:
    client = RpcClient()
    for _ in range(256):
        client.command("get_state")
    with pytest.raises(ProtocolError, match="wait for an answer"):
        client.command("get_state")


def test_f15_a_prompt_with_line_separators_is_one_ascii_line() -> None:
    line = RpcClient().command("prompt", message="a\n\u2028\u2029\x85b").line
    assert line.isascii() and line.count(b"\n") == 1 and "get_state" in COMMANDS


@pytest.mark.threat("F12")
def test_resync_drops_the_torn_line() -> None:
    client = RpcClient()
    client.feed(b'{"type":"agent_st')
    client.resync()
    assert client.feed(b'art"}\n{"type":"turn_start"}\n') == [PiRecord("turn_start", {})]


_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_NAMES = st.sampled_from(
    [
        "id",
        "type",
        "command",
        "success",
        "data",
        "error",
        "method",
        "title",
        "options",
        "message",
        "timeout",
        "toolCallId",
        "toolName",
        "args",
        "result",
    ]
)
_KINDS = st.sampled_from([*RECORDS, "response", "extension_ui_request", "new"]) | _VALUE


@settings(deadline=None, max_examples=400)
@given(st.lists(st.tuples(_KINDS, st.dictionaries(_NAMES, _VALUE, max_size=5)), max_size=6))
def test_f11_any_shape_gives_one_typed_event_a_line(lines: list[tuple[Any, dict[str, Any]]]) -> None:
    client = RpcClient()
    client.command("get_state")
    for kind, fields in lines:
        events = client.feed(_bytes(**{**fields, "type": kind}))
        assert len([event for event in events if not isinstance(event, DialogsClosed)]) == 1


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_f1_random_bytes_never_raise(data: bytes) -> None:
    RpcClient().feed(data + b"\n")
