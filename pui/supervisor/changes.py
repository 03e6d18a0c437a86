"""What a task changes in the person's folders: a look before the guest can write, and looks later.

In: the chosen folders, a scanner. Out: FolderResults; in the task's folder the look before, at the end the changes.
Never: a program that is run, a folder of the guest.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

from pui.domain.changes_view import LATER, NO_FOLDERS, NOT_STARTED, FolderResult, all_patches, changes_view
from pui.domain.errors import HostError, PuiError
from pui.domain.events import JsonValue
from pui.domain.folder_baseline import Baseline, render_baseline
from pui.domain.folder_diff import FolderSnapshot, count_differences, diff_snapshots
from pui.domain.task_files import BASELINE, CHANGES_DIFF, CHANGES_VIEW
from pui.ports import ChosenFolder, FolderScanner, TaskFiles


class FolderChanges:
    """Of one task. `begin` once the folders are known, `ready` before the guest is told of them.

    The look before is in memory and, for an app that is killed, on the disk; `fault` says why it is not there.
    `results` are those of the end, once the task is over.
    """

    def __init__(self, task_id: str, files: TaskFiles, scanner: FolderScanner) -> None:
        self._task_id = task_id
        self._files = files
        self._scanner = scanner
        self.fault: HostError | None = None
        self._folders: tuple[ChosenFolder, ...] | None = None
        self._baseline: asyncio.Future[dict[Path, Baseline]] | None = None
        self._counting: asyncio.Future[dict[str, JsonValue]] | None = None
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
            self._baseline = asyncio.ensure_future(self._look_after(self._baseline, writable))

    async def ready(self) -> None:
        """The look before is done, and on the disk itself unless `fault` says why not."""
        if self._baseline is not None:
            await asyncio.shield(self._baseline)

    async def end(self) -> None:
        """Forget the look before, which may be large. A look that goes on in its thread is waited for."""
        left = [work for work in (self._baseline, self._counting) if work is not None]
        await asyncio.gather(*left, return_exceptions=True)
        self._baseline = self._counting = None

    async def compare(self) -> tuple[FolderResult, ...]:
        """Each folder as it is now against what it was."""
        if self._baseline is None:
            return tuple(FolderResult(folder.path, folder.read_only, None) for folder in self._folders or ())
        before = await asyncio.shield(self._baseline)
        return await asyncio.to_thread(self._compare, before)

    async def count(self) -> dict[str, JsonValue] | None:
        """What count_changes would tell now, None when no folder may be written to. It costs a walk over the names:
        only files whose stamp is another than before are read."""
        if self._baseline is None:
            return None
        before = await asyncio.shield(self._baseline)
        self._counting = asyncio.ensure_future(asyncio.to_thread(self._count, before))
        return await asyncio.shield(self._counting)

    def _count(self, before: dict[Path, Baseline]) -> dict[str, JsonValue]:
        changed, flagged, is_complete = 0, 0, True
        for path, look in before.items():
            after = look if isinstance(look, str) else look_into(self._scanner, path, look)
            if isinstance(look, str) or isinstance(after, str):
                is_complete = False
                continue
            more, more_flagged = count_differences(look, after)
            changed, flagged = changed + more, flagged + more_flagged
            is_complete = is_complete and look.is_complete and after.is_complete
        return {"changed": changed, "flagged": flagged, "is_complete": is_complete}

    async def view(self, at_ms: int) -> tuple[dict[str, JsonValue], tuple[FolderResult, ...]]:
        """The ChangesView of this moment."""
        results = await self.compare()
        note = "" if self.has_begun else NOT_STARTED if self._folders is None else NO_FOLDERS
        return changes_view(results, at_ms, is_final=False, note=note), results

    async def _look_after(
        self, earlier: asyncio.Future[dict[Path, Baseline]] | None, paths: Sequence[Path]
    ) -> dict[Path, Baseline]:
        """One look at a time: both would write the same file."""
        if earlier is not None:
            await asyncio.gather(earlier, return_exceptions=True)
        return await asyncio.to_thread(self._look, paths)

    def _look(self, paths: Sequence[Path]) -> dict[Path, Baseline]:
        found = {path: look_into(self._scanner, path) for path in paths}
        try:
            self._files.write_lines(
                self._task_id, BASELINE, render_baseline({str(path): look for path, look in found.items()})
            )
            self.fault = None
        except HostError as fault:
            self.fault = fault
        return found

    def _compare(self, before: dict[Path, Baseline]) -> tuple[FolderResult, ...]:
        return tuple(self._result(folder, before.get(folder.path)) for folder in self._folders or ())

    def _result(self, folder: ChosenFolder, before: Baseline | None) -> FolderResult:
        if before is None:
            return FolderResult(folder.path, folder.read_only, None)
        return compare_folder(self._scanner, folder.path, before)


def look_into(scanner: FolderScanner, path: Path, known: FolderSnapshot | None = None) -> Baseline:
    """What is in a folder now, or why nobody can tell. Blocks."""
    try:
        return scanner.scan(path, known)
    except PuiError as fault:
        return fault.message


def compare_folder(scanner: FolderScanner, path: Path, before: Baseline) -> FolderResult:
    """A folder that may be written to, now against a look before. Blocks."""
    after = before if isinstance(before, str) else look_into(scanner, path)
    if isinstance(before, str) or isinstance(after, str):
        return FolderResult(path, False, None, reason=str(after))
    return FolderResult(path, False, diff_snapshots(before, after))


def store_changes(
    files: TaskFiles, task_id: str, results: Sequence[FolderResult], at_ms: int, *, is_late: bool = False
) -> None:
    """The end's changes beside the journal: as a page shows them, and as a patch; they take the place of the look
    before. Raises HostError."""
    view = changes_view(results, at_ms, is_final=True, is_late=is_late, note=LATER if is_late else "")
    files.write(task_id, CHANGES_VIEW, json.dumps(view, separators=(",", ":")).encode("ascii"))
    patch = all_patches(results)
    if patch:
        files.write(task_id, CHANGES_DIFF, patch.encode("utf-8", "replace"))
    files.remove_file(task_id, BASELINE)
