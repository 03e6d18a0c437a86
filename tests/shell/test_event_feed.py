"""The feed of events: order, merge, bounds, restart.

In: events. Out: batches. Never: a real page.
"""

from __future__ import annotations

import asyncio
import json

from pui.domain.bridge_call import BATCH_LIMIT_BYTES
from pui.shell import event_feed
from pui.shell.event_feed import Event, EventFeed


def _delta(text: str, *, key: str = "k", task_id: str = "a", is_final: bool = False) -> Event:
    entry = {"key": key, "text": "", "is_final": is_final}
    return {"type": "entry", "task_id": task_id, "entry": entry, "delta": text, "is_replaced": False}


async def _drain(feed: EventFeed) -> list[list[dict[str, object]]]:
    feed.close()
    return [[json.loads(text) for text in batch or []] async for batch in feed.follow(0)]


def test_numbers_have_no_gap_and_adjacent_deltas_are_one() -> None:
    feed = EventFeed()
    for event in (_delta("a"), _delta("b"), _delta("c", key="other"), {"type": "toast"}, _delta("d", key="other")):
        feed.append(event)
    (batch,) = asyncio.run(_drain(feed))
    assert [event["seq"] for event in batch] == [1, 2, 3, 4]
    assert [event.get("delta") for event in batch] == ["ab", "c", None, "d"]


def test_a_mark_parts_what_was_from_what_comes() -> None:
    """An answer that holds the first delta names the seq up to which events are in it."""
    feed = EventFeed()
    feed.append(_delta("a"))
    assert feed.mark() == 1
    feed.append(_delta("b"))
    assert feed.mark() == feed.mark() == 2
    (batch,) = asyncio.run(_drain(feed))
    assert [(event["seq"], event["delta"]) for event in batch] == [(1, "a"), (2, "b")]


def test_what_is_final_or_of_another_task_is_not_merged() -> None:
    feed = EventFeed()
    for event in (_delta("a"), _delta("b", is_final=True), _delta("c"), _delta("d", task_id="b")):
        feed.append(event)
    (batch,) = asyncio.run(_drain(feed))
    assert [event["delta"] for event in batch] == ["a", "b", "c", "d"]


def test_a_batch_is_bounded_and_one_larger_event_goes_alone() -> None:
    feed = EventFeed()
    for size in (BATCH_LIMIT_BYTES + 10, *[60_000] * 9):
        feed.append({"type": "toast", "text": "x" * size})
    batches = asyncio.run(_drain(feed))
    assert [len(batch) for batch in batches] == [1, 4, 4, 1]


def test_a_page_that_does_not_read_gets_a_resync() -> None:
    feed = EventFeed()
    for _ in range(event_feed.PENDING_LIMIT_EVENTS + 10):
        feed.append({"type": "toast"})
    feed.append({"type": "task"})
    batches = asyncio.run(_drain(feed))
    events = [event for batch in batches for event in batch]
    assert events[0]["type"] == "resync" and len(events) < 20


def test_after_a_restart_only_what_is_new_follows() -> None:
    async def scenario() -> None:
        feed = EventFeed()
        feed.append({"type": "old"})
        assert len(await anext(feed.follow(0)) or []) == 1
        feed.append({"type": "old"})
        assert feed.restart() == 1
        feed.append({"type": "new"})
        assert await anext(feed.follow(1)) == ['{"seq":2,"type":"new"}']
        feed.append({"type": "lost"})
        assert await anext(feed.follow(1)) == ['{"seq":3,"type":"resync"}']

    asyncio.run(scenario())


def test_a_second_follower_takes_over() -> None:
    async def scenario() -> None:
        feed = EventFeed()
        first = asyncio.ensure_future(anext(feed.follow(0), "ended"))
        await asyncio.sleep(0)
        second = asyncio.ensure_future(anext(feed.follow(0), "ended"))
        assert await first == "ended"
        feed.append({"type": "new"})
        assert await second == ['{"seq":1,"type":"new"}']

    asyncio.run(scenario())


def test_silence_is_told_when_it_is_asked_for() -> None:
    async def scenario() -> None:
        assert await anext(EventFeed().follow(0, keepalive_s=0.001)) is None

    asyncio.run(scenario())
