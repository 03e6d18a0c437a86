"""The window tests' own tools tell the truth: a request that leaves is caught, a script that runs is seen.

In: pages that do what is forbidden. Out: verdicts of tests.support.desktop. Never: a page of the app.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Playwright, expect

from tests.support import desktop
from tests.support.page_server import page_with
from tests.support.waiting import wait_until

pytestmark = pytest.mark.gui

IDLE = "document.title = 'done';"
LEAVE = "location.href = 'http://canary.example/';"


def test_a_request_that_leaves_is_caught(playwright: Playwright, trap: desktop.Canary) -> None:
    with desktop.chromium(playwright, trap) as browser:
        page = browser.new_page()
        seen = desktop.watch(page, trap, home="127.0.0.1:1")
        page.set_content(f"<img src='{trap.url}/a'><img src='http://canary.example/b'>", wait_until="load")
        assert sorted(trap.calls) == ["GET /a HTTP/1.1", "GET http://canary.example/b HTTP/1.1"]
        assert len([fault for fault in seen.faults() if fault.startswith("request")]) == 2


def test_a_connection_without_a_byte_is_no_call(trap: desktop.Canary) -> None:
    for said in (b"", b"GET /x HTTP/1.1\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", trap.port), timeout=10.0) as client:
            client.sendall(said)
            client.shutdown(socket.SHUT_WR)
            while client.recv(4096):
                pass
    assert trap.calls == ["GET /x HTTP/1.1"]


def test_what_the_content_policy_stops_is_no_fault(playwright: Playwright, trap: desktop.Canary) -> None:
    script = f"const i = new Image(); i.onerror = () => {{ {IDLE} }}; i.src = '{trap.url}/a';"
    with page_with(script) as url, desktop.chromium(playwright, trap) as browser:
        page = browser.new_page()
        seen = desktop.watch(page, trap, home=url.split("/")[2])
        page.goto(url)
        expect(page).to_have_title("done")
        assert (seen.faults(), trap.calls) == ([], [])


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("alert('ran');", "dialog: ran"),
        ("throw new Error('oops');", "error: oops"),
        ("window.open('/again');", "popup"),
        (f"setTimeout(() => {{ {LEAVE} }}, 100);", "request: http://canary.example/"),
        (f"setTimeout(() => {{ {LEAVE} }}, 100);", "navigation: http://canary.example/"),
    ],
)
def test_a_page_that_does_the_forbidden_is_seen(
    playwright: Playwright, trap: desktop.Canary, script: str, fault: str
) -> None:
    with page_with(script) as url, desktop.chromium(playwright, trap) as browser:
        page = browser.new_page()
        seen = desktop.watch(page, trap, home=url.split("/")[2])
        page.goto(url)
        page.wait_for_timeout(500)
        assert [found for found in seen.faults() if found.startswith(fault)]


def test_the_qt_windows_requests_end_in_the_trap(
    playwright: Playwright, trap: desktop.Canary, display: str, tmp_path: Path
) -> None:
    env = dict(os.environ) | {"PYWEBVIEW_GUI": "qt"}
    script = f"setTimeout(() => {{ {LEAVE} }}, 500); {IDLE}"
    with page_with(script) as url:
        words = [sys.executable, "-m", "tests.support.probe_window", url]
        with (
            desktop.qt_window(env, display, trap, tmp_path / "log", words) as app,
            desktop.attached(playwright, app),
        ):
            wait_until(lambda: bool(trap.calls), "a request in the trap")
    assert trap.calls[0] == "GET http://canary.example/ HTTP/1.1"
