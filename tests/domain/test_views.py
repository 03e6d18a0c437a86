"""What a page is shown of tasks, whatever the journal holds.

In: folds of journals. Out: rows, details, records. Never: an unscrubbed text.
"""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

import pytest

from pui.domain.changes_view import FolderResult, all_patches, changes_view, count_changes, count_lines
from pui.domain.errors import PuiError
from pui.domain.folder_diff import FolderChange, FolderDiff
from pui.domain.journal import Record, TaskView, fold
from pui.domain.links import LINK_LIMIT, find_links
from pui.domain.name_search import find_names, is_typable
from pui.domain.task import MountRequest, TaskSpec, spec_to_json
from pui.domain.transcript import Entry
from pui.domain.views import LiveLook, entry_view, record_view, task_detail, task_row, task_title
from pui.resources import load_chart

TASK = load_chart("task")
SPEC = TaskSpec("first line\nsecond", (MountRequest(PurePosixPath("/home/ann/a\u202eb")),), is_interactive=True)
FOLDERS: Any = [
    {"path": "/home/ann/project", "read_only": False},
    {"path": "/home/ann/docs", "read_only": True},
    "odd",
]


def view_of(*more: tuple[str, dict[str, Any]]) -> TaskView:
    created = ("created", {"spec": spec_to_json(SPEC), "folders": FOLDERS})
    records = [Record(n, n * 10**9, kind, None, fields) for n, (kind, fields) in enumerate([created, *more], 1)]
    return fold(records)


def moved(to: str) -> tuple[str, dict[str, Any]]:
    return ("transition", {"to": to, "trigger": "done"})


def fact(**facts: Any) -> tuple[str, dict[str, Any]]:
    return ("fact", {"facts": facts})


def look(**change: Any) -> LiveLook:
    base: dict[str, Any] = {"agent_state": "idle", "agent_label": "Idle", "is_busy": False, "has_question": False}
    return LiveLook(**(base | {"first_run_is_over": True, "stats": None} | change))


def test_a_row_of_a_task_that_runs() -> None:
    view = view_of(moved("running"), fact(share="virtiofs", accelerator="tcg", changes={"changed": 3, "flagged": 1}))
    row = task_row("t1", view, TASK, look(stats={"cost_usd": 0.5, "tokens": {"total": 4}}))
    assert (row["title"], row["state_label"], row["tags"]) == ("first line", "Running", ["busy", "usable"])
    assert (row["cost_usd"], row["tokens"], row["is_emulated"]) == (0.5, {"total": 4}, True)
    assert (row["changed_files"], row["flagged_files"], row["is_live"], row["is_over"]) == (3, 1, True, False)
    assert row["folders"] == [
        {
            "name": "project",
            "path": "/home/ann/project",
            "read_only": False,
            "guest_path": "/workspace",
            "share": "virtiofs",
        },
        {
            "name": "docs",
            "path": "/home/ann/docs",
            "read_only": True,
            "guest_path": "/folders/docs",
            "share": "virtiofs",
        },
    ]
    assert (row["created_ms"], row["state_since_ms"], row["ended_ms"]) == (1000, 2000, None)
    json.dumps(row, allow_nan=False)


def test_another_apps_task_needs_nobody_here() -> None:
    row = task_row("t", view_of(moved("setup-required")), TASK, runs_elsewhere=True)
    assert (row["needs_you"], row["runs_elsewhere"], row["is_live"]) == ("", True, False)
    assert task_row("t", view_of(moved("running")), TASK)["runs_elsewhere"] is False


@pytest.mark.parametrize(
    ("state", "live", "needs"),
    [
        ("running", look(), "turn"),
        ("running", look(first_run_is_over=False), ""),
        ("running", look(first_run_is_over=False, has_question=True), "question"),
        ("running", look(is_busy=True), ""),
        ("running", look(agent_state="streaming"), ""),
        ("running", look(has_question=True, is_busy=True), "question"),
        ("running", None, ""),
        ("setup-required", look(), "setup"),
        ("teardown", look(), ""),
        ("finished", None, ""),
    ],
)
def test_when_a_task_needs_the_person(state: str, live: LiveLook | None, needs: str) -> None:
    assert task_row("t", view_of(moved(state)), TASK, live)["needs_you"] == needs


def test_a_stored_row_has_its_end_and_its_cost() -> None:
    failed = ("outcome", {"result": "failed", "code": "x", "message": "m\u202e", "hint": "h"})
    row = task_row("t", view_of(fact(stats={"cost_usd": 2.5}), moved("finished"), failed), TASK)
    assert row["outcome"] == {"result": "failed", "code": "x", "message": "m<U+202E>", "hint": "h"}
    assert (row["ended_ms"], row["cost_usd"], row["tokens"], row["is_over"]) == (3000, 2.5, None, True)


def test_a_task_whose_journal_cannot_be_read_is_shown_with_its_error() -> None:
    error = PuiError("journal.unreadable", "line 3")
    row = task_row("t", TaskView(state="broken"), TASK, None, error)
    assert (row["state_label"], row["title"], row["is_over"]) == ("Not readable", "(unreadable task)", True)
    assert row["outcome"]["code"] == "journal.unreadable"  # type: ignore[index,call-overload]


def test_the_model_is_what_pi_says_once_it_speaks() -> None:
    asked = fact(model_choice={"provider": "anthropic", "model": "a"}, model_label="a (anthropic at h)", is_demo=False)
    row = task_row("t", view_of(asked), TASK)
    assert row["model"] == {"provider": "anthropic", "model": "a", "label": "a (anthropic at h)", "is_demo": False}
    said = fact(model={"provider": "anthropic", "id": "b", "name": "Model B"})
    assert task_row("t", view_of(asked, said), TASK)["model"]["label"] == "Model B (anthropic)"  # type: ignore[index,call-overload]
    demo = fact(model={"provider": "demo", "id": "demo-1", "name": "D"}, is_demo=True)
    assert task_row("t", view_of(demo), TASK)["model"]["label"] == "demo model (scripted)"  # type: ignore[index,call-overload]


def test_a_name_that_was_given_goes_before_the_prompt() -> None:
    assert task_title(view_of(fact(title="given"))) == "given"
    assert task_title(view_of(fact(title=" "))) == "first line"


def test_a_detail_tells_the_way_and_what_is_held() -> None:
    found = {"code": "host.memory", "severity": "warning", "message": "m", "hint": "h", "action": ""}
    view = view_of(
        fact(findings=[found, 7], pack="p1", guest_kernel="6\u202e"),
        moved("preflight"),
        ("acquired", {"name": "qemu", "kind": "process"}),
        ("recovered", {"did": ["ended qemu"]}),
    )
    detail: Any = task_detail(view, 5)
    assert (detail["pack_id"], detail["guest_kernel"], detail["disk_use_bytes"]) == ("p1", "6<U+202E>", 5)
    assert [visit["state"] for visit in detail["visits"]] == ["created", "preflight", "finished"]
    assert detail["findings"][0]["title"] and detail["findings"][1] | {"title": ""} == {
        "code": "",
        "title": "",
        "steps": [],
        "severity": "",
        "message": "",
        "hint": "",
        "action": "",
    }
    missing = {"code": "accel.missing", "severity": "blocker", "message": "m", "hint": "h", "action": "open_help"}
    told: Any = task_detail(view_of(fact(findings=[missing], os="linux")), None)
    assert told["findings"][0]["steps"]
    assert "findings" not in detail["facts"] and detail["recovery"] == ["ended qemu"]
    held: Any = task_detail(view_of(("acquired", {"name": "qemu", "kind": "process"})), None)
    assert (held["jail"], detail["jail"]) == (None, None)
    no_jail = view_of(fact(jail={"is_on": False, "reason": "a\u202e"}))
    jail: Any = task_detail(no_jail, None)["jail"]
    assert jail == {"is_on": False, "reason": "a<U+202E>"}
    assert held["held"] == [{"name": "qemu", "kind": "process", "since_ms": 2000}]


def test_records_and_entries_of_the_page() -> None:
    record = record_view(Record(3, 2_500_000, "event", 1, {"detail": "a\u202e", "k\u202e": [{"b": "\u0007", "n": 1}]}))
    assert record == {
        "seq": 3,
        "at_ms": 2,
        "type": "event",
        "cause": 1,
        "detail": "a<U+202E>",
        "k<U+202E>": [{"b": "␇", "n": 1}],
    }
    assert entry_view(Entry(1, "text", "see https://a.example/x.", is_final=True))["links"] == ["https://a.example/x"]
    assert entry_view(Entry(1, "text", "see https://a.example/x."))["links"] == []
    assert entry_view(Entry(1, "tool", "https://a.example", is_final=True))["links"] == []


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("(https://a.example/b_(c)) and [x](https://d.example)", ("https://a.example/b_(c)", "https://d.example")),
        ("HTTPS://A.example/! <http://b.example:81/?q=1#f>", ("HTTPS://A.example/", "http://b.example:81/?q=1#f")),
        ("https://a.example https://a.example", ("https://a.example",)),
        ("https:// http://. javascript:alert(1) ftp://x file:///etc https://[bad", ()),
        ("https://user:secret@a.example/", ("https://user:secret@a.example/",)),
    ],
)
def test_links_of_a_text(text: str, links: tuple[str, ...]) -> None:
    assert find_links(text) == links


def test_links_are_bounded() -> None:
    assert len(find_links(" ".join(f"https://h{n}.example" for n in range(500)))) == LINK_LIMIT


def test_names_that_fit() -> None:
    names = ["README.md", "src/main.py", "src/app/view.py", "docs/readme.txt", "a/very/deep/path/main.py"]
    assert find_names(names, "main")[:2] == ["src/main.py", "a/very/deep/path/main.py"]
    assert find_names(names, "READ") == ["README.md", "docs/readme.txt"]
    assert find_names(names, "app/v") == ["src/app/view.py"]
    assert find_names(names, "smpy")[0] == "src/main.py"
    assert find_names(names, "zzz") == [] and find_names(names, "mainz") == []
    assert find_names(names, "", limit=2)[0] == "README.md"
    assert [is_typable(name) for name in ("a b.txt", "a\u202eb", "a\nb", "ü\u200b")] == [True, False, False, False]


def test_changes_of_a_page() -> None:
    diff = FolderDiff((FolderChange("a", "changed", "--- a\n+++ b\n@@ -1 +1,2 @@\n-x\n+--- y\n+z\n"),), True)
    flagged = FolderDiff((FolderChange(".envrc", "added", "", "direnv runs it"),), False)
    results = [
        FolderResult(PurePosixPath("/w"), False, diff),
        FolderResult(PurePosixPath("/v"), False, flagged),
        FolderResult(PurePosixPath("/r"), True, None),
        FolderResult(PurePosixPath("/gone"), False, None, reason="cannot look\u202e"),
    ]
    view: Any = changes_view(results, 7, is_final=True)
    assert [folder["is_complete"] for folder in view["folders"]] == [True, False, True, False]
    assert view["folders"][0]["changes"][0] | {"diff": ""} == {
        "path": "a",
        "change": "changed",
        "diff": "",
        "warning": "",
        "added": 2,
        "removed": 1,
    }
    assert view["folders"][3]["reason"] == "cannot look<U+202E>"
    assert count_changes(results) == {"changed": 2, "flagged": 1, "is_complete": False}
    assert count_changes(results[:1]) == {"changed": 1, "flagged": 0, "is_complete": True}
    assert all_patches(results) == diff.changes[0].diff and all_patches(results[1:]) == ""
    assert count_lines("") == (0, 0)
