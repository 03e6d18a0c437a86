"""Threats C1 and C2 for parts: a publication and an update that die at any step, with files torn or not.

In: every step. Out: the old pack or the new one, on offer and installed; what was left goes with the next run.
Never: a state in between.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HOW = [pytest.param("plain", id="C1-killed", marks=pytest.mark.slow), pytest.param("torn", id="C2-torn")]


def lines(tmp_path: Path, way: str, how: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "tests.support.parts_crash_driver", str(tmp_path), way, how]
    root = Path(__file__).parents[2]
    output = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    found = [json.loads(line) for line in output.splitlines()]
    assert [line["lived"] for line in found] == [False] * (len(found) - 1) + [True]
    return found


@pytest.mark.parametrize("how", HOW)
def test_a_publication_that_dies(tmp_path: Path, how: str) -> None:
    found = lines(tmp_path, "publish", how)
    assert len(found) > 60
    for line in found:
        assert line["offered"] in (1, 2), line
        assert line["offered_again"] in (1, 2), line
        assert (line["then_offered"], line["rubbish"]) == (2, []), line
    assert {line["offered"] for line in found} == {1, 2}
    assert any(line["cleaned"] for line in found)
    assert not list(tmp_path.rglob(".unpacked"))


@pytest.mark.parametrize("how", HOW)
def test_an_update_that_dies(tmp_path: Path, how: str) -> None:
    found = lines(tmp_path, "update", how)
    assert len(found) > 60
    for line in found:
        assert line["active"] in (1, 2), line
        assert line["active_again"] in (1, 2), line
        assert line["then_active"] == 2, line
        assert line["rubbish"] == [], line
    assert {line["active"] for line in found} == {1, 2}
    assert not list(tmp_path.rglob("*.part*.etag"))
