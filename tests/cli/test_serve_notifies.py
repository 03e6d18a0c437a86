"""`pui serve` as a process on a real session bus: a task that needs the person is on the desktop, a click opens it.

In: a real child, dbus-daemon, a notification service by GLib. Out: assertions. Never: a machine, a browser.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_serve import serving
from tests.support.session_bus import notification_service, session_bus


def test_a_task_that_needs_the_person_is_on_the_desktop_and_a_click_opens_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with session_bus(tmp_path) as address, notification_service(address) as service:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        with serving(tmp_path) as (app, page):
            hello = page.ask("app.hello")["result"]
            assert hello["notifications"] == {"problem": ""}
            events = f"{page.origin}/events?after={hello['cursor']}&t={page.token}"
            with page.client.stream("GET", events) as stream:
                page.ask("app.presence", is_here=False)
                made = page.ask("task.create", prompt="Fix <i>it</i>", folders=[], network="model")["result"]
                page.ask("task.start", task_id=made["task_id"])  # no pack is installed
                call = service.next_call()
                assert (call["summary"], call["body"]) == ("Fix <i>it</i>", "This computer needs something first.")
                service.does("click", call["id"])
                events_so_far = (one for line in stream.iter_lines() for one in _events(line))
                opened = next(one for one in events_so_far if one["type"] == "open")
                assert opened["task_id"] == made["task_id"]
    assert app.process.returncode == 0


def _events(line: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(line.removeprefix("data:")) if line.startswith("data:") else []
    return found
