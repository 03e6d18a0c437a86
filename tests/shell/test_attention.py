"""The person who looks elsewhere is told once, in the right words; the one at the page is not.

In: whole simulated tasks behind the real verbs; a notifier that keeps what it shows. Out: what it was told, events.
Never: a bus (tests/adapters/test_notifications.py has a real one).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pui.domain.errors import HostError
from pui.domain.events import JsonValue
from pui.domain.notifications import Notification
from pui.domain.settings import Settings, changed
from pui.supervisor.attention import GATHER_S, QUIET_S, Attention
from tests.shell.task_rig import TaskRig
from tests.support.fake_guest import FakeScript
from tests.support.playbook import until
from tests.support.simulated import settle
from tests.support.simulated_ports import SimulatedPorts, fault


@dataclass
class KeptNotifier:
    """ports.Notifier: `shown` is what is on the desktop now, `told` all there ever was."""

    reason: str = ""
    shown: dict[str, Notification] = field(default_factory=dict)
    told: list[tuple[str, str, str]] = field(default_factory=list)
    is_closed: bool = False
    on_click: Callable[[str], None] = lambda task_id: None

    async def problem(self) -> str:
        return self.reason

    async def show(self, notification: Notification) -> None:
        if self.reason:
            raise HostError("host.no_notifications", self.reason)
        self.shown[notification.task_id] = notification
        self.told.append((notification.kind, notification.title, notification.text))

    async def withdraw(self) -> None:
        if self.reason:
            raise HostError("host.no_notifications", self.reason)
        self.shown.clear()

    async def close(self) -> None:
        self.is_closed = True


@dataclass
class KeptSettings:
    settings: Settings = field(default_factory=Settings)

    def current(self) -> Settings:
        return self.settings

    def change(self, key: str, value: JsonValue) -> Settings:
        self.settings = changed(self.settings, key, value)
        return self.settings


class Person:
    """A page, a desktop and settings around one simulated app."""

    def __init__(self, world: SimulatedPorts, notifier: KeptNotifier) -> None:
        self.rig = TaskRig(world)
        self.world, self.notifier, self.settings = world, notifier, KeptSettings()
        desk = self.rig.desk
        desk.attention = Attention(self.rig.supervisor, notifier, self.settings, world.clock)
        desk.to_front = lambda: setattr(self, "fronts", self.fronts + 1)
        self.fronts = 0
        desk.begin()

    async def looks(self, *, here: bool) -> None:
        await self.rig.call("app.presence", is_here=here)
        await settle()

    async def waits(self, delay_s: float = GATHER_S) -> None:
        await settle()
        await self.world.clock.advance(delay_s)
        await settle()

    async def until_told(self, count: int) -> None:
        async with asyncio.timeout(30):
            while len(self.notifier.told) < count:
                await self.waits(0.1)
                await asyncio.sleep(0.002)


Story = Callable[[Person], Awaitable[None]]


pytestmark = pytest.mark.usefixtures("short_waits")


def play(folder: Path, story: Story, script: FakeScript | None = None, **more: Any) -> KeptNotifier:
    world, notifier = SimulatedPorts(folder, script or FakeScript(), **more), KeptNotifier()

    async def main() -> None:
        person = Person(world, notifier)
        try:
            await story(person)
        finally:
            await person.rig.desk.close()
            await person.rig.close()

    asyncio.run(main())
    assert notifier.is_closed
    return notifier


TURN = ("needs_you", "make it better", "pi waits for your message.")
DONE = ("done", "make it better", "The task is done.")


def test_a_turn_a_click_and_the_end(folder: Path) -> None:
    async def story(person: Person) -> None:
        live = await person.rig.running()
        await person.until_told(1)
        person.notifier.on_click(live.task_id)
        assert (await person.rig.until_event("open"))["task_id"] == live.task_id
        assert person.fronts == 1
        await person.waits(QUIET_S)
        await person.rig.finish(live.task_id)
        await person.until_told(2)

    assert play(folder, story).told == [TURN, DONE]


def test_who_is_at_the_page_is_not_told_and_coming_back_clears_the_desktop(folder: Path) -> None:
    async def story(person: Person) -> None:
        await person.looks(here=True)
        live = await person.rig.running()
        await until(lambda: live.session.panel.is_busy, "pi never began")
        await person.rig.call("agent.abort", task_id=live.task_id)
        await until(lambda: "stats" in live.journal.view.facts, "pi never settled")
        await person.waits()
        assert person.notifier.told == []
        await person.rig.call("agent.send", task_id=live.task_id, message="x", how="prompt")
        await until(lambda: live.session.panel.is_busy, "pi never began again")
        await settle()
        await person.looks(here=False)
        await person.rig.call("agent.abort", task_id=live.task_id)
        await person.until_told(1)
        assert person.notifier.shown
        await person.looks(here=True)
        assert not person.notifier.shown
        await person.rig.finish(live.task_id)
        await person.waits()

    assert play(folder, story, FakeScript(stays_busy=True)).told == [TURN]


def test_a_page_that_is_gone_is_nobody_at_the_page(folder: Path) -> None:
    async def story(person: Person) -> None:
        await person.looks(here=True)
        assert person.rig.desk.attention is not None
        person.rig.desk.attention.is_followed = lambda: False
        await person.rig.running()
        await person.until_told(1)

    play(folder, story)


@pytest.mark.parametrize("key", ["notify_needs_you", "notify_done"])
def test_what_is_switched_off_is_not_told(folder: Path, key: str) -> None:
    async def story(person: Person) -> None:
        person.settings.change(key, False)
        live = await person.rig.running()
        await until(lambda: "stats" in live.journal.view.facts, "pi never settled")
        await person.waits()
        await person.waits(QUIET_S)
        await person.rig.finish(live.task_id)
        for _ in range(3):
            await person.waits()

    assert play(folder, story).told == [DONE if key == "notify_needs_you" else TURN]


def test_a_set_up_that_is_needed_and_a_failure_are_told_and_a_cancel_is_not(folder: Path) -> None:
    async def story(person: Person) -> None:
        made = await person.rig.call("task.create", prompt="first", folders=[], network="model")
        task_id = made["task_id"]
        person.world.faults["pack"] = fault("pack.missing")  # after the creation, which looks too
        await person.rig.call("task.start", task_id=task_id)
        await person.until_told(1)
        await person.rig.call("task.cancel", task_id=task_id)
        await person.waits()
        person.world.faults["overlay"] = fault("host.disk_full")
        await person.rig.task("second")
        await person.until_told(2)

    assert play(folder, story).told == [
        ("needs_you", "first", "This computer needs something first."),
        ("failed", "second", "The task failed."),
    ]


def test_a_guest_that_asks_again_and_again_is_heard_at_a_pace(folder: Path) -> None:
    async def story(person: Person) -> None:
        live = await person.rig.running()
        await person.until_told(1)
        for _ in range(5):
            person.rig.supervisor.news.append(live.task_id)
            row = person.rig.desk.board.row(live.task_id)
            assert row is not None and person.rig.desk.attention is not None
            person.rig.desk.attention._rows[live.task_id] = row | {"needs_you": "question"}
            await person.waits()
        assert len(person.notifier.told) == 1
        await person.waits(QUIET_S)
        person.rig.desk.attention._rows[live.task_id] = row | {"needs_you": "question"}
        person.rig.supervisor.news.append(live.task_id)
        await person.until_told(2)

    assert play(folder, story).told == [TURN, TURN]


def test_tasks_that_lie_on_the_disk_are_no_news(folder: Path) -> None:
    async def first(person: Person) -> None:
        live = await person.rig.running()
        await person.rig.finish(live.task_id)

    play(folder, first)

    async def story(person: Person) -> None:
        await person.rig.call("app.hello")
        await person.rig.call("task.rename", task_id="t1", title="another")
        for _ in range(3):
            await person.waits()

    assert play(folder, story).told == []


def test_a_desktop_without_notifications_is_told_in_the_settings_and_harms_nothing(folder: Path) -> None:
    async def story(person: Person) -> None:
        assert (await person.rig.call("app.hello"))["notifications"] == {"problem": ""}
        person.notifier.reason = "there is no session bus"
        live = await person.rig.running()
        await until(lambda: "stats" in live.journal.view.facts, "pi never settled")
        for _ in range(3):
            await person.waits()
        await person.looks(here=True)
        assert (await person.rig.call("app.hello"))["notifications"] == {"problem": "there is no session bus"}
        await person.rig.finish(live.task_id)

    assert play(folder, story).told == []


def test_without_attention_the_verb_is_there_and_does_nothing(folder: Path) -> None:
    async def story(person: Person) -> None:
        attention = person.rig.desk.attention
        person.rig.desk.attention = None
        assert await person.rig.call("app.presence", is_here=True) == {}
        assert await person.rig.refused("app.presence", is_here=1) == "caller.bad_request"
        assert (await person.rig.call("app.hello"))["notifications"] == {"problem": ""}
        person.rig.desk.attention = attention

    play(folder, story)
