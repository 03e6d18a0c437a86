"""A pytest plugin: which adversarial cases a run has tried, and what came of it.

In: collected tests and their reports. Out: build/security-cases.json, entries of other tests kept; with --threat-ids a
table of all collected tests that carry an id. Never: a verdict; tests/support/security_page.py renders.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.threat_list import THREATS

ROOT = Path(__file__).parents[2]
RECORD = ROOT / "build" / "security-cases.json"
_PROPERTY = "threats"
_IN_NAME = re.compile(r"test((?:_[a-j][0-9]{1,2})+)(?:_|$)")
_IN_PARAMETERS = re.compile(r"(?<![A-Za-z0-9])[A-J][0-9]{1,2}(?![A-Za-z0-9])")


def ids_of(function: str, parameters: str = "", marked: Iterable[str] = ()) -> tuple[str, ...]:
    """The threat ids that a test carries, sorted; `parameters` is what stands in the brackets of its node id."""
    in_name = _IN_NAME.match(function)
    found = set(in_name.group(1).upper().split("_")) if in_name else set()
    found.update(_IN_PARAMETERS.findall(parameters), marked)
    return tuple(sorted(found & THREATS.keys()))


def _ids_of_item(item: pytest.Item) -> tuple[str, ...]:
    function, _, parameters = item.name.partition("[")
    marked = [str(argument) for mark in item.iter_markers("threat") for argument in mark.args]
    strangers = set(marked) - THREATS.keys()
    if strangers:
        raise pytest.UsageError(f"{item.nodeid}: {min(strangers)} is not in tests/support/threat_list.py")
    return ids_of(function, parameters.removesuffix("]"), marked)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--threat-ids", metavar="FILE", help="write the ids of every collected test to FILE")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "threat(*ids): ids of tests/support/threat_list.py that this test tries")
    if not hasattr(config, "workerinput"):  # reports of xdist's workers come to the controller
        config.pluginmanager.register(SecurityRecord(), "pui-security-record")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    carried = {item.nodeid: _ids_of_item(item) for item in items}
    for item in items:
        if carried[item.nodeid]:
            item.user_properties.append((_PROPERTY, list(carried[item.nodeid])))
    path = config.getoption("--threat-ids")
    if path:
        Path(path).write_text(json.dumps({node: ids for node, ids in carried.items() if ids}))


class SecurityRecord:
    """Keeps the worst report of each test; writes them down at the end."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        ids = next((value for name, value in report.user_properties if name == _PROPERTY), None)
        if ids is None or (report.when != "call" and report.outcome == "passed"):
            return
        before = self._seen.get(report.nodeid)
        if before is None or before["outcome"] == "passed":
            at = datetime.now(UTC).date().isoformat()
            self._seen[report.nodeid] = {"ids": ids, "outcome": report.outcome, "at": at}

    def pytest_sessionfinish(self) -> None:
        if not self._seen:
            return
        RECORD.parent.mkdir(exist_ok=True)
        draft = RECORD.with_suffix(".draft")
        draft.write_text(json.dumps(read_record() | self._seen, indent=0, sort_keys=True))
        draft.replace(RECORD)


def read_record() -> Mapping[str, Any]:
    """What was written down last; nothing when there is no record, or one that was cut off."""
    try:
        return dict(json.loads(RECORD.read_text()))
    except (OSError, ValueError):
        return {}
