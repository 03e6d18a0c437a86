"""chart.*, task.diagnostics and task.bundle over real files, asked as the page asks.

In: calls as text, a task's folder on disk. Out: verdicts. Never: a machine.
"""

from __future__ import annotations

import asyncio
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.shell.rig import TOKEN, Rig

SECOND_NS = 10**9
JOURNAL = [
    {"seq": 1, "at_ns": SECOND_NS, "type": "created", "cause": None, "spec": {"prompt": "private words"}},
    {"seq": 2, "at_ns": 2 * SECOND_NS, "type": "transition", "cause": None, "to": "preflight", "trigger": "start"},
]


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    task = tmp_path / "data" / "tasks" / "t-1"
    task.mkdir(parents=True)
    (task / "journal.jsonl").write_text("".join(json.dumps(record) + "\n" for record in JOURNAL))
    (task / "transcript.jsonl").write_text('{"at_ns":1000,"agent":"idle"}\n')
    (task / "serial.log").write_bytes(b"\x1b[2Jbooting\n")
    packs = tmp_path / "data" / "runtime"
    packs.mkdir()
    moved = {"pack": "p-1", "to": "installing", "trigger": "install", "guard": None}
    (packs / "journal.jsonl").write_text(
        json.dumps({"seq": 1, "at_ns": 5, "type": "transition", "cause": None} | moved) + "\n"
    )
    return Rig(folder=tmp_path)


def ask(rig: Rig, method: str, **params: object) -> Any:
    """The result, or the error's code."""
    call = json.dumps({"t": TOKEN, "id": 1, "method": method, "params": params})

    rig.desk.greetings.clear()  # each call has a table of its own

    async def main() -> Any:
        return await rig.router().answer(call)

    reply = asyncio.run(main())
    return reply["result"] if reply["ok"] else reply["error"]["code"]


def test_a_chart_comes_with_the_way_of_what_is_named(rig: Rig) -> None:
    assert ask(rig, "chart.get", chart="task")["trace"] is None
    assert ask(rig, "chart.get", chart="task", task_id="t-1")["trace"]["current"] == "preflight"
    assert ask(rig, "chart.get", chart="agent", task_id="t-1")["trace"]["current"] == "idle"
    assert ask(rig, "chart.get", chart="pack", pack_id="p-1")["trace"]["current"] == "installing"


@pytest.mark.parametrize(
    "params",
    [
        {"chart": "app"},
        {"chart": "task", "task_id": "t-2"},
        {"chart": "task", "task_id": "../t-1"},
        {"chart": "task", "pack_id": "p-1"},
        {"chart": "pack", "task_id": "t-1"},
        {"chart": "pack", "pack_id": "../../x"},
        {},
    ],
)
def test_what_does_not_fit_is_refused(rig: Rig, params: dict[str, object]) -> None:
    assert ask(rig, "chart.get", **params) == "caller.bad_request"


def test_a_chart_is_exported_as_text(rig: Rig) -> None:
    svg = ask(rig, "chart.export", chart="task", task_id="t-1", format="svg")
    assert svg["name"] == "task-t-1.svg" and svg["text"].startswith("<svg ")
    mermaid = ask(rig, "chart.export", chart="agent", format="mermaid")
    assert mermaid["name"] == "agent.mmd" and mermaid["text"].startswith("stateDiagram-v2")


def test_diagnostics_are_told(rig: Rig) -> None:
    view = ask(rig, "task.diagnostics", task_id="t-1")
    assert view["serial"] == "booting\n"
    assert [file["name"] for file in view["files"]] == ["journal.jsonl", "serial.log", "transcript.jsonl"]
    assert ask(rig, "task.diagnostics", task_id="t-2") == "caller.bad_request"


def test_a_bundle_goes_where_the_person_says(rig: Rig, tmp_path: Path) -> None:
    target = tmp_path / "chosen.zip"
    rig.dialogs.files = [target]
    told = ask(rig, "task.bundle", task_id="t-1")
    assert told["saved"] == "chosen.zip"
    with zipfile.ZipFile(target) as archive:
        assert [member["name"] for member in told["members"]] == archive.namelist()
        assert "transcript.jsonl" not in archive.namelist()
        assert b"private words" not in b"".join(archive.read(name) for name in archive.namelist())
    rig.dialogs.files = [target]
    told = ask(rig, "task.bundle", task_id="t-1", with_transcript=True)
    assert "transcript.jsonl" in [member["name"] for member in told["members"]]


def test_a_bundle_that_is_not_saved_leaves_nothing(rig: Rig, tmp_path: Path) -> None:
    rig.dialogs.files = [None]
    assert ask(rig, "task.bundle", task_id="t-1") == {"saved": None, "members": []}
    assert not list(tmp_path.glob("*.zip"))
