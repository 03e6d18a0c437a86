"""F5: what a stranger's text may do to a terminal: nothing.

In: escape sequences, controls, bidi. Out: plain, visible text. Never: a terminal.
"""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pui.domain.scrub import scrub_line, scrub_text


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain\ttab\nline é 漢 😀", "plain\ttab\nline é 漢 😀"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x\x1b]8;;http://e\x1b\\link", "xlink"),
        ("\x1b]52;c;unfinished", ""),
        ("\x1bPdcs\x1b\\a\x1b(Bb\x1b7c", "abc"),
        ("\x1b\x1b[0m[2J", "␛[2J"),
        ("a\x00b\x07c\x7fd\x9be", "a␀b␇c␡d<U+009B>e"),
        ("one\r\ntwo\rthree\u2028four\x85five", "one\ntwo\nthree\nfour\nfive"),
        ("a\u202eb\u2066c\ufeffd\u200be", "a<U+202E>b<U+2066>c<U+FEFF>d<U+200B>e"),
        ("\ud800", "<U+D800>"),
        ("\U000e0041", "<U+E0041>"),
    ],
)
def test_f5_controls_are_shown_or_removed(raw: str, shown: str) -> None:
    assert scrub_text(raw) == shown


@settings(deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=200))
def test_f5_nothing_active_is_left_and_twice_is_once(text: str) -> None:
    shown = scrub_text(text)
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t"]
    assert scrub_text(shown) == shown


def test_a_line_is_one_line_and_short() -> None:
    assert scrub_line("  a\n\tb\x1b[1m c  ") == "a b c"
    assert scrub_line("x" * 300, 10) == "x" * 9 + "…"
