"""task.continue with `before_key` as a page calls it: a conversation branches before one of the person's messages.

In: the real router, supervisor, files; a guest by script that keeps a session as pi does. Out: what the pi of the
branch gets, what the page is shown. Never: a process, two machines at one time (tests/vm).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.shell.task_rig import KEEPS, TaskRig, gone_on, play, said, settled
from tests.support.fake_guest import FakeScript
from tests.support.playbook import until, until_state

pytestmark = pytest.mark.usefixtures("short_waits")


async def say(rig: TaskRig, task_id: str, message: str) -> None:
    """Another message, and the pause after it."""
    live = rig.supervisor.live(task_id)
    before = live.journal.view.facts["session"]
    await rig.call("agent.send", task_id=task_id, message=message, how="prompt")
    await until(lambda: live.journal.view.facts["session"] != before, "was not kept")
    await until(lambda: not live.session.panel.is_busy, "never settled")


async def key_of(rig: TaskRig, task_id: str, message: str) -> int:
    """The entry of a message of the person, as the page sees it."""
    entries = (await rig.call("task.open", task_id=task_id, tail=500))["entries"]
    return next(int(e["key"]) for e in entries if e["kind"] == "user" and e["text"] == message)


async def branched(rig: TaskRig, task_id: str, before_key: int, message: str) -> str:
    """The task that branches off, once its pi has answered."""
    return await started(rig, await created(rig, task_id, before_key, message))


async def created(rig: TaskRig, task_id: str, before_key: int, message: str) -> str:
    return str((await rig.call("task.continue", task_id=task_id, message=message, before_key=before_key))["task_id"])


async def started(rig: TaskRig, made: str) -> str:
    await rig.call("task.start", task_id=made)
    await until_state(rig.supervisor, made, "running")
    live = rig.supervisor.live(made)
    await until(lambda: "stats" in live.journal.view.facts, "never settled")
    return made


async def row_of(rig: TaskRig, task_id: str) -> dict[str, Any]:
    row: dict[str, Any] = (await rig.call("task.open", task_id=task_id, tail=0))["row"]
    return row


def kept_ids(lines: bytes) -> list[str]:
    return [json.loads(line)["id"] for line in lines.splitlines()]


def test_a_branch_knows_what_was_said_before_the_message_and_nothing_after(folder: Path) -> None:
    async def story(rig: TaskRig) -> None:
        first = await settled(rig, "one")
        await say(rig, first, "the word is zebra")
        await say(rig, first, "three")
        await rig.finish(first)
        key = await key_of(rig, first, "the word is zebra")
        second = await branched(rig, first, key, "the word is gnu")
        assert said(rig) == ["one", "done", "the word is gnu", "done"]
        row = await row_of(rig, second)
        facts = {name: row[name] for name in ("continues", "branch_key", "earlier_keys", "earlier_messages")}
        assert facts == {"continues": first, "branch_key": key, "earlier_keys": key - 1, "earlier_messages": 1}
        opened = await rig.call("task.open", task_id=second, tail=500)
        keys = [entry["key"] for entry in opened["entries"]]
        assert keys == list(range(1, len(keys) + 1)) and not opened["has_earlier"]
        assert [e["text"] for e in opened["entries"] if e["kind"] == "user"] == ["one", "the word is gnu"]
        await rig.finish(second)
        assert (await row_of(rig, second))["can_continue"]
        third = await gone_on(rig, second, "which word?")
        assert said(rig)[::2] == ["one", "the word is gnu", "which word?"]
        assert (await row_of(rig, third))["branch_key"] == 0 and (await row_of(rig, third))["earlier_messages"] == 2
        await rig.finish(third)

    world = play(folder, story, KEEPS)
    assert b"zebra" not in world.files.read("t2", "session.jsonl", 10**6)
    assert b"zebra" in world.files.read("t1", "session.jsonl", 10**6)


def test_before_the_first_message_there_is_nothing(folder: Path) -> None:
    async def story(rig: TaskRig) -> None:
        first = await settled(rig, "one")
        await rig.finish(first)
        second = await branched(rig, first, 1, "uno")
        assert said(rig) == ["uno", "done"]
        started = next(values for verb, values in rig.world.guest.orders if verb == "start")
        assert "--session" not in started["argv"]
        row = await row_of(rig, second)
        assert (row["continues"], row["branch_key"], row["earlier_keys"], row["earlier_messages"]) == (first, 1, 0, 0)
        await rig.finish(second)

    play(folder, story, KEEPS)


def test_a_message_of_an_earlier_task_branches_off_that_task(folder: Path) -> None:
    async def story(rig: TaskRig) -> None:
        first = await settled(rig, "one")
        await rig.finish(first)
        second = await gone_on(rig, first, "two")
        await rig.finish(second)
        third = await gone_on(rig, second, "three")
        await rig.finish(third)
        key = await key_of(rig, third, "two")
        branch = await branched(rig, third, key, "deux")
        assert said(rig)[::2] == ["one", "deux"] and (await row_of(rig, branch))["continues"] == second
        await rig.finish(branch)
        await rig.call("task.remove", task_id=second)  # where it came from is gone: what was kept of it goes on
        branch = await branched(rig, third, await key_of(rig, third, "three"), "trois")
        assert said(rig)[::2] == ["one", "two", "trois"] and (await row_of(rig, branch))["continues"] == third
        await rig.finish(branch)

    play(folder, story, KEEPS)


def test_a_running_task_branches_and_goes_on_undisturbed(folder: Path) -> None:
    async def story(rig: TaskRig) -> None:
        first = await settled(rig, "one")
        await say(rig, first, "two")
        assert (await row_of(rig, first))["can_branch"] and not (await row_of(rig, first))["can_continue"]
        branch = await created(rig, first, await key_of(rig, first, "two"), "deux")
        assert rig.supervisor.live(first).runner.state == "running"
        await say(rig, first, "three")
        assert [e["text"] for e in await users(rig, first)] == ["one", "two", "three"]
        await rig.finish(first)
        await started(rig, branch)
        assert said(rig)[::2] == [e["text"] for e in await users(rig, branch)] == ["one", "deux"]
        await rig.finish(branch)

    world = play(folder, story, KEEPS)
    assert kept_ids(world.files.read("t1", "session.jsonl", 10**6)) == [f"e{n}" for n in range(6)]


async def users(rig: TaskRig, task_id: str) -> list[dict[str, Any]]:
    entries = (await rig.call("task.open", task_id=task_id, tail=500))["entries"]
    return [entry for entry in entries if entry["kind"] == "user"]


def test_the_run_under_way_is_branched_too(folder: Path) -> None:
    """What pi holds before it has settled is asked for."""

    async def story(rig: TaskRig) -> None:
        live = await rig.running("one")
        await until(lambda: any(e.kind == "user" for e in live.session.log.before(None, 50).entries), "never said")
        assert "session" not in live.journal.view.facts  # nothing was kept yet
        made = await rig.call("task.continue", task_id=live.task_id, message="uno", before_key=1)
        row = await row_of(rig, made["task_id"])
        assert (row["continues"], row["branch_key"], row["state"]) == (live.task_id, 1, "created")
        assert live.runner.state == "running" and live.session.panel.is_busy
        await rig.call("task.cancel", task_id=made["task_id"])
        await rig.call("task.cancel", task_id=live.task_id)

    play(folder, story, FakeScript(keeps_session=True, stays_busy=True))


@pytest.mark.threat("F1")
def test_wrong_keys_are_refused_by_name(folder: Path) -> None:
    async def story(rig: TaskRig) -> None:
        first = await settled(rig, "one")
        await rig.finish(first)
        entries = (await rig.call("task.open", task_id=first, tail=500))["entries"]
        last, text = entries[-1]["key"], next(e["key"] for e in entries if e["kind"] != "user")

        async def refused(before_key: Any, task_id: str = first) -> str:
            return await rig.refused("task.continue", task_id=task_id, message="x", before_key=before_key)

        for unknown in (last + 1, 2**53):
            assert await refused(unknown) == "talk.no_entry"
        assert await refused(text) == "talk.not_a_message"
        for odd in (0, -1, 1.5, True, "1", None, 2**53 + 1, [1]):
            assert await refused(odd) == "caller.bad_request"
        assert await refused(1, "t9") == "caller.bad_request"
        assert rig.supervisor.task_ids() == [first]

    play(folder, story, KEEPS)


@pytest.mark.threat("F1")
def test_a_guest_whose_session_is_another_than_it_showed_cannot_be_branched(folder: Path) -> None:
    said_only = {"type": "message_end", "message": {"role": "user", "content": "never kept", "timestamp": 7}}

    async def story(rig: TaskRig) -> None:
        first = await settled(rig, "one")
        await rig.finish(first)
        key = await key_of(rig, first, "never kept")
        assert await rig.refused("task.continue", task_id=first, message="x", before_key=key) == "talk.not_kept"

    play(folder, story, FakeScript(keeps_session=True, tells=(json.dumps(said_only),)))


def test_what_was_not_kept_cannot_be_branched(folder: Path) -> None:
    async def story(rig: TaskRig) -> None:
        first = await settled(rig, "one")
        assert await rig.refused("task.continue", task_id=first, message="x", before_key=1) == "caller.rejected"
        assert not (await row_of(rig, first))["can_branch"]
        await rig.finish(first)

    play(folder, story, FakeScript(odd_entries=json.dumps({"no": "list"})))


# finding in a conversation


def test_entries_that_the_page_has_not_loaded_are_found_through_the_whole_chain(folder: Path) -> None:
    async def story(rig: TaskRig) -> None:
        first = await settled(rig, "the word is Zebra")
        await rig.finish(first)
        second = await gone_on(rig, first, "zebra, zebra again")
        keys = [(await users(rig, second))[n]["key"] for n in (0, 1)]
        for _ in range(2):  # while it runs, and when it is over and forgotten
            found = await rig.call("task.find", task_id=second, query="ZEBRA", before_key=2**53)
            hits = [(hit["key"], hit["count"]) for hit in found["hits"] if hit["key"] in keys]
            assert hits == [(keys[0], 1), (keys[1], 2)] and found["is_whole"]
            earlier = await rig.call("task.find", task_id=second, query="zebra", before_key=keys[1])
            assert [hit["key"] for hit in earlier["hits"]] == keys[:1]
            if not rig.supervisor.live(second).is_over:
                await rig.finish(second)
        rig.supervisor.forget(second)
        found = await rig.call("task.find", task_id=second, query="zebra", before_key=2**53)
        assert [hit["key"] for hit in found["hits"]] == keys
        nothing = await rig.call("task.find", task_id=second, query="quagga", before_key=2**53)
        assert nothing == {"hits": [], "is_whole": True}
        for query in ("", "x" * 201, 7):
            wrong = await rig.refused("task.find", task_id=second, query=query, before_key=9)
            assert wrong == "caller.bad_request"
        assert await rig.refused("task.find", task_id="t9", query="x", before_key=9) == "caller.bad_request"

    play(folder, story, KEEPS)
