"""A desk over whole simulated tasks: calls of a page in, replies and events out.

In: a SimulatedPorts world, calls by name. Out: results, errors by code, the events that the page would get.
Never: a process, a shortcut past the router and the schemas.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pui.resources import load_chart
from pui.shell.blobs import Blobs
from pui.shell.desk import AppFacts, Desk
from pui.shell.folder_book import FolderBook
from pui.shell.router import Router
from pui.shell.table import verb_table
from pui.supervisor.supervisor import LiveTask, Supervisor
from tests.shell.rig import TOKEN, MemoryGrants, ToldDesktop, ToldDialogs, archive_in
from tests.support.fake_guest import FakeScript
from tests.support.playbook import files_below, until, until_state
from tests.support.simulated_ports import SimulatedPorts

KEEPS = FakeScript(keeps_session=True)


@dataclass
class TaskRig:
    """One page on one simulated app. Make it inside a running loop."""

    world: SimulatedPorts
    dialogs: ToldDialogs = field(default_factory=ToldDialogs)
    events: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        services = self.world.services()
        self.supervisor = Supervisor(services, load_chart("task"), load_chart("agent"))
        numbers = iter(range(1, 10_000))

        def random_bytes(size: int) -> bytes:
            return next(numbers).to_bytes(size, "big")

        clock = self.world.clock
        self.desk = Desk(
            supervisor=self.supervisor,
            services=services,
            facts=AppFacts("1", "linux x86_64", "browser", False, [], Path("/data")),
            dialogs=self.dialogs,
            clock=clock,
            blobs=Blobs(clock, random_bytes),
            desktop=ToldDesktop(),
            folders=FolderBook(MemoryGrants(), services.folders, self.dialogs, clock, random_bytes),
            archive=archive_in(self.world.folder),
        )
        self.router = Router(verb_table(self.desk), lambda: TOKEN, clock)
        self._reader = asyncio.ensure_future(self._read())
        self._calls = 0

    async def call(self, method: str, **params: Any) -> Any:
        """The result of a call; AssertionError with the error when it was refused."""
        reply = await self._ask(method, params)
        assert reply["ok"], reply["error"]
        return reply["result"]

    async def refused(self, method: str, **params: Any) -> str:
        """The code of the error that a call gets."""
        reply = await self._ask(method, params)
        assert not reply["ok"], reply["result"]
        return str(reply["error"]["code"])

    async def _ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._calls += 1
        text = json.dumps({"t": TOKEN, "id": self._calls, "method": method, "params": params})
        reply = await self.router.answer(text)
        assert reply is not None
        self.desk.events.release()  # as a carrier does once the page has its answer
        decoded: dict[str, Any] = json.loads(json.dumps(reply, allow_nan=False))
        return decoded

    async def task(self, prompt: str = "make it better", **params: Any) -> str:
        """A task without folders that was created, opened and started."""
        await self.call("app.hello")
        made = await self.call("task.create", prompt=prompt, folders=[], network="model", **params)
        await self.call("task.open", task_id=made["task_id"], tail=100)
        await self.call("task.start", task_id=made["task_id"])
        return str(made["task_id"])

    async def running(self, prompt: str = "make it better", **params: Any) -> LiveTask:
        """The same, until pi has got its prompt."""
        task_id = await self.task(prompt, **params)
        await until_state(self.supervisor, task_id, "running")
        await until(lambda: prompt in self.world.guest.prompts, "pi never got the prompt")
        return self.supervisor.live(task_id)

    async def finish(self, task_id: str) -> None:
        """By the person; everything is released."""
        await self.call("task.finish", task_id=task_id)
        await asyncio.wait_for(self.supervisor.wait(task_id), 20)

    def of(self, type_: str) -> list[dict[str, Any]]:
        """Events of one type so far."""
        return [event for event in self.events if event["type"] == type_]

    async def until_event(self, type_: str, **wanted: Any) -> dict[str, Any]:
        """The first event of this type with these fields; waits for it."""

        def found() -> list[dict[str, Any]]:
            return [e for e in self.of(type_) if all(e.get(key) == value for key, value in wanted.items())]

        await until(lambda: bool(found()), lambda: f"no {type_} {wanted} among {self.events[-5:]}")
        return found()[0]

    async def close(self) -> None:
        await self.supervisor.shutdown()
        self.desk.events.close()
        await self._reader

    async def _read(self) -> None:
        async for batch in self.desk.events.follow(0):
            self.events += [json.loads(text) for text in batch or ()]


Story = Callable[[TaskRig], Awaitable[None]]


def play(folder: Path, story: Story, script: FakeScript | None = None) -> SimulatedPorts:
    """Run a story; afterwards nothing of any task is left."""
    world = SimulatedPorts(folder, script or FakeScript())

    async def main() -> None:
        rig = TaskRig(world)
        try:
            await story(rig)
        finally:
            await rig.close()

    asyncio.run(main())
    assert world.leftovers() == []
    assert files_below(world.paths.runtime) == []
    return world


async def settled(rig: TaskRig, prompt: str) -> str:
    """A task that has answered its prompt."""
    live = await rig.running(prompt)
    await until(lambda: "stats" in live.journal.view.facts, "never settled")
    return live.task_id


async def gone_on(rig: TaskRig, task_id: str, message: str) -> str:
    """The task that continues `task_id`, once its pi has answered."""
    made = str((await rig.call("task.continue", task_id=task_id, message=message))["task_id"])
    await rig.call("task.open", task_id=made, tail=100)
    await rig.call("task.start", task_id=made)
    await until_state(rig.supervisor, made, "running")
    live = rig.supervisor.live(made)
    await until(lambda: "stats" in live.journal.view.facts, "never settled")
    return made


def said(rig: TaskRig) -> list[str]:
    return [entry["message"]["content"][0]["text"] for entry in rig.world.guest.entries]
