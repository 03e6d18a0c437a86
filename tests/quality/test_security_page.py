"""docs/security.md names the cases that the suite has, and no other.

In: the page, the list of cases, a collection of the whole suite. Out: failures that name the id. Never: a test run.
"""

from __future__ import annotations

import pytest

from tests.support.security_page import NOT_YET, PAGE, Row, collected_ids, new_rows, renewed, rows_of
from tests.support.security_record import ids_of
from tests.support.threat_list import THREATS

HINT = "run the tests that carry the id, then `make security`"


@pytest.fixture(scope="module")
def rows() -> dict[str, Row]:
    return dict(rows_of(PAGE.read_text(encoding="utf-8")))


def test_the_page_lists_every_case_in_its_present_words(rows: dict[str, Row]) -> None:
    assert list(rows) == list(THREATS)
    assert {name: (row.case, row.outcome) for name, row in rows.items()} == {
        name: (threat.case, threat.outcome) for name, threat in THREATS.items()
    }, "run `make security`"


def test_the_page_and_the_suite_have_the_same_cases(rows: dict[str, Row]) -> None:
    carried = {name for ids in collected_ids().values() for name in ids}
    shown = {name for name, row in rows.items() if row.result != NOT_YET}
    assert not carried - shown, f"tested, but the page says {NOT_YET}: {HINT}"
    assert not shown - carried, "the page shows cases that no test carries any more: write `not yet` there by hand"


def test_no_case_of_the_page_fails(rows: dict[str, Row]) -> None:
    assert not [name for name, row in rows.items() if "failed" in row.result], HINT


@pytest.mark.parametrize(
    ("function", "parameters", "marked", "ids"),
    [
        ("test_b13_whole", "", (), ("B13",)),
        ("test_a26_a27_a30_untrusted", "", (), ("A26", "A27", "A30")),
        ("test_refused", "A34-byte-A4096", (), ("A34",)),
        ("test_killed", "torn-C1-C2-install", (), ("C1", "C2")),
        ("test_plain", "b13-XA1-A1X-Z9", (), ()),
        ("test_app_killed", "", ("J1",), ("J1",)),
        ("test_about_b13", "", (), ()),
    ],
)
def test_how_a_test_carries_ids(function: str, parameters: str, marked: tuple[str, ...], ids: tuple[str, ...]) -> None:
    assert ids_of(function, parameters, marked) == ids


def test_a_row_says_what_the_record_says() -> None:
    here = "tests/quality/test_security_page.py"
    record = {
        f"{here}::one": {"ids": ["A1", "A2"], "outcome": "passed"},
        f"{here}::two": {"ids": ["A1"], "outcome": "failed"},
        f"{here}::three": {"ids": ["A2"], "outcome": "skipped"},
    }
    old = "| A4 | x | y | [z](../z) 3 | passed |\n"
    rows = new_rows(old, record)
    assert rows["A1"].result == "**1 failed**"
    assert rows["A2"].result == "passed, 1 skipped here"
    assert rows["A2"].tests == f"[security_page](../{here}) 2"
    assert rows["A3"].result == NOT_YET
    assert (rows["A4"].tests, rows["A4"].result) == ("[z](../z) 3", "passed"), "what was not run here stays"
    page = renewed("prose\n<!-- cases: begin -->\n<!-- cases: end -->\nmore\n", record)
    assert rows_of(page) == new_rows("", record)
    assert page.startswith("prose\n") and page.endswith("\nmore\n")
