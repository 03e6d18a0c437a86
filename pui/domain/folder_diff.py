"""What changed in a folder between two looks, and which of it the person's own computer may run later.

In: two snapshots. Out: a bounded list of changes with unified diffs and warnings.
Never: a look at the disk, an unbounded comparison, a name or a line that is not scrubbed in what is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from pui.domain.events import JsonValue
from pui.domain.scrub import scrub_line, scrub_text

EntryKind = Literal["file", "link", "other"]
ChangeKind = Literal["added", "removed", "changed"]

DIFF_LINES_LIMIT = 4000
"""Lines of both sides together beyond which a file is only named: comparing is quadratic at worst."""
DIFF_TOTAL_LIMIT_CHARS = 512 * 1024
CHANGE_LIMIT = 1000


@dataclass(frozen=True)
class FolderEntry:
    """One name. `text` is None for what is not text, too large or not a file; `target` is a link's.

    `stamp` differs whenever the content may have changed (size, time of change, inode).
    """

    kind: EntryKind
    size_bytes: int
    stamp: tuple[int, ...]
    is_executable: bool = False
    text: str | None = None
    target: str = ""


@dataclass(frozen=True)
class FolderSnapshot:
    """Entries by path relative to the folder, with "/". `is_complete` is False when a limit was reached."""

    entries: Mapping[str, FolderEntry]
    is_complete: bool = True


@dataclass(frozen=True)
class FolderChange:
    """One changed name. `diff` is "" where no text can be compared; `warning` says why the host may act on it."""

    path: str
    change: ChangeKind
    diff: str = ""
    warning: str = ""

    def to_json(self) -> dict[str, JsonValue]:
        return {"path": self.path, "change": self.change, "diff": self.diff, "warning": self.warning}


@dataclass(frozen=True)
class FolderDiff:
    """Changes sorted by path, those with a warning first. `is_complete` False: there may be more than is listed."""

    changes: tuple[FolderChange, ...]
    is_complete: bool

    @property
    def warnings(self) -> tuple[FolderChange, ...]:
        """The changes that the person's computer may act on."""
        return tuple(change for change in self.changes if change.warning)

    @property
    def patch(self) -> str:
        """All diffs, one after the other."""
        return "".join(change.diff for change in self.changes)


def diff_snapshots(before: FolderSnapshot, after: FolderSnapshot) -> FolderDiff:
    """All changes up to CHANGE_LIMIT; diffs as long as DIFF_TOTAL_LIMIT_CHARS lasts."""
    names = sorted(before.entries.keys() | after.entries.keys())
    changed = [name for name in names if _differs(before.entries.get(name), after.entries.get(name))]
    changed.sort(key=lambda name: (not _warning(name, after.entries.get(name)), name))
    left, changes = DIFF_TOTAL_LIMIT_CHARS, []
    for name in changed[:CHANGE_LIMIT]:
        change = _change(name, before.entries.get(name), after.entries.get(name), left)
        left -= len(change.diff)
        changes.append(change)
    is_complete = before.is_complete and after.is_complete and len(changed) <= CHANGE_LIMIT
    return FolderDiff(tuple(changes), is_complete)


def count_differences(before: FolderSnapshot, after: FolderSnapshot) -> tuple[int, int]:
    """How many changes `diff_snapshots` would list, how many of them with a warning; no text is compared by lines."""
    names = before.entries.keys() | after.entries.keys()
    changed = [name for name in names if _differs(before.entries.get(name), after.entries.get(name))]
    kept = (after.entries.get(name) for name in changed)
    flagged = sum(entry is not None and bool(_warning(name, entry)) for name, entry in zip(changed, kept, strict=True))
    return min(len(changed), CHANGE_LIMIT), min(flagged, CHANGE_LIMIT)


def _differs(old: FolderEntry | None, new: FolderEntry | None) -> bool:
    """Text decides where it is known; else the stamp does."""
    if old is None or new is None:
        return True
    if (old.kind, old.target, old.is_executable) != (new.kind, new.target, new.is_executable):
        return True
    if old.text is not None and new.text is not None:
        return old.text != new.text
    return old.kind == "file" and old.stamp != new.stamp


def _change(name: str, old: FolderEntry | None, new: FolderEntry | None, limit_chars: int) -> FolderChange:
    kind: ChangeKind = "added" if old is None else "removed" if new is None else "changed"
    diff = _unified(scrub_line(name, 1000), old, new)
    return FolderChange(
        scrub_line(name, 1000),
        kind,
        diff if len(diff) <= limit_chars else "",
        "" if new is None else _warning(name, new),
    )


def _unified(shown: str, old: FolderEntry | None, new: FolderEntry | None) -> str:
    old_lines, new_lines = _lines(old), _lines(new)
    if old_lines is None or new_lines is None or len(old_lines) + len(new_lines) > DIFF_LINES_LIMIT:
        return ""
    import difflib  # late: the window waits for this module, and nothing is compared yet

    old_name = "/dev/null" if old is None else f"a/{shown}"
    new_name = "/dev/null" if new is None else f"b/{shown}"
    return "".join(_with_ends(difflib.unified_diff(old_lines, new_lines, old_name, new_name)))


def _lines(entry: FolderEntry | None) -> list[str] | None:
    """None where there is no text to compare. A side that is absent has no lines."""
    if entry is None:
        return []
    if entry.kind == "link":
        return [scrub_line(entry.target)]
    return None if entry.text is None else scrub_text(entry.text).splitlines(keepends=True)


def _with_ends(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


# What a program of the host runs or obeys when the person goes on working in the folder (threats.md, workspace
# poisoning). By name and folder only: the content is the guest's and may lie.

_NAMES: Mapping[str, str] = {
    ".envrc": "direnv runs it",
    ".gitattributes": "git runs filters by it",
    ".gitmodules": "git fetches what it names",
    ".npmrc": "npm obeys it",
    ".pre-commit-config.yaml": "git hooks run it",
    ".tool-versions": "version managers obey it",
    ".mise.toml": "mise runs it",
    "build.gradle": "Gradle runs it",
    "build.gradle.kts": "Gradle runs it",
    "build.rs": "Cargo runs it",
    "conftest.py": "pytest runs it",
    "gnumakefile": "make runs it",
    "gradlew": "builds run it",
    "justfile": "just runs it",
    "makefile": "make runs it",
    "package.json": "npm runs its scripts",
    "pyproject.toml": "build tools obey it",
    "rakefile": "rake runs it",
    "setup.cfg": "build tools obey it",
    "setup.py": "pip runs it",
    "sitecustomize.py": "Python runs it at start",
    "tox.ini": "tox runs it",
}
_FOLDERS: Mapping[str, str] = {
    ".cargo": "Cargo obeys it",
    ".claude": "coding agents obey it",
    ".cursor": "the editor obeys it",
    ".devcontainer": "the editor runs it",
    ".github": "GitHub runs it",
    ".husky": "git hooks run it",
    ".idea": "the editor runs it",
    ".pi": "pi runs it",
    ".vscode": "the editor runs it",
}


def _warning(name: str, entry: FolderEntry | None) -> str:
    """Why the host may act on this name; "" when it will not."""
    path = PurePosixPath(name.lower())
    if entry is not None and entry.kind == "link" and _leaves(name, entry.target):
        return f"a link that leaves the folder, to {scrub_line(entry.target)}"
    if ".git" in path.parts:
        inside = path.parts[path.parts.index(".git") + 1 :]
        return "git runs it" if inside[:1] == ("hooks",) else "git obeys it"
    for part in path.parts[:-1]:
        if part in _FOLDERS:
            return _FOLDERS[part]
    if path.name in _NAMES:
        return _NAMES[path.name]
    return "it is executable" if entry is not None and entry.kind == "file" and entry.is_executable else ""


def _leaves(name: str, target: str) -> bool:
    """Counted by the words alone: what the target is now says nothing about what it will be."""
    if target.startswith("/"):
        return True
    depth = len(PurePosixPath(name).parts) - 1
    for part in target.split("/"):
        depth += -1 if part == ".." else part not in ("", ".")
        if depth < 0:
            return True
    return False
