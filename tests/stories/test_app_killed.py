"""The app is killed with SIGKILL in each state: its children go with it, and the next start tells and cleans.

In: the app as a program over the fake pack. Out: assertions on processes, folders, the recovered journal.
Never: a fixed sleep.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pui.adapters.process import start_ticks_of
from pui.adapters.process_table import own_identity
from pui.adapters.qemu.probe import remove_stale_folders
from pui.adapters.task_files import TaskFolders
from pui.domain.errors import CallerError
from pui.domain.events import JsonValue
from pui.domain.journal import parse_journal
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


def test_the_probe_folder_of_a_living_app_is_kept(base: Base) -> None:
    base.prepare(FakeScript(probe="hang"))
    (base.folder / "real-probe").touch()
    with app_program(base) as process:
        brought_to(process, base, "preflight")
        remove_stale_folders(base.paths.runtime)
        assert [path.name.startswith(f"probe-{process.pid}-") for path in base.paths.runtime.iterdir()] == [True]
        process.kill()
        wait_until(lambda: not processes_of(base.folder), "no child left", GONE_WITHIN_S)
