"""Notifications over a real session bus to a service of another implementation; words where there is none.

In: dbus-daemon, a service by GLib. Out: what the service was told, clicks, HostErrors. Never: the person's desktop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from pui.adapters import notifications
from pui.adapters.notifications import DesktopNotifier
from pui.domain.errors import HostError
from pui.domain.notifications import Notification
from tests.support.session_bus import NotificationService, notification_service, session_bus

ASKS = Notification("t-1", "needs_you", "<b>Fix</b> the “typo”", "pi waits for your message.")
DONE = Notification("t-1", "done", ASKS.title, "The task is done.")
OTHER = Notification("t-2", "failed", "Another", "The task failed.")
Story = Callable[[DesktopNotifier], Awaitable[None]]


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[str]:
    with session_bus(tmp_path) as address:
        yield address


@pytest.fixture
def service(bus: str) -> Iterator[NotificationService]:
    with notification_service(bus) as found:
        yield found


def play(address: str, story: Story) -> None:
    async def main() -> None:
        notifier = DesktopNotifier({"DBUS_SESSION_BUS_ADDRESS": address} if address else {})
        try:
            await story(notifier)
        finally:
            await notifier.close()
            await notifier.close()

    asyncio.run(asyncio.wait_for(main(), 60))


def told(service: NotificationService, *names: str) -> dict[str, object]:
    call = service.next_call()
    return {name: call.get(name) for name in names}


def test_it_says_the_title_and_puis_own_words_and_offers_nothing_but_the_click(
    bus: str, service: NotificationService
) -> None:
    async def story(notifier: DesktopNotifier) -> None:
        assert await notifier.problem() == ""
        await notifier.show(ASKS)

    play(bus, story)
    call = service.next_call()
    assert call == {
        "call": "Notify", "id": 1, "app": "pui", "icon": "", "summary": "<b>Fix</b> the “typo”",
        "body": "pi waits for your message.", "actions": ["default", "Open"],
        "hints": {"urgency": 1, "desktop-entry": "pui"}, "limit_ms": -1,
    }  # fmt: skip
    assert service.next_call() == {"call": "CloseNotification", "id": 1}, "pui has ended: a click would lead nowhere"


def test_one_a_task_and_all_are_withdrawn(bus: str, service: NotificationService) -> None:
    async def story(notifier: DesktopNotifier) -> None:
        for notification in (ASKS, OTHER, DONE):
            await notifier.show(notification)
        await notifier.withdraw()
        await notifier.show(ASKS)

    play(bus, story)
    assert [told(service, "id", "body")["id"] for _ in range(3)] == [1, 2, 1], "the newer takes the older's place"
    closed = [told(service, "call", "id") for _ in range(2)]
    assert sorted(str(call["id"]) for call in closed) == ["1", "2"]
    assert told(service, "call", "id") == {"call": "Notify", "id": 3}


def test_a_click_names_the_task_and_what_is_closed_is_forgotten(bus: str, service: NotificationService) -> None:
    async def story(notifier: DesktopNotifier) -> None:
        clicks: asyncio.Queue[str] = asyncio.Queue()
        notifier.on_click = clicks.put_nowait
        await notifier.show(ASKS)
        await notifier.show(OTHER)
        service.does("click", 2)
        assert await clicks.get() == "t-2"
        service.does("close", 1)
        while notifier._ids:  # noqa: ASYNC110 - the signals have no other sign
            await asyncio.sleep(0.01)
        await notifier.show(OTHER)
        service.does("click", 3)
        assert await clicks.get() == "t-2"
        assert clicks.empty()

    play(bus, story)
    assert [told(service, "id")["id"] for _ in range(3)] == [1, 2, 3]


def test_a_click_that_comes_with_the_answer_counts(bus: str) -> None:
    async def story(notifier: DesktopNotifier) -> None:
        clicks: asyncio.Queue[str] = asyncio.Queue()
        notifier.on_click = clicks.put_nowait
        for number in range(50):
            await notifier.show(Notification(f"t-{number}", "done", "A title", "Done."))
            assert await clicks.get() == f"t-{number}"

    with notification_service(bus, "actions", "eager"):
        play(bus, story)


def test_a_service_without_actions_gets_none(bus: str) -> None:
    async def story(notifier: DesktopNotifier) -> None:
        await notifier.show(ASKS)

    with notification_service(bus, "body") as service:
        play(bus, story)
        assert service.next_call()["actions"] == []


@pytest.mark.parametrize("address", ["", "unix:path=/nonexistent/bus", "tcp:host=127.0.0.1,port=1", "nonsense", ";"])
def test_without_a_bus_it_says_so_and_nothing_is_raised_but_that(address: str) -> None:
    async def story(notifier: DesktopNotifier) -> None:
        assert "no session bus" in await notifier.problem()
        with pytest.raises(HostError) as caught:
            await notifier.show(ASKS)
        assert caught.value.code == "host.no_notifications"
        await notifier.withdraw()

    play(address, story)


def test_a_bus_without_a_service_and_a_service_that_comes_later(bus: str) -> None:
    async def story(notifier: DesktopNotifier) -> None:
        assert "ServiceUnknown" in await notifier.problem()
        with notification_service(bus) as service:
            await notifier.show(ASKS)
            assert service.next_call()["id"] == 1
        with pytest.raises(HostError, match="shows no notifications"):
            await notifier.show(ASKS)
        with notification_service(bus) as again:
            await notifier.show(ASKS)
            assert again.next_call()["id"] == 1

    play(bus, story)


def test_a_service_that_never_answers_is_not_waited_for(bus: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifications, "ANSWER_LIMIT_S", 0.2)

    async def story(notifier: DesktopNotifier) -> None:
        assert "shows no notifications" in await notifier.problem()

    with notification_service(bus, "silent"):
        play(bus, story)


def test_a_bus_that_goes_away_is_dialled_anew(tmp_path: Path) -> None:
    async def story(notifier: DesktopNotifier) -> None:
        for _ in range(2):
            with session_bus(tmp_path) as address, notification_service(address) as service:
                await notifier.show(ASKS)
                assert service.next_call()["id"] == 1
                service.process.kill()
            (tmp_path / "bus").unlink(missing_ok=True)
            with pytest.raises(HostError, match="notif"):
                await notifier.show(ASKS)

    play(f"unix:path={tmp_path / 'bus'}", story)
