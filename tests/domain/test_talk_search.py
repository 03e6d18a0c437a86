"""Finding in a conversation: what counts, what the limits leave out, lines that others may have written.

In: entries as the transcript keeps them, odd lines. Out: assertions. Never: a file.
"""

from __future__ import annotations

import json
import sys

import pytest

from pui.domain import talk_search
from pui.domain.talk_search import Hit, TalkSearch, count_places
from pui.domain.transcript import Entry


def line(entry: Entry) -> bytes:
    """As Session writes it (JsonlFile: ASCII)."""
    return json.dumps({"at_ns": 1, "entry": entry.to_line()}, separators=(",", ":")).encode("ascii")


def said(key: int, text: str, **more: object) -> Entry:
    return Entry(key, "text", text, is_final=True, **more)  # type: ignore[arg-type]


def found(query: str, *entries: Entry, before_key: int = 1000) -> list[tuple[int, int]]:
    search = TalkSearch(query)
    search.take_lines([line(entry) for entry in reversed(entries)], before_key)
    assert search.is_whole
    return [(hit.key, hit.count) for hit in search.hits]


def test_places_are_counted_in_everything_that_an_entry_shows() -> None:
    tool = said(1, "two timers", title="bash", args={"command": "grep TIMER *", "timeout": 600}, diff="+timer\n-timer")
    assert count_places(tool, "timer") == 4
    assert count_places(tool, "600") == count_places(tool, "bash") == 1
    assert found("Timer", tool, said(2, "no"), said(3, "tImEr")) == [(1, 4), (3, 1)]


@pytest.mark.parametrize("query", ["Grüße", "日本", 'say "yes"', "a\\b", "\n", "{", '"entry"', "k", "🦓"])
def test_no_query_is_special(query: str) -> None:
    """What JSON escapes, what it would find in its own marks, what case does to it."""
    entry = said(7, f"1{query}2{query.swapcase()}3")
    assert found(query, entry, said(8, "of it: 0")) == [(7, count_places(entry, query.lower()))]
    assert count_places(entry, query.lower()) in (1, 2)  # the upper case of ß is two letters


def test_every_letter_is_found_whatever_its_case() -> None:
    """All of Unicode that has a case: the hint that spares the parsing must never hide what the search would find."""
    cased = [chr(code) for code in range(sys.maxunicode + 1) if chr(code).lower() != chr(code)]
    assert len(cased) > 1300
    missed = [letter for letter in cased if found(letter.lower(), said(7, f"1{letter}2")) != [(7, 1)]]
    missed += [letter for letter in cased if found(letter, said(7, f"1{letter.lower()}2")) != [(7, 1)]]
    assert missed == []


@pytest.mark.parametrize("query", ["\ud800", "\x00", "\u2028", "\u202e"])
def test_what_no_text_holds_is_not_found(query: str) -> None:
    assert found(query, said(7, f"x{query}y")) == []


def test_only_entries_before_the_key_and_the_newest_line_of_each() -> None:
    entries = [said(key, "zebra") for key in range(1, 6)]
    assert found("zebra", *entries, before_key=3) == [(1, 1), (2, 1)]
    assert found("zebra", *entries, before_key=1) == []
    assert found("zebra", said(1, "zebra"), said(1, "gnu")) == []
    assert found("zebra", said(1, "gnu"), said(1, "zebra zebra")) == [(1, 2)]
    search = TalkSearch("zebra")
    search.take_entries([said(4, "gnu")])
    search.take_lines([line(said(4, "zebra")), line(said(3, "zebra"))], 9)
    assert search.hits == [Hit(3, 1)]


@pytest.mark.threat("F1")
def test_odd_lines_are_passed_over() -> None:
    odd = [b"", b"zebra", b"{}", b'{"entry":"zebra"}', b'{"at_ns":1,"entry":{"key":-1,"kind":"zebra"}}', b"\xff zebra"]
    search = TalkSearch("zebra")
    search.take_lines([*odd, line(said(1, "zebra"))], 9)
    assert search.hits == [Hit(1, 1)]


def test_the_limits_say_that_something_was_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [line(said(key, "zebra")) for key in range(50, 0, -1)]
    monkeypatch.setattr(talk_search, "HIT_LIMIT", 5)
    search = TalkSearch("zebra")
    search.take_lines(lines, 99)
    assert [hit.key for hit in search.hits] == [46, 47, 48, 49, 50] and not search.is_whole
    monkeypatch.setattr(talk_search, "HIT_LIMIT", 2000)
    monkeypatch.setattr(talk_search, "SCAN_LIMIT_BYTES", len(lines[0]) * 10)
    search = TalkSearch("zebra")
    search.take_lines(lines, 99)
    assert len(search.hits) == 10 and not search.is_whole
