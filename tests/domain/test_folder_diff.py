"""What changed is shown, bounded and harmless; what the host may run is named first."""

from __future__ import annotations

import pytest

from pui.domain import folder_diff
from pui.domain.folder_diff import FolderEntry, FolderSnapshot, diff_snapshots


def text(content: str, *, executable: bool = False, stamp: int = 0) -> FolderEntry:
    return FolderEntry("file", len(content), (stamp,), executable, content)


def binary(stamp: int) -> FolderEntry:
    return FolderEntry("file", 10, (stamp,))


def link(target: str) -> FolderEntry:
    return FolderEntry("link", 0, (0,), target=target)


def changes(before: dict[str, FolderEntry], after: dict[str, FolderEntry]) -> list[tuple[str, str, str]]:
    found = diff_snapshots(FolderSnapshot(before), FolderSnapshot(after)).changes
    return [(change.path, change.change, change.warning) for change in found]


def test_added_removed_changed_and_same() -> None:
    before = {"same": text("x\n"), "gone": text("x\n"), "edited": text("a\nb\n"), "bin": binary(1), "quiet": binary(1)}
    after = {"same": text("x\n", stamp=9), "new": text("n"), "edited": text("a\nc\n"), "bin": binary(2)}
    after["quiet"] = binary(1)
    diff = diff_snapshots(FolderSnapshot(before), FolderSnapshot(after))
    assert [(c.path, c.change) for c in diff.changes] == [
        ("bin", "changed"),
        ("edited", "changed"),
        ("gone", "removed"),
        ("new", "added"),
    ]
    assert diff.is_complete
    assert diff.patch == (
        "--- a/edited\n+++ b/edited\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
        "--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
        "--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+n\n\\ No newline at end of file\n"
    )


@pytest.mark.parametrize(
    ("name", "entry", "why"),
    [
        (".git/hooks/post-checkout", text("x"), "git runs it"),
        ("sub/.git/config", text("x"), "git obeys it"),
        (".git", text("gitdir: /elsewhere"), "git obeys it"),
        (".GIT/hooks/pre-commit", text("x"), "git runs it"),
        ("a/.envrc", text("x"), "direnv runs it"),
        (".vscode/tasks.json", text("{}"), "the editor runs it"),
        ("Makefile", text("x"), "make runs it"),
        ("pkg/package.json", text("{}"), "npm runs its scripts"),
        ("run.sh", text("x", executable=True), "it is executable"),
        ("etc", link("/etc"), "a link that leaves the folder, to /etc"),
        ("a/b", link("../../x"), "a link that leaves the folder, to ../../x"),
        ("a/b", link("../x"), ""),
        ("notes.md", text("x"), ""),
    ],
)
@pytest.mark.threat("G13")
def test_what_the_host_may_act_on_is_named(name: str, entry: FolderEntry, why: str) -> None:
    assert changes({}, {name: entry}) == [(name, "added", why)]


def test_a_removed_file_runs_nothing_and_a_new_mode_does() -> None:
    assert changes({"Makefile": text("x")}, {}) == [("Makefile", "removed", "")]
    assert changes({"a": text("x")}, {"a": text("x", executable=True)}) == [("a", "changed", "it is executable")]


def test_warnings_come_first() -> None:
    assert [name for name, _, _ in changes({}, {"a": text("x"), "zz/Makefile": text("x")})] == ["zz/Makefile", "a"]


@pytest.mark.threat("G14")
def test_names_and_lines_are_scrubbed() -> None:
    diff = diff_snapshots(FolderSnapshot({}), FolderSnapshot({"a\n\x1b[2Jb": text("\x1b[31mred\x00\u202e\n")}))
    (change,) = diff.changes
    shown = change.path + change.diff
    assert not any(char in shown.replace("\n", "") for char in "\x1b\x00\u202e\r")
    assert "\n" not in change.path


def test_limits_end_the_work_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_diff, "CHANGE_LIMIT", 3)
    many = {f"f{number}": text("x\n") for number in range(5)}
    diff = diff_snapshots(FolderSnapshot({}), FolderSnapshot(many))
    assert (len(diff.changes), diff.is_complete) == (3, False)
    monkeypatch.setattr(folder_diff, "DIFF_TOTAL_LIMIT_CHARS", 60)
    assert sum(bool(change.diff) for change in diff_snapshots(FolderSnapshot({}), FolderSnapshot(many)).changes) == 1
    long = text("line\n" * (folder_diff.DIFF_LINES_LIMIT + 1))
    assert diff_snapshots(FolderSnapshot({}), FolderSnapshot({"long": long})).changes[0].diff == ""
    assert not diff_snapshots(FolderSnapshot({}, is_complete=False), FolderSnapshot({})).is_complete
