"""`pui run` as a person calls it, on a real machine: what it prints, how it ends, what is on the disk.

In: the command as a process of its own. Out: exit codes, text, JSON lines, files. Never: a call into the app.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pui.domain.demo_model import demo_response
from pui.supervisor.board import TaskBoard
from tests.support.app_process import ROOT, processes_of
from tests.support.playbook import files_below
from tests.support.real_machine import CPU_COUNT, RealApp, json_lines
from tests.support.waiting import wait_until

pytestmark = pytest.mark.vm

KEY = "canary-7f3a9c51e2d84b60"


def run(real: RealApp, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    environment = real.env | (env or {})
    command = real.command("run", "--cpus", str(CPU_COUNT), *arguments)
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@contextmanager
def started(real: RealApp, *arguments: str, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """`pui run --json` in the background."""
    command = real.command("run", "--json", "--cpus", str(CPU_COUNT), *arguments)
    environment = real.env | (env or {})
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def until_line(process: subprocess.Popen[str], **wanted: object) -> list[dict[str, Any]]:
    """Read JSON lines until one has all these fields."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen += json_lines(line)
        if all(seen[-1].get(key) == value for key, value in wanted.items()):
            return seen
    assert process.stderr is not None
    raise AssertionError(f"never said {wanted}; it ended with {seen[-3:]} {process.stderr.read()}")


def test_the_demo_task_edits_a_file_and_tells_it_in_json(real: RealApp) -> None:
    project, docs = real.project("json"), real.project("docs")
    arguments = ("--folder", str(project), "--folder", f"{docs}:ro")
    done = run(real, "--json", *arguments, 'replace "hello" with "good day" in README.md')
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert (project / "README.md").read_text() == "# A sample\n\ngood day\n"
    assert (docs / "README.md").read_text() == "# A sample\n\nhello\n"
    lines = json_lines(done.stdout)
    path = [line["to"] for line in lines if line["type"] == "transition"]
    assert path == ["preflight", "overlay-prep", "qemu-launch", "handshake", "running", "teardown", "finished"]
    tools = [line["entry"]["title"] for line in lines if line["type"] == "pi" and line.get("event") == "entry"]
    assert {"bash", "read", "edit"} <= set(tools)
    (changes,) = [line for line in lines if line["type"] == "changes"]
    assert [(c["change"], c["path"]) for c in changes["changes"]] == [("changed", "README.md")]
    assert (lines[-1]["type"], lines[-1]["result"]) == ("end", "completed")
    assert "demo" in next(line for line in lines if line["type"] == "task")["model"]


def test_the_demo_task_for_a_person(real: RealApp) -> None:
    project = real.project("text")
    done = run(real, "--folder", str(project), "Add a line")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "demo model (scripted)" in done.stderr and "network  none" in done.stderr
    assert "\n+" in done.stdout and "README.md" in done.stdout
    assert done.stderr.rstrip().endswith("done")
    assert (project / "README.md").read_text() != "# A sample\n\nhello\n"


def test_ctrl_c_cancels_cleanly(real: RealApp) -> None:
    project = real.project("cancel")
    with started(real, "--folder", str(project), "@hang") as process:
        until_line(process, type="transition", to="running")
        process.send_signal(signal.SIGINT)
        lines = until_line(process, type="end")
        assert process.wait(60) == 130
    assert (lines[-1]["result"], lines[-1]["code"]) == ("cancelled", "task.cancelled")
    wait_until(lambda: processes_of(real.folder) == {}, "the end of every child")


@pytest.mark.threat("J1")
def test_what_a_killed_pui_run_has_changed_is_shown_by_the_next_app(real: RealApp) -> None:
    project = real.project("killed")
    prompt = 'replace "hello" with "good day" in README.md'
    with started(real, "--folder", str(project), prompt) as process:
        lines = until_line(process, type="transition", to="running")
        wait_until(lambda: "good day" in (project / "README.md").read_text(), "the guest's change", 90)
        assert process.poll() is None, "it ended before it could be killed"
        process.kill()
    task_id = next(line for line in lines if line["type"] == "task")["task"]
    wait_until(lambda: processes_of(real.folder) == {}, "the end of every child")
    with real.composed() as app:
        assert [report.task_id for report in app.supervisor.recover()] == [task_id]
        view: Any = asyncio.run(TaskBoard(app.supervisor, app.services).changes(task_id))
    (change,) = view["folders"][0]["changes"]
    assert change["path"] == "README.md" and "-hello\n+good day\n" in change["diff"]
    assert view["is_late"] and "started again" in view["note"]
    shutil.rmtree(project)


def test_wrong_usage_and_refused_folders_start_nothing(real: RealApp) -> None:
    before = files_below(real.paths.tasks_dir)
    assert run(real).returncode == 2
    refused = run(real, "--folder", "/", "x")
    assert refused.returncode == 1 and "mount.refused" in refused.stderr
    assert files_below(real.paths.tasks_dir) == before


@pytest.fixture
def damaged(real: RealApp) -> Iterator[RealApp]:
    """The same app with no pack, for as long as the test runs."""
    active = real.paths.active_pack
    kept = active.with_name("active.kept")
    active.rename(kept)
    yield real
    kept.rename(active)


def test_without_a_pack_set_up_is_required_and_said(damaged: RealApp) -> None:
    done = run(damaged, "x")
    assert done.returncode == 3
    assert "pack.missing" in done.stderr and "pui pack" in done.stderr


# a provider on loopback, in the place of a real one


class Upstream(ThreadingHTTPServer):
    """Speaks chat-completions by the demo's scenario of one tool call, which here is `hunt.sh`; keeps all heads."""

    daemon_threads = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.heads: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Upstream)
        self.server.heads.append(f"{self.requestline}\n{self.headers}")
        body = self.rfile.read(int(self.headers["content-length"]))
        answer = demo_response(body)
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("connection", "close")
        self.end_headers()
        for step in answer.steps:
            if isinstance(step, bytes):
                self.wfile.write(step.replace(b"echo demo", b"sh hunt.sh"))

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


HUNT = """\
{
  cat /proc/*/environ /proc/*/cmdline | tr '\\0' '\\n'
  env
  find /home/agent /tmp /etc /run -xdev -type f -size -2000k -exec cat {} +
} > seen.txt 2>/dev/null
echo hunted >> seen.txt
"""


def test_a_key_reaches_the_provider_and_nothing_else(real: RealApp, upstream: Upstream) -> None:
    """The whole way of a real provider; the key is a canary that is looked for everywhere afterwards."""
    project = real.project("key")
    key_file = real.folder / "key"
    key_file.write_text(KEY + "\n")
    key_file.chmod(0o600)
    env = {
        "PUI_MODEL": "openai-compatible/some-model",
        "PUI_MODEL_BASE_URL": upstream.url,
        "PUI_API_KEY_FILE": str(key_file),
    }
    (project / "hunt.sh").write_text(HUNT)
    try:
        with started(real, "--folder", str(project), "@tools", env=env) as process:
            until_line(process, type="transition", to="running")
            assert not _processes_with(KEY), "the key is in an argument list or an environment"
            lines = until_line(process, type="end")
            assert process.wait(60) == 0, lines[-1]
    finally:
        key_file.unlink()
    seen = (project / "seen.txt").read_text(errors="replace")
    assert "HOME=/home/agent" in seen and upstream.url not in seen and seen.endswith("hunted\n")
    assert len(upstream.heads) == 2 and all(f"Bearer {KEY}" in head for head in upstream.heads)
    assert not _files_with(KEY, real.paths.data, real.paths.runtime, real.paths.cache, project)
    assert KEY not in str(lines)
    shutil.rmtree(project)


def _processes_with(text: str) -> list[str]:
    found = []
    for name in ("cmdline", "environ"):
        for path in Path("/proc").glob(f"[0-9]*/{name}"):
            try:
                content = path.read_bytes()
            except OSError:
                continue
            if text.encode() in content and str(os.getpid()) not in path.parts:
                found.append(str(path))
    return found


def _files_with(text: str, *folders: Path) -> list[str]:
    """Regular files below the folders, the pack's own aside, that hold the text."""
    found = []
    for folder in folders:
        for path in folder.rglob("*"):
            if "packs" not in path.parts and stat.S_ISREG(path.lstat().st_mode) and text.encode() in path.read_bytes():
                found.append(str(path))
    return found
