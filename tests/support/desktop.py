"""A screen, browsers and the real app's processes for the window tests, and a trap for every request that leaves.

In: commands and an environment. Out: Xvfb, Chromium driven by Playwright, `pui` as a child whose Qt or GTK window can
be driven, a `Watch` over a page. Never: a skip: what is missing fails the test with the line that installs it; a
process, thread or descriptor that outlives its `with`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, Request

from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
SCREEN = "1600x1000x24"
CHROMIUM_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SYSTEM_GI = Path("/usr/lib/python3/dist-packages")
INSTALL = "run .ci/setup as root, or install: xvfb chromium python3-gi gir1.2-webkit2-4.1 webkit2gtk-driver"
_STOP_S = 20.0
_LOOPBACK = "http://127.0.0.1:"
_CHROMIUMS_OWN = ("googleapis.com", "google.com", "gvt1.com", "googleusercontent.com")
"""Chromium itself asks these for updates and accounts in spite of every switch; no text of a test names them."""


def program(*names: str) -> str:
    """The first of these programs that is here; fails the test with the way to get it."""
    for name in names:
        if found := shutil.which(name):
            return found
    pytest.fail(f"{names[0]} is missing, no window can be tested; {INSTALL}")


@contextmanager
def xvfb(screen: str = SCREEN, options: Sequence[str] = ()) -> Iterator[str]:
    """A screen of its own (":7"): the server itself picks a number that is free."""
    reading, writing = os.pipe()
    words = [
        program("Xvfb"),
        "-displayfd",
        str(writing),
        "-screen",
        "0",
        screen,
        "-nolisten",
        "tcp",
        "-noreset",
        *options,
    ]
    with subprocess.Popen(words, pass_fds=(writing,), stderr=subprocess.DEVNULL) as server:
        os.close(writing)
        try:
            with os.fdopen(reading) as said:
                number = said.readline().strip()
            assert number, f"Xvfb ended with {server.poll()} before it had a screen"
            yield f":{number}"
        finally:
            server.terminate()
            server.wait(_STOP_S)


_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\n"
    b"Access-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n"
)


@dataclass
class Canary:
    """Listens on 127.0.0.1 and keeps the first line of everybody who calls. Nobody may."""

    port: int
    calls: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"


def _answer(client: socket.socket, canary: Canary) -> None:
    with client, suppress(OSError):
        client.settimeout(1.0)
        line = client.recv(2048).split(b"\r\n")[0].decode("latin-1")
        if not line:  # Chromium opens connections ahead for services of its own and closes them without a byte
            return
        host = re.sub(r"^\S* (?:\w+://)?", "", line).split(" ")[0].split("/")[0].split(":")[0]
        if not host.endswith(_CHROMIUMS_OWN):
            canary.calls.append(line)
        client.sendall(_ANSWER)


@contextmanager
def canary() -> Iterator[Canary]:
    """The trap: a hostile address to put into texts, and the proxy of browsers for whatever is not on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        trap = Canary(listener.getsockname()[1])

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                _answer(client, trap)

        thread = threading.Thread(target=serve, name="canary")
        thread.start()
        try:
            yield trap
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(_STOP_S)


def chromium_path(playwright: Playwright) -> str:
    """The system's Chromium, else the one Playwright has brought."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    own = playwright.chromium.executable_path
    return own if Path(own).exists() else program("chromium")


@contextmanager
def chromium(playwright: Playwright, trap: Canary, *flags: str) -> Iterator[Browser]:
    """A headless Chromium whose requests to other machines end in the trap."""
    browser = playwright.chromium.launch(
        executable_path=chromium_path(playwright), args=[*CHROMIUM_FLAGS, f"--proxy-server={trap.url}", *flags]
    )
    try:
        yield browser
    finally:
        browser.close()


@dataclass
class Watch:
    """What a page did that it must not do. `blocked` are requests that the content policy stopped in the page."""

    home: str
    trap: Canary
    strangers: list[str] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    popups: list[str] = field(default_factory=list)
    visits: list[str] = field(default_factory=list)

    def is_home(self, url: str) -> bool:
        return urlsplit(url).netloc == self.home or urlsplit(url).scheme in ("data", "blob")

    def faults(self) -> list[str]:
        """Everything that is against the rules, in words."""
        strangers = [url for url in self.strangers if url not in self.blocked]
        found = [f"request: {url}" for url in strangers] + [f"caught: {line}" for line in self.trap.calls]
        found += [f"dialog: {text}" for text in self.dialogs] + [f"popup: {url}" for url in self.popups]
        found += [f"navigation: {url}" for url in self.visits if not self.is_home(url)]
        return found + [f"error: {text}" for text in self.errors]


def watch(page: Page, trap: Canary, *, home: str | None = None) -> Watch:
    """Follow `page` from now on; `home` (host:port) defaults to the page's own."""
    log = Watch(home or urlsplit(page.url).netloc, trap)

    def on_request(request: Request) -> None:
        if not log.is_home(request.url):
            log.strangers.append(request.url)

    def on_failed(request: Request) -> None:
        if request.failure and ("csp" in request.failure or "BLOCKED" in request.failure.upper()):
            log.blocked.append(request.url)

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error" and "Content Security Policy" not in message.text:
            log.errors.append(message.text)

    page.on("request", on_request)
    page.on("requestfailed", on_failed)
    page.on("console", on_console)
    page.on("pageerror", lambda error: log.errors.append(str(error)))
    page.on("popup", lambda opened: log.popups.append(opened.url))
    page.on("framenavigated", lambda frame: log.visits.append(frame.url))
    page.on("download", lambda download: log.popups.append(f"download {download.url}"))
    page.on("dialog", lambda dialog: (log.dialogs.append(dialog.message), dialog.dismiss()))
    return log


@dataclass
class AppProcess:
    """A child that shows the app: its process, what it prints (a file) and, for Qt, the port of its DevTools."""

    process: subprocess.Popen[bytes]
    log: Path
    devtools_port: int = 0

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for(self, words: str, timeout_s: float = 60.0) -> str:
        """What it has printed, once `words` are in it; fails with all it said when it ends before."""

        def happened() -> bool:
            assert self.process.poll() is None or words in self.said(), f"it ended and said:\n{self.said()}"
            return words in self.said()

        wait_until(happened, f"{words!r} in what it prints", timeout_s)
        return self.said()


@contextmanager
def app_process(
    words: Sequence[str],
    env: Mapping[str, str],
    log: Path,
    *,
    devtools_port: int = 0,
    stdin: int = subprocess.DEVNULL,
) -> Iterator[AppProcess]:
    """`words` as the leader of a new group; at the end asked to stop, and the whole group killed if it does not."""
    with (
        log.open("wb") as out,
        subprocess.Popen(
            words, cwd=ROOT, env=dict(env), stdin=stdin, stdout=out, stderr=out, start_new_session=True
        ) as process,
    ):
        try:
            yield AppProcess(process, log, devtools_port)
        finally:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                pytest.fail(f"{' '.join(words)} did not stop when asked to; it said:\n{log.read_text()[-4000:]}")
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def pui_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pui", *arguments]


def qt_env(display: str, trap: Canary, port: int) -> dict[str, str]:
    """What makes the Qt window one that a test can drive: DevTools, software drawing, requests to others trapped."""
    flags = f"--no-sandbox --disable-gpu --proxy-server={trap.url}"
    return {
        "DISPLAY": display,
        "PUI_GUI": "qt",
        "PUI_DEVTOOLS": "1",
        "QT_QPA_PLATFORM": "xcb",
        "QTWEBENGINE_DISABLE_SANDBOX": "1",
        "QTWEBENGINE_CHROMIUM_FLAGS": flags,
        "QTWEBENGINE_REMOTE_DEBUGGING": f"127.0.0.1:{port}",
    }


@contextmanager
def qt_window(
    env: Mapping[str, str], display: str, trap: Canary, log: Path, words: Sequence[str] = ()
) -> Iterator[AppProcess]:
    """The app in its real Qt window (or another program that opens one)."""
    port = free_port()
    whole = dict(env) | qt_env(display, trap, port)
    with app_process(words or pui_command("window"), whole, log, devtools_port=port) as app:
        yield app


@contextmanager
def attached(playwright: Playwright, app: AppProcess, timeout_s: float = 60.0) -> Iterator[Page]:
    """The page in the Qt window, driven over DevTools. Leaving it lets the app live."""

    def has_page() -> bool:
        assert app.process.poll() is None, f"the window's process ended and said:\n{app.said()}"
        return any(target["title"] and target["url"].startswith(_LOOPBACK) for target in _targets(app.devtools_port))

    # Before the page is there an attempt to attach hangs.
    wait_until(has_page, "a page in the window", timeout_s)
    browser = playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{app.devtools_port}", no_defaults=True)
    try:
        wait_until(lambda: bool(_pages(browser)), "the page over DevTools", timeout_s)
        yield _pages(browser)[0]
    finally:
        browser.close()


def _targets(port: int) -> list[dict[str, str]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=5.0) as answer:
            found: list[dict[str, str]] = json.load(answer)
            return found
    except OSError:
        return []


def _pages(browser: Browser) -> list[Page]:
    contexts: list[BrowserContext] = browser.contexts
    return [page for context in contexts for page in context.pages if page.url.startswith(_LOOPBACK)]


@contextmanager
def gi_path(folder: Path) -> Iterator[str]:
    """A PYTHONPATH entry with the system's `gi` alone. It fits every Python of the same minor version."""
    if not (SYSTEM_GI / "gi").is_dir():
        pytest.fail(f"python3-gi is missing, the GTK window cannot be tested; {INSTALL}")
    tag = f"cpython-{sys.version_info.major}{sys.version_info.minor}-"
    if not list((SYSTEM_GI / "gi").glob(f"_gi.{tag}*")):
        pytest.fail(f"python3-gi is not built for this Python {sys.version_info[:2]}: make .venv with the system's own")
    folder.mkdir(exist_ok=True)
    for name in ("gi", "cairo"):
        if (SYSTEM_GI / name).exists() and not (folder / name).exists():
            (folder / name).symlink_to(SYSTEM_GI / name)
    yield str(folder)


@contextmanager
def gtk_window(env: Mapping[str, str], display: str, log: Path, words: Sequence[str] = ()) -> Iterator[AppProcess]:
    """The app in its real GTK window, by the Python of the tests with the system's gi."""
    with gi_path(log.parent / "gi") as path:
        whole = dict(env) | {
            "DISPLAY": display,
            "PUI_GUI": "gtk",
            "GDK_BACKEND": "x11",
            "PYTHONPATH": path,
            "WEBKIT_DISABLE_COMPOSITING_MODE": "1",
            "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1",
            "NO_AT_BRIDGE": "1",
            "GSETTINGS_BACKEND": "memory",
        }
        with app_process(words or pui_command("window"), whole, log) as app:
            yield app
