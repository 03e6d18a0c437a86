"""The supervisor's thread: one asyncio loop that runs until its main coroutine ends.

In: a coroutine function, functions to run on the loop. Out: its end, or the error it ended with.
Never: a second loop, a daemon thread: who starts it joins it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

NAME = "pui-supervisor"


class LoopThread:
    """`error` is what the main coroutine raised, None while it runs and after a good end."""

    def __init__(self, main: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._main = main
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_running = threading.Event()
        self._thread = threading.Thread(target=self._run, name=NAME)
        self.error: BaseException | None = None

    def start(self) -> None:
        """Returns once the loop runs."""
        self._thread.start()
        self._is_running.wait()

    def post(self, function: Callable[..., object], *arguments: object) -> bool:
        """Run a plain function on the loop soon; from any thread. False when the loop has ended."""
        loop = self._loop
        if loop is None:
            return False
        try:
            loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # closed between the question and the call
            return False
        return True

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._whole())
        except BaseException as error:
            self.error = error
        finally:
            self._loop = None
            self._is_running.set()

    async def _whole(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._is_running.set()
        await self._main()
