"""The newest entries in memory and the others read back from the file: the same entries by both ways.

In: recorded sessions, hostile lines. Out: pages. Never: an exception for a damaged line.
"""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pui.domain.entry_log import EntryLog
from pui.domain.history import page_of_history
from pui.domain.rpc import PiRecord
from pui.domain.transcript import Change, Entry, Transcript, coalesce
from tests.support.recordings import NAMES, Replay


def fold(name: str) -> tuple[EntryLog, list[bytes]]:
    """The log and the file's lines of a recording, oldest first."""
    log, lines, transcript = EntryLog(), [], Transcript()
    changes = [c for e in Replay(name).run() if isinstance(e, PiRecord) for c in transcript.add(e, 5)]
    for change in coalesce(changes + transcript.end(9)):
        log.add(change)
        if change.entry.is_final:
            lines.append(line_of(change.entry))
    return log, lines


def line_of(entry: Entry) -> bytes:
    return json.dumps({"at_ns": 7_000_000, "entry": entry.to_line()}, separators=(",", ":")).encode()


def text_entry(key: int, text: str = "x", *, is_final: bool = True) -> Entry:
    return Entry(key, "text", text, is_final=is_final, at_ms=5)


@pytest.mark.parametrize("name", NAMES)
def test_memory_and_file_tell_the_same(name: str) -> None:
    log, lines = fold(name)
    assert page_of_history(reversed(lines), None, 1000).entries == log.before(None, 1000).entries


def test_a_text_that_streams_is_whole_in_memory() -> None:
    log = EntryLog()
    log.add(Change(text_entry(1, "", is_final=False), "ab"))
    log.add(Change(text_entry(1, "", is_final=False), "c"))
    assert log.before(None, 5).entries[0].text == "abc"
    log.add(Change(text_entry(1, "", is_final=False), "new", is_replaced=True))
    assert log.before(None, 5).entries[0].text == "new"
    log.add(Change(text_entry(1, "done"), "", is_replaced=True))
    assert log.before(None, 10**6).entries[0].text == "done"


def test_pages_of_memory() -> None:
    log = EntryLog()
    for key in range(1, 11):
        log.add(Change(text_entry(key)))
    page = log.before(None, 3)
    assert [entry.key for entry in page.entries] == [8, 9, 10] and page.has_earlier
    page = log.before(4, 10)
    assert [entry.key for entry in page.entries] == [1, 2, 3] and not page.has_earlier
    assert log.before(None, 0).entries == ()


def test_memory_keeps_the_newest_entries_within_both_limits() -> None:
    log = EntryLog(entry_limit=10)
    for key in range(1, 101):
        log.add(Change(text_entry(key)))
    assert (log.first_key, len(log.before(None, 10**6).entries)) == (91, 10)
    log.add(Change(text_entry(5, "late")))
    assert len(log.before(None, 10**6).entries) == 10 and log.before(None, 5).has_earlier
    small = EntryLog(total_limit_chars=100)
    for key in range(1, 11):
        small.add(Change(text_entry(key, "y" * 60)))
    assert [entry.key for entry in small.before(None, 10**6).entries] == [10]


def test_pages_of_the_file_in_any_order_of_ends() -> None:
    keys = [1, 2, 5, 3, 4, 8, 7, 6, 9, 10]
    lines = [line_of(text_entry(key)) for key in keys]
    lines.insert(4, b'{"at_ns":1,"agent":"streaming"}')
    found: list[int] = []
    before: int | None = None
    while True:
        page = page_of_history(reversed(lines), before, 3)
        found = [entry.key for entry in page.entries] + found
        assert page.damaged == 0
        if not page.has_earlier:
            break
        before = page.entries[0].key
    assert found == list(range(1, 11))


def test_a_later_line_of_the_same_entry_counts() -> None:
    lines = [line_of(text_entry(1, "old")), line_of(text_entry(1, "new"))]
    assert [entry.text for entry in page_of_history(reversed(lines), None, 5).entries] == ["new"]


def test_only_as_much_of_the_file_is_read_as_a_page_needs() -> None:
    read = []

    def lines() -> Any:
        for key in range(5000, 0, -1):
            read.append(key)
            yield line_of(text_entry(key))

    page = page_of_history(lines(), None, 200)
    assert len(page.entries) == 200 and page.has_earlier and len(read) < 300


DAMAGED = [
    b"",
    b"{",
    b"[]",
    b'{"at_ns":1}',
    b'{"at_ns":1,"entry":7}',
    b'{"at_ns":1,"entry":{"key":0,"kind":"text"}}',
    b'{"at_ns":1,"entry":{"key":true,"kind":"text"}}',
    b'{"at_ns":1,"entry":{"key":1,"kind":"script"}}',
    b'{"at_ns":1,"entry":{"key":1,"kind":7}}',
]


def test_damaged_lines_are_counted_and_passed_over() -> None:
    lines = [line_of(text_entry(1)), *DAMAGED, line_of(text_entry(2))]
    page = page_of_history(reversed(lines), None, 10)
    assert ([entry.key for entry in page.entries], page.damaged) == ([1, 2], len(DAMAGED))


def test_a_line_that_somebody_changed_is_scrubbed_and_typed() -> None:
    value = {
        "key": 1,
        "kind": "tool",
        "text": "a\u202e" + "x" * 400_000,
        "title": 7,
        "args": {"p\u202e": "q\u202e", "deep": {"a": 1}, "n": 1, "none": None},
        "duration_ms": "soon",
        "at_ms": -4,
        "diff": ["x"],
        "is_error": 1,
    }
    (entry,) = page_of_history([json.dumps({"at_ns": 3_000_000, "entry": value}).encode()], None, 5).entries
    assert entry.text.startswith("a<U+202E>") and len(entry.text) == 262_144
    assert (entry.title, entry.duration_ms, entry.at_ms, entry.diff, entry.is_error) == ("", None, 3, "", False)
    assert entry.args == {"p<U+202E>": "q<U+202E>", "n": 1, "none": None}
    assert entry.is_final and entry.links == ()


@given(st.lists(st.binary(max_size=80) | st.sampled_from(DAMAGED), max_size=20), st.integers(0, 5))
@settings(max_examples=200)
def test_no_line_raises(lines: list[bytes], limit: int) -> None:
    page = page_of_history(lines, None, limit)
    assert len(page.entries) <= limit


def test_random_streams_add_up(seed: int = 11) -> None:
    rng = random.Random(seed)
    log, whole = EntryLog(), dict.fromkeys(range(1, 6), "")
    for _ in range(500):
        key, piece = rng.randint(1, 5), "z" * rng.randint(0, 3)
        log.add(Change(text_entry(key, "", is_final=False), piece))
        whole[key] += piece
    assert {entry.key: entry.text for entry in log.before(None, 10**6).entries} == {
        k: v for k, v in whole.items() if k in log._slots
    }
