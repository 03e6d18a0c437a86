"""pi's session as it is kept: what is taken, where it ends, the file that pi gets.

In: entries of recorded sessions, entries as an attacker would write them. Out: assertions. Never: a file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pui.domain import pi_session
from pui.domain.errors import CallerError
from pui.domain.json_guard import ParsedJson, parse_json
from pui.domain.pi_session import PiSession, read_session
from pui.domain.transcript import Entry, shown_text

RECORDING = Path(__file__).parents[1] / "data" / "pi-rpc" / "sessions.jsonl"
AT = "2026-11-26T14:14:37.521Z"


def entry(entry_id: str = "a", parent_id: str | None = None, **fields: Any) -> dict[str, Any]:
    message = {"role": "user", "content": [{"type": "text", "text": "zebra \u2028 <b>"}]}
    base = {"type": "message", "id": entry_id, "parentId": parent_id, "timestamp": AT, "message": message}
    return base | fields


def recorded_entries() -> list[Any]:
    rows = [json.loads(line) for line in RECORDING.read_bytes().split(b"\n") if line]
    answers = [row["msg"] for row in rows if row["dir"] == "pi>" and row["msg"].get("command") == "get_entries"]
    return list(answers[0]["data"]["entries"])


def test_a_recorded_session_is_kept_whole_and_comes_back() -> None:
    entries = recorded_entries()
    session = PiSession()
    assert len(session.take(entries)) == len(entries) == 9
    assert (session.fault, session.last_id) == ("", entries[-1]["id"])
    again = read_session(session.to_lines())
    assert again.to_json() == session.to_json() and again.size_bytes == len(session.to_lines())
    header, *lines = again.to_file("t2", "/workspace", 1_795_702_473_809_000_000).splitlines()
    at = "2026-11-26T14:14:33.809Z"
    assert json.loads(header) == {"type": "session", "version": 3, "id": "t2", "timestamp": at, "cwd": "/workspace"}
    assert [json.loads(line) for line in lines] == entries


def deep(levels: int) -> Any:
    return {"role": "user", "content": json.loads("[" * levels + "]" * levels)}


ODD = [
    {**entry("a"), "parentId": ["first"]},
    {**entry("a"), "parentId": {}},
    None,
    7,
    [],
    {},
    entry(""),
    entry("a b"),
    entry("x" * 65),
    entry("../../etc/passwd"),
    entry("line\nbreak"),
    entry(7),  # type: ignore[arg-type]
    entry("b", "nobody"),
    entry("b", 7),  # type: ignore[arg-type]
    entry("first"),
    entry("b", type="session"),
    entry("b", type="Message"),
    entry("b", type=None),
    entry("b", timestamp=None),
    entry("b", timestamp="x" * 41),
    entry("b", message=None),
    entry("b", message={"role": 7}),
]


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
@pytest.mark.threat("F1")
def test_an_odd_entry_ends_the_keeping_and_is_not_kept(odd: Any) -> None:
    session = PiSession()
    taken = session.take([entry("first"), odd, entry("later", "first")])
    assert [item["id"] for item in taken] == ["first"]
    assert session.fault and session.take([entry("later", "first")]) == []
    assert session.to_lines().count(b"\n") == 1


@pytest.mark.parametrize("answer", [None, {}, "x", 7])
def test_no_list_is_no_session(answer: Any) -> None:
    session = PiSession()
    assert session.take(answer) == [] and session.fault


@pytest.mark.threat("F3")
def test_the_limit_is_met_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    probe = PiSession()
    probe.take([entry("a")])
    monkeypatch.setattr(pi_session, "SESSION_LIMIT_BYTES", 3 * probe.size_bytes)
    session = PiSession()
    taken = session.take([entry("a"), entry("b"), entry("c"), entry("d")])
    assert [item["id"] for item in taken] == ["a", "b", "c"]
    assert "longer than" in session.fault and session.size_bytes == 3 * probe.size_bytes


# a session that is too long


def summary(entry_id: str, parent_id: str, first_kept_id: Any) -> dict[str, Any]:
    fields = {"summary": "so far", "firstKeptEntryId": first_kept_id, "tokensBefore": 9}
    return {"type": "compaction", "id": entry_id, "parentId": parent_id, "timestamp": AT, **fields}


def setting(entry_id: str, parent_id: str | None, kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "id": entry_id, "parentId": parent_id, "timestamp": AT, **fields}


LONG = [
    setting("m1", None, "model_change", provider="demo", modelId="old"),
    setting("m2", "m1", "model_change", provider="demo", modelId="new"),
    setting("t1", "m2", "thinking_level_change", thinkingLevel="high"),
    setting("c1", "t1", "custom", customType="todo", data=1),
    setting("c2", "c1", "custom", customType="notes", data=2),
    entry("u1", "c2"),
    entry("side", "u1"),
    entry("u2", "u1"),
    summary("s1", "u2", "u2"),
    setting("c3", "s1", "custom", customType="todo", data=3),
    entry("u3", "c3"),
    entry("u4", "u3"),
    summary("s2", "u4", "u4"),
    entry("u5", "s2"),
    entry("fork", "s2"),
    entry("u6", "u5"),
]


def cut_session(entries: list[Any], monkeypatch: pytest.MonkeyPatch, share: float = 0.9) -> tuple[PiSession, list[Any]]:
    """All entries in one answer, with a limit of `share` of their size; what was taken."""
    whole = kept(*entries)
    monkeypatch.setattr(pi_session, "SESSION_LIMIT_BYTES", int(whole.size_bytes * share))
    session = PiSession()
    return session, session.take(entries)


@pytest.mark.threat("F3")
def test_a_session_that_is_too_long_is_cut_at_its_last_summing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    session, taken = cut_session(LONG, monkeypatch)
    assert (session.fault, session.cut_count, taken) == ("", 1, LONG)
    lines = [json.loads(line) for line in session.to_lines().splitlines()]
    parents = {line["id"]: line["parentId"] for line in lines}
    assert parents == {
        "m2": None, "t1": "m2", "c2": "t1", "c3": "c2", "u4": "c3", "s2": "u4", "u5": "s2", "fork": "s2", "u6": "u5",
    }  # fmt: skip
    assert list(parents) == ["m2", "t1", "c2", "c3", "u4", "s2", "u5", "fork", "u6"]
    assert (session.message_count, session.last_id, session.entry_count) == (4, "u6", 9)
    again = read_session(session.to_lines())
    assert again.to_lines() == session.to_lines() and again.message_count == 4
    assert session.take([entry("u7", "u6")]) and session.cut_count == 1, "it goes on"
    assert session.take([entry("x", "u1")]) == [] and session.fault, "what was left out is not there any more"


@pytest.mark.parametrize("first_kept_id", ["s", "nobody", None, ["u"], "side", "later"])
def test_a_summing_up_that_keeps_nothing_it_can_name_stands_for_all_before_it(
    monkeypatch: pytest.MonkeyPatch, first_kept_id: Any
) -> None:
    entries = [entry("u"), entry("side", "u"), summary("s", "u", first_kept_id), entry("later", "s")]
    session, taken = cut_session(entries, monkeypatch)
    assert (ids(session), session.fault, len(taken)) == (["s", "later"], "", 4)


@pytest.mark.threat("F3")
def test_without_a_summing_up_on_the_way_the_newest_entries_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for entries in (
        [entry("a"), entry("b", "a"), entry("c", "b")],
        [entry("a"), summary("s", "a", "a"), entry("b", "a"), entry("c", "b")],
    ):
        with monkeypatch.context() as patch:
            session, taken = cut_session(entries, patch)
            assert [item["id"] for item in taken] == [item["id"] for item in entries[:-1]]
            assert "not summed it up" in session.fault and ids(session) == [item["id"] for item in taken]
            assert session.message_count == ids(session).count("a") + ids(session).count("b")


@pytest.mark.threat("F3")
def test_a_summing_up_that_leaves_too_much_is_no_help(monkeypatch: pytest.MonkeyPatch) -> None:
    huge = entry("u2", "s", message={"role": "user", "content": "x" * 5000})
    session, taken = cut_session([entry("u"), summary("s", "u", "s"), huge], monkeypatch)
    assert (session.cut_count, "its last summing up" in session.fault, session.last_id) == (1, True, "s")
    assert [item["id"] for item in taken] == ["u", "s"] and ids(session) == ["s"]


def test_one_answer_holds_at_most_twice_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pi_session, "SESSION_LIMIT_BYTES", kept(entry("a")).size_bytes)
    session = PiSession()
    assert [item["id"] for item in session.take([entry("a"), entry("b"), entry("c")])] == ["a"]
    assert session.fault


def test_a_torn_last_line_is_left_out_and_a_damaged_one_refused() -> None:
    session = PiSession()
    session.take([entry("a"), entry("b", "a")])
    lines = session.to_lines()
    assert read_session(lines[:-5]).last_id == "a"
    for raw in (b"", b"\n", lines[5:], lines.replace(b'"b"', b'"a"'), lines + b"[1]\n", b"\xff\n" + lines):
        with pytest.raises(CallerError) as caught:
            read_session(raw)
        assert caught.value.code == "caller.rejected"


@pytest.mark.threat("F3")
def test_what_is_nested_too_deep_never_gets_here() -> None:
    line = json.dumps({"entries": [entry("a", message=deep(70))]}).encode()
    assert not isinstance(parse_json(line), ParsedJson)
    with pytest.raises(CallerError):
        read_session(json.dumps(entry("a", message=deep(70))).encode() + b"\n")


# the part before one message


def said(entry_id: str, parent_id: str | None, text: str, at_ms: int = 0, role: str = "user") -> dict[str, Any]:
    message = {"role": role, "content": [{"type": "text", "text": text}], "timestamp": at_ms}
    return entry(entry_id, parent_id, message=message)


def shown(text: str, said_ms: int = 0) -> Entry:
    return Entry(9, "user", text, said_ms=said_ms, is_final=True)


def ids(session: PiSession) -> list[str]:
    return [json.loads(line)["id"] for line in session.to_lines().splitlines()]


def kept(*entries: dict[str, Any]) -> PiSession:
    session = PiSession()
    assert len(session.take(list(entries))) == len(entries)
    return session


def test_what_pi_knew_before_a_message_are_the_ancestors_of_its_entry() -> None:
    """The recorded session, and a second branch beside the first: two answers to one question."""
    session = kept(
        entry("m", None, type="model_change"),
        said("u1", "m", "one", 1),
        said("a1", "u1", "one!", 2, "assistant"),
        said("u2", "a1", "two", 3),
        said("a2", "u2", "two!", 4, "assistant"),
        said("v2", "a1", "another two", 5),
        said("w2", "v2", "another two!", 6, "assistant"),
        said("v3", "w2", "three", 7),
    )
    assert session.message_count == 4
    branch = session.before(shown("three", 7))
    assert (ids(branch), branch.message_count, branch.last_id) == (["m", "u1", "a1", "v2", "w2"], 2, "w2")
    assert ids(session.before(shown("two", 3))) == ids(session.before(shown("another two", 5))) == ["m", "u1", "a1"]
    assert ids(session.before(shown("one", 1))) == ["m"]
    assert ids(read_session(branch.to_lines())) == ids(branch)  # whole in itself
    recorded = kept(*recorded_entries())
    assert ids(recorded.before(shown("@hello two", 1795427445634))) == [e["id"] for e in recorded_entries()[:6]]


def test_a_message_is_found_by_its_text_as_it_is_shown_and_by_its_time() -> None:
    again = [said("u1", None, "start\x1b[31m", 1), said("a1", "u1", "go on", 2, "assistant")]
    again.append(said("u2", "a1", "go on", 3))
    session = kept(*again, said("u3", "u2", "go on", 4))
    assert ids(session.before(shown("go on", 4))) == ["u1", "a1", "u2"]
    assert ids(session.before(shown("go on", 3))) == ["u1", "a1"]
    assert ids(session.before(shown(shown_text(again[0]["message"]), 1))) == []
    for odd in (shown("go on"), shown("go on", 5), shown("go off", 4), shown(""), shown("go on", 2)):
        with pytest.raises(CallerError) as caught:
            session.before(odd)
        assert caught.value.code == "talk.not_kept"
    assert ids(kept(*again).before(shown("go on"))) == ["u1", "a1"]  # once only: the time is not needed


def test_where_the_session_was_cut_no_branch_begins_that_lacks_its_beginning() -> None:
    """The summing up `c` stands for what was said before `u5`; a branch before `u6` would have neither."""
    summed = entry("c", "a6", type="compaction", firstKeptEntryId="u5")
    first = [entry("m", None, type="model_change")]
    rest = [
        said("u5", "m", "five", 5),
        said("a5", "u5", "five!", 6, "assistant"),
        said("u6", "a5", "six", 7),
        said("a6", "u6", "six!", 8, "assistant"),
        summed,
        said("u7", "c", "seven", 9),
    ]
    cut = kept(*first, *rest)
    for lost in (shown("five", 5), shown("six", 7)):
        with pytest.raises(CallerError) as caught:
            cut.before(lost)
        assert caught.value.code == "talk.not_kept" and "summed" in caught.value.message
    assert ids(cut.before(shown("seven", 9))) == ["m", "u5", "a5", "u6", "a6", "c"]
    whole = kept(*first, said("u1", "m", "one", 1), said("a1", "u1", "!", 2), said("u5", "a1", "five", 5), *rest[1:])
    assert ids(whole.before(shown("six", 7))) == ["m", "u1", "a1", "u5", "a5"]
    assert ids(whole.before(shown("five", 5))) == ["m", "u1", "a1"]
