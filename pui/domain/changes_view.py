"""What changed in the folders of a task, as a page is shown it.

In: FolderDiffs. Out: the ChangesView of docs/bridge.md, counts, one patch. Never: a look at the disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from pui.domain.events import JsonValue
from pui.domain.folder_diff import FolderChange, FolderDiff
from pui.domain.scrub import scrub_line

NO_BASELINE = "What was in the folders at the start is not known any more: the app ended while the task ran."
LATER = (
    "pui ended while the task ran. Its folders were compared when pui was started again: "
    "what others changed in between is shown too."
)
ANOTHER_FOLDER = "It is not the folder that was chosen any more."
NO_FOLDERS = "No folder was shared read/write."
NOT_STARTED = "The task has not started: nothing can have changed."


@dataclass(frozen=True)
class FolderResult:
    """One folder of a task. `diff` is None where it could not be compared; then `reason` says why."""

    path: PurePath
    read_only: bool
    diff: FolderDiff | None
    reason: str = ""


def changes_view(
    results: Sequence[FolderResult], at_ms: int, *, is_final: bool, is_late: bool = False, note: str = ""
) -> dict[str, JsonValue]:
    """The ChangesView. `is_late`: not compared at the task's end but by a later app. `note` says why there is nothing
    to compare, or what to know of the comparison; "" mostly."""
    return {
        "folders": [_folder(result) for result in results],
        "at_ms": at_ms,
        "is_final": is_final,
        "is_late": is_late,
        "note": note,
    }


def count_changes(results: Sequence[FolderResult]) -> dict[str, JsonValue]:
    """The fact of the journal: how many names changed, how many of them the host may act on."""
    diffs = [result.diff for result in results if result.diff is not None]
    return {
        "changed": sum(len(diff.changes) for diff in diffs),
        "flagged": sum(len(diff.warnings) for diff in diffs),
        "is_complete": all(result.read_only or (result.diff and result.diff.is_complete) for result in results),
    }


def all_patches(results: Sequence[FolderResult]) -> str:
    """The patch of every folder, one after the other; "" when nothing changed."""
    return "\n".join(
        change.diff for result in results if result.diff is not None for change in result.diff.changes if change.diff
    )


def _folder(result: FolderResult) -> JsonValue:
    changes = () if result.diff is None else result.diff.changes
    return {
        "name": scrub_line(result.path.name or str(result.path)),
        "path": scrub_line(str(result.path), 1000),
        "read_only": result.read_only,
        "is_complete": result.read_only or (result.diff is not None and result.diff.is_complete),
        "reason": scrub_line(result.reason, 500),
        "changes": [_change(change) for change in changes],
    }


def _change(change: FolderChange) -> JsonValue:
    added, removed = count_lines(change.diff)
    return change.to_json() | {"added": added, "removed": removed}


def count_lines(diff: str) -> tuple[int, int]:
    """Added and removed lines of a unified diff."""
    added = removed = 0
    in_hunk = False
    for line in diff.split("\n"):
        in_hunk = in_hunk or line.startswith("@@")
        added += in_hunk and line.startswith("+")
        removed += in_hunk and line.startswith("-")
    return added, removed
