"""Notifications by the desktop's own service, org.freedesktop.Notifications on the session bus.

In: notifications, the bus's address. Out: what the desktop shows; clicks by task id.
Never: an action but the click itself, markup, a start of a bus, an error for a computer that has none.

Desktop Notifications Specification 1.2. The bus and the service are the person's own: they are bounded in time, not
taken for hostile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count
from typing import Any

import structlog
from jeepney import DBusAddress, HeaderFields, MatchRule, Message, MessageType, message_bus, new_method_call
from jeepney.io.asyncio import DBusConnection, open_dbus_connection

from pui.domain.errors import HostError
from pui.domain.notifications import Notification

SERVICE, PATH = "org.freedesktop.Notifications", "/org/freedesktop/Notifications"
ANSWER_LIMIT_S = 5.0
NORMAL_URGENCY, THE_SERVICES_OWN_TIME = 1, -1
_NOTIFICATIONS = DBusAddress(PATH, bus_name=SERVICE, interface=SERVICE)
_FAULTS = (OSError, EOFError, ValueError, KeyError, RuntimeError)
"""What a bus that is not there, is odd, goes away or is silent (TimeoutError is an OSError) raises in jeepney."""

_NO_BUS = (
    "There is no session bus (D-Bus) here, so pui cannot notify you. A Linux desktop has one; on macOS and Windows "
    "pui does not notify yet."
)
_NO_SERVICE = (
    "This desktop shows no notifications: nothing on its session bus answers to org.freedesktop.Notifications."
)


class DesktopNotifier:
    """ports.Notifier. Every method belongs to one loop. It connects when it is first needed, and again after a loss."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._bus: _Bus | None = None
        self._has_actions = False
        self._ids: dict[int, str] = {}
        self.on_click: Callable[[str], None] = lambda task_id: None

    async def problem(self) -> str:
        try:
            await self._connected()
        except HostError as fault:
            return fault.message
        return ""

    async def show(self, notification: Notification) -> None:
        """The title is the summary, which is plain text everywhere; only pui's own words are where markup may be."""
        bus = await self._connected()
        replaced = next((id_ for id_, task_id in self._ids.items() if task_id == notification.task_id), 0)
        actions = ["default", "Open"] if self._has_actions else []
        hints = {"urgency": ("y", NORMAL_URGENCY), "desktop-entry": ("s", "pui")}
        words = ("pui", replaced, "", notification.title, notification.text, actions, hints, THE_SERVICES_OWN_TIME)
        (shown,) = await self._ask(bus, new_method_call(_NOTIFICATIONS, "Notify", "susssasa{sv}i", words))
        self._ids.pop(replaced, None)
        self._ids[shown] = notification.task_id

    async def withdraw(self) -> None:
        while self._ids and self._bus is not None:
            shown, _ = self._ids.popitem()
            await self._ask(self._bus, new_method_call(_NOTIFICATIONS, "CloseNotification", "u", (shown,)), (SERVICE,))
        self._ids.clear()

    async def close(self) -> None:
        with suppress(HostError):
            await self.withdraw()
        await self._hang_up()

    async def _connected(self) -> _Bus:
        """Raises HostError: no bus, or no service behind it."""
        if self._bus is not None and self._bus.is_alive:
            return self._bus
        await self._hang_up()
        address = self._environ.get("DBUS_SESSION_BUS_ADDRESS", "")
        if not address:
            raise HostError("host.no_notifications", _NO_BUS)
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                self._bus = _Bus(await open_dbus_connection(address), self._heard)
        except _FAULTS as error:
            raise HostError("host.no_notifications", f"{_NO_BUS} ({type(error).__name__})") from error
        (able,) = await self._ask(self._bus, new_method_call(_NOTIFICATIONS, "GetCapabilities"))
        self._has_actions = "actions" in able
        rule = MatchRule(type="signal", sender=SERVICE, interface=SERVICE, path=PATH)
        await self._ask(self._bus, message_bus.AddMatch(rule))
        return self._bus

    async def _ask(self, bus: _Bus, message: Message, refusals: tuple[str, ...] = ()) -> tuple[Any, ...]:
        """The answer's body. Raises HostError: no answer in time, or a refusal (an error of the service itself, whose
        name begins with one of `refusals`, is an empty answer: a notification may be gone already)."""
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                answer = await bus.ask(message)
        except _FAULTS as error:
            await self._hang_up()
            raise HostError("host.no_notifications", f"{_NO_SERVICE} ({type(error).__name__})") from error
        if answer.header.message_type is MessageType.error:
            name = str(answer.header.fields.get(HeaderFields.error_name, ""))
            if refusals and name.startswith(refusals):
                return ()
            await self._hang_up()
            raise HostError("host.no_notifications", f"{_NO_SERVICE} ({name})")
        return tuple(answer.body)

    def _heard(self, name: str, body: tuple[Any, ...]) -> None:
        """ActionInvoked (id, key); NotificationClosed (id, reason)."""
        task_id = self._ids.get(body[0]) if body else None
        if task_id is None:
            return
        if name == "NotificationClosed":
            del self._ids[body[0]]
        elif name == "ActionInvoked" and body[1:] == ("default",):
            self.on_click(task_id)

    async def _hang_up(self) -> None:
        bus, self._bus = self._bus, None
        self._ids.clear()
        if bus is not None:
            await bus.close()


class _Bus:
    """One connection: answers by serial, signals of the service to `on_signal`."""

    def __init__(self, connection: DBusConnection, on_signal: Callable[[str, tuple[Any, ...]], None]) -> None:
        self._connection = connection
        self._on_signal = on_signal
        self._serials = count(1000)
        self._answers: dict[int, asyncio.Future[Message]] = {}
        self._reader = asyncio.create_task(self._read(), name="session-bus")

    @property
    def is_alive(self) -> bool:
        return not self._reader.done()

    async def ask(self, message: Message) -> Message:
        """The answer to a method call, be it an error. Raises EOFError when the bus went away."""
        if not self.is_alive:
            raise EOFError
        serial = next(self._serials)
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._answers[serial] = answer
        try:
            await self._connection.send(message, serial=serial)
            return await answer
        finally:
            del self._answers[serial]

    async def close(self) -> None:
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        with suppress(OSError):
            await self._connection.close()

    async def _read(self) -> None:
        try:
            while True:
                self._take(await self._connection.receive())
        except _FAULTS as error:
            structlog.get_logger().info("the session bus went away", reason=repr(error))
        finally:
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(EOFError())

    def _take(self, message: Message) -> None:
        fields = message.header.fields
        answer = self._answers.get(fields.get(HeaderFields.reply_serial, 0))
        if answer is not None and not answer.done():
            answer.set_result(message)
        elif message.header.message_type is MessageType.signal and fields.get(HeaderFields.interface) == SERVICE:
            # After whoever waits for an answer that came before it: a click may follow the answer to Notify at once.
            heard = str(fields.get(HeaderFields.member)), tuple(message.body)
            asyncio.get_running_loop().call_soon(self._on_signal, *heard)
