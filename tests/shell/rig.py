"""A desk without an app behind it, for tests of verbs and carriers; dialogs answer what a test says.

In: answers. Out: a Desk with simulated services, dialogs that keep what they were asked. Never: a real dialog.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from pui.adapters.packs.pack_journal import read_records
from pui.adapters.paths import AppPaths
from pui.adapters.task_files import TaskFolders
from pui.adapters.task_logs import TaskLogFiles
from pui.domain.chart_names import CHART_IDS
from pui.domain.errors import CallerError
from pui.domain.folder_grants import FolderGrant
from pui.domain.private_words import PrivateWords
from pui.domain.task import MountRequest
from pui.ports import BusyFolder, ChosenFolder, Clock
from pui.resources import load_chart
from pui.shell.archive import Archive
from pui.shell.blobs import Blobs
from pui.shell.desk import AppFacts, Desk
from pui.shell.folder_book import FolderBook
from pui.shell.router import Router
from pui.shell.table import verb_table
from pui.supervisor.diagnosis import Diagnosis
from pui.supervisor.feed import Feed
from tests.support.simulated import SimulatedClock

TOKEN = "t" * 43


@dataclass
class ToldDialogs:
    """Answers from lists, in order; `asked` keeps (title, lines)."""

    folders: list[Path | None] = field(default_factory=list)
    files: list[Path | None] = field(default_factory=list)
    yes: list[bool] = field(default_factory=list)
    texts: list[str | None] = field(default_factory=list)
    asked: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    async def choose_folder(self, title: str) -> Path | None:
        self.asked.append((title, ()))
        return self.folders.pop(0)

    async def choose_file(self, title: str, suffixes: Sequence[str]) -> Path | None:
        self.asked.append((title, tuple(suffixes)))
        return self.files.pop(0)

    async def save_file(self, title: str, name: str) -> Path | None:
        self.asked.append((title, (name,)))
        return self.files.pop(0)

    async def confirm(self, title: str, lines: Sequence[str], yes: str) -> bool:
        self.asked.append((title, (*lines, yes)))
        return self.yes.pop(0)

    async def ask_text(self, title: str, lines: Sequence[str], initial: str = "") -> str | None:
        self.asked.append((title, tuple(lines)))
        return self.texts.pop(0)


@dataclass
class ToldPolicy:
    """ports.Folders: identities and warnings by path; a path in `refused` is refused."""

    inodes: dict[str, int] = field(default_factory=dict)
    warnings: dict[str, tuple[str, ...]] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    leads_to: dict[str, str] = field(default_factory=dict)

    def decide(self, mounts: Sequence[MountRequest], busy: Sequence[BusyFolder]) -> tuple[ChosenFolder, ...]:
        return tuple(self._decide(mount) for mount in mounts)

    def _decide(self, mount: MountRequest) -> ChosenFolder:
        path = self.leads_to.get(str(mount.folder), str(mount.folder))
        if path in self.refused:
            raise CallerError("mount.refused", f"{path} is not for machines")
        inode = self.inodes.setdefault(path, len(self.inodes) + 10)
        return ChosenFolder(Path(path), mount.read_only, 1, inode, self.warnings.get(path, ()))


@dataclass
class MemoryGrants:
    saved: tuple[FolderGrant, ...] = ()

    def load(self) -> tuple[FolderGrant, ...]:
        return self.saved

    def save(self, grants: Sequence[FolderGrant]) -> None:
        self.saved = tuple(grants)


@dataclass
class ToldDesktop:
    opened: list[str] = field(default_factory=list)
    written: dict[Path, bytes] = field(default_factory=dict)

    def open_link(self, url: str) -> bool:
        self.opened.append(url)
        return True

    def save_file(self, path: Path, data: bytes) -> None:
        self.written[path] = data


def paths_in(folder: Path) -> AppPaths:
    """Folders of an app below `folder`."""
    return AppPaths(folder / "data", folder / "cache", folder / "run")


def archive_in(folder: Path) -> Archive:
    """The real look-ups in an app's folders below `folder`, which need not exist."""
    paths = paths_in(folder)
    charts = {chart_id: load_chart(chart_id) for chart_id in CHART_IDS}
    words = PrivateWords("/home/ada", "ada", "analytical")
    diagnosis = Diagnosis(TaskFolders(paths), TaskLogFiles(paths), charts["task"], lambda: words, ("pui of a test",))
    return Archive(charts, ".chart{}", diagnosis, lambda: read_records(paths.pack_journal))


@dataclass
class ToldSupervisor:
    """Enough of a supervisor for a window's start and end."""

    tasks: list[str] = field(default_factory=list)
    is_shut_down: bool = False
    news: Feed[str] = field(default_factory=Feed)

    def task_ids(self) -> list[str]:
        return []

    def recover(self) -> list[object]:
        return []

    def running(self) -> list[str]:
        return self.tasks

    async def shutdown(self) -> None:
        self.is_shut_down = True


@dataclass
class Rig:
    folder: Path = Path("/nonexistent")
    clock: Clock = field(default_factory=SimulatedClock)
    dialogs: ToldDialogs = field(default_factory=ToldDialogs)
    policy: ToldPolicy = field(default_factory=ToldPolicy)
    grants: MemoryGrants = field(default_factory=MemoryGrants)
    desktop: ToldDesktop = field(default_factory=ToldDesktop)
    supervisor: ToldSupervisor = field(default_factory=ToldSupervisor)

    def __post_init__(self) -> None:
        numbers = itertools.count(1)

        def random_bytes(size: int) -> bytes:
            return next(numbers).to_bytes(size, "big")

        facts = AppFacts("1", "linux x86_64", "browser", False, ["a note"], Path("/data"))
        self.desk = Desk(
            supervisor=cast(Any, self.supervisor),
            services=cast(Any, SimpleNamespace(files=TaskFolders(paths_in(self.folder)))),
            facts=facts,
            dialogs=self.dialogs,
            clock=self.clock,
            blobs=Blobs(self.clock, random_bytes),
            desktop=self.desktop,
            folders=FolderBook(self.grants, self.policy, self.dialogs, self.clock, random_bytes),
            archive=archive_in(self.folder),
        )

    def router(self, token: str = TOKEN) -> Router:
        return Router(verb_table(self.desk), lambda: token, self.clock)
