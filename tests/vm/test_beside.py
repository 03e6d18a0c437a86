"""`pui run` beside `pui serve` on a real machine: followed, compared, and ended by the one that is left.

In: two real programs over one data folder. Out: rows as events, a diff, a journal. Never: a call into either.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.cli.test_serve import Page
from tests.support.app_process import processes_of
from tests.support.desktop import app_process, pui_command
from tests.support.real_machine import RealApp
from tests.support.waiting import wait_until
from tests.vm.test_command import started, until_line

pytestmark = pytest.mark.vm


def rows(stream: httpx.Response, task_id: str) -> Iterator[dict[str, Any]]:
    """The rows of one task as they come, an end to nothing: the client's time limit ends a wait."""
    for line in stream.iter_lines():
        for event in json.loads(line.removeprefix("data:")) if line.startswith("data:") else []:
            if event["type"] == "task" and event["row"]["task_id"] == task_id:
                yield event["row"]


def test_a_task_of_pui_run_is_live_in_the_page_and_ended_by_it(real: RealApp) -> None:
    project = real.project("beside")
    prompt = 'replace "hello" with "good day" in README.md'
    with app_process(pui_command("serve"), real.env, real.folder / "serve-said") as app:
        said = app.wait_for("/?k=")
        address = next(line for line in said.splitlines() if line.startswith("http://127.0.0.1:"))
        with httpx.Client(trust_env=False, timeout=120) as client:
            page = Page(client, address)
            cursor = page.ask("app.hello")["result"]["cursor"]
            events = f"{page.origin}/events?after={cursor}&t={page.token}"
            with client.stream("GET", events) as stream, started(real, "--folder", str(project), prompt) as run:
                lines = until_line(run, type="transition", to="running")
                task_id = next(line for line in lines if line["type"] == "task")["task"]
                seen = rows(stream, task_id)
                row = next(row for row in seen if row["state"] == "running")
                assert (row["runs_elsewhere"], row["is_live"], row["needs_you"]) == (True, False, "")
                assert page.ask("task.cancel", task_id=task_id)["error"]["code"] == "caller.rejected"
                wait_until(lambda: "good day" in (project / "README.md").read_text(), "the guest's change", 90)
                assert run.poll() is None, "it ended before it could be looked at"
                view = page.ask("task.changes", task_id=task_id)["result"]
                assert [change["path"] for change in view["folders"][0]["changes"]] == ["README.md"]
                assert not view["is_final"]
                run.kill()
                row = next(row for row in seen if row["is_over"] and row["changed_files"] is not None)
                assert (row["outcome"]["code"], row["changed_files"]) == ("task.app_ended", 1)
                view = page.ask("task.changes", task_id=task_id)["result"]
                assert view["is_late"] and "+good day" in view["folders"][0]["changes"][0]["diff"]
    wait_until(lambda: processes_of(real.folder) == {}, "the end of every child")
