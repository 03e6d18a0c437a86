"""Calls of the page: what is refused, by which name, and what crosses back.

In: texts. Out: assertions. Never: a bridge.
"""

from __future__ import annotations

import json

import pytest

from pui.domain.bridge_call import CALL_LIMIT_BYTES, call_script, error_to_json, parse_call, to_ascii_json
from pui.domain.errors import CallerError, HostError

TOKEN = "a" * 43


def _text(**changes: object) -> str:
    return json.dumps({"t": TOKEN, "id": 7, "method": "app.hello", "params": {}} | changes)


def test_a_call_is_read() -> None:
    call = parse_call(_text(params={"task_id": "x"}), TOKEN)
    assert (call.id, call.method, call.params) == (7, "app.hello", {"task_id": "x"})


@pytest.mark.parametrize("token", [None, "", 1, "a" * 42, "b" * 43, ["a"], "é", "\ud800"])
def test_i4_a_missing_forged_or_stale_token_is_refused(token: object) -> None:
    with pytest.raises(CallerError) as caught:
        parse_call(_text(t=token), TOKEN)
    assert caught.value.code == "caller.not_ours"
    assert TOKEN not in str(caught.value)


def test_i4_without_a_token_of_the_launch_nothing_is_right() -> None:
    with pytest.raises(CallerError):
        parse_call(_text(t=""), "")


@pytest.mark.parametrize(
    "changes",
    [
        {"id": True},
        {"id": 1.5},
        {"id": -1},
        {"id": 2**53},
        {"id": "7"},
        {"method": 3},
        {"method": ""},
        {"method": "x" * 65},
        {"params": []},
        {"params": None},
        {"extra": 1},
    ],
)
def test_a_call_that_is_no_call(changes: dict[str, object]) -> None:
    with pytest.raises(CallerError) as caught:
        parse_call(_text(**changes), TOKEN)
    assert caught.value.code == "caller.bad_request"


@pytest.mark.parametrize("text", ["", "[]", "7", "{", '{"t":NaN}', "[" * 10_000, "\ud800", '{"a":1,"a":2}'])
def test_text_that_is_no_object(text: str) -> None:
    with pytest.raises(CallerError) as caught:
        parse_call(text, TOKEN)
    assert caught.value.code == "caller.bad_request"


def test_i5_a_call_of_a_megabyte_is_refused_before_it_is_read() -> None:
    with pytest.raises(CallerError) as caught:
        parse_call(_text(params={"text": "x" * CALL_LIMIT_BYTES}), TOKEN)
    assert caught.value.code == "caller.too_large"


def test_i7_the_detail_of_an_error_stays_here() -> None:
    error = HostError("host.permission", "no\x1b[31m access", detail="sk-secret")
    assert error_to_json(error)["message"] == "no access"
    assert "sk-secret" not in to_ascii_json(error_to_json(error))


def test_scripts_are_ascii_and_cannot_end_their_string() -> None:
    script = call_script("pui._reply", to_ascii_json({"text": "é\"\\\u2028</script>'", "__proto__": {}}))
    assert script.isascii()
    inner = script.removeprefix("pui._reply(JSON.parse(").removesuffix("))")
    assert json.loads(json.loads(inner))["text"] == "é\"\\\u2028</script>'"
