"""Keys, names and paths of the person are taken out of texts; other words stay.

In: texts with and without secrets, hostile ones too. Out: verdicts. Never: a real key.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pui.domain.private_words import KEY_MARK, PrivateWords, without_keys

ADA = PrivateWords("/home/ada", "ada", "analytical", ("exactly-this-key",))
BODY = "Ab3" * 12


@pytest.mark.parametrize(
    "secret",
    [
        f"sk-ant-{BODY}",
        f"ghp_{BODY}",
        f"github_pat_{BODY}",
        f"glpat-{BODY}",
        "xoxb-1234567890-abcdef",
        "AKIAABCDEFGHIJKLMNOP",
        f"AIza{BODY}",
        f"eyJhbGciOiJI.{BODY}.{BODY}",
        f"Bearer {BODY}",
        f"Authorization: Basic {BODY}",
        f'"api_key": "{BODY}"',
        f'{{\\"token\\": \\"{BODY}\\"}}',
        f"DB_PASSWORD={BODY}",
        f"https://ada:{BODY}@git.example/x",
        f"-----BEGIN RSA PRIVATE KEY-----\n{BODY}\n{BODY}\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\\n{BODY}",
        "exactly-this-key",
    ],
)
def test_a_key_is_taken_out_wherever_it_stands(secret: str) -> None:
    hidden = ADA.hide(f"before {secret} after")
    assert KEY_MARK in hidden and hidden.startswith("before ")
    assert BODY not in hidden and "exactly" not in hidden and "1234567890" not in hidden and "ABCDEFGHIJ" not in hidden


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("/home/ada/code/app", "~/code/app"),
        ("in /home/ada.", "in ~."),
        ("/home/ada2/x /home/bob/y /Users/eve/z", "/home/[user]/x /home/[user]/y /Users/[user]/z"),
        ("Ada logged in on ANALYTICAL", "[user] logged in on [host]"),
        ("canada, adapters, analytically", "canada, adapters, analytically"),
        ("mail ada.l@example.org now", "mail [mail] now"),
        (
            "127.0.0.1 [pid 12] max_tokens: 8192, tokens=12345678",
            "127.0.0.1 [pid 12] max_tokens: 8192, tokens=12345678",
        ),
    ],
)
def test_names_and_homes_are_taken_out_and_other_words_stay(text: str, hidden: str) -> None:
    assert ADA.hide(text) == hidden


def test_common_and_short_names_are_not_looked_for() -> None:
    root = PrivateWords("/root", "root", "pc")
    assert root.hide("/root/x: root pc rooted") == "~/x: root pc rooted"
    assert PrivateWords("/", "", "").hide("/a/b") == "/a/b"


@given(st.text(alphabet="ad/homeusr-[]@.:=\"'tokenBEGIN \n\\", max_size=300))
def test_hiding_twice_is_hiding_once(text: str) -> None:
    once = ADA.hide(text)
    assert ADA.hide(once) == once


@pytest.mark.parametrize(
    "unit",
    ["-eyJa", "-----BEGIN PRIVATE KEY-----", "password   ", "a@a.", "sk-", "://a", "/home/", "token=", "bearer "],
)
def test_a_hostile_text_costs_no_more_than_its_length(unit: str) -> None:
    # A test that is quadratic here takes minutes and meets the limit of the suite.
    text = unit * (400_000 // len(unit))
    without_keys(text)
    ADA.hide(text)
