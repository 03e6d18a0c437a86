"""A desktop's notification service, by GLib's own D-Bus: `/usr/bin/python3 notification_service.py [ABILITY…]`.

In: the session bus of its environment; lines on stdin: `click ID`, `close ID`. Out: a JSON line for each call that it
gets. Never: a window, an import of pui: it is the other end of a protocol.

The specification: Desktop Notifications 1.2. With the ability `silent` it takes calls and never answers, with `eager`
each notification is clicked on in the moment in which it is shown.
"""

from __future__ import annotations

import json
import sys
from typing import Any

NAME, PATH = "org.freedesktop.Notifications", "/org/freedesktop/Notifications"
INTERFACE = f"""
<node><interface name="{NAME}">
  <method name="GetCapabilities"><arg type="as" direction="out"/></method>
  <method name="GetServerInformation">
    <arg type="s" direction="out"/><arg type="s" direction="out"/><arg type="s" direction="out"/>
    <arg type="s" direction="out"/></method>
  <method name="Notify">
    <arg type="s" direction="in"/><arg type="u" direction="in"/><arg type="s" direction="in"/>
    <arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="as" direction="in"/>
    <arg type="a{{sv}}" direction="in"/><arg type="i" direction="in"/><arg type="u" direction="out"/></method>
  <method name="CloseNotification"><arg type="u" direction="in"/></method>
  <signal name="NotificationClosed"><arg type="u"/><arg type="u"/></signal>
  <signal name="ActionInvoked"><arg type="u"/><arg type="s"/></signal>
</interface></node>"""


def say(**values: Any) -> None:
    print(json.dumps(values), flush=True)


class Service:
    def __init__(self, gio: Any, glib: Any, abilities: list[str]) -> None:
        self._gio, self._glib, self._abilities = gio, glib, abilities
        self._shown: set[int] = set()
        self._last = 0
        self._connection: Any = None

    def register(self, connection: Any, _name: str) -> None:
        self._connection = connection
        node = self._gio.DBusNodeInfo.new_for_xml(INTERFACE)
        connection.register_object(PATH, node.interfaces[0], self._called, None, None)

    def _called(self, _c: Any, _sender: str, _p: str, _i: str, method: str, given: Any, invocation: Any) -> None:
        values = given.unpack()
        if "silent" in self._abilities:
            say(call=method)
        elif method == "GetCapabilities":
            invocation.return_value(self._glib.Variant("(as)", (self._abilities,)))
        elif method == "Notify":
            self._notify(values, invocation)
        elif method == "CloseNotification" and values[0] in self._shown:
            say(call=method, id=values[0])
            invocation.return_value(None)
            self._emit("NotificationClosed", "(uu)", (values[0], 3))
            self._shown.discard(values[0])
        else:
            invocation.return_dbus_error(f"{NAME}.Error.Gone", "no such notification")

    def _notify(self, values: Any, invocation: Any) -> None:
        app, replaced, icon, summary, body, actions, hints, limit_ms = values
        if not replaced:
            self._last += 1
            replaced = self._last
        self._shown.add(replaced)
        say(call="Notify", id=replaced, app=app, icon=icon, summary=summary, body=body, actions=actions, hints=hints,
            limit_ms=limit_ms)  # fmt: skip
        invocation.return_value(self._glib.Variant("(u)", (replaced,)))
        if "eager" in self._abilities:
            self._emit("ActionInvoked", "(us)", (replaced, "default"))

    def heard(self, channel: Any, _condition: Any) -> bool:
        line = channel.readline()
        if not line:
            return False
        word, number = line.split()
        if word == "click":
            self._emit("ActionInvoked", "(us)", (int(number), "default"))
        self._emit("NotificationClosed", "(uu)", (int(number), 2))
        self._shown.discard(int(number))
        return True

    def _emit(self, signal: str, kind: str, values: tuple[Any, ...]) -> None:
        self._connection.emit_signal(None, PATH, NAME, signal, self._glib.Variant(kind, values))


def main() -> None:
    import gi

    gi.require_version("Gio", "2.0")
    from gi.repository import Gio, GLib

    service, loop = Service(Gio, GLib, sys.argv[1:]), GLib.MainLoop()
    Gio.bus_own_name(
        Gio.BusType.SESSION,
        NAME,
        Gio.BusNameOwnerFlags.NONE,
        service.register,
        lambda *_arguments: say(call="ready"),
        lambda *_arguments: loop.quit(),
    )
    GLib.io_add_watch(sys.stdin, GLib.PRIORITY_DEFAULT, GLib.IO_IN | GLib.IO_HUP, service.heard)
    loop.run()


if __name__ == "__main__":
    main()
