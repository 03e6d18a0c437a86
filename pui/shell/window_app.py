"""The window's life on the supervisor's loop: serve the page, put the app together, answer, end in order.

In: a back end, a claim, a function that puts the app together. Out: an app whose tasks are torn down when it ends.
Never: a task left running behind a closed window; a dialog or an answer before the view is locked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pui.domain.errors import PuiError
from pui.shell.window_bridge import WindowBridge
from pui.shell.window_dialogs import WindowDialogs

if TYPE_CHECKING:  # imported with the app, while the engine starts
    from pui.ports import Dialogs
    from pui.shell.desk import Desk
    from pui.shell.instance import InstanceClaim
    from pui.shell.page_server import PageServer
    from pui.shell.page_site import PageSession
    from pui.shell.verbs import VerbTable
    from pui.shell.window_kit import WindowKit


@dataclass(frozen=True)
class ReadyApp:
    """The app, put together: the desk and the table over it."""

    desk: Desk
    table: VerbTable


Compose = Callable[["Dialogs"], AbstractContextManager[ReadyApp]]
"""Puts the app together on a worker thread, while the engine starts and loads the page. Raises PuiError."""


class WindowApp:
    """`run` is the supervisor thread's main coroutine. Methods marked (any thread) may be called from anywhere."""

    def __init__(
        self,
        kit: WindowKit,
        server: PageServer,
        session: PageSession,
        claim: InstanceClaim,
        compose: Compose,
    ) -> None:
        self._kit = kit
        self._server = server
        self._session = session
        self._claim = claim
        self._compose = compose
        self._post: Callable[..., Any] = lambda *_arguments: False
        self._view_is_made = asyncio.Event()
        self._end_is_wanted = asyncio.Event()
        self._is_asking = False
        self._desk: Desk | None = None
        self.bridge = WindowBridge(kit, lambda *arguments: self._post(*arguments))
        self.may_close = False
        self.destroy: Callable[[], None] = lambda: None
        self.fault: PuiError | None = None

    def attach(self, post: Callable[..., Any]) -> None:
        """`post` runs a function on the loop of `run`; before `run` starts."""
        self._post = post

    def view_is_made(self) -> None:
        """(any thread) It is locked to our page: dialogs can be shown, calls may be answered."""
        self._post(self._view_is_made.set)

    def close_is_wanted(self) -> None:
        """(any thread) The person closes the window: asked about when tasks run."""
        self._post(self._ask_close)

    def end(self) -> None:
        """(any thread) End without a question: a signal, or the window is gone."""
        self._post(self._end_now)

    def refuse(self, fault: PuiError) -> None:
        """(any thread) The window is not fit to be used: end with this error."""
        self.fault = fault
        self.end()

    async def run(self) -> None:
        await self._server.start()
        await self._claim.serve(self._kit.focus)
        with ExitStack() as stack:
            try:
                await self._live(stack)
            finally:
                self.may_close = True
                await self.bridge.end()
                self.destroy()
                await self._claim.end()
                await self._server.close()
                await asyncio.to_thread(stack.close)

    async def _live(self, stack: ExitStack) -> None:
        dialogs = WindowDialogs(self._kit, self._post)
        try:
            app = await asyncio.to_thread(lambda: stack.enter_context(self._compose(dialogs)))
        except PuiError as error:
            self.fault = self.fault or error
            await self._view_is_made.wait()  # it shows the dialog
            if not self._end_is_wanted.is_set():
                await dialogs.confirm("pui cannot start", [error.message, error.hint], "Quit")
            return
        from pui.shell.router import Router

        await self._view_is_made.wait()
        if self._end_is_wanted.is_set():
            return
        desk = self._desk = app.desk
        desk.to_front = self._kit.focus
        desk.supervisor.recover()
        self.bridge.begin(Router(app.table, lambda: self._session.token, desk.clock), desk.events)
        desk.begin()
        await self._end_is_wanted.wait()
        self._kit.hide()
        await desk.supervisor.shutdown()
        await desk.close()
        desk.events.close()

    def _end_now(self) -> None:
        self._view_is_made.set()
        self._end_is_wanted.set()

    def _ask_close(self) -> None:
        if self._is_asking:
            self._kit.focus()
            return
        self._is_asking = True
        asking = asyncio.ensure_future(self._close_unless_busy())
        asking.add_done_callback(_log_fault)

    async def _close_unless_busy(self) -> None:
        try:
            running = [] if self._desk is None else self._desk.supervisor.running()
            if not running or await self._is_agreed(self._desk, running):
                self._end_now()
        finally:
            self._is_asking = False

    async def _is_agreed(self, desk: Desk | None, running: Sequence[str]) -> bool:
        """A task's machine lives as long as this app: leaving one running behind is not possible."""
        if desk is None:
            return True
        count = "One task runs" if len(running) == 1 else f"{len(running)} tasks run"
        lines = [f"{count}. Closing cancels what runs; what was changed in your folders stays as it is."]
        return await desk.dialogs.confirm("Close pui?", lines, "Cancel tasks and close")


def _log_fault(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        import structlog

        structlog.get_logger().error("closing failed", error=repr(task.exception()))
