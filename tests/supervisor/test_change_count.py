"""The count of changed files while a task runs: when it is taken, what it costs, what it says.

In: folders by word, a clock that moves when told. Out: facts of a journal. Never: a process, a machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from pui.adapters import folder_scan
from pui.adapters.folder_scan import HostFolderScanner, scan_folder
from pui.domain.changes_view import FolderResult, count_changes
from pui.domain.folder_diff import FolderSnapshot, diff_snapshots
from pui.ports import ChosenFolder
from pui.supervisor.change_count import PAUSE_S, ChangeCount
from pui.supervisor.changes import FolderChanges
from pui.supervisor.task_journal import TaskJournal
from pui.supervisor.watching import end_all
from tests.support.playbook import until
from tests.support.simulated import MemoryJournal, SimulatedClock
from tests.support.simulated_ports import SimulatedPorts, fault

FOLDER = Path("/home/ann/project")


class Rig:
    """One task's count over a simulated folder; `looks` counts the looks into it."""

    def __init__(self, world: SimulatedPorts) -> None:
        self.world = world
        self.clock = SimulatedClock()
        self.looks = 0
        self.journal = TaskJournal(MemoryJournal(), self.clock)
        self.changes = FolderChanges("t1", world.files, self)
        self.count = ChangeCount(self.changes, self.journal, self.clock)

    def scan(self, folder: Path, known: FolderSnapshot | None = None) -> FolderSnapshot:
        self.looks += 1
        return self.world.scan(folder, known)

    def names(self, folder: Path) -> list[str]:
        return self.world.names(folder)

    @property
    def counts(self) -> list[Any]:
        facts = [record.fields["facts"] for record in self.journal.feed.since(0)[0] if record.type == "fact"]
        return [(fact["changes"]["changed"], fact["changes"]["flagged"]) for fact in facts]  # type: ignore[index, call-overload]

    async def looked(self, count: int) -> None:
        await until(lambda: self.looks == count, lambda: f"{self.looks} looks, not {count}")
        await until(lambda: len(self.clock._sleepers) == 1, "no pause follows")


def play(tmp_path: Path, story: Callable[[Rig], Awaitable[None]]) -> None:
    async def main() -> None:
        world = SimulatedPorts(tmp_path)
        world.files.create("t1")
        world.trees[str(FOLDER)] = {"a.py": "1", "Makefile": "all:"}
        rig = Rig(world)
        rig.changes.begin([ChosenFolder(FOLDER, False, 1, 1)])
        await rig.changes.ready()
        work = rig.count.begin("count")
        try:
            await story(rig)
        finally:
            await end_all([work])
            await rig.changes.end()

    asyncio.run(main())


def test_a_burst_of_reasons_is_two_looks_and_no_reason_is_none(tmp_path: Path) -> None:
    async def story(rig: Rig) -> None:
        await rig.clock.advance(1000)
        assert rig.looks == 1  # the look before
        tree = rig.world.trees[str(FOLDER)]
        tree["new.py"] = "x"
        rig.count.want()
        await rig.looked(2)
        assert rig.counts == [(1, 0)]
        tree["Makefile"] = "all: evil"
        for _ in range(100):
            rig.count.want()
            await rig.clock.advance(PAUSE_S / 200)
        assert rig.looks == 2 and rig.counts == [(1, 0)]
        await rig.clock.advance(PAUSE_S)
        await rig.looked(3)
        assert rig.counts == [(1, 0), (2, 1)]
        rig.count.want()
        await rig.clock.advance(PAUSE_S)
        await rig.looked(4)
        await rig.clock.advance(1000)
        assert rig.looks == 4 and len(rig.counts) == 2  # nothing new is not written down

    play(tmp_path, story)


def test_nothing_changed_is_written_only_over_something(tmp_path: Path) -> None:
    async def story(rig: Rig) -> None:
        rig.count.want()
        await rig.looked(2)
        assert rig.counts == []
        rig.world.trees[str(FOLDER)]["b.py"] = "x"
        rig.count.want()
        await rig.clock.advance(PAUSE_S)
        await rig.looked(3)
        del rig.world.trees[str(FOLDER)]["b.py"]
        rig.count.want()
        await rig.clock.advance(PAUSE_S)
        await rig.looked(4)
        assert rig.counts == [(1, 0), (0, 0)]

    play(tmp_path, story)


def test_a_folder_that_cannot_be_looked_into_is_not_counted_as_unchanged(tmp_path: Path) -> None:
    async def story(rig: Rig) -> None:
        rig.world.trees[str(FOLDER)]["b.py"] = "x"
        rig.count.want()
        await rig.looked(2)
        rig.world.faults["scan"] = fault("host.permission")
        rig.count.want()
        await rig.clock.advance(PAUSE_S)
        await rig.looked(3)
        assert rig.journal.view.facts["changes"] == {"changed": 0, "flagged": 0, "is_complete": False}

    play(tmp_path, story)


def test_the_cheap_count_is_that_of_the_whole_comparison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real folder: what has its old stamp is not read, everything else is."""
    for name, text in {"same.py": "1", "other.py": "2", "gone.py": "3", "src/deep.py": "4", "bin": "\0"}.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    before = scan_folder(tmp_path)
    (tmp_path / "other.py").write_text("two")
    (tmp_path / "gone.py").unlink()
    (tmp_path / "src/deep.py").chmod(0o755)
    (tmp_path / "setup.py").write_text("new")
    read: list[str] = []
    whole = folder_scan._Scan._text

    def text(self: Any, folder: int, name: str, size_bytes: int) -> str | None:
        read.append(name)
        return whole(self, folder, name, size_bytes)

    monkeypatch.setattr(folder_scan._Scan, "_text", text)
    cheap = HostFolderScanner().scan(tmp_path, before)
    assert sorted(read) == ["deep.py", "other.py", "setup.py"]
    assert cheap == scan_folder(tmp_path)

    class Told:
        def scan(self, folder: Path, known: FolderSnapshot | None = None) -> FolderSnapshot:
            return cheap if known is not None else before

        def names(self, folder: Path) -> list[str]:
            return []

    async def counted() -> Any:
        world = SimulatedPorts(tmp_path / "w")
        world.files.create("t1")
        changes = FolderChanges("t1", world.files, Told())
        changes.begin([ChosenFolder(tmp_path, False, 1, 1), ChosenFolder(tmp_path / "src", True, 1, 2)])
        try:
            return await changes.count()
        finally:
            await changes.end()

    result = FolderResult(tmp_path, False, diff_snapshots(before, cheap))
    assert asyncio.run(counted()) == count_changes([result]) == {"changed": 4, "flagged": 2, "is_complete": True}


def test_without_a_folder_to_write_to_there_is_nothing_to_count(tmp_path: Path) -> None:
    async def story() -> None:
        world = SimulatedPorts(tmp_path)
        world.files.create("t1")
        changes = FolderChanges("t1", world.files, world)
        assert await changes.count() is None
        changes.begin([ChosenFolder(FOLDER, True, 1, 1)])
        assert await changes.count() is None

    asyncio.run(story())
