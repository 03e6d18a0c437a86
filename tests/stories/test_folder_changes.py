"""The look into the folders before a task: over and on the disk before the guest can write, gone with the end.

In: whole tasks on simulated ports. Out: assertions on orders, journal and files. Never: a process.
"""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from pui.adapters.task_files import TaskFolders
from pui.domain.errors import HostError
from pui.domain.folder_diff import FolderSnapshot
from pui.domain.task_files import BASELINE
from pui.supervisor.supervisor import Supervisor
from tests.stories.test_simulated import outcome_of, play, start
from tests.support.fake_guest import FakeScript
from tests.support.playbook import until
from tests.support.simulated_ports import SimulatedPorts, fault


def test_the_look_before_is_over_before_the_guest_can_write(folder: Path) -> None:
    world, may_look = SimulatedPorts(folder), threading.Event()
    look = world.scan

    def scan(path: Path, known: FolderSnapshot | None = None) -> FolderSnapshot:
        assert may_look.wait(20)
        return look(path, known)

    world.scan = scan  # type: ignore[method-assign]

    async def story(supervisor: Supervisor, world: SimulatedPorts) -> None:
        supervisor.trigger("t1", "start")
        await until(lambda: "guest" in supervisor.live("t1").journal.view.facts, "no hello")
        await asyncio.sleep(0.05)
        assert world.guest.orders == []
        may_look.set()

    view = play(world, story)
    assert outcome_of(view) == ("completed", "")
    assert view.facts["changes"] == {"changed": 0, "flagged": 0, "is_complete": True}


def test_a_folder_that_cannot_be_looked_at_is_told_and_ends_nothing(folder: Path) -> None:
    world = SimulatedPorts(folder, faults={"scan": fault("host.permission")})
    view = play(world, start)
    assert outcome_of(view) == ("completed", "")
    assert view.facts["changes"] == {"changed": 0, "flagged": 0, "is_complete": False}
    assert b"made to fail" in world.files.read("t1", "changes.json", 10_000)


def test_the_look_before_is_on_the_disk_while_the_guest_may_write_and_goes_with_the_end(folder: Path) -> None:
    world = SimulatedPorts(folder, FakeScript(hang_in="prompt"))

    async def story(supervisor: Supervisor, world: SimulatedPorts) -> None:
        supervisor.trigger("t1", "start")
        await until(lambda: bool(world.guest.orders), "no order")
        assert world.files.task_ids_with(BASELINE) == ["t1"], "the order that mounts the folders was given before"
        supervisor.trigger("t1", "cancel")

    play(world, story)
    assert world.files.task_ids_with(BASELINE) == []
    assert world.files.path("t1", "changes.json").exists()


def test_a_look_before_that_cannot_be_kept_is_told_and_ends_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> int:
        raise HostError("host.disk_full", "no space left")

    monkeypatch.setattr(TaskFolders, "write_lines", full)
    view = play(SimulatedPorts(folder), start)
    assert outcome_of(view) == ("completed", "")
    assert "no space left" in str(view.facts["baseline"])
    assert view.facts["changes"] == {"changed": 0, "flagged": 0, "is_complete": True}
