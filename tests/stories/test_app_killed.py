"""The app is killed with SIGKILL in each state: its children go with it, and the next start tells and cleans.

In: the app as a program over the fake pack. Out: assertions on processes, folders, the recovered journal.
Never: a fixed sleep.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pui.adapters.process import start_ticks_of
from pui.adapters.process_table import own_identity
from pui.adapters.qemu.probe import remove_stale_folders
from pui.adapters.task_files import TaskFolders
from pui.domain.changes_view import ANOTHER_FOLDER
from pui.domain.errors import CallerError
from pui.domain.events import JsonValue
from pui.domain.journal import parse_journal
from pui.domain.task_files import BASELINE
from pui.supervisor.board import TaskBoard
from pui.supervisor.recovery import RecoveryReport
from pui.supervisor.task_journal import TaskJournal
from tests.support.app_process import (
    Base,
    app_program,
    processes_of,
    real_services,
    supervisor_of,
    wait_for_state,
)
from tests.support.fake_guest import FakeScript
from tests.support.playbook import files_below, short
from tests.support.simulated import SimulatedClock
from tests.support.waiting import wait_until

GONE_WITHIN_S = 2.0
"""The promise (threats.md, J1)."""

STATES: dict[str, tuple[dict[str, Any], str]] = {
    "created": ({}, "do-not-start"),
    "preflight": ({"probe": "hang"}, "real-probe"),
    "overlay-prep": ({"overlay_hangs": True}, ""),
    "qemu-launch": ({"hang_in": "qmp"}, "virtiofs"),
    "handshake": ({"hang_in": "boot"}, "virtiofs"),
    "running": ({"hang_in": "prompt"}, "virtiofs"),
    "teardown": ({"hang_in": "prompt", "ignores": ("quit", "sigterm")}, "cancel-when-running"),
    "setup-required": ({"probe": "exit"}, "real-probe"),
}
WITHOUT_CHILD = {"created", "setup-required"}


def recover(base: Base) -> list[RecoveryReport]:
    return supervisor_of(real_services(base)).recover()


def brought_to(process: subprocess.Popen[str], base: Base, state: str) -> None:
    wait_for_state(process, state)
    if state not in WITHOUT_CHILD:
        wait_until(lambda: bool(processes_of(base.folder, but=[process.pid])), "a child of the app")


@pytest.mark.parametrize("state", STATES)
@pytest.mark.threat("J1")
def test_nothing_outlives_the_app_and_the_next_start_tells(base: Base, state: str) -> None:
    script, marker = STATES[state]
    base.prepare(FakeScript(**script))
    if marker:
        (base.folder / marker).touch()
    with app_program(base) as process:
        brought_to(process, base, state)
        process.kill()
        wait_until(lambda: not processes_of(base.folder), f"no child left in {state}", GONE_WITHIN_S)
    _check_recovery(base, state)


def _check_recovery(base: Base, state: str) -> None:
    (report,) = recover(base)
    assert report.was_in == state
    files = TaskFolders(base.paths)
    records = parse_journal(files.read_journal(report.task_id)).records
    assert [short(record) for record in records[-2:]] == ["recovered", "outcome failed task.app_ended"] or (
        state == "teardown" and short(records[-1]) == "recovered"  # the outcome was known before: cancelled
    )
    view = supervisor_of(real_services(base)).view(report.task_id)
    assert (view.state, dict(view.held)) == ("finished", {})
    if state == "preflight":  # the folder of its probe goes when the next app probes
        (folder,) = base.paths.runtime.iterdir()
        remove_stale_folders(base.paths.runtime)
    assert files_below(base.paths.runtime) == []
    left = files_below(base.paths.task_dir(report.task_id))
    assert not {"overlay.qcow2", "qemu-img.log"} & set(left), left
    assert recover(base) == [], "a second start found something again"


@pytest.mark.threat("J5")
def test_a_task_of_a_running_app_is_left_alone(base: Base) -> None:
    base.prepare(FakeScript(hang_in="prompt"))
    with app_program(base) as process:
        brought_to(process, base, "running")
        children = processes_of(base.folder, but=[process.pid])
        assert recover(base) == []
        assert processes_of(base.folder, but=[process.pid]) == children

        async def second() -> None:
            with pytest.raises(CallerError) as caught:
                supervisor_of(real_services(base)).create(base.spec)
            assert caught.value.code == "mount.refused"

        asyncio.run(second())
        process.kill()
        wait_until(lambda: not processes_of(base.folder), "no child left", GONE_WITHIN_S)
    assert len(recover(base)) == 1


def program_of(pid: int) -> str:
    return str(Path(f"/proc/{pid}/exe").readlink())


def _left_task(base: Base, pid: int, start_ticks: int) -> str:
    """A journal as an app leaves it that died while it held this process."""
    files = TaskFolders(base.paths)
    files.create("t-left")
    gone: JsonValue = {"pid": 2**22 + 1, "start_ticks": 1, "executable": "/gone"}
    journal = TaskJournal(files.journal("t-left"), SimulatedClock())
    journal.write("created", None, {"task_id": "t-left", "spec": {}, "folders": [], "app": gone})
    held: dict[str, JsonValue] = {"name": "qemu", "kind": "process", "pid": pid, "start_ticks": start_ticks}
    journal.write("acquired", 1, held | {"executable": program_of(pid)})
    journal.close()
    return "t-left"


@pytest.mark.parametrize("is_the_same", [True, False], ids=["orphan", "pid-reused"])
@pytest.mark.threat("J4")
def test_an_orphan_is_ended_but_never_a_stranger_with_its_number(base: Base, is_the_same: bool) -> None:
    base.prepare()
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as child:
        try:
            wait_until(lambda: program_of(child.pid) == own_identity().executable, "exec")
            _left_task(base, child.pid, start_ticks_of(child.pid) + (0 if is_the_same else 1))
            (report,) = recover(base)
            assert bool(report.did) is is_the_same
            if is_the_same:
                assert child.wait(10) == -9
            assert child.poll() == (-9 if is_the_same else None)
        finally:
            child.kill()


@pytest.mark.threat("J1")
def test_a_torn_or_foreign_journal_stops_no_start(base: Base) -> None:
    base.prepare(FakeScript(hang_in="prompt"))
    with app_program(base) as process:
        brought_to(process, base, "running")
        process.kill()
        wait_until(lambda: not processes_of(base.folder), "no child left", GONE_WITHIN_S)
    files = TaskFolders(base.paths)
    (task_id,) = files.task_ids()
    with files.path(task_id, "journal.jsonl").open("ab") as file:
        file.write(b'{"seq":99,"at')
    files.create("t-odd")
    files.path("t-odd", "journal.jsonl").write_bytes(b"not json\n")
    assert [report.task_id for report in recover(base)] == [task_id]
    assert supervisor_of(real_services(base)).view("t-odd").state == "broken"
    assert recover(base) == []


# what the guest had changed by then


def killed_while_running(base: Base) -> str:
    """The task's id; the guest had changed, made and removed something when the app was killed."""
    base.prepare(FakeScript(hang_in="prompt", recording="sessions"))  # no tool: nothing was counted
    (base.project / "old.bin").write_bytes(b"\0\1")
    with app_program(base) as process:
        brought_to(process, base, "running")
        (base.project / "README.md").write_text("bye\n")
        (base.project / ".envrc").write_text("curl evil\n")
        (base.project / "old.bin").unlink()
        process.kill()
        wait_until(lambda: not processes_of(base.folder), "no child left", GONE_WITHIN_S)
    (report,) = recover(base)
    return report.task_id


def changes_in_a_new_app(base: Base, task_id: str) -> tuple[dict[str, Any], dict[str, JsonValue]]:
    """The ChangesView and the facts of the journal after it."""

    async def look() -> tuple[dict[str, Any], dict[str, JsonValue]]:
        services = real_services(base)
        supervisor = supervisor_of(services)
        view: Any = await TaskBoard(supervisor, services).changes(task_id)
        return view, dict(supervisor.view(task_id).facts)

    return asyncio.run(look())


@pytest.mark.threat("J1")
def test_what_a_task_changed_is_shown_after_a_kill(base: Base) -> None:
    task_id = killed_while_running(base)
    view, facts = changes_in_a_new_app(base, task_id)
    (shown,) = view["folders"]
    assert [(c["path"], c["change"], bool(c["warning"])) for c in shown["changes"]] == [
        (".envrc", "added", True),
        ("README.md", "changed", False),
        ("old.bin", "removed", False),
    ]
    assert "-hello\n+bye\n" in shown["changes"][1]["diff"]
    assert (view["is_final"], view["is_late"], shown["is_complete"]) == (True, True, True)
    assert "started again" in view["note"]
    assert facts["changes"] == {"changed": 3, "flagged": 1, "is_complete": True}
    assert TaskFolders(base.paths).task_ids_with(BASELINE) == [], "the person's text stays in a second place"
    (base.project / "later.txt").write_text("by the person\n")
    assert changes_in_a_new_app(base, task_id)[0] == view, "compared once, not at each look"


def _torn(base: Base, path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def _emptied(base: Base, path: Path) -> None:
    path.write_bytes(b"")


def _gone(base: Base, path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("harm", [_torn, _emptied, _gone])
@pytest.mark.threat("J1")
def test_a_torn_look_before_is_told_and_never_guessed_from(base: Base, harm: Callable[[Base, Path], None]) -> None:
    task_id = killed_while_running(base)
    harm(base, TaskFolders(base.paths).path(task_id, BASELINE))
    view, facts = changes_in_a_new_app(base, task_id)
    assert view["folders"][0]["changes"] == [] and "not known any more" in view["note"]
    assert "changes" not in facts


@pytest.mark.threat("G10")
def test_a_folder_that_took_the_place_of_the_chosen_one_is_not_looked_into(base: Base) -> None:
    task_id = killed_while_running(base)
    base.project.rename(base.folder / "aside")
    base.project.mkdir()
    (base.project / "other.txt").write_text("private\n")
    view, _ = changes_in_a_new_app(base, task_id)
    assert view["folders"][0]["changes"] == []
    assert view["folders"][0]["reason"] == ANOTHER_FOLDER


@pytest.mark.threat("J5")
def test_the_changes_of_a_task_that_another_app_runs_are_shown_as_of_now(base: Base) -> None:
    base.prepare(FakeScript(hang_in="prompt", recording="sessions"))  # no tool: that app has no reason to count
    with app_program(base) as process:
        brought_to(process, base, "running")
        (base.project / "README.md").write_text("bye\n")
        files = TaskFolders(base.paths)
        (task_id,) = files.task_ids()
        before = files.read_journal(task_id)
        view, _ = changes_in_a_new_app(base, task_id)
        assert [c["path"] for c in view["folders"][0]["changes"]] == ["README.md"]
        assert (view["is_final"], view["is_late"], view["note"]) == (False, False, "")
        assert files.read_journal(task_id) == before and files.task_ids_with(BASELINE) == [task_id]
        process.kill()
        wait_until(lambda: not processes_of(base.folder), "no child left", GONE_WITHIN_S)


def test_the_probe_folder_of_a_living_app_is_kept(base: Base) -> None:
    base.prepare(FakeScript(probe="hang"))
    (base.folder / "real-probe").touch()
    with app_program(base) as process:
        brought_to(process, base, "preflight")
        remove_stale_folders(base.paths.runtime)
        assert [path.name.startswith(f"probe-{process.pid}-") for path in base.paths.runtime.iterdir()] == [True]
        process.kill()
        wait_until(lambda: not processes_of(base.folder), "no child left", GONE_WITHIN_S)
