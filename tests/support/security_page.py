"""Renders the table of docs/security.md from the list of cases and the record of a test run (`make security`).

In: tests/support/threat_list.py, build/security-cases.json, the page as it is. Out: the page with its tables renewed.
Never: prose; a result that no test brought. A case that this computer has not run keeps the row it had.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.security_record import ROOT, read_record
from tests.support.threat_list import GROUPS, THREATS

PAGE = ROOT / "docs" / "security.md"
BEGIN, END = "<!-- cases: begin -->", "<!-- cases: end -->"
NOT_YET = "not yet"
_ROW = re.compile(r"^\| ([A-J][0-9]+) \| (.*) \| (.*) \| (.*) \| (.*) \|$", re.MULTILINE)


@dataclass(frozen=True)
class Row:
    """One line of the table, as it is shown."""

    case: str
    outcome: str
    tests: str
    result: str


def rows_of(page: str) -> Mapping[str, Row]:
    """The rows of a page by id."""
    return {found[0]: Row(*found[1:]) for found in _ROW.findall(page)}


def new_rows(page: str, record: Mapping[str, Mapping[str, object]]) -> Mapping[str, Row]:
    """A row for every id of the list, from the record where it has tests, else as the page has it."""
    before = rows_of(page)
    tests: dict[str, dict[str, str]] = {name: {} for name in THREATS}
    for node, entry in record.items():
        for name in entry["ids"]:  # type: ignore[attr-defined]
            if name in tests:
                tests[name][node] = str(entry["outcome"])
    rows = {}
    for name, threat in THREATS.items():
        old = before.get(name, Row("", "", "-", NOT_YET))
        shown, result = (_tests(tests[name]), _result(tests[name])) if tests[name] else (old.tests, old.result)
        rows[name] = Row(threat.case, threat.outcome, shown, result)
    return rows


def _tests(found: Mapping[str, str]) -> str:
    files = Counter(node.partition("::")[0] for node in found)
    return ", ".join(
        f"[{Path(path).stem.removeprefix('test_')}](../{path}) {count}" for path, count in sorted(files.items())
    )


def _result(found: Mapping[str, str]) -> str:
    outcomes = Counter(found.values())
    if outcomes["failed"]:
        return f"**{outcomes['failed']} failed**"
    if not outcomes["passed"]:
        return "skipped here"
    return "passed" if not outcomes["skipped"] else f"passed, {outcomes['skipped']} skipped here"


def render(rows: Mapping[str, Row]) -> str:
    """The tables, one a group, and the sum above them."""
    held = sum(row.result.startswith("passed") for row in rows.values())
    lines = [f"{len(rows)} cases; {held} are held by tests that pass, {_count(rows, NOT_YET)} have no test yet.", ""]
    for letter, title in GROUPS.items():
        lines += [f"### {letter}. {title}", "", "| id | what is tried | what comes of it | tests | result |"]
        lines += ["|---|---|---|---|---|"]
        lines += [
            f"| {name} | {row.case} | {row.outcome} | {row.tests} | {row.result} |"
            for name, row in rows.items()
            if name[0] == letter
        ]
        lines.append("")
    return "\n".join(lines)


def _count(rows: Mapping[str, Row], result: str) -> int:
    return sum(row.result == result for row in rows.values())


def renewed(page: str, record: Mapping[str, Mapping[str, object]]) -> str:
    """The page with new tables; its prose stays."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{render(new_rows(page, record))}\n{END}{tail}"


def collected_ids() -> Mapping[str, list[str]]:
    """Node id to threat ids, of every test that carries any. Raises RuntimeError with pytest's words."""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "ids.json"
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--collect-only", "-q", "tests"]
        command += ["--threat-ids", str(found)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stdout[-2000:] + done.stderr)
        return dict(json.loads(found.read_text()))


def main() -> int:
    page, there = PAGE.read_text(encoding="utf-8"), collected_ids()
    record = {node: {**entry, "ids": there[node]} for node, entry in read_record().items() if node in there}
    if not record:
        print("no test run is recorded in build/security-cases.json: run the tests first", file=sys.stderr)
        return 1
    text = renewed(page, record)
    PAGE.write_text(text, encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}: {render(rows_of(text)).splitlines()[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
