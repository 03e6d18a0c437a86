"""The fold of what pi says beside its words: recorded sessions, odd records, limits.

In: recordings, made events. Out: panels. Never: a panel that grows with what a guest sends.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from pui.domain.agent_panel import (
    OPTION_LIMIT,
    STATUS_LIMIT,
    UNSUPPORTED_LIMIT,
    WIDGET_LIMIT,
    AgentPanel,
    session_stats,
)
from pui.domain.rpc import Dialog, DialogsClosed, Notice, PiRecord, Response, RpcEvent, RpcFault, Unsupported
from pui.resources import load_chart
from tests.support.recordings import NAMES, Replay

AGENT = load_chart("agent")
AT_MS = 1_700_000_000_000


def panel_after(*events: RpcEvent) -> AgentPanel:
    panel = AgentPanel(AGENT)
    for event in events:
        panel.observe(event, AT_MS)
    return panel


def shown(*events: RpcEvent) -> dict[str, Any]:
    return panel_after(*events).to_json()


def answered(command: str, **data: Any) -> Response:
    return Response("x", command, True, data, "")


@pytest.mark.parametrize("name", NAMES)
def test_every_recording_gives_a_panel_that_is_plain_json(name: str) -> None:
    found = shown(*Replay(name).run())
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert len(json.dumps(found)) < 300_000


def test_the_recorded_queue_model_and_statistics() -> None:
    seen = []
    panel = AgentPanel(AGENT)
    for event in Replay("steer-followup-abort").run():
        if panel.observe(event, AT_MS):
            seen.append(panel.to_json()["queue"])
    assert {"steering": ["steer me @hello"], "follow_up": ["follow @hello", "p3 @hello"]} in seen
    assert panel.to_json()["queue"] == {"steering": [], "follow_up": []}
    stats = shown(*Replay("full-openai").run())["stats"]
    assert stats == {
        "tokens": {"input": 600, "output": 120, "cache_read": 0, "cache_write": 0, "total": 720},
        "cost_usd": 0.0008399999999999998,
        "context": {"tokens": 120, "window": 128000, "percent": 0.09375},
        "messages": 13,
    }
    models = shown(*Replay("models").run())
    assert models["model"] == {"provider": "fake", "id": "fake-1", "name": "Fake One"}
    assert models["thinking_levels"][:2] == ["off", "minimal"] and models["thinking_level"]


def test_a_retry_is_shown_until_it_ends_or_the_run_does() -> None:
    start = PiRecord("auto_retry_start", {"attempt": 1, "maxAttempts": 3, "delayMs": 2000, "errorMessage": "429\u202e"})
    panel = panel_after(start)
    assert panel.is_retrying
    assert panel.to_json()["retry"] == {
        "attempt": 1,
        "max_attempts": 3,
        "error": "429<U+202E>",
        "until_ms": AT_MS + 2000,
    }
    assert shown(start, PiRecord("auto_retry_end", {"success": True}))["retry"] is None
    assert shown(start, PiRecord("agent_settled", {}))["retry"] is None


def test_summing_up_is_busy_and_shown() -> None:
    panel = panel_after(PiRecord("compaction_start", {"reason": "manual"}))
    assert panel.is_busy and panel.to_json()["is_compacting"]
    panel.observe(PiRecord("compaction_end", {"reason": "manual", "aborted": False}), AT_MS)
    assert not panel.is_busy


def test_thinking_is_what_pi_says_last() -> None:
    state = answered("get_state", thinkingLevel="high", model=None)
    assert shown(state, PiRecord("thinking_level_changed", {"level": "off"}))["thinking_level"] == "off"


def test_a_dialog_is_scrubbed_for_the_eye_and_raw_for_pi() -> None:
    panel = panel_after(Dialog("d", "select", "t\u202e", "m", ("a\u0007b", "c"), "", 5000))
    (dialog,) = panel.to_json()["dialogs"]  # type: ignore[misc]
    assert dialog == {
        "id": "d",
        "method": "select",
        "title": "t<U+202E>",
        "message": "m",
        "options": ["a␇b", "c"],
        "initial_text": "",
        "timeout_ms": 5000,
        "opened_ms": AT_MS,
    }
    assert panel.raw_option("d", "a␇b") == "a\u0007b"
    assert panel.raw_option("d", "other") == "other" and panel.raw_option("gone", "x") == "x"
    panel.observe(DialogsClosed(("d", "gone")), AT_MS)
    assert panel.dialogs == ()


def test_a_dialog_is_bounded_and_a_timeout_is_a_sensible_one() -> None:
    big = Dialog("d", "editor", "t" * 10**6, "m" * 10**6, ("o" * 10**5,) * 500, "i" * 10**6, 10**15)
    (dialog,) = shown(big)["dialogs"]
    assert len(dialog["options"]) == OPTION_LIMIT and len(json.dumps(dialog)) < 150_000
    assert dialog["timeout_ms"] == 24 * 3600 * 1000
    assert shown(Dialog("d", "input", "t", timeout_ms=0))["dialogs"][0]["timeout_ms"] is None


def test_what_extensions_show_comes_goes_and_is_bounded() -> None:
    on, off = Notice("setStatus", {"statusKey": "k", "statusText": "v"}), Notice("setStatus", {"statusKey": "k"})
    assert shown(on)["statuses"] == [{"key": "k", "text": "v"}]
    assert shown(on, off)["statuses"] == []
    widget = Notice("setWidget", {"widgetKey": "k", "widgetLines": ["  x\ny", 7], "widgetPlacement": "belowEditor"})
    assert shown(widget)["widgets"] == [{"key": "k", "lines": ["  x y", ""], "placement": "belowEditor"}]
    assert shown(widget, Notice("setWidget", {"widgetKey": "k"}))["widgets"] == []
    many = [Notice("setStatus", {"statusKey": f"{n}", "statusText": "v"}) for n in range(100)]
    many += [Notice("setWidget", {"widgetKey": f"{n}", "widgetLines": ["v"]}) for n in range(100)]
    found = shown(*many, Notice("setStatus", {"statusKey": "0", "statusText": "new"}))
    assert len(found["statuses"]) == STATUS_LIMIT and len(found["widgets"]) == WIDGET_LIMIT
    assert found["statuses"][0] == {"key": "0", "text": "new"}
    assert not AgentPanel(AGENT).observe(Notice("notify", {"message": "m"}), AT_MS)
    edits = shown(Notice("set_editor_text", {"text": "a"}), Notice("set_editor_text", {"text": "b\u202e"}))
    assert edits["editor_text"] == {"seq": 2, "text": "b<U+202E>"}
    assert shown(Notice("setTitle", {"title": "a\nb"}))["title"] == "a b"


def test_what_only_a_terminal_can_show_gets_words_once() -> None:
    found = shown(*[Unsupported(f"m{n % 20}") for n in range(100)])["unsupported"]
    assert len(found) == UNSUPPORTED_LIMIT and "m0" in found[0]


def test_odd_lines_are_counted_and_unknown_records_change_nothing() -> None:
    assert shown(RpcFault("odd"), RpcFault("odd"))["odd_lines"] == 2
    panel = AgentPanel(AGENT)
    nothing: list[RpcEvent] = [
        PiRecord("message_update", {}),
        Response("x", "get_state", False, {}, "no"),
        answered("bash"),
    ]
    assert not any(panel.observe(event, AT_MS) for event in nothing)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"tokens": 7, "cost": "x", "contextUsage": []},
        {"tokens": {"input": -5, "output": True}, "cost": -1, "contextUsage": {"tokens": None, "percent": None}},
        {"tokens": {"input": 10**30}, "cost": 1e300, "totalMessages": 1.5},
    ],
)
def test_odd_statistics_are_counts_that_cannot_hurt(data: dict[str, Any]) -> None:
    stats: Any = session_stats(data)
    assert all(0 <= count <= 2**53 for count in stats["tokens"].values())
    assert stats["cost_usd"] >= 0 and json.dumps(stats, allow_nan=False)


def test_the_end_keeps_what_is_known_and_nothing_that_waits() -> None:
    panel = panel_after(
        PiRecord("agent_start", {}),
        PiRecord("queue_update", {"steering": ["a"], "followUp": ["b", 7]}),
        Dialog("d", "confirm", "t"),
        answered("get_session_stats", cost=0.5),
        answered("set_model", id="m", provider="p"),
    )
    panel.end()
    found = panel.to_json()
    assert (found["state"], found["dialogs"], found["is_busy"]) == ("exited", [], False)
    assert found["queue"] == {"steering": [], "follow_up": []}
    assert panel.stats is not None and panel.provider == "p"
    stored = AgentPanel(AGENT)
    stored.end(stats={"cost_usd": 2.0}, model={"id": "m", "provider": "q", "name": "M"})
    assert (stored.to_json()["stats"], stored.provider) == ({"cost_usd": 2.0}, "q")
