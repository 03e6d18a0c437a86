"""Work in the background that ends by a bug is heard of; one that is cancelled, or ends well, is not.

In: tasks of a loop. Out: what the app's log was told. Never: a log file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

from structlog.testing import capture_logs

from pui.supervisor.watching import log_fault


def told(work: Coroutine[None, None, None], *, is_cancelled: bool = False) -> list[tuple[str, str]]:
    async def main() -> None:
        task = asyncio.create_task(work, name="a name")
        task.add_done_callback(log_fault("counting ended"))
        await asyncio.sleep(0)
        if is_cancelled:
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0)

    with capture_logs() as logs:
        asyncio.run(main())
    return [(entry["event"], entry["task"]) for entry in logs if entry["log_level"] == "error"]


async def fails() -> None:
    raise RuntimeError("a bug")


def test_a_bug_is_told() -> None:
    assert told(fails()) == [("counting ended", "a name")]


def test_a_good_end_and_a_cancel_are_not() -> None:
    assert told(asyncio.sleep(0)) == []
    assert told(asyncio.sleep(99), is_cancelled=True) == []
