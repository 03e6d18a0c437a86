"""Moving the data folder: refused before a byte is written, proven, and killed at every write, fsync and rename.

In: a folder with real packs and tasks, disks that are full or lie, SIGKILL. Out: one whole folder in force.
Never: two folders that count, a byte lost.
"""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pui.adapters import data_move
from pui.adapters.data_dir import DataLease
from pui.adapters.data_move import DataMove, finish_moves
from pui.adapters.packs.file_ops import FileOps
from pui.adapters.packs.locks import installer_lock
from pui.adapters.paths import app_paths
from pui.adapters.task_files import TaskFolders
from pui.cli.app import run
from pui.domain.errors import PuiError
from pui.domain.pack_job import Step
from tests.support.faulty_ops import CountingOps
from tests.support.move_crash_driver import content_of, environment, move, prepare, state_of, unwatched
from tests.support.pack_simulator import APP


@pytest.fixture
def base(tmp_path: Path) -> Path:
    prepare(tmp_path)
    return tmp_path


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[Path]:
    """A folder whose fsync costs nothing: what is lost at a power cut is played, not waited for."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        yield Path(name)


@contextmanager
def mover(base: Path, ops: FileOps | None = None, *, is_busy: bool = False) -> Iterator[DataMove]:
    env = environment(base)
    paths = app_paths(env)
    lease = DataLease(paths)
    try:
        yield DataMove(paths, APP, lease, env, ops=ops, is_busy=lambda: is_busy)
    finally:
        lease.close()


def refusal(base: Path, chosen: Path, ops: FileOps | None = None, *, is_busy: bool = False) -> PuiError:
    """Why a move is refused; nothing is changed by it."""
    before = state_of(base)
    with mover(base, ops, is_busy=is_busy) as found, pytest.raises(PuiError) as raised:
        found.move(found.plan(chosen), unwatched)
    assert state_of(base) == before
    assert before["own"] == []
    return raised.value


def test_there_and_further_and_each_named_folder_leads_on(base: Path) -> None:
    before = state_of(base)
    move(base, FileOps())
    after = state_of(base)
    assert (after["place"], after["content"], after["active"]) == ("disk/pui", before["content"], 2)
    assert (after["old"], after["own"]) == (["in-use.lock", "moved-to"], [])
    (base / "disk2").mkdir()
    with mover(base) as found:
        found.move(found.plan(base / "disk2" / "other"), unwatched)
    assert state_of(base)["place"] == "disk2/other"
    assert (base / "data" / "moved-to").read_text().strip() == str(base / "disk2" / "other"), "shortened"
    assert app_paths({"PUI_DATA_DIR": str(base / "disk" / "pui")}).data == base / "disk2" / "other"
    with mover(base) as found:  # and home again, beside the pointer
        found.move(found.plan(base / "data"), unwatched)
    home = state_of(base)
    assert (home["place"], home["content"], home["active"]) == ("data/pui", before["content"], 2)


def test_what_is_refused_before_a_byte_is_written(base: Path) -> None:
    (base / "taken" / "pui").mkdir(parents=True)
    assert "is there already" in refusal(base, base / "taken").message
    assert "there is no folder" in refusal(base, base / "no" / "such").message
    assert "lies in the folder" in refusal(base, base / "data" / "tasks").message
    assert "lies in the folder" in refusal(base, base / "data" / "new").message
    (base / "link").symlink_to(base / "data")
    assert "lies in the folder" in refusal(base, base / "link" / "new").message
    (base / "data" / "odd").symlink_to("/etc")
    assert "neither a file nor a folder" in refusal(base, base / "disk").message
    (base / "data" / "odd").unlink()

    class Full(FileOps):
        def free_bytes(self, path: Path) -> int:
            return 1 << 20

    error = refusal(base, base / "disk", Full())
    assert (error.code, "MiB are needed" in error.message) == ("host.disk_full", True)
    assert list((base / "disk").iterdir()) == []


def test_not_while_anything_else_works_in_it(base: Path) -> None:
    paths = app_paths(environment(base))
    other = DataLease(paths)
    assert "another pui is running" in refusal(base, base / "disk").message
    other.close()
    with installer_lock(paths.install_lock, 0.0):
        assert refusal(base, base / "disk").code == "pack.in_use"
    assert "tasks are running" in refusal(base, base / "disk", is_busy=True).message

    def look(step: Step) -> None:
        for act in (lambda: DataLease(paths), lambda: TaskFolders(paths).create("t2")):
            with pytest.raises(PuiError, match="is being moved"):
                act()

    with mover(base) as found:
        found.move(found.plan(base / "disk"), look)
    with pytest.raises(PuiError, match="was moved"):
        TaskFolders(paths).create("t2")


def test_a_stopped_move_leaves_all_as_it_was(base: Path) -> None:
    before = state_of(base)

    def stop(step: Step) -> None:
        if step.phase == "verifying":
            raise PuiError("job.cancelled", "stopped")

    with mover(base) as found, pytest.raises(PuiError, match="stopped"):
        found.move(found.plan(base / "disk"), stop)
    assert state_of(base) == before
    assert list((base / "disk").iterdir()) == []


def test_a_disk_that_does_not_keep_what_was_written_is_found_out(base: Path) -> None:
    class Lying(FileOps):
        def write(self, fd: int, data: memoryview | bytes) -> None:
            super().write(fd, bytes(data).replace(b"kernel", b"kernal"))

    before = state_of(base)
    with mover(base, Lying()) as found, pytest.raises(PuiError, match="did not keep"):
        found.move(found.plan(base / "disk"), unwatched)
    assert state_of(base) == before


def test_a_full_disk_at_every_step(base: Path) -> None:
    before = state_of(base)
    with mover(base) as found:
        plan = found.plan(base / "disk")

    for failing in range(1, 400, 7):

        def full(step: int, name: str, at: int = failing) -> None:
            if step == at and not name.startswith("remove"):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with mover(base, CountingOps(full)) as found:
            try:
                found.move(plan, unwatched)
            except PuiError as error:
                assert error.code == "host.disk_full"
                assert state_of(base) == before
                continue
        break
    assert state_of(base)["place"] == "disk/pui"
    finish_moves(environment(base))
    assert state_of(base)["old"] == ["in-use.lock", "moved-to"]
    assert state_of(base)["content"] == before["content"]


@pytest.mark.parametrize(("how", "stride"), [("plain", "4"), ("torn", "1")])
def test_killed_at_every_step(in_memory: Path, how: str, stride: str) -> None:
    command = [sys.executable, "-m", "tests.support.move_crash_driver", str(in_memory), how, stride]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, check=True, capture_output=True, timeout=280, text=True)
    found: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["lived"] for line in found] == [False] * (len(found) - 1) + [True]
    assert len(found) * int(stride) > 100
    places = [line["at_once"]["place"] for line in found]
    assert places == sorted(places), "the switch is one step"
    for line in found:
        content = line["before"]["content"]
        for when in ("at_once", "after", "then"):
            assert line[when]["active"] == 2, (when, line)
        assert line["after"]["place"] == line["at_once"]["place"], line
        assert (line["at_once"]["content"], line["after"]["content"], line["then"]["content"]) == (content,) * 3, line
        assert line["said_again"] == []
        if line["after"]["place"] == "data":
            assert line["after"]["disk"] == [], line
            assert line["after"]["own"] == [], line
        assert (line["then"]["place"], line["then"]["disk"]) == ("disk/pui", ["pui"]), line
        assert line["then"]["old"] == ["in-use.lock", "moved-to"], line
        assert set(line["then"]["own"]) <= {"moved-from"}, line
    assert any("was undone" in sentence for line in found for sentence in line["said"])
    assert any("was finished" in sentence for line in found for sentence in line["said"])


def test_a_plan_that_is_none_is_not_followed(base: Path) -> None:
    plan = base / "data" / "move.json"
    for text in (
        "",
        "{}",
        '{"target": "/x", "mark": "../..", "names": []}',
        '{"target": "/x", "mark": "a", "names": [".."]}',
    ):
        plan.write_text(text)
        with pytest.raises(PuiError, match=r"move\.json cannot be used"):
            finish_moves(environment(base))
    plan.unlink()
    assert finish_moves(environment(base)) == ()


def test_a_target_without_our_mark_is_left_alone(base: Path) -> None:
    stranger = base / "disk" / "pui"
    stranger.mkdir()
    (stranger / "precious").write_text("a person's")
    written = data_move._Written(stranger, "ab12", ("runtime",))
    (base / "data" / "move.json").write_bytes(data_move._render(written))
    assert "was undone" in finish_moves(environment(base))[0]
    assert (stranger / "precious").read_text() == "a person's"


def test_by_hand(base: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in environment(base).items():
        monkeypatch.setenv(name, value)
    content = content_of(base / "data")
    assert run(["pack", "move", str(base / "disk")]) == 0
    shown = capsys.readouterr()
    assert f"everything is in {base / 'disk' / 'pui'} now" in shown.out
    assert content_of(base / "disk" / "pui") == content
    assert run(["pack", "list"]) == 0
    assert "linux-x86_64-2-" in capsys.readouterr().out
    assert run(["settings"]) == 0
    assert str(base / "disk" / "pui") in capsys.readouterr().out
    (base / "disk" / "pui").rename(base / "unplugged")
    assert run(["pack", "list"]) == 1
    assert "error data.missing" in capsys.readouterr().err
