"""`pui tasks bundle` writes what the page's button writes, and says what is inside.

In: a task's folder made by hand. Out: verdicts on the zip and the words. Never: an app, a machine.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from pui.cli.app import run


@pytest.fixture
def task(data_dir: Path) -> str:
    folder = data_dir / "tasks" / "t-1"
    folder.mkdir(parents=True)
    record = {"seq": 1, "at_ns": 1, "type": "created", "cause": None, "spec": {"prompt": "private words"}}
    (folder / "journal.jsonl").write_text(json.dumps(record) + "\n")
    (folder / "transcript.jsonl").write_text('{"at_ns":1,"entry":{"text":"said"}}\n')
    (folder / "qemu.log").write_text(f"{Path.home()}/x: sk-ant-{'a' * 30}\n")
    return "t-1"


def members(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_a_bundle_is_written_and_listed(task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "b.zip"
    assert run(["tasks", "bundle", task, "--out", str(out)]) == 0
    inside = members(out)
    assert "private words" not in "".join(inside.values()) and "said" not in "".join(inside.values())
    assert inside["qemu.log"] == "~/x: [redacted]\n"
    told = capsys.readouterr()
    assert all(name in told.out + told.err for name in inside)


def test_the_conversation_has_to_be_asked_for(task: str, tmp_path: Path) -> None:
    out = tmp_path / "b.zip"
    assert run(["tasks", "bundle", task, "--out", str(out), "--with-transcript"]) == 0
    assert "said" in members(out)["transcript.jsonl"]


def test_a_task_that_is_not_there_is_named(data_dir: Path, tmp_path: Path) -> None:
    assert run(["tasks", "bundle", "t-9", "--out", str(tmp_path / "b.zip")]) == 2
    assert not (tmp_path / "b.zip").exists()
