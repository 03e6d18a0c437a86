"""Two apps of one person at one time: the one follows the tasks of the other by their files, and ends what it leaves.

In: the app as a program over a fake pack; a second app in this process. Out: rows, news, journals. Never: a real QEMU.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pui.adapters.task_files import TaskFolders
from pui.domain.errors import CallerError
from pui.domain.events import JsonValue
from pui.domain.journal import parse_journal
from pui.domain.task_files import BASELINE
from pui.supervisor.board import TaskBoard
from pui.supervisor.neighbours import Neighbours
from pui.supervisor.supervisor import Supervisor
from tests.support.app_process import Base, app_program, processes_of, real_services, supervisor_of, wait_for_state
from tests.support.fake_guest import FakeScript
from tests.support.playbook import short
from tests.support.waiting import wait_until


@dataclass
class SecondApp:
    """Shows the list; `news` are the ids that it was told of since the last question."""

    supervisor: Supervisor
    board: TaskBoard
    neighbours: Neighbours
    _cursor: int = 0

    async def news(self) -> list[str]:
        await self.neighbours.look()
        ids, self._cursor = self.supervisor.news.since(self._cursor)
        return list(dict.fromkeys(ids))

    async def until_quiet(self, process: subprocess.Popen[str]) -> None:
        """The other app is held still, and what it wrote before is no news any more."""
        process.send_signal(signal.SIGSTOP)
        status = Path(f"/proc/{process.pid}/stat")
        await asyncio.to_thread(wait_until, lambda: status.read_text().rpartition(")")[2].split()[0] == "T", "its halt")
        await self.news()

    def row(self, task_id: str) -> dict[str, JsonValue]:
        found = self.board.row(task_id)
        assert found is not None
        return found


def play(base: Base, story: Callable[[SecondApp], Awaitable[None]]) -> None:
    async def main() -> None:
        services = real_services(base)
        supervisor = supervisor_of(services)
        board = TaskBoard(supervisor, services)
        await story(SecondApp(supervisor, board, Neighbours(supervisor, services, board)))

    asyncio.run(main())


def running(base: Base, process: subprocess.Popen[str]) -> str:
    wait_for_state(process, "running")
    (task_id,) = TaskFolders(base.paths).task_ids()
    return task_id


def ended(base: Base, process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    wait_until(lambda: not processes_of(base.folder), "no child left")


@pytest.mark.threat("J5")
def test_a_task_of_another_app_is_live_in_the_list_and_not_ours(base: Base) -> None:
    base.prepare(FakeScript(hang_in="prompt"))

    async def story(app: SecondApp) -> None:
        assert await app.news() == []
        with app_program(base) as process:
            task_id = await asyncio.to_thread(running, base, process)
            assert await app.news() == [task_id]
            row = app.row(task_id)
            assert (row["state"], row["runs_elsewhere"], row["is_live"], row["needs_you"]) == (
                "running",
                True,
                False,
                "",
            )
            await app.until_quiet(process)
            assert await app.news() == [], "nothing was written"
            before = TaskFolders(base.paths).read_journal(task_id)
            for act in (app.board.rename, app.board.trigger):
                with pytest.raises(CallerError) as caught:
                    act(task_id, "finish")
                assert caught.value.code == "caller.rejected"
            with pytest.raises(CallerError, match="another running pui"):
                await app.board.remove(task_id)
            assert TaskFolders(base.paths).read_journal(task_id) == before
            ended(base, process)

    play(base, story)


@pytest.mark.threat("J1")
def test_a_task_whose_app_is_killed_is_ended_and_compared_by_the_one_that_sees_it(base: Base) -> None:
    base.prepare(FakeScript(hang_in="prompt"))
    files = TaskFolders(base.paths)

    async def story(app: SecondApp) -> None:
        with app_program(base) as process:
            task_id = await asyncio.to_thread(running, base, process)
            await app.news()
            (base.project / "README.md").write_text("bye\n")
            ended(base, process)
        assert task_id in await app.news()
        row = app.row(task_id)
        assert (row["state"], row["runs_elsewhere"], row["is_over"], row["changed_files"]) == (
            "finished",
            False,
            True,
            1,
        )
        records = parse_journal(files.read_journal(task_id)).records
        assert [short(one) for one in records[-3:]] == ["recovered", "outcome failed task.app_ended", "fact changes"]
        assert files.task_ids_with(BASELINE) == []
        await app.news()
        assert parse_journal(files.read_journal(task_id)).records == records, "ended twice"

    play(base, story)


def test_a_task_that_ends_by_itself_elsewhere_is_over_here_and_left_alone(base: Base) -> None:
    base.prepare(FakeScript())
    files = TaskFolders(base.paths)

    async def story(app: SecondApp) -> None:
        with app_program(base) as process:
            task_id = await asyncio.to_thread(running, base, process)
            await app.news()
            await asyncio.to_thread(process.wait, 60)
        journal = files.read_journal(task_id)
        assert task_id in await app.news()
        row = app.row(task_id)
        assert row["is_over"] and isinstance(row["outcome"], dict) and row["outcome"]["result"] == "completed"
        await app.news()
        assert files.read_journal(task_id) == journal
        files.remove_task(task_id)
        assert await app.news() == [task_id]
        assert app.board.row(task_id) is None

    play(base, story)


def test_a_grown_transcript_is_news_and_a_look_at_many_tasks_reads_none_of_them(
    base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    base.prepare(FakeScript(hang_in="prompt"))

    async def story(app: SecondApp) -> None:
        with app_program(base) as process:
            task_id = await asyncio.to_thread(running, base, process)
            await app.until_quiet(process)
            with TaskFolders(base.paths).path(task_id, "transcript.jsonl").open("ab") as file:
                file.write(b"{}\n")
            assert await app.news() == [task_id]
            read: list[Path] = []
            monkeypatch.setattr(TaskFolders, "read_journal", lambda _self, id_: read.append(id_))
            await app.neighbours.look()
            assert read == []
            ended(base, process)

    play(base, story)


@pytest.mark.threat("J1")
def test_two_that_see_the_same_death_write_one_end(base: Base) -> None:
    """One holds the journal while the other comes: as when a window and `pui serve` look in the same moment."""
    base.prepare(FakeScript(hang_in="prompt"))
    files = TaskFolders(base.paths)
    with app_program(base) as process:
        task_id = running(base, process)
        ended(base, process)
    journal = files.read_journal(task_id)
    first, second = (supervisor_of(real_services(base)) for _ in range(2))
    with files.hold_journal(task_id) as is_ours:
        assert is_ours
        assert first.recover() == [] and first.recover_one(task_id) is None
        with pytest.raises(CallerError, match="another running pui writes"):
            TaskBoard(first, real_services(base)).rename(task_id, "x")
    assert files.read_journal(task_id) == journal
    assert [report.task_id for report in second.recover()] == [task_id]
    assert first.recover() == []
    assert [short(one) for one in parse_journal(files.read_journal(task_id)).records].count("recovered") == 1
