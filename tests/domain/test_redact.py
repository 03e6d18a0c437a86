"""The key taken out of a stream, wherever it is cut.

In: streams with and without the key. Out: the same without it. Never: a byte of anything else lost.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pui.domain.redact import REPLACEMENT, Redactor, redact


def _stream(secret: bytes, chunks: list[bytes]) -> bytes:
    redactor = Redactor(secret)
    return b"".join([*map(redactor.feed, chunks), redactor.finish()])


def test_a_key_over_two_chunks_is_found_and_a_prefix_is_let_go() -> None:
    assert _stream(b"sk-key", [b"a sk-", b"key b s", b"k-"]) == b"a " + REPLACEMENT + b" b sk-"


def test_only_a_possible_beginning_is_held_back() -> None:
    assert Redactor(b"sk-key").feed(b"data: x\n\n") == b"data: x\n\n"


def test_without_a_key_nothing_changes() -> None:
    assert _stream(b"", [b"a", b"b"]) == b"ab" and redact(b"ab", b"") == b"ab"


_BYTES = st.lists(st.sampled_from([b"a", b"b", b"ab", b"aab", b"c"]), max_size=40)


@settings(deadline=None)
@given(_BYTES, st.sampled_from([b"aab", b"abab", b"a", b"bb"]))
def test_cutting_changes_nothing_and_no_key_is_left(chunks: list[bytes], secret: bytes) -> None:
    out = _stream(secret, chunks)
    assert out == redact(b"".join(chunks), secret)
    assert secret == b"a" or secret not in out
