"""When a channel is asked and what is done with its answer: a table.

In: settings, states, times. Out: moments, decisions, bytes both ways. Never: a clock.
"""

from __future__ import annotations

from typing import Any

import pytest

from pui.domain.errors import CallerError, PuiError
from pui.domain.settings import Settings
from pui.domain.update_policy import (
    ANSWER_WORDS,
    MAX_UPDATES_BYTES,
    KnownOffer,
    UpdateState,
    after_check,
    after_failure,
    decide_answer,
    due_ms,
    is_skipped,
    parse_updates,
    render_updates,
    with_skip,
)

ON = Settings(channel="https://h/", update_interval_h=24)
OFFER = KnownOffer(7, "linux-x86_64-7-0123456789ab", 100, 60)
HOUR = 3_600_000
BEGAN = 1_000 * HOUR


def due(settings: Settings, state: UpdateState, now_ms: int = BEGAN, chance: float = 0.5) -> int | None:
    return due_ms(settings, state, BEGAN, now_ms, chance)


def test_nothing_is_due_while_checks_are_off_or_no_channel_is_named() -> None:
    assert due(Settings(), UpdateState()) is None
    assert due(Settings(channel="https://h/", update_check=False), UpdateState()) is None


def test_the_first_check_waits_a_little_and_the_next_for_the_interval() -> None:
    assert due(ON, UpdateState()) == BEGAN + 90_000
    checked = after_check(UpdateState(), BEGAN + HOUR, None)
    assert due(ON, checked, BEGAN + 2 * HOUR) == BEGAN + 25 * HOUR
    assert due(ON, after_check(UpdateState(), BEGAN - 100 * HOUR, None)) == BEGAN + 90_000, "overdue: soon, not at once"


def test_jitter_spreads_the_checks_and_a_failure_is_asked_again_sooner() -> None:
    checked = after_check(UpdateState(), BEGAN + HOUR, None)
    low, high = due(ON, checked, BEGAN + 2 * HOUR, 0.0), due(ON, checked, BEGAN + 2 * HOUR, 1.0)
    assert low is not None
    assert high is not None
    assert high - low == round(24 * HOUR * 0.2)
    failed = after_failure(checked, BEGAN + 2 * HOUR, PuiError("fetch.network", "no"))
    assert due(ON, failed, BEGAN + 2 * HOUR) == BEGAN + 3 * HOUR
    hourly = Settings(channel="https://h/", update_interval_h=1)
    assert due(hourly, failed, BEGAN + 2 * HOUR) == BEGAN + 3 * HOUR


def test_a_clock_that_went_back_does_not_stop_the_checks() -> None:
    assert due(ON, after_check(UpdateState(), BEGAN + 9999 * HOUR, None)) == BEGAN + 90_000


@pytest.mark.parametrize(
    ("settings", "state", "is_metered", "answer"),
    [
        ({}, UpdateState(), False, "nothing-newer"),
        ({}, UpdateState(offer=OFFER), False, "install"),
        ({}, UpdateState(offer=OFFER, skip_version=7), False, "skipped"),
        ({}, UpdateState(offer=OFFER, skip_version=6), False, "install"),
        ({}, UpdateState(offer=OFFER), True, "metered"),
        ({"update_on_metered": True}, UpdateState(offer=OFFER), True, "install"),
        ({"update_download": False}, UpdateState(offer=OFFER), False, "only-tell"),
    ],
)
def test_what_is_done(settings: dict[str, Any], state: UpdateState, is_metered: bool, answer: str) -> None:
    found = decide_answer(Settings(**settings), state, is_metered)
    assert found == answer
    assert ANSWER_WORDS[found]


def test_only_what_is_on_offer_can_be_skipped() -> None:
    state = UpdateState(offer=OFFER)
    assert is_skipped(with_skip(state, 7))
    assert not is_skipped(with_skip(with_skip(state, 7), None))
    for bad in (8, 0):
        with pytest.raises(CallerError):
            with_skip(state, bad)
    with pytest.raises(CallerError):
        with_skip(UpdateState(), 7)


def test_bytes_both_ways() -> None:
    error = PuiError("index.expired", "old" * 5000, hint="wait")
    state = after_failure(UpdateState(5, OFFER, None, 7), 9, error)
    again = parse_updates(render_updates(state))
    assert again == state
    assert again.error is not None
    assert (again.error.code, len(again.error.message), again.error.hint) == ("index.expired", 2000, "wait")
    assert parse_updates(render_updates(UpdateState())) == UpdateState()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"schema": "pui-updates-1", "last_check_ms": -1}',
        '{"schema": "pui-updates-1", "last_check_ms": true}',
        '{"schema": "pui-updates-1", "offer": {}}',
        '{"schema": "pui-updates-1", "offer": {"version": 1, "pack_id": 5, "size_bytes": 1, "download_bytes": 1}}',
        '{"schema": "pui-updates-1", "error": {"code": "no.such", "message": "", "hint": ""}}',
        '{"schema": "pui-updates-1", "error": {"code": "index.expired", "message": 1, "hint": ""}}',
        " " * (MAX_UPDATES_BYTES + 1),
    ],
)
def test_other_bytes_are_refused(text: str) -> None:
    with pytest.raises(CallerError):
        parse_updates(text.encode())
