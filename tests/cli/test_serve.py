"""`pui serve` as a process: its address, its folders, its words where nobody can be asked, its ends.

In: a real child on loopback. Out: assertions. Never: a browser (tests/gui has those), a task.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.desktop import AppProcess, app_process, pui_command
from tests.support.waiting import wait_until


class Page:
    """What a page would do, without one."""

    def __init__(self, client: httpx.Client, address: str) -> None:
        self.client, self.origin = client, address.partition("/?")[0]
        index = client.get(address)
        assert index.status_code == 200
        found = re.search(r'name="pui-token" content="([^"]+)"', index.text)
        assert found is not None
        self.token = found.group(1)

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        call = {"t": self.token, "id": 1, "method": method, "params": params}
        answer = self.client.post(f"{self.origin}/rpc", json=call, headers={"origin": self.origin})
        assert answer.status_code == 200
        return dict(answer.json())


@contextmanager
def serving(tmp_path: Path, *words: str) -> Iterator[tuple[AppProcess, Page]]:
    env = dict(os.environ) | {
        "PUI_DATA_DIR": str(tmp_path / "data"),
        "PUI_CACHE_DIR": str(tmp_path / "cache"),
        "PUI_RUNTIME_DIR": str(tmp_path / "run"),
    }
    with app_process(pui_command("serve", *words), env, tmp_path / "said") as app:
        said = app.wait_for("/?k=")
        address = next(line for line in said.splitlines() if line.startswith("http://127.0.0.1:"))
        with httpx.Client(trust_env=False, timeout=30) as client:
            yield app, Page(client, address)


def test_folders_of_the_command_line_are_granted_and_nothing_else_can_be(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    with serving(tmp_path, "--folder", f"{folder}:ro") as (app, page):
        hello = page.ask("app.hello")["result"]
        assert hello["carrier"] == "browser"
        assert [(row["path"], row["read_only"]) for row in hello["folders"]] == [(str(folder), True)]
        refused = page.ask("folder.choose", read_only=True)["error"]
        assert refused["code"] == "host.no_dialog" and "terminal" in refused["hint"]
        write = {"id": hello["folders"][0]["id"], "read_only": False}
        created = page.ask("task.create", prompt="x", folders=[write], network="model")
        assert created["error"]["code"] == "host.no_dialog"  # reading was granted, writing has to be asked for
    assert app.process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.threat("J6")
def test_each_signal_ends_it_in_order(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path) as (app, _page):
        app.process.send_signal(number)
        wait_until(lambda: app.process.poll() is not None, "its end", 60)
    assert app.process.returncode == 0 and "cancelled" in app.said()


def test_once_ends_when_the_page_has_gone(tmp_path: Path) -> None:
    with serving(tmp_path, "--once") as (app, page):
        cursor = page.ask("app.hello")["result"]["cursor"]
        with page.client.stream("GET", f"{page.origin}/events?after={cursor}&t={page.token}") as stream:
            assert next(stream.iter_lines()).startswith(":")
            assert app.process.poll() is None
        wait_until(lambda: app.process.poll() is not None, "its end", 60)
    assert app.process.returncode == 0


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            pui_command("serve", "--port", str(port)), capture_output=True, text=True, check=False, timeout=60
        )
    assert done.returncode == 1 and str(port) in done.stderr and "Traceback" not in done.stderr
