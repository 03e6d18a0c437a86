"""Logs are read from their end without following anything; a bundle is whole or not there.

In: files of a task, some of them prepared by somebody else. Out: verdicts. Never: a file outside the test's folder.
"""

from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path

import pytest

from pui.adapters.paths import AppPaths
from pui.adapters.task_logs import TaskLogFiles, private_words
from pui.domain.errors import CallerError, HostError


@pytest.fixture
def task(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "tasks" / "t-1"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def logs(tmp_path: Path) -> TaskLogFiles:
    return TaskLogFiles(AppPaths(tmp_path / "data", tmp_path / "cache", tmp_path / "run"))


def test_the_end_of_a_log_is_read(task: Path, logs: TaskLogFiles) -> None:
    (task / "serial.log").write_bytes(b"0123456789")
    assert logs.tail("t-1", "serial.log", 4) == b"6789"
    assert logs.tail("t-1", "serial.log", 400) == b"0123456789"
    assert logs.tail("t-1", "absent.log", 4) == b""
    assert logs.sizes("t-1") == [("serial.log", 10)]


def test_a_link_is_not_followed_and_a_pipe_does_not_block(task: Path, logs: TaskLogFiles, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (task / "serial.log").symlink_to(tmp_path / "secret")
    os.mkfifo(task / "qemu.log")
    with pytest.raises(HostError):
        logs.tail("t-1", "serial.log", 100)
    assert logs.tail("t-1", "qemu.log", 100) == b""
    assert logs.sizes("t-1") == []


@pytest.mark.parametrize("name", ["../journal.jsonl", "", ".", "..", "/etc/passwd"])
def test_only_names_are_names(task: Path, logs: TaskLogFiles, name: str) -> None:
    with pytest.raises(CallerError):
        logs.tail("t-1", name, 10)


def test_a_bundle_is_private_and_replaces_what_is_there(logs: TaskLogFiles, tmp_path: Path) -> None:
    path = tmp_path / "b.zip"
    path.write_text("old")
    (tmp_path / "b.zip.new").write_text("a leftover")
    logs.write_bundle(path, {"README.txt": "hello \udcff", "a.log": "x" * 10_000})
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["README.txt", "a.log"]
        assert archive.read("README.txt") == b"hello ?"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_size < 1000
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_file()] == ["b.zip"]


def test_a_bundle_that_cannot_be_written_says_so(logs: TaskLogFiles, tmp_path: Path) -> None:
    with pytest.raises(HostError):
        logs.write_bundle(tmp_path / "absent" / "b.zip", {"a": "b"})


def test_the_person_has_words() -> None:
    words = private_words(["k"])
    assert words.home == str(Path.home()) and words.host and words.keys == ("k",)
    assert "k" not in repr(words).split("keys")[-1] or "keys" not in repr(words)
