"""Tables: for a person on the terminal, for a later comparison in a JSON file.

In: rows of text. Out: Markdown, JSON. Never: a measurement.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Table:
    """`name` is stable: files of two days are compared by it."""

    name: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]

    def markdown(self) -> str:
        lines = [self.columns, tuple("---" for _ in self.columns), *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def middle(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def write_json(tables: Sequence[Table], about: dict[str, str], target: Path) -> None:
    """One object: what was measured where, and each table as a list of objects."""
    target.parent.mkdir(parents=True, exist_ok=True)
    found = {table.name: [dict(zip(table.columns, row, strict=True)) for row in table.rows] for table in tables}
    target.write_text(json.dumps({"about": about, "tables": found}, indent=2) + "\n")
