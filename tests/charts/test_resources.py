"""Data files are found in a wheel and in an editable checkout, the wheel's place first.

In: folders made for the test. Out: verdicts. Never: an installation.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pui.resources import data, render_seals

ROOT = Path(__file__).resolve().parents[2]


def test_the_checkout_is_found() -> None:
    assert (data("statecharts") / "task.json").is_file()
    assert (data("ui") / "chart.css").is_file()


def test_the_place_in_a_wheel_goes_first(tmp_path: Path) -> None:
    package = tmp_path / "pui"
    (tmp_path / "ui").mkdir()
    package.mkdir()
    assert data("ui", package=package) == tmp_path / "ui"
    (package / "_data" / "ui").mkdir(parents=True)
    assert data("ui", package=package) == package / "_data" / "ui"


def test_a_broken_installation_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="installed without its statecharts"):
        data("statecharts", package=tmp_path / "pui")


def test_the_wheel_takes_both_folders_to_where_they_are_looked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    taken = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert taken["statecharts"] == "pui/_data/statecharts"
    assert taken["ui"] == "pui/_data/ui"


ASKED = """
import sys
from pathlib import Path
from pui.resources import check_file, load_chart
for chart_id in ("task", "agent", "pack", "setup"):
    load_chart(chart_id)
print("jsonschema" in sys.modules)
print([fault.code for fault in check_file(Path(sys.argv[1]))[1]])
"""


def test_the_schema_is_asked_about_every_chart_but_those_that_are_sealed(tmp_path: Path) -> None:
    text = (data("statecharts") / "task.json").read_text()
    other = tmp_path / "task.json"
    other.write_text(text.replace('"id"', '"surplus": 1, "id"', 1))
    done = subprocess.run([sys.executable, "-c", ASKED, str(other)], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["False", "['unknown-key']"]


def test_every_chart_that_comes_with_pui_is_sealed() -> None:
    names = [line.split()[1] for line in render_seals().splitlines()]
    assert names == sorted(path.name for path in data("statecharts").glob("*.json") if path.name != "schema.json")
