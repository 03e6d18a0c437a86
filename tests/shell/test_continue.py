"""task.continue as a page calls it: what was said goes on in another machine.

In: the real router, supervisor, files; a guest by script that keeps a session as pi does. Out: what the second pi
gets, what the page is shown. Never: a process.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pui.domain.guest_config import SESSION_FILE
from tests.shell.task_rig import KEEPS, TaskRig, gone_on, play, said, settled
from tests.support.fake_guest import FakeScript
from tests.support.playbook import until
from tests.support.simulated_ports import SimulatedPorts

pytestmark = pytest.mark.usefixtures("short_waits")


def test_the_second_machine_knows_what_the_first_was_told(folder: Path) -> None:
    async def story(rig: TaskRig) -> None:
        first = await settled(rig, "the word is zebra")
        assert await rig.refused("task.continue", task_id=first, message="x") == "caller.rejected"
        await rig.finish(first)
        row = (await rig.call("task.open", task_id=first, tail=500))["row"]
        assert row["can_continue"] and not row["continues"]
        second = await gone_on(rig, first, "which word?")
        assert said(rig) == ["the word is zebra", "done", "which word?", "done"]
        await rig.finish(second)
        third = await gone_on(rig, second, "and now?")
        assert said(rig)[::2] == ["the word is zebra", "which word?", "and now?"]
        await rig.finish(third)

    world = play(folder, story, KEEPS)
    kept = world.files.read("t3", "session.jsonl", 10**6).splitlines()
    assert [json.loads(line)["id"] for line in kept] == [f"e{number}" for number in range(6)]


def test_the_page_reads_on_into_the_earlier_transcripts(folder: Path) -> None:
    async def story(rig: TaskRig) -> None:
        first = await settled(rig, "one")
        await rig.finish(first)
        old = (await rig.call("task.open", task_id=first, tail=500))["entries"]
        second = await gone_on(rig, first, "two")
        await live_then_stored(rig, second, old)

    async def live_then_stored(rig: TaskRig, second: str, old: list[Any]) -> None:
        for _ in range(2):
            opened = await rig.call("task.open", task_id=second, tail=500)
            assert opened["row"]["continues"] == "t1" and opened["row"]["earlier_keys"] == old[-1]["key"]
            assert opened["entries"][: len(old)] == old and not opened["has_earlier"]
            keys = [entry["key"] for entry in opened["entries"]]
            assert keys == list(range(1, len(keys) + 1)) and len(keys) > len(old)
            tail = await rig.call("task.open", task_id=second, tail=1)
            assert [entry["key"] for entry in tail["entries"]] == keys[-1:] and tail["has_earlier"]
            page = await rig.call("task.entries", task_id=second, before_key=len(old) + 2, limit=2)
            assert [entry["key"] for entry in page["entries"]] == [len(old), len(old) + 1] and page["has_earlier"]
            page = await rig.call("task.entries", task_id=second, before_key=3, limit=500)
            assert [entry["key"] for entry in page["entries"]] == [1, 2] and not page["has_earlier"]
            if not rig.supervisor.live(second).is_over:
                await rig.finish(second)
        await rig.call("task.remove", task_id="t1")
        left = await rig.call("task.open", task_id=second, tail=500)
        assert [entry["key"] for entry in left["entries"]] == keys[len(old) :]
        rig.supervisor.forget(second)
        assert (await gone_on(rig, second, "three")) and said(rig)[::2] == ["one", "two", "three"]
        await rig.finish("t3")

    play(folder, story, KEEPS)


def test_cost_counts_what_is_new_only(folder: Path) -> None:
    """The fake's pi always says 0.25 for its whole session: of that, nothing is new."""

    async def story(rig: TaskRig) -> None:
        first = await settled(rig, "one")
        await rig.finish(first)
        second = await gone_on(rig, first, "two")
        row = (await rig.call("task.open", task_id=second, tail=1))["row"]
        assert (row["cost_usd"], row["tokens"]["total"]) == (0.0, 0)
        assert (await rig.call("task.open", task_id=first, tail=1))["row"]["cost_usd"] == 0.25
        await rig.finish(second)

    play(folder, story, KEEPS)


def test_an_app_that_was_killed_has_kept_what_was_settled(folder: Path) -> None:
    """The first app is never told that it ends: its files stay as a kill leaves them, with a torn last line."""
    world = SimulatedPorts(folder, KEEPS)

    async def killed() -> None:
        rig = TaskRig(world)
        live = await rig.running("the word is zebra")
        await until(lambda: "stats" in live.journal.view.facts, "never settled")
        saved = {path: path.read_bytes() for path in world.paths.task_dir("t1").iterdir()}
        await rig.close()
        for path, data in saved.items():
            path.write_bytes(data + (b'{"type":"mess' if path.name == "session.jsonl" else b""))

    async def later() -> None:
        world.app = replace(world.app, pid=world.app.pid + 1)
        rig = TaskRig(world)
        rig.supervisor.recover()
        await rig.call("app.hello")
        row = (await rig.call("task.open", task_id="t1", tail=9))["row"]
        assert (row["outcome"]["code"], row["can_continue"]) == ("task.app_ended", True)
        second = await gone_on(rig, "t1", "which word?")
        assert said(rig) == ["the word is zebra", "done", "which word?", "done"]
        await rig.finish(second)
        await rig.close()

    asyncio.run(killed())
    asyncio.run(later())


ODD = [
    json.dumps([{"type": "message", "id": "x"}]),
    json.dumps([{"type": "message", "id": "../x", "parentId": None, "timestamp": "t", "message": {"role": "user"}}]),
    json.dumps({"no": "list"}),
]


@pytest.mark.parametrize("entries", ODD, ids=["no message", "wrong id", "no list"])
@pytest.mark.threat("F1")
def test_a_guest_that_lies_about_its_session_cannot_be_continued(folder: Path, entries: str) -> None:
    async def story(rig: TaskRig) -> None:
        first = await settled(rig, "one")
        await rig.finish(first)
        assert not (await rig.call("task.open", task_id=first, tail=1))["row"]["can_continue"]
        assert await rig.refused("task.continue", task_id=first, message="x") == "caller.rejected"
        asked = [command for command in rig.world.guest.commands if command["type"] == "get_entries"]
        assert len(asked) == 1

    world = play(folder, story, FakeScript(odd_entries=entries))
    assert not world.files.path("t1", "session.jsonl").exists()


@pytest.mark.threat("F3")
def test_a_session_that_floods_ends_nothing_and_is_asked_for_once(folder: Path) -> None:
    """One line beyond the limit of a line is one fault of three; the answer never comes."""

    async def story(rig: TaskRig) -> None:
        live = await rig.running("one")
        await until(lambda: live.session.panel.to_json()["odd_lines"] != 0, "the flood was not seen")
        assert live.runner.state == "running"
        await rig.finish(live.task_id)
        assert not (await rig.call("task.open", task_id=live.task_id, tail=1))["row"]["can_continue"]

    flood = json.dumps([{"type": "message", "id": "x", "text": "x" * (9 * 1024 * 1024)}])
    play(folder, story, FakeScript(odd_entries=flood))


def test_a_conversation_is_exported_whole_where_the_person_says(folder: Path) -> None:
    async def story(rig: TaskRig) -> None:
        first = await settled(rig, "one")
        await rig.finish(first)
        second = await gone_on(rig, first, "two")
        await rig.finish(second)
        rig.dialogs.files = [None, Path("/home/ann/talk.html"), Path("/home/ann/talk.md")]
        assert await rig.call("task.export", task_id=second, format="md") == {"saved": None}
        assert await rig.call("task.export", task_id=second, format="html") == {"saved": "talk.html"}
        assert await rig.call("task.export", task_id=second, format="md") == {"saved": "talk.md"}
        assert await rig.refused("task.export", task_id=second, format="pdf") == "caller.bad_request"
        assert await rig.refused("task.export", task_id="t9", format="md") == "caller.bad_request"
        shown, text = rig.desk.desktop.written.values()  # type: ignore[attr-defined]
        assert shown.count(b'<section class="user">') == text.count(b"## You") == 2

    play(folder, story, FakeScript(keeps_session=True, recording="full-openai"))


def test_the_session_file_is_written_before_pi_starts(folder: Path) -> None:
    async def story(rig: TaskRig) -> None:
        first = await settled(rig, "one " * 20_000)
        await rig.finish(first)
        await rig.finish(await gone_on(rig, first, "two"))
        verbs = [(verb, values.get("path", [""])[0]) for verb, values in rig.world.guest.orders]
        parts = [at for at, (verb, path) in enumerate(verbs) if verb == "file" and path == SESSION_FILE]
        assert len(parts) > 3 and max(parts) < [verb for verb, _ in verbs].index("start")

    play(folder, story, KEEPS)
