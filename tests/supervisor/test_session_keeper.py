"""What is kept of pi's session on the disk: appended, and written anew when its beginning was cut off.

In: answers of a pi, a task's real files. Out: session.jsonl, the fact. Never: a process.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from pui.adapters.paths import AppPaths
from pui.adapters.task_files import TaskFolders
from pui.domain import pi_session
from pui.domain.errors import HostError
from pui.domain.events import JsonValue
from pui.domain.pi_session import PiSession, read_session
from pui.domain.task_files import SESSION
from pui.supervisor.session import Session
from pui.supervisor.session_keeper import SessionKeeper
from tests.domain.test_pi_session import entry, summary


@dataclass
class AnsweringPi:
    """As much of a Session as the keeper asks; `asked` keeps the `since` of each question."""

    answers: list[list[dict[str, Any]]]
    asked: list[JsonValue] = field(default_factory=list)
    is_usable: bool = True

    async def ask_soon(self, command: str, /, **fields: JsonValue) -> Mapping[str, JsonValue]:
        assert command == "get_entries"
        self.asked.append(fields.get("since"))
        entries: Any = self.answers.pop(0)
        return {"entries": entries}


@pytest.fixture
def files(tmp_path: Path) -> TaskFolders:
    folders = TaskFolders(AppPaths(tmp_path / "data", tmp_path / "cache", tmp_path / "run"))
    folders.create("t-1")
    return folders


def keeper_of(files: TaskFolders, pi: AnsweringPi) -> SessionKeeper:
    return SessionKeeper("t-1", files, cast(Session, pi), PiSession())


def ids_on_disk(files: TaskFolders) -> list[str]:
    return [json.loads(line)["id"] for line in files.read("t-1", SESSION, 1 << 20).splitlines()]


def long(entry_id: str, parent_id: str | None) -> dict[str, Any]:
    return entry(entry_id, parent_id, message={"role": "user", "content": "x" * 400})


ANSWERS = [
    [long("a", None), long("b", "a")],
    [long("c", "b"), summary("s", "c", "c")],
    [long("d", "s"), long("e", "d"), long("f", "e")],
    [long("g", "f")],
]


@pytest.mark.threat("F3")
def test_a_long_session_is_written_anew_where_it_was_cut_and_goes_on(
    files: TaskFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pi_session, "SESSION_LIMIT_BYTES", 2900)
    pi = AnsweringPi(list(ANSWERS))

    async def story() -> None:
        keeper = keeper_of(files, pi)
        await keeper.keep()
        await keeper.keep()
        assert ids_on_disk(files) == ["a", "b", "c", "s"]
        told = await keeper.keep()
        assert told == {"entries": 5, "size_bytes": keeper.kept.size_bytes, "fault": ""}
        assert ids_on_disk(files) == ["c", "s", "d", "e", "f"]
        await keeper.keep()
        assert keeper.kept.cut_count == 1

    asyncio.run(story())
    assert ids_on_disk(files) == ["c", "s", "d", "e", "f", "g"]
    assert pi.asked == [None, "b", "s", "f"]
    again = read_session(files.read("t-1", SESSION, 1 << 20))
    assert (again.last_id, again.fault) == ("g", "")


def test_a_cut_that_cannot_be_written_ends_the_keeping(files: TaskFolders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pi_session, "SESSION_LIMIT_BYTES", 2900)

    def full(*_arguments: object) -> None:
        raise HostError("host.disk_full", "no space left")

    monkeypatch.setattr(TaskFolders, "write", full)

    async def story() -> None:
        keeper = keeper_of(files, AnsweringPi(list(ANSWERS)))
        await keeper.keep()
        await keeper.keep()
        with pytest.raises(HostError):
            await keeper.keep()
        assert "host.disk_full" in keeper.kept.fault and await keeper.keep() is None

    asyncio.run(story())
