"""Work that ends early when something it depends on ends; work in the background that ends by a bug.

In: the work, and things that must not end while it runs. Out: the work's result, or the error of what ended first.
Never: a task left running behind, a bug that nobody hears of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

import structlog

Result = TypeVar("Result")


async def while_all_live(work: Coroutine[Any, Any, Result], watches: Iterable[Awaitable[None]]) -> Result:
    """The result of `work`. A watch that raises ends the work with that error; one that returns is over and done.

    When several end at once the first of `watches` is told: give causes before what follows from them.
    """
    main = asyncio.ensure_future(work)
    guards = [asyncio.ensure_future(watch) for watch in watches]
    try:
        while not main.done():
            await asyncio.wait({main, *guards}, return_when=asyncio.FIRST_COMPLETED)
            for guard in [guard for guard in guards if guard.done()]:
                guards.remove(guard)
                guard.result()
        return main.result()
    finally:
        await end_all([main, *guards])


async def end_all(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel what still runs and wait until it is gone; errors of what is cancelled are of no interest."""
    left = [task for task in tasks if not task.done()]
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    for task in tasks:
        if task.done() and not task.cancelled():
            task.exception()


def log_fault(what: str) -> Callable[[asyncio.Task[None]], None]:
    """A callback for the end of work that nobody waits for: a bug in it is told in the app's log, as `what`."""

    def look(task: asyncio.Task[None]) -> None:
        fault = None if task.cancelled() else task.exception()
        if fault is not None:
            structlog.get_logger().error(what, task=task.get_name(), exc_info=fault)

    return look
