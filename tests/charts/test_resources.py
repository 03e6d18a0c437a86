"""Data files are found in a wheel and in an editable checkout, the wheel's place first.

In: folders made for the test. Out: verdicts. Never: an installation.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from pui.resources import data

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
