"""A conversation that goes on in a second machine with the real pi.

In: a first task that was told a word and finished, the command line's twin for the third. Out: assertions on what pi
itself holds. Never: a scripted pi.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pui.domain.task import MountRequest, TaskSpec
from pui.supervisor.board import TaskBoard
from tests.support.app_process import supervisor_of
from tests.support.playbook import check_over, until
from tests.support.real_machine import CPU_COUNT, READY_WITHIN_S, RealApp, RunningTask

pytestmark = pytest.mark.vm

STEP_LIMIT_S = 90.0


def words_of(messages: Any) -> list[tuple[str, str]]:
    """Role and text of each message but the system's."""
    found = []
    for message in messages:
        if message["role"] != "system":
            found.append((message["role"], "".join(part.get("text", "") for part in message["content"])))
    return found


async def talk(app: Any, board: TaskBoard, task_id: str) -> list[tuple[str, str]]:
    """Start a task, wait until pi has answered its prompt, finish it; returns the messages that pi held."""
    board.trigger(task_id, "start")
    task = RunningTask(app.supervisor, app.services, app.supervisor.live(task_id))
    try:
        await task.until_running()
        await until(lambda: "stats" in task.view.facts, lambda: f"{task.view.facts}", limit_s=STEP_LIMIT_S)
        held = words_of((await task.live.session.ask_soon("get_messages"))["messages"])
        board.trigger(task_id, "finish")
    finally:
        view = await asyncio.wait_for(app.supervisor.wait(task_id), READY_WITHIN_S)
    check_over(app.files, task_id, view)
    return held


def test_the_second_machine_holds_the_first_conversation(real: RealApp) -> None:
    project = real.project("resume")

    async def story() -> str:
        with real.composed() as app:
            board = TaskBoard(app.supervisor, app.services)
            spec = TaskSpec(
                "@text the word is zebra", (MountRequest(project),), cpu_count=CPU_COUNT, is_interactive=True
            )
            first = app.supervisor.create(spec)
            said = await talk(app, board, first)
            assert [role for role, _ in said] == ["user", "assistant"] and "zebra" in said[0][1]
            second = await board.go_on(board.spec_to_go_on(first, "@text which word?"), await board.earlier(first))
            held = await talk(app, board, second)
            assert held[:2] == said and held[2] == ("user", "@text which word?") and held[3][0] == "assistant"
            page = (await board.open(second, 100)).page
            assert [e.text for e in page.entries if e.kind == "user"] == [
                "@text the word is zebra",
                "@text which word?",
            ]
            assert board.row(second)["can_continue"]  # type: ignore[index]
            return second

    second = asyncio.run(story())
    command_line_goes_on(real, second, project)


def test_a_branch_does_not_know_what_came_after_its_message(real: RealApp) -> None:
    """Branched while the first machine runs; started when that has ended: one machine at a time is enough here."""
    project = real.project("branch")

    async def story() -> None:
        with real.composed() as app:
            board = TaskBoard(app.supervisor, app.services)
            spec = TaskSpec("@text one", (MountRequest(project),), cpu_count=CPU_COUNT, is_interactive=True)
            first = app.supervisor.create(spec)
            board.trigger(first, "start")
            task = RunningTask(app.supervisor, app.services, app.supervisor.live(first))
            try:
                await task.until_running()
                await until_kept(task, 1)
                await task.live.session.send("@text the word is zebra", "prompt")
                await until_kept(task, 2)
                before_zebra = await board.earlier(first, (await user_keys(board, first))[1])
                await task.live.session.send("@text three", "prompt")
                await until_kept(task, 3)
                whole = words_of((await task.live.session.ask_soon("get_messages"))["messages"])
                assert len(whole) == 6
                board.trigger(first, "finish")
            finally:
                await asyncio.wait_for(app.supervisor.wait(first), READY_WITHIN_S)
            branch = await board.go_on(board.spec_to_go_on(first, "@text which word?"), before_zebra)
            held = await talk(app, board, branch)
            assert held[:2] == whole[:2] and held[2] == ("user", "@text which word?") and len(held) == 4
            assert not any("zebra" in text for _, text in held)
            from_nothing = await board.earlier(branch, (await user_keys(board, branch))[0])
            again = await board.go_on(board.spec_to_go_on(branch, "@text anew"), from_nothing)
            assert [text for role, text in await talk(app, board, again) if role == "user"] == ["@text anew"]

    asyncio.run(story())


async def until_kept(task: RunningTask, count: int) -> None:
    """pi has settled, and what the person has said so far is kept."""

    def is_kept() -> bool:
        return task.live.keeper.kept.message_count == count and not task.live.session.panel.is_busy

    await until(is_kept, lambda: f"{task.view.facts}", limit_s=STEP_LIMIT_S)


async def user_keys(board: TaskBoard, task_id: str) -> list[int]:
    return [entry.key for entry in (await board.open(task_id, 100)).page.entries if entry.kind == "user"]


def command_line_goes_on(real: RealApp, task_id: str, project: Path) -> None:
    run = subprocess.run(
        real.command("run", "--json", "--continue", task_id, 'replace "hello" with "zebra" in README.md'),
        env=real.env,
        capture_output=True,
        timeout=READY_WITHIN_S,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "zebra" in (project / "README.md").read_text()
    with real.composed() as app:
        third = next(
            i for i in app.files.task_ids() if supervisor_of(app.services).view(i).spec["continues"] == task_id
        )
        kept = [json.loads(line) for line in app.files.read(third, "session.jsonl", 10**7).splitlines()]
    asked = [entry["message"]["content"] for entry in kept if entry.get("message", {}).get("role") == "user"]
    assert [str(part) for part in asked][0].count("zebra") == 1 and len(asked) == 3
    out = project / "talk.html"
    export = real.command("tasks", "export", third, "--format", "html", "--out", str(out))
    subprocess.run(export, env=real.env, check=True, timeout=60, capture_output=True)
    assert out.read_text().count('<section class="user">') == 3
