"""Work that ends early when something it depends on ends.

In: the work, and things that must not end while it runs. Out: the work's result, or the error of what ended first.
Never: a task left running behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Iterable
from typing import Any, TypeVar

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
