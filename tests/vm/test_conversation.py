"""A conversation with the real pi on a real machine: steered, stopped, followed up, asked, finished, read back.

In: the app in this process with the verbs of a page. Out: assertions on entries, panel, journal and files.
Never: a fixed sleep for something that pi does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pui.domain.demo_extension import COMMAND
from pui.domain.task import MountRequest, TaskSpec
from pui.resources import load_chart
from pui.supervisor.board import TaskBoard
from pui.supervisor.session import Session
from pui.supervisor.supervisor import Supervisor
from tests.support.playbook import check_over, until
from tests.support.real_machine import CPU_COUNT, READY_WITHIN_S, RealApp

pytestmark = pytest.mark.vm

STEP_LIMIT_S = 90.0


def texts(session: Session, kind: str) -> list[str]:
    return [entry.text for entry in session.log.before(None, 10**6).entries if entry.kind == kind]


async def until_said(session: Session, kind: str, part: str) -> None:
    await until(
        lambda: any(part in text for text in texts(session, kind)),
        lambda: f"no {kind} with {part!r}: {session.log.before(None, 10**6).entries[-3:]}",
        limit_s=STEP_LIMIT_S,
    )


async def until_panel(session: Session, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    await until(lambda: fits(session.panel.to_json()), lambda: f"{session.panel.to_json()}", limit_s=STEP_LIMIT_S)
    return session.panel.to_json()


async def converse(board: TaskBoard, task_id: str) -> None:
    """Steer a slow run, stop the next one with something queued, go on, answer every kind of question."""
    session = board.session(task_id)
    await until_said(session, "text", "slowly")
    assert await session.send("@text steered", "steer") == "queued"
    await until_panel(session, lambda panel: panel["queue"]["steering"] == ["@text steered"])
    await until_said(session, "user", "@text steered")
    await until_said(session, "text", "only text, no tool")
    await until_panel(session, lambda panel: not panel["is_busy"] and panel["stats"] is not None)

    assert await session.send("@hang", "prompt") == "started"
    await until_said(session, "user", "@hang")
    assert await session.send("later", "follow_up") == "queued"
    assert await session.abort() == {"steering": [], "follow_up": ["later"]}
    await until_panel(session, lambda panel: not panel["is_busy"] and panel["queue"]["follow_up"] == [])

    assert await session.send('replace "hello" with "good day" in README.md', "follow_up") == "started"
    await until_panel(session, lambda panel: panel["is_busy"])
    await until_panel(session, lambda panel: not panel["is_busy"])
    await answer_questions(session)


async def answer_questions(session: Session) -> None:
    sent = asyncio.ensure_future(session.send(f"/{COMMAND}", "prompt"))
    answers: list[dict[str, Any]] = [{"value": "Green"}, {"confirmed": True}, {"value": "Ada"}, {"value": "a\nb"}]
    for method, answer in zip(("select", "confirm", "input", "editor"), answers, strict=True):
        panel = await until_panel(session, lambda p, method=method: [d["method"] for d in p["dialogs"]] == [method])
        assert panel["state"] == "waiting-for-answer" and panel["title"] == "Demo questions"
        await session.answer(panel["dialogs"][0]["id"], **answer)
    assert await sent in ("handled", "waiting")
    panel = await until_panel(session, lambda p: p["editor_text"] is not None)
    assert panel["dialogs"] == panel["widgets"] == panel["statuses"] == []


def test_a_conversation_and_its_history(real: RealApp) -> None:
    project = real.project("talk")

    async def talk() -> tuple[str, list[str]]:
        with real.composed() as app:
            supervisor = app.supervisor
            board = TaskBoard(supervisor, app.services)
            spec = TaskSpec("@slow", (MountRequest(project),), cpu_count=CPU_COUNT, is_interactive=True)
            task_id = supervisor.create(replace(spec, network="offline"))
            board.trigger(task_id, "start")
            live = supervisor.live(task_id)
            try:
                await until(lambda: live.session.is_usable, lambda: f"{live.journal.view}", limit_s=READY_WITHIN_S)
                await until(lambda: live.runner.state == "running", "never ran", limit_s=READY_WITHIN_S)
                await converse(board, task_id)
                changes: Any = await board.changes(task_id)
                assert [change["path"] for change in changes["folders"][0]["changes"]] == ["README.md"]
                assert await board.files(task_id, "read") == ["README.md"]
                board.trigger(task_id, "finish")
            finally:
                if live.runner.state != "teardown" and not live.is_over:
                    supervisor.trigger(task_id, "finish")
                view = await asyncio.wait_for(supervisor.wait(task_id), READY_WITHIN_S)
            check_over(app.files, task_id, view)
            assert view.outcome is not None and view.outcome.result == "completed"
            return task_id, [entry.text for entry in live.session.log.before(None, 10**6).entries]

    task_id, said = asyncio.run(talk())
    assert (project / "README.md").read_text() == "# A sample\n\ngood day\n"
    asyncio.run(read_back(real, task_id, said))


async def read_back(real: RealApp, task_id: str, said: list[str]) -> None:
    """Another app reads what the first one has written."""
    with real.composed() as app:
        supervisor = Supervisor(app.services, load_chart("task"), load_chart("agent"))
        shown = await TaskBoard(supervisor, app.services).open(task_id, 500)
        assert [entry.text for entry in shown.page.entries] == said
        assert shown.page.damaged == 0 and not shown.page.has_earlier
        edits = [entry for entry in shown.page.entries if entry.title == "edit"]
        assert edits and "+good day" in edits[0].diff and edits[0].at_ms > 0
        row = shown.row
        assert (row["changed_files"], row["state"], row["network"]) == (1, "finished", "offline")
        assert shown.agent["stats"] is not None and row["tokens"] is not None
