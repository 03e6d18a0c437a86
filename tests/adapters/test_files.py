"""Journals survive a crash in the middle of a line; task folders stay inside their own; private means private."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from pui.adapters import journal_file
from pui.adapters.journal_file import JsonlFile, lines_from_the_end
from pui.adapters.paths import AppPaths, app_paths, own_dir, private_dir
from pui.adapters.task_files import TaskFolders
from pui.domain.errors import CallerError, HostError


@pytest.fixture
def folders(tmp_path: Path) -> TaskFolders:
    return TaskFolders(AppPaths(tmp_path / "data", tmp_path / "cache", tmp_path / "run"))


def lines(path: Path) -> list[object]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_records_are_lines_that_a_second_opening_continues(tmp_path: Path) -> None:
    path = tmp_path / "j"
    for number in range(2):
        file = JsonlFile(path)
        file.append({"n": number, "odd": "\u2028\ud800\n"}, durable=bool(number))
        file.close()
        file.close()
    assert lines(path) == [{"n": 0, "odd": "\u2028\ud800\n"}, {"n": 1, "odd": "\u2028\ud800\n"}]
    assert path.read_bytes().count(b"\n") == 2
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("torn", [b'{"n":2', b'{"n":2' + b"x" * 200_000], ids=["short", "long"])
def test_a_torn_last_line_is_cut_before_the_next_record(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "j"
    path.write_bytes(b'{"n":1}\n' + torn)
    file = JsonlFile(path)
    file.append({"n": 3}, durable=True)
    file.close()
    assert lines(path) == [{"n": 1}, {"n": 3}]


def test_a_full_disk_is_named_and_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "j"
    file = JsonlFile(path)
    file.append({"n": 1}, durable=False)
    real_write = os.write
    budget = [4]

    def write(fd: int, data: bytes) -> int:
        if not budget[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = real_write(fd, bytes(data)[: budget[0]])
        budget[0] -= written
        return written

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        with pytest.raises(HostError, match="host.disk_full"):
            file.append({"n": 2}, durable=False)
    file.append({"n": 3}, durable=False)
    file.close()
    assert lines(path) == [{"n": 1}, {"n": 3}]


def test_durable_records_are_synced_and_others_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = JsonlFile(tmp_path / "j")
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    file.append({}, durable=False)
    assert synced == []
    file.append({}, durable=True)
    assert len(synced) == 1
    file.close()


def test_a_journal_is_never_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "j").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(HostError, match="host.permission"):
        JsonlFile(tmp_path / "j")


def test_the_life_of_a_task_folder(folders: TaskFolders, tmp_path: Path) -> None:
    assert list(folders.task_ids()) == []
    folders.create("t-2")
    folders.create("t-1")
    with pytest.raises(CallerError, match="already"):
        folders.create("t-1")
    (tmp_path / "data/tasks/Not A Task").mkdir()
    assert list(folders.task_ids()) == ["t-1", "t-2"]
    journal = folders.journal("t-1")
    journal.append({"seq": 1}, durable=True)
    journal.close()
    assert folders.read_journal("t-1") == b'{"seq":1}\n'
    with pytest.raises(HostError, match="journal.unreadable"):
        folders.read_journal("t-2")
    folders.path("t-1", "overlay.qcow2").touch()
    assert list(folders.remove_work_files("t-1")) == ["overlay.qcow2"]
    assert list(folders.remove_work_files("t-1")) == []
    assert folders.read_journal("t-1")
    folders.remove_task("t-1")
    folders.remove_task("t-1")
    assert list(folders.task_ids()) == ["t-2"]


def test_runtime_folders_are_private_and_go_away(folders: TaskFolders) -> None:
    made = folders.runtime_dir("t-1")
    assert folders.runtime_dir("t-1") == made
    assert made.stat().st_mode & 0o777 == made.parent.stat().st_mode & 0o777 == 0o700
    (made / "x.sock").touch()
    folders.remove_runtime_dir("t-1")
    folders.remove_runtime_dir("t-1")
    assert not made.exists()


def test_removing_a_task_follows_no_link(folders: TaskFolders, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").touch()
    folders.create("t-1")
    folders.path("t-1", "link").symlink_to(tmp_path / "precious")
    folders.remove_task("t-1")
    assert (tmp_path / "precious/file").exists()


@pytest.mark.parametrize("task_id", ["", "..", "a/b", "-a", "A", "a" * 49, "a\n", "."])
def test_ids_that_could_leave_the_folder_are_refused(folders: TaskFolders, task_id: str) -> None:
    for act in (folders.create, folders.read_journal, folders.runtime_dir, folders.remove_task):
        with pytest.raises(CallerError, match="not a task id"):
            act(task_id)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc/passwd"])
def test_names_that_could_leave_the_folder_are_refused(folders: TaskFolders, name: str) -> None:
    with pytest.raises(CallerError, match="not a file name"):
        folders.path("t-1", name)


def test_a_private_folder_is_made_or_refused(tmp_path: Path) -> None:
    assert private_dir(tmp_path / "a/b").stat().st_mode & 0o777 == 0o700
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "link").symlink_to(tmp_path / "a/b")
    (tmp_path / "file").touch()
    for name in ("open", "link", "file", "file/below"):
        with pytest.raises(HostError, match="host.permission"):
            private_dir(tmp_path / name)
    assert own_dir(tmp_path / "open")
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(HostError, match="host.permission"):
        own_dir(tmp_path / "open")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's folder")
def test_another_users_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir(mode=0o700)
    os.chown(tmp_path / "theirs", 12345, 12345)
    for check in (private_dir, own_dir):
        with pytest.raises(HostError, match="host.permission"):
            check(tmp_path / "theirs")


def test_folders_come_from_the_environment_or_the_systems_habits() -> None:
    chosen = app_paths({"PUI_DATA_DIR": "/d", "PUI_CACHE_DIR": "/c", "PUI_RUNTIME_DIR": "/r"})
    assert (chosen.data, chosen.cache, chosen.runtime) == (Path("/d"), Path("/c"), Path("/r"))
    assert app_paths({"XDG_RUNTIME_DIR": "/run/user/7"}).runtime == Path("/run/user/7/pui")
    assert app_paths({}).runtime.name == f"pui-{os.getuid()}"
    assert app_paths({}).data.name == "pui"


# reading backward, small files


@pytest.mark.parametrize("chunk_bytes", [1, 2, 3, 7, 64, 1 << 18])
@pytest.mark.parametrize("lines", [[], [b"one"], [b"", b""], [b"a", b"bb" * 40, b"", b"ccc"], [b"x" * 300, b"y" * 300]])
def test_lines_come_back_from_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk_bytes: int, lines: list[bytes]
) -> None:
    monkeypatch.setattr(journal_file, "_READ_CHUNK_BYTES", chunk_bytes)
    path = tmp_path / "t.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in lines) + b"torn")
    assert list(lines_from_the_end(path)) == lines[::-1]


def test_a_line_beyond_the_limit_costs_no_memory_and_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_file, "_READ_CHUNK_BYTES", 16)
    monkeypatch.setattr(journal_file, "LINE_LIMIT_BYTES", 64)
    path = tmp_path / "t.jsonl"
    path.write_bytes(b"z" * 500 + b"\nfirst\n" + b"x" * 500 + b"\nlast\n")
    assert list(lines_from_the_end(path)) == [b"last", b"", b"first", b""]


def test_an_absent_file_has_no_lines_and_a_link_is_refused(tmp_path: Path) -> None:
    assert list(lines_from_the_end(tmp_path / "absent")) == []
    (tmp_path / "real").write_bytes(b"secret\n")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(HostError) as caught:
        list(lines_from_the_end(tmp_path / "link"))
    assert caught.value.code == "host.permission"


def test_a_small_file_of_a_task_is_written_whole_and_read_within_its_limit(tmp_path: Path) -> None:
    files = TaskFolders(AppPaths(tmp_path / "data", tmp_path / "cache", tmp_path / "run"))
    files.create("t1")
    files.write("t1", "changes.json", b"old")
    files.write("t1", "changes.json", b"new")
    assert files.read("t1", "changes.json", 3) == b"new"
    assert files.path("t1", "changes.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in files.path("t1", "x").parent.iterdir()] == ["changes.json"]
    for name, limit_bytes in (("changes.json", 2), ("absent", 9)):
        with pytest.raises(HostError):
            files.read("t1", name, limit_bytes)
    with pytest.raises(HostError):
        files.write("t2", "changes.json", b"x")
    with pytest.raises(CallerError):
        files.write("t1", "../x", b"x")
    assert files.disk_use_bytes("t1") > 0 and files.disk_use_bytes("t2") == 0
    assert list(files.transcript_lines("t1")) == []
