"""What a task changed whose app was killed before it could compare, or that another app runs: from the look before.

In: stored tasks, the look before beside their journal. Out: FolderResults. Never: a folder that took the place of the
chosen one, a look before that is torn.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from pui.domain.changes_view import ANOTHER_FOLDER, NO_BASELINE, FolderResult
from pui.domain.errors import PuiError
from pui.domain.events import JsonValue
from pui.domain.folder_baseline import FILE_LIMIT_BYTES, LINE_LIMIT_BYTES, Baseline, BaselineFault, parse_baseline
from pui.domain.journal import TaskView
from pui.domain.task import MountRequest
from pui.domain.task_files import BASELINE
from pui.ports import TaskFiles
from pui.supervisor.changes import compare_folder
from pui.supervisor.services import Services


def compare_left(services: Services, task_id: str, view: TaskView) -> tuple[FolderResult, ...]:
    """Each folder of a task that is over, as it is now against the look before. Blocks.

    Raises PuiError("journal.unreadable") when the look before cannot be used.
    """
    looks = _read_looks(services.files, task_id)
    folders = [folder for folder in view.folders if isinstance(folder, dict)]
    return tuple(_result(services, folder, looks) for folder in folders)


def _read_looks(files: TaskFiles, task_id: str) -> Mapping[str, Baseline]:
    with closing(files.read_lines(task_id, BASELINE, FILE_LIMIT_BYTES, LINE_LIMIT_BYTES)) as lines:
        looks = parse_baseline(lines)
    if isinstance(looks, BaselineFault):
        raise PuiError("journal.unreadable", f"{BASELINE}: {looks.reason}")
    return looks


def _result(services: Services, folder: Mapping[str, JsonValue], looks: Mapping[str, Baseline]) -> FolderResult:
    path, read_only = Path(str(folder.get("path"))), folder.get("read_only") is True
    if read_only:
        return FolderResult(path, True, None)
    before = looks.get(str(path), NO_BASELINE)
    reason = _changed_place(services, path, folder.get("inode"))
    return compare_folder(services.scanner, path, reason or before)


def _changed_place(services: Services, path: Path, inode: JsonValue) -> str:
    """Why the folder is not looked into; "" when it is the one that was chosen. The device's number may be another
    after the computer was started again."""
    try:
        (now,) = services.folders.decide((MountRequest(path),), ())
    except PuiError as fault:
        return fault.message
    return "" if (now.path, now.inode) == (path, inode) else ANOTHER_FOLDER
