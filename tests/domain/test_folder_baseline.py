"""The look before comes back from its file as it was, or not at all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pui.domain import folder_baseline
from pui.domain.folder_baseline import Baseline, BaselineFault, parse_baseline, render_baseline
from pui.domain.folder_diff import FolderEntry, FolderSnapshot, diff_snapshots

ODD_NAME = b"caf\xe9 \xff\n\x1b[2J\xe2\x80\xa8\xe2\x80\xae".decode("utf-8", "surrogateescape")
LOOK = FolderSnapshot(
    {
        "a/b.txt": FolderEntry("file", 6, (6, -1, 2**62, 2**64 - 1), text="hi\0\x1b\u2028\U0001f600\\ud800\n"),
        ODD_NAME: FolderEntry("link", 0, (0,), target=ODD_NAME),
        "run": FolderEntry("file", 10**9, (1, 2), is_executable=True),
        "pipe": FolderEntry("other", 0, (3,)),
    },
    is_complete=False,
)


def test_every_kind_of_name_comes_back() -> None:
    looks: dict[str, Baseline] = {
        "/home/ann/" + ODD_NAME: LOOK,
        "/gone": "it cannot be looked at",
        "/empty": FolderSnapshot({}),
    }
    again = parse_baseline(render_baseline(looks))
    assert again == looks
    assert all(b"\n" not in line for line in render_baseline(looks))
    assert diff_snapshots(LOOK, again["/home/ann/" + ODD_NAME]).changes == ()  # type: ignore[index, arg-type]


names = st.binary(min_size=1, max_size=20).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
entries = st.builds(
    FolderEntry,
    st.just("file"),
    st.integers(0, 2**62),
    st.tuples(st.integers(-(2**62), 2**64 - 1)),
    st.booleans(),
    st.none() | st.text(st.characters(exclude_categories=["Cs"])),
)


@given(st.dictionaries(names, entries, max_size=5))
def test_any_name_and_any_text_come_back(found: dict[str, FolderEntry]) -> None:
    looks: dict[str, Baseline] = {"/x": FolderSnapshot(found)}
    assert parse_baseline(render_baseline(looks)) == looks


LINES = list(render_baseline({"/x": LOOK, "/gone": "no"}))


@pytest.mark.parametrize("cut", range(len(LINES)))
def test_a_torn_file_is_not_used(cut: int) -> None:
    assert parse_baseline(LINES[:cut]) == BaselineFault("it has no end")
    assert isinstance(parse_baseline([*LINES[:cut], LINES[cut][:-1]]), BaselineFault)
    assert isinstance(parse_baseline([*LINES[:cut], *LINES[cut + 1 :]]), BaselineFault), "a line is missing"


HEAD = {"version": 1, "folders": [{"path": "/x", "is_complete": True, "reason": ""}]}
NAME = {"f": 0, "n": "a", "k": "file", "s": 1, "i": "1,2"}
END = {"names": 1}


def _parsed(*values: Any) -> object:
    return parse_baseline([json.dumps(value).encode() for value in values])


def test_what_the_cases_below_change_is_sound() -> None:
    assert _parsed(HEAD, NAME, END) == {"/x": FolderSnapshot({"a": FolderEntry("file", 1, (1, 2))})}


@pytest.mark.parametrize(
    ("place", "change"),
    [
        (0, {"version": 2}),
        (0, {"folders": []}),
        (0, {"folders": "x"}),
        (0, {"folders": [1]}),
        (0, {"folders": HEAD["folders"] * 2}),  # type: ignore[operator]
        (0, {"folders": [{"path": f"/{n}", "is_complete": True, "reason": ""} for n in range(9)]}),
        (0, {"folders": [{"path": 1, "is_complete": True, "reason": ""}]}),
        (0, {"folders": [{"path": "/x", "is_complete": True}]}),
        (0, {"folders": [{"path": "/x", "is_complete": False, "reason": "no"}]}),
        (1, {"f": 1}),
        (1, {"f": -1}),
        (1, {"f": True}),
        (1, {"f": "0"}),
        (1, {"n": None}),
        (1, {"n": "\u0100"}),
        (1, {"k": "folder"}),
        (1, {"k": ["file"]}),
        (1, {"s": -1}),
        (1, {"s": 1.5}),
        (1, {"s": True}),
        (1, {"i": ""}),
        (1, {"i": "1,,2"}),
        (1, {"i": "x"}),
        (1, {"i": 5}),
        (1, {"i": "9" * 25}),
        (1, {"i": ",".join("1" * 9)}),
        (1, {"t": 5}),
        (1, {"k": "link", "t": "x"}),
        (1, {"l": 5}),
        (2, {"names": 0}),
        (2, {"names": 2}),
    ],
)
def test_what_pui_never_wrote_is_refused(place: int, change: dict[str, Any]) -> None:
    values: list[Any] = [HEAD, NAME, END]
    values[place] = values[place] | change
    assert isinstance(_parsed(*values), BaselineFault)


def test_a_name_twice_and_more_behind_the_end_are_refused() -> None:
    assert isinstance(_parsed(HEAD, NAME, NAME, {"names": 2}), BaselineFault)
    assert isinstance(_parsed(HEAD, NAME, END, END), BaselineFault)
    assert isinstance(parse_baseline([json.dumps(HEAD).encode(), b"\xff", b'{"names":0}']), BaselineFault)


def test_limits_end_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    more = {**NAME, "n": "b", "t": "xx"}
    assert isinstance(_parsed(HEAD, NAME, more, {"names": 2}), dict)
    for limit, value in (("NAME_LIMIT", 1), ("TEXT_LIMIT_CHARS", 1), ("LINE_LIMIT_BYTES", 60)):
        with monkeypatch.context() as patch:
            patch.setattr(folder_baseline, limit, value)
            assert isinstance(_parsed(HEAD, NAME, more, {"names": 2}), BaselineFault)
