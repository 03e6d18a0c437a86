"""The window's life without a window: calls and events cross, closing asks, the end tears down.

In: a back end that keeps scripts and answers dialogs. Out: assertions. Never: a GUI (test_attacked_window.py has two).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pui.domain.errors import HostError, PuiError
from pui.domain.window_place import WindowPlace, parse_place, render_place
from pui.ports import Dialogs
from pui.shell.instance import claim_instance
from pui.shell.page_server import PageServer, bind_loopback
from pui.shell.page_site import PageSession, PageSite, page_files
from pui.shell.table import verb_table
from pui.shell.window_app import ReadyApp, WindowApp
from pui.shell.window_bridge import TEXT_LIMIT
from pui.shell.window_dialogs import WindowDialogs
from pui.shell.window_kit import FileQuestion
from tests.shell.rig import Rig
from tests.support.simulated import settle

PAGE = Path(__file__).parents[1] / "support" / "page"


class ToldKit:
    """WindowKit: keeps scripts; answers dialogs with `yes`, from the same thread."""

    def __init__(self) -> None:
        self.scripts: list[str] = []
        self.asked: list[tuple[str, list[str]]] = []
        self.yes = True
        self.takes_scripts = True
        self.focused = 0
        self.is_hidden = False

    def prepare(self, window: Any, policy: Any, on_call: Any) -> None: ...

    def harden(self) -> None: ...

    def post_script(self, script: str, done: Callable[[], None]) -> None:
        self.scripts.append(script)
        if self.takes_scripts:
            done()

    def confirm(self, title: str, lines: Sequence[str], yes: str, done: Callable[[bool], None]) -> None:
        self.asked.append((title, list(lines)))
        done(self.yes)

    def ask_text(self, title: str, lines: Sequence[str], initial: str, done: Callable[[str | None], None]) -> None:
        done(initial)

    def ask_file(
        self,
        question: FileQuestion,
        title: str,
        name: str,
        suffixes: Sequence[str],
        done: Callable[[Path | None], None],
    ) -> None:
        done(Path("/chosen"))

    def focus(self) -> None:
        self.focused += 1

    def hide(self) -> None:
        self.is_hidden = True

    def place(self) -> WindowPlace | None:
        return None

    def said(self, function: str) -> list[Any]:
        heads = f"{function}(JSON.parse("
        return [json.loads(json.loads(s.removeprefix(heads)[:-2])) for s in self.scripts if s.startswith(heads)]


class Window:
    def __init__(self, folder: Path, fault: PuiError | None = None) -> None:
        self.rig, self.kit = Rig(), ToldKit()
        self.session = PageSession("k", lambda: "t" * 43)
        self.session.renew()
        listener = bind_loopback()
        site = PageSite(page_files(PAGE), self.session, listener.getsockname()[1])
        claim = claim_instance(folder / "lock", folder / "sock")
        assert claim is not None
        self.claim = claim
        self.destroyed = 0

        @contextmanager
        def compose(dialogs: Dialogs) -> Iterator[ReadyApp]:
            if fault is not None:
                raise fault
            self.rig.desk.dialogs = dialogs
            yield ReadyApp(self.rig.desk, verb_table(self.rig.desk))

        self.app = WindowApp(self.kit, PageServer(listener, site.respond), self.session, claim, compose)
        self.app.destroy = self._destroy

    def _destroy(self) -> None:
        self.destroyed += 1

    async def begin(self) -> asyncio.Task[None]:
        loop = asyncio.get_running_loop()
        self.app.attach(lambda *arguments: loop.call_soon_threadsafe(*arguments))
        running = asyncio.ensure_future(self.app.run())
        await settle()
        self.app.view_is_made()
        await self.until(lambda: self.app.bridge._router is not None or self.app.fault is not None)
        return running

    async def until(self, happened: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not happened():  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.005)

    def call(self, method: str, call_id: int = 1, **params: Any) -> None:
        text = json.dumps({"t": self.session.token, "id": call_id, "method": method, "params": params})
        self.app.bridge.take(text)


def play(folder: Path, story: Callable[[Window, asyncio.Task[None]], Awaitable[None]], **options: Any) -> Window:
    async def run() -> Window:
        window = Window(folder, **options)
        try:
            running = await window.begin()
            async with asyncio.timeout(20):
                await story(window, running)
                window.app.end()
                await running
        finally:
            window.claim.close()
        return window

    return asyncio.run(run())


def test_calls_are_answered_and_events_follow_the_greeting(tmp_path: Path) -> None:
    async def story(window: Window, _running: asyncio.Task[None]) -> None:
        window.rig.desk.tell("toast", level="info", text="before anybody listens")
        window.call("app.hello")
        await window.until(lambda: bool(window.kit.said("pui._reply")))
        cursor = window.kit.said("pui._reply")[0]["result"]["cursor"]
        window.rig.desk.tell("toast", level="info", text="é")
        await window.until(lambda: any("\\u00e9" in script for script in window.kit.scripts))
        last = window.kit.said("pui._events")[-1]
        assert [(event["seq"], event["text"]) for event in last] == [(cursor + 1, "é")]
        assert all(script.isascii() for script in window.kit.scripts)

    window = play(tmp_path, story)
    assert window.destroyed == 1 and window.rig.supervisor.is_shut_down and window.app.may_close
    assert not (tmp_path / "sock").exists()


def test_a_page_that_takes_nothing_gets_one_batch_and_not_ten_thousand(tmp_path: Path) -> None:
    async def story(window: Window, _running: asyncio.Task[None]) -> None:
        window.kit.takes_scripts = False
        for number in range(10_000):
            window.rig.desk.tell("toast", level="info", text=str(number))
        await window.until(lambda: bool(window.kit.scripts))
        await asyncio.sleep(0.05)
        assert len(window.kit.said("pui._events")) == 1

    play(tmp_path, story)


def test_i5_texts_that_wait_are_bounded(tmp_path: Path) -> None:
    async def story(window: Window, _running: asyncio.Task[None]) -> None:
        for number in range(TEXT_LIMIT + 500):
            window.call("folder.list", number)
        assert window.app.bridge._texts.qsize() == TEXT_LIMIT
        await window.until(lambda: len(window.kit.said("pui._reply")) == TEXT_LIMIT)

    play(tmp_path, story)


def test_closing_asks_only_when_tasks_run(tmp_path: Path) -> None:
    async def story(window: Window, running: asyncio.Task[None]) -> None:
        window.rig.supervisor.tasks += ["one", "two"]
        window.kit.yes = False
        window.app.close_is_wanted()
        await window.until(lambda: len(window.kit.asked) == 1)
        await settle()
        assert not running.done() and not window.app.may_close and "2 tasks run" in window.kit.asked[0][1][0]
        window.kit.yes = True
        window.app.close_is_wanted()
        await running
        assert window.kit.is_hidden and window.rig.supervisor.is_shut_down

    assert len(play(tmp_path, story).kit.asked) == 2


def test_closing_without_tasks_asks_nothing(tmp_path: Path) -> None:
    async def story(window: Window, running: asyncio.Task[None]) -> None:
        window.app.close_is_wanted()
        await running

    window = play(tmp_path, story)
    assert window.kit.asked == [] and window.destroyed == 1


def test_an_app_that_cannot_start_says_so_natively(tmp_path: Path) -> None:
    async def story(window: Window, running: asyncio.Task[None]) -> None:
        await running
        assert "no room" in " ".join(window.kit.asked[0][1])

    window = play(tmp_path, story, fault=HostError("host.disk_full", "no room at all"))
    assert window.app.fault is not None and window.app.fault.code == "host.disk_full"


def test_j5_a_second_start_brings_the_window_to_the_front(tmp_path: Path) -> None:
    async def story(window: Window, _running: asyncio.Task[None]) -> None:
        again = await asyncio.to_thread(claim_instance, tmp_path / "lock", tmp_path / "sock")
        assert again is None
        await window.until(lambda: window.kit.focused == 1)
        window.rig.desk.to_front()
        assert window.kit.focused == 2, "a click on a notification shows the window"

    play(tmp_path, story)


def test_dialogs_are_scrubbed_cut_and_asked_one_at_a_time() -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        kit = ToldKit()
        waiting: list[Callable[[bool], None]] = []
        kit.confirm = lambda title, lines, yes, done: (  # type: ignore[method-assign, assignment]
            kit.asked.append((title, list(lines))),
            waiting.append(done),
        )
        dialogs = WindowDialogs(kit, lambda *arguments: loop.call_soon_threadsafe(*arguments))
        first = asyncio.ensure_future(dialogs.confirm("a\nb" * 200, ["x" * 5000, "\u202eevil", *["line"] * 50], "Yes"))
        second = asyncio.ensure_future(dialogs.confirm("second", [], "Yes"))
        await settle()
        assert len(kit.asked) == 1
        title, lines = kit.asked[0]
        assert len(title) <= 120 and "\n" not in title and len(lines[0]) == 2000
        assert "<U+202E>" in lines[1] and lines[-1] == "… and 22 more"
        waiting[0](True)
        waiting[0](False)  # an answer counts once
        assert await first is True
        await settle()
        assert len(kit.asked) == 2
        waiting[1](False)
        assert await second is False

    asyncio.run(story())


def test_the_place_of_the_window_is_kept_and_damaged_ones_are_not_used() -> None:
    place = WindowPlace(1000, 700, -5, 30, is_maximized=True)
    assert parse_place(render_place(place)) == place
    for data in (b"", b"[]", b'{"width":5,"height":5}', b'{"width":1e9,"height":700}', b'{"width":true,"height":700}'):
        assert parse_place(data) is None
    assert parse_place(b'{"width":1000,"height":700,"x":"a","y":99999999}') == WindowPlace(1000, 700)
