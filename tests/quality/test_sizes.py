"""The size bar: functions at most 80 lines with a median of 10, modules at most 500, every module says what flows.

In: the source tree. Out: failures that name the place. Never: an import of the code under test.
"""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "pui").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
GUEST = sorted((ROOT / "pui" / "guest").glob("*.[ch]"))
FORBIDDEN_NAMES = ("utils", "helpers", "helper", "manager", "misc", "common")


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{path}:{node.lineno} {node.name}", (node.end_lineno or node.lineno) - node.lineno + 1


def test_no_function_is_longer_than_80_lines() -> None:
    long = [f"{where}: {lines}" for path in SOURCES + TESTS for where, lines in _functions(path) if lines > 80]
    assert not long, "\n".join(long)


def test_the_median_function_has_at_most_10_lines() -> None:
    lines = [count for path in SOURCES for _, count in _functions(path)]
    assert statistics.median(lines) <= 10


def test_no_module_is_longer_than_500_lines() -> None:
    long = [
        f"{path}: {count}" for path in SOURCES + TESTS + GUEST if (count := len(path.read_text().split("\n"))) > 501
    ]
    assert not long, "\n".join(long)


def test_every_module_says_what_flows_in_and_out() -> None:
    silent = []
    for path in SOURCES:
        text = ast.get_docstring(ast.parse(path.read_text())) or ""
        if path.read_text().strip() and not all(word in text for word in ("In:", "Out:", "Never:")):
            silent.append(str(path))
    assert not silent, "\n".join(silent)


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert not [str(path) for path in SOURCES if any(word in path.stem.split("_") for word in FORBIDDEN_NAMES)]
