"""What a task changes in the person's folders: a look before the guest can write, and looks later.

In: the chosen folders, a scanner. Out: FolderResults; files in the task's folder at the end.
Never: a program that is run, a folder of the guest.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

from pui.domain.changes_view import NO_FOLDERS, NOT_STARTED, FolderResult, all_patches, changes_view
from pui.domain.errors import PuiError
from pui.domain.events import JsonValue
from pui.domain.folder_diff import FolderSnapshot, diff_snapshots
from pui.domain.task_files import CHANGES_DIFF, CHANGES_VIEW
from pui.ports import ChosenFolder, FolderScanner, TaskFiles

Baseline = FolderSnapshot | str
"""The look before, or why there is none."""


class FolderChanges:
    """Of one task. `begin` once the folders are known, `ready` before the guest is told of them.

    `results` are those of the end, once the task is over.
    """

    def __init__(self, scanner: FolderScanner) -> None:
        self._scanner = scanner
        self._folders: tuple[ChosenFolder, ...] | None = None
        self._baseline: asyncio.Future[dict[Path, Baseline]] | None = None
        self.results: tuple[FolderResult, ...] = ()

    @property
    def has_begun(self) -> bool:
        """True when a folder may be written to and was looked at, or is being."""
        return self._baseline is not None

    def begin(self, folders: Sequence[ChosenFolder]) -> None:
        """Start the look before; the machine boots meanwhile. A task that tries again looks again."""
        self._folders = tuple(folders)
        writable = [folder.path for folder in folders if not folder.read_only]
        if writable:
            self._baseline = asyncio.ensure_future(asyncio.to_thread(self._look, writable))

    async def ready(self) -> None:
        """The look before is done."""
        if self._baseline is not None:
            await asyncio.shield(self._baseline)

    async def end(self) -> None:
        """Forget the look before, which may be large. A look that goes on in its thread is waited for."""
        if self._baseline is not None:
            await asyncio.gather(self._baseline, return_exceptions=True)
        self._baseline = None

    async def compare(self) -> tuple[FolderResult, ...]:
        """Each folder as it is now against what it was."""
        if self._baseline is None:
            return tuple(FolderResult(folder.path, folder.read_only, None) for folder in self._folders or ())
        before = await asyncio.shield(self._baseline)
        return await asyncio.to_thread(self._compare, before)

    async def view(self, at_ms: int) -> tuple[dict[str, JsonValue], tuple[FolderResult, ...]]:
        """The ChangesView of this moment."""
        results = await self.compare()
        note = "" if self.has_begun else NOT_STARTED if self._folders is None else NO_FOLDERS
        return changes_view(results, at_ms, is_final=False, note=note), results

    def _look(self, paths: Sequence[Path]) -> dict[Path, Baseline]:
        return {path: self._snapshot(path) for path in paths}

    def _snapshot(self, path: Path) -> Baseline:
        try:
            return self._scanner.scan(path)
        except PuiError as fault:
            return fault.message

    def _compare(self, before: dict[Path, Baseline]) -> tuple[FolderResult, ...]:
        return tuple(self._result(folder, before.get(folder.path)) for folder in self._folders or ())

    def _result(self, folder: ChosenFolder, before: Baseline | None) -> FolderResult:
        if before is None:
            return FolderResult(folder.path, folder.read_only, None)
        after = before if isinstance(before, str) else self._snapshot(folder.path)
        if isinstance(before, str) or isinstance(after, str):
            return FolderResult(folder.path, folder.read_only, None, reason=str(after))
        return FolderResult(folder.path, folder.read_only, diff_snapshots(before, after))


def store_changes(files: TaskFiles, task_id: str, results: Sequence[FolderResult], at_ms: int) -> None:
    """The end's changes beside the journal: as a page shows them, and as a patch. Raises HostError."""
    view = changes_view(results, at_ms, is_final=True)
    files.write(task_id, CHANGES_VIEW, json.dumps(view, separators=(",", ":")).encode("ascii"))
    patch = all_patches(results)
    if patch:
        files.write(task_id, CHANGES_DIFF, patch.encode("utf-8", "replace"))
