"""Writes the generated pages of docs/ (`make docs`); a test fails when one of them is stale.

In: the tables and charts that the program runs. Out: docs/errors.md, docs/statecharts.md, docs/task-states.svg,
docs/dependencies.md, statecharts/sealed.txt.
Never: prose written by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pui.cli.chart import render_docs
from pui.cli.dependencies import render_dependencies
from pui.cli.output import say
from pui.domain.errors_doc import render_errors_doc
from pui.resources import SEALS, render_seals


def generated_docs() -> Mapping[str, str]:
    """File name, seen from docs/, to its text."""
    pages = {"errors.md": render_errors_doc(), "dependencies.md": render_dependencies(), **render_docs()}
    return pages | {f"../statecharts/{SEALS}": render_seals()}


def main(directory: Path) -> None:
    """Write all of them into `directory`."""
    for name, text in generated_docs().items():
        (directory / name).write_text(text, encoding="utf-8")
        say(f"wrote {directory / name}")


if __name__ == "__main__":
    main(Path("docs"))
