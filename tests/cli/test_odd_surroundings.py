"""Threat E12: a computer without a home, without a place to write, with folders that are none.

In: environments. Out: the command works, or says in words what is missing. Never: a traceback.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def pui(env: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pui", *words]
    whole = {"PATH": os.defpath, "PYTHONPATH": str(ROOT), **env}
    return subprocess.run(command, cwd=ROOT, env=whole, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("words", [("tasks", "list"), ("pack", "list")])
def test_e12_nothing_but_a_data_folder(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = pui({"PUI_DATA_DIR": str(tmp_path / "data")}, *words)
    assert done.returncode == 0, done.stderr


CASES = [
    pytest.param({"HOME": "/dev/null"}, id="home-is-no-folder"),
    pytest.param({"HOME": "/proc/pui-home"}, id="home-cannot-be-made"),
    pytest.param({"PUI_DATA_DIR": "/proc/pui"}, id="data-cannot-be-made"),
    pytest.param({"PUI_DATA_DIR": "/dev/full"}, id="data-is-no-folder"),
    pytest.param({"PUI_RUNTIME_DIR": "/proc/pui"}, id="runtime-cannot-be-made"),
    pytest.param({"TMPDIR": "/nowhere"}, id="no-temporary-folder"),
]


@pytest.mark.parametrize("env", CASES)
def test_e12_odd_folders(tmp_path: Path, env: dict[str, str]) -> None:
    surroundings = {"HOME": str(tmp_path), **env}
    done = pui(surroundings, "run", "--folder", str(tmp_path), "x")
    assert done.returncode in (1, 2, 3), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.strip(), "there are words"
