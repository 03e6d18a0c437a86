"""task.* and agent.* as a page calls them, over whole simulated tasks.

In: the real router, table, supervisor and session; a guest by script. Out: replies, events, journals. Never: a process.
"""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from pui.domain.errors import PuiError
from pui.domain.task import MountRequest, TaskSpec
from pui.supervisor import session
from pui.supervisor.change_count import PAUSE_S
from tests.shell.task_rig import TaskRig, play
from tests.support.fake_guest import FakeScript
from tests.support.playbook import until, until_state
from tests.support.simulated_ports import fault

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"


pytestmark = pytest.mark.usefixtures("short_waits")


def test_a_task_waits_for_the_person_until_it_is_finished(folder: Path) -> None:
    async def story(rig: TaskRig) -> None:
        live = await rig.running()
        await until(lambda: "stats" in live.journal.view.facts, "no statistics after the run")
        opened = await rig.call("task.open", task_id=live.task_id, tail=5)
        row, no_jail = opened["row"], "QEMU runs with its seccomp sandbox and without capabilities"
        assert opened["detail"]["jail"] == {"is_on": False, "reason": no_jail}
        assert (row["state"], row["needs_you"], row["agent_state"]) == ("running", "turn", "idle")
        assert (row["cost_usd"], row["tokens"]["total"]) == (0.25, 727)
        assert (await rig.call("agent.send", task_id=live.task_id, message="again", how="prompt")) == {
            "disposition": "started"
        }
        await until(lambda: rig.world.guest.prompts == ["make it better", "again"], "the second prompt")
        await rig.finish(live.task_id)
        assert live.journal.view.outcome is not None and live.journal.view.outcome.result == "completed"
        over = await rig.until_event("task", row=rig.desk.board.row(live.task_id))
        assert (over["row"]["is_over"], over["row"]["is_live"], over["row"]["needs_you"]) == (True, False, "")

    world = play(folder, story)
    assert b'"stats"' in world.files.read_journal("t1")


def test_it_is_not_the_persons_turn_before_the_first_run_has_settled(folder: Path) -> None:
    async def story(rig: TaskRig) -> None:
        task_id = await rig.task()
        shown = []
        while not rig.world.guest.prompts:
            shown.append(_state_and_needs(rig, task_id))
            await asyncio.sleep(0)
        assert ("running", "idle", "") in shown and {needs for *_, needs in shown} == {""}
        await until(lambda: _state_and_needs(rig, task_id) == ("running", "streaming", ""), "pi never began")
        await rig.call("agent.abort", task_id=task_id)
        await until(lambda: _state_and_needs(rig, task_id) == ("running", "idle", "turn"), "not the person's turn")
        await until(lambda: any(e["row"]["needs_you"] == "turn" for e in rig.of("task")), "the page was not told")
        await rig.finish(task_id)

    play(folder, story, FakeScript(stays_busy=True))


def test_an_error_of_the_model_is_an_entry_and_not_the_end(folder: Path) -> None:
    async def story(rig: TaskRig) -> None:
        live = await rig.running()
        event = await rig.until_event("entry")
        await until(lambda: any(e["entry"]["is_error"] for e in rig.of("entry")), "no entry tells the error")
        assert event["task_id"] == live.task_id
        assert live.runner.state == "running"
        await rig.finish(live.task_id)

    play(folder, story, FakeScript(recording="provider-errors"))


def test_what_pi_refuses_is_told_in_the_conversation(folder: Path) -> None:
    async def story(rig: TaskRig) -> None:
        task_id = await rig.task()
        await until(lambda: bool(rig.of("entry")), "nothing was told")
        text = rig.of("entry")[0]["entry"]["text"]
        assert "pi refused `prompt`: no<U+202E>" in text and "agent.refused" in text
        await until(
            lambda: _state_and_needs(rig, task_id) == ("running", "idle", "turn"),
            "no run follows, so it is the person's turn",
        )
        assert await rig.refused("agent.send", task_id=task_id, message="x", how="prompt") == "agent.refused"
        await rig.finish(task_id)

    play(folder, story, FakeScript(refuses_commands=("prompt",)))


def test_steer_queue_and_abort(folder: Path) -> None:
    async def story(rig: TaskRig) -> None:
        task = {"task_id": (await rig.running()).task_id}
        assert await rig.call("agent.send", **task, message="left", how="steer") == {"disposition": "queued"}
        assert await rig.call("agent.send", **task, message="then", how="follow_up") == {"disposition": "queued"}
        panel = await rig.until_event("agent")
        await until(lambda: _queue(rig) == (["left"], ["then"]), lambda: f"{panel}")
        await rig.call("agent.queue", **task, steering=["right"], follow_up=["then", "last"])
        await until(lambda: _queue(rig) == (["right"], ["then", "last"]), lambda: f"{_queue(rig)}")
        assert rig.of("agent")[-1]["agent"]["is_busy"]
        stopped = await rig.call("agent.abort", **task)
        assert stopped == {"queue": {"steering": ["right"], "follow_up": ["then", "last"]}}
        kinds = [command["type"] for command in rig.world.guest.commands]
        assert kinds[kinds.index("abort") - 1] == "clear_queue"
        await until(lambda: not rig.of("agent")[-1]["agent"]["is_busy"], "still busy")
        assert await rig.call("agent.abort", **task) == {"queue": {"steering": [], "follow_up": []}}
        assert await rig.refused("agent.queue", **task, steering=["x"], follow_up=[]) == "caller.rejected"
        await rig.finish(task["task_id"])

    play(folder, story, FakeScript(stays_busy=True))


def _state_and_needs(rig: TaskRig, task_id: str) -> tuple[str, ...]:
    row = rig.desk.board.row(task_id)
    assert row is not None
    return str(row["state"]), str(row["agent_state"]), str(row["needs_you"])


def _queue(rig: TaskRig) -> tuple[list[str], list[str]]:
    queue = rig.of("agent")[-1]["agent"]["queue"]
    return queue["steering"], queue["follow_up"]


def _dialog(dialog_id: str, **fields: Any) -> str:
    base = {"type": "extension_ui_request", "id": dialog_id, "method": "select", "title": "Which?"}
    return json.dumps(base | {"options": ["a\u202eb", "c"]} | fields)


def test_dialogs_are_answered_cancelled_by_abort_or_closed_by_their_own_timer(folder: Path) -> None:
    async def story(rig: TaskRig) -> None:
        live = await rig.running()
        task = {"task_id": live.task_id}
        await until(lambda: len(live.session.panel.dialogs) == 3, "the dialogs never came")
        await rig.until_event("task", row=rig.desk.board.row(live.task_id))
        shown = (await rig.call("task.open", **task, tail=1))["agent"]["dialogs"]
        assert shown[0]["options"] == ["a<U+202E>b", "c"] and shown[1]["timeout_ms"] == 5000
        assert (await rig.call("task.open", **task, tail=1))["row"]["needs_you"] == "question"
        assert await rig.refused("agent.answer", **task, dialog_id="d1", value="z") == "caller.bad_request"
        assert await rig.refused("agent.answer", **task, dialog_id="d1", confirmed=True) == "caller.bad_request"
        assert await rig.refused("agent.answer", **task, dialog_id="d2", value="yes") == "caller.bad_request"
        await rig.call("agent.answer", **task, dialog_id="d1", value="a<U+202E>b")
        assert rig.world.guest.commands[-1] == {"type": "extension_ui_response", "id": "d1", "value": "a\u202eb"}
        await rig.world.clock.advance(6)
        assert [dialog.id for dialog in live.session.panel.dialogs] == ["d3"]
        assert rig.world.guest.commands[-1] == {"type": "extension_ui_response", "id": "d2", "cancelled": True}
        await rig.call("agent.answer", **task, dialog_id="d2", confirmed=True)  # too late: nothing is sent
        assert rig.world.guest.commands[-1]["id"] == "d2"
        await rig.call("agent.abort", **task)
        assert [c for c in rig.world.guest.commands if c["type"] == "extension_ui_response"][-1]["id"] == "d3"
        assert live.session.panel.dialogs == ()
        await rig.finish(live.task_id)

    confirm = {"method": "confirm", "message": "sure?", "timeout": 5000}
    tells = (_dialog("d1"), _dialog("d2", **confirm), _dialog("d3", method="editor", prefill="x"))
    play(folder, story, FakeScript(stays_busy=True, tells=tells))


def _ui(method: str, **fields: Any) -> str:
    return json.dumps({"type": "extension_ui_request", "id": "n", "method": method, **fields})


def test_what_extensions_put_on_the_screen(folder: Path) -> None:
    async def story(rig: TaskRig) -> None:
        live = await rig.running()
        notice = await rig.until_event("notice")
        assert notice["text"] == "hi <U+202E>there"
        await until(lambda: bool(rig.of("agent")), "no panel")
        panel = rig.of("agent")[-1]["agent"]
        assert panel["title"] == "t<U+202E>" and panel["editor_text"] == {"seq": 1, "text": "draft"}
        assert panel["statuses"] == [{"key": "s", "text": "on"}]
        assert panel["widgets"] == [{"key": "w", "lines": ["  a", "b"], "placement": ""}]
        assert len(panel["unsupported"]) == 1 and "custom" in panel["unsupported"][0]
        await rig.finish(live.task_id)

    tells = (
        _ui("notify", message="hi \u202ethere"),
        _ui("setTitle", title="t\u202e"),
        _ui("set_editor_text", text="draft"),
        _ui("setStatus", statusKey="s", statusText="on"),
        _ui("setWidget", widgetKey="w", widgetLines=["  a", "b"]),
        _ui("custom"),
        _ui("custom"),
    )
    play(folder, story, FakeScript(stays_busy=True, tells=tells))


@pytest.mark.threat("F6")
@pytest.mark.threat("F5", "F6")
def test_a_guest_that_floods_the_screen_stays_within_bounds(folder: Path) -> None:
    """A huge notice, hundreds of statuses and widgets, and notices without end."""

    async def story(rig: TaskRig) -> None:
        live = await rig.running()
        await until(lambda: bool(rig.of("notice")), "no notice")
        await asyncio.sleep(0.1)
        assert len(rig.of("notice")) <= 10
        assert all(len(event["text"]) <= 4000 for event in rig.of("notice"))
        assert len(json.dumps(live.session.panel.to_json())) < 200_000
        await rig.finish(live.task_id)

    tells = [_ui("notify", message="\u202e" * 200_000)]
    tells += [_ui("setStatus", statusKey=f"s{n}", statusText="x" * 5000) for n in range(200)]
    tells += [_ui("setWidget", widgetKey=f"w{n}", widgetLines=["y" * 5000] * 100) for n in range(20)]
    tells += [_ui("notify", message=f"{n}") for n in range(500)]
    play(folder, story, FakeScript(stays_busy=True, tells=tuple(tells)))


@pytest.mark.threat("F6")
@pytest.mark.threat("F11")
def test_a_flood_of_dialogs_ends_the_task_by_name(folder: Path) -> None:
    async def story(rig: TaskRig) -> None:
        task_id = await rig.task()
        view = await asyncio.wait_for(rig.supervisor.wait(task_id), 20)
        assert view.outcome is not None and view.outcome.code == "protocol.remote"

    play(folder, story, FakeScript(stays_busy=True, tells=tuple(_dialog(f"d{n}") for n in range(40))))


@pytest.mark.threat("F13")
def test_a_guest_that_never_reads_holds_up_nobody(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(rig: TaskRig) -> None:
        task = {"task_id": (await rig.running()).task_id}
        await until(lambda: bool(rig.supervisor.live(task["task_id"]).session.panel.dialogs), "no dialog")
        monkeypatch.setattr(session, "ANSWER_LIMIT_S", 0.05)
        monkeypatch.setattr(session, "SEND_WAIT_S", 0.05)
        rig.world.held.add("write rpc")
        assert await rig.refused("agent.answer", **task, dialog_id="d1", value="c") == "agent.no_answer"
        assert await rig.refused("agent.abort", **task) == "agent.no_answer"
        assert await rig.refused("agent.models", **task) == "agent.no_answer"
        waiting = await rig.call("agent.send", **task, message="x", how="prompt")
        assert waiting == {"disposition": "waiting"}
        await rig.finish(task["task_id"])

    play(folder, story, FakeScript(stays_busy=True, tells=(_dialog("d1"),)))


def test_models_commands_and_thinking(folder: Path) -> None:
    async def story(rig: TaskRig) -> None:
        live = await rig.running(thinking="high")
        task = {"task_id": live.task_id}
        models = await rig.call("agent.models", **task)
        assert [model["id"] for model in models["models"]] == ["demo-1", "demo-2"]
        commands = await rig.call("agent.commands", **task)
        assert commands == {"commands": [{"name": "llama", "description": "a b", "source": "extension"}]}
        assert await rig.refused("agent.set_model", **task, provider="elsewhere", model="other") == "caller.rejected"
        await rig.call("agent.set_model", **task, provider="pui", model="demo-2")
        assert live.journal.view.facts["model"] == {"provider": "pui", "id": "demo-2", "name": "Demo two"}
        await rig.call("agent.set_thinking", **task, level="low")
        sent = [(c["type"], c.get("level")) for c in rig.world.guest.commands if c["type"] == "set_thinking_level"]
        assert sent == [("set_thinking_level", "high"), ("set_thinking_level", "low")]
        assert await rig.refused("agent.set_thinking", **task, level="bogus") == "caller.bad_request"
        await rig.call("agent.compact", **task, instructions="short")
        assert rig.world.guest.commands[-1]["customInstructions"] == "short"
        await rig.finish(live.task_id)

    play(folder, story)


def test_images_of_the_first_prompt_are_files_and_go_to_pi(folder: Path) -> None:
    async def story(rig: TaskRig) -> None:
        blob = await rig.call("blob.add", data_b64=base64.b64encode(PNG).decode())
        images = [{"blob_id": blob["blob_id"], "mime": "image/png"}]
        live = await rig.running(images=images)
        assert rig.world.files.read("t1", "image-1.png", 100) == PNG
        prompt = next(c for c in rig.world.guest.commands if c["type"] == "prompt")
        assert base64.b64decode(prompt["images"][0]["data"]) == PNG
        again = await rig.call("task.again", task_id="t1")
        assert rig.world.files.read(again["task_id"], "image-1.png", 100) == PNG
        wrong = await rig.call("blob.add", data_b64=base64.b64encode(b"<svg/>").decode())
        bad = [{"blob_id": wrong["blob_id"], "mime": "image/png"}]
        send = {"task_id": "t1", "message": "look", "how": "prompt"}
        assert await rig.refused("agent.send", **send, images=bad) == "caller.bad_request"
        await rig.finish(live.task_id)

    world = play(folder, story)
    assert b"pixels" not in world.files.read_journal("t1")


def test_folders_changes_and_file_names(folder: Path) -> None:
    project = folder / "project"

    async def story(rig: TaskRig) -> None:
        rig.world.trees[str(project)] = {"README.md": "hello\n", "src/main.py": "x\n", "bad\u202e.txt": ""}
        await rig.desk.folders.add(project, False, is_asked=True)
        await rig.call("app.hello")
        chosen = [{"id": row["id"], "read_only": False} for row in await rig.call("folder.list")]
        made = await rig.call("task.create", prompt="x", folders=chosen, network="model")
        task = {"task_id": made["task_id"]}
        assert (await rig.call("task.changes", **task))["note"] != ""
        await rig.call("task.start", **task)
        await until(lambda: rig.world.guest.prompts == ["x"], "no prompt")
        rig.world.trees[str(project)]["README.md"] = "bye\n"
        rig.world.trees[str(project)][".envrc"] = "curl evil\n"
        changes = (await rig.call("task.changes", **task))["folders"][0]["changes"]
        assert [(c["path"], c["change"], c["added"], c["removed"]) for c in changes] == [
            (".envrc", "added", 1, 0),
            ("README.md", "changed", 1, 1),
        ]
        assert changes[0]["warning"]
        assert (await rig.call("agent.files", **task, query="rdme"))["files"] == ["README.md"]
        assert "bad" not in str((await rig.call("agent.files", **task, query=""))["files"])
        await rig.finish(made["task_id"])
        row = rig.desk.board.row(made["task_id"])
        assert row is not None and (row["changed_files"], row["flagged_files"]) == (2, 1)
        rig.supervisor.forget(made["task_id"])
        kept = await rig.call("task.changes", **task)
        assert kept["is_final"] and len(kept["folders"][0]["changes"]) == 2
        assert (await rig.call("folder.list"))[0]["last"]["network"] == "model"

    play(folder, story)


def test_an_offline_task_takes_only_the_demo_model(folder: Path) -> None:
    async def story(rig: TaskRig) -> None:
        await rig.call("app.hello")
        real = {"provider": "anthropic", "model": "claude-opus-5-5"}
        asked = {"prompt": "x", "folders": [], "network": "offline"}
        assert await rig.refused("task.create", **asked, model=real) == "caller.bad_request"
        assert await rig.refused("task.create", **(asked | {"network": "model"}), model=real) == "model.no_key"
        made = await rig.call("task.create", **asked)
        row = (await rig.call("task.open", task_id=made["task_id"], tail=1))["row"]
        assert (row["network"], row["model"]["is_demo"], row["title"]) == ("offline", True, "x")

    world = play(folder, story)
    assert len(world.files.task_ids()) == 1


def test_what_preflight_would_refuse_is_refused_at_once(folder: Path) -> None:
    async def story(rig: TaskRig) -> None:
        asked = {"prompt": "x", "folders": [], "network": "model"}
        assert await rig.refused("task.create", **asked, memory_mib=65_536) == "host.memory"
        assert await rig.refused("task.create", **asked, memory_mib=1) == "caller.bad_request"
        rig.world.faults["pack"] = fault("pack.missing")
        made = await rig.call("task.create", **asked)
        assert made == {"task_id": "t1"}

    world = play(folder, story)
    assert world.files.task_ids() == ["t1"]


def test_rename_again_remove_and_what_is_not_possible(folder: Path) -> None:
    async def story(rig: TaskRig) -> None:
        live = await rig.running("first line\nsecond")
        task = {"task_id": live.task_id}
        assert await rig.refused("task.remove", **task) == "caller.rejected"
        assert await rig.refused("task.start", **task) == "caller.rejected"
        await rig.call("task.rename", **task, title="my\u202e name")
        assert rig.desk.board.row("t1")["title"] == "my<U+202E> name"  # type: ignore[index]
        await rig.finish(live.task_id)
        assert await rig.refused("agent.send", **task, message="x", how="prompt") == "caller.rejected"
        assert await rig.refused("task.finish", **task) == "caller.rejected"
        await rig.call("task.rename", **task, title="later")
        again = await rig.call("task.again", **task)
        rows = {row["task_id"]: row for row in (await rig.call("app.hello"))["tasks"]}
        assert (rows["t1"]["title"], rows["t2"]["title"], rows["t2"]["state"]) == ("later", "later", "created")
        await rig.call("task.cancel", task_id=again["task_id"])
        await rig.call("task.remove", **task)
        assert (await rig.until_event("task_removed"))["task_id"] == "t1"
        assert await rig.refused("task.open", **task, tail=1) == "caller.bad_request"

    assert play(folder, story).files.task_ids() == ["t2"]


def test_the_history_of_a_stored_task_is_read_back_by_pages(folder: Path) -> None:
    async def first(rig: TaskRig) -> None:
        live = await rig.running()
        await until(lambda: "stats" in live.journal.view.facts, "no settle")
        await rig.finish(live.task_id)

    async def later(rig: TaskRig) -> None:
        whole = await rig.call("task.open", task_id="t1", tail=500)
        assert whole["agent"]["state"] == "exited" and whole["agent"]["stats"]["cost_usd"] == 0.25
        keys = [entry["key"] for entry in whole["entries"]]
        assert len(keys) > 3 and keys == sorted(keys) and not whole["has_earlier"]
        tail = await rig.call("task.open", task_id="t1", tail=2)
        assert [entry["key"] for entry in tail["entries"]] == keys[-2:] and tail["has_earlier"]
        before = await rig.call("task.entries", task_id="t1", before_key=tail["first_key"], limit=500)
        assert [entry["key"] for entry in before["entries"]] == keys[:-2]
        records = await rig.call("task.journal", task_id="t1", after_seq=0, limit=500)
        assert records["records"][0]["type"] == "created" and records["records"][0]["at_ms"] == 1_000_000
        last = await rig.call("task.journal", task_id="t1", after_seq=records["last_seq"] - 1, limit=500)
        assert [record["seq"] for record in last["records"]] == [records["last_seq"]]

    play(folder, first)
    play(folder, later)


def test_events_of_a_task_end_with_the_page_that_left_it(folder: Path) -> None:
    async def story(rig: TaskRig) -> None:
        live = await rig.running()
        await rig.until_event("record")
        await rig.call("task.close", task_id=live.task_id)
        told = rig.desk.events.mark()  # some of it may not have been read yet
        await rig.finish(live.task_id)
        await rig.until_event("task", row=rig.desk.board.row(live.task_id))
        assert [event for event in rig.of("record") if event["seq"] > told] == []

    play(folder, story)


@pytest.mark.threat("I6")
def test_a_page_that_greets_anew_hears_of_no_task_before_it_opens_one(folder: Path) -> None:
    async def story(rig: TaskRig) -> None:
        live = await rig.running()
        await rig.until_event("record")
        await rig.call("app.hello")
        seen = len(rig.of("record"))
        await rig.call("task.rename", task_id=live.task_id, title="new")
        await rig.until_event("task", row=rig.desk.board.row(live.task_id))
        await asyncio.sleep(0.1)
        assert len(rig.of("record")) == seen
        await rig.call("task.open", task_id=live.task_id, tail=1)
        await rig.call("task.rename", task_id=live.task_id, title="newer")
        await until(lambda: len(rig.of("record")) == seen + 1, "the page that opened it hears nothing")
        await rig.finish(live.task_id)

    play(folder, story, FakeScript(stays_busy=True))


def test_links_of_an_entry_are_found_on_this_side(folder: Path) -> None:
    async def story(rig: TaskRig) -> None:
        live = await rig.running()
        fault_text = PuiError("agent.refused", "see https://example.org/a_(b). And http://x.example/?q=1, javascript:x")
        live.session.note_fault(fault_text)
        entries = (await rig.call("task.open", task_id=live.task_id, tail=100))["entries"]
        entry = next(entry for entry in entries if entry["kind"] == "error")
        assert entry["links"] == ["https://example.org/a_(b)", "http://x.example/?q=1"]
        rig.dialogs.yes = [False]
        asked = {"task_id": live.task_id, "entry_key": str(entry["key"])}
        assert await rig.call("link.open", **asked, index=1) == {"opened": False}
        assert await rig.refused("link.open", **asked, index=2) == "caller.bad_request"
        await rig.finish(live.task_id)

    play(folder, story, FakeScript(stays_busy=True))


def test_the_list_counts_changed_files_while_the_task_runs(folder: Path) -> None:
    """Nobody has opened the task's changes: that pi has worked is reason enough, once in a pause."""
    project = "/home/ann/project"

    async def story(rig: TaskRig) -> None:
        await rig.call("app.hello")
        rig.world.trees[project] = {"a.py": "1"}
        spec = TaskSpec("go", (MountRequest(Path(project)),), is_interactive=True)
        task_id = rig.supervisor.create(spec)
        await rig.call("task.start", task_id=task_id)
        await until_state(rig.supervisor, task_id, "running")
        live = rig.supervisor.live(task_id)
        await until(lambda: "stats" in live.journal.view.facts, "never settled")
        rig.world.trees[project] |= {"a.py": "2", "setup.py": "evil"}
        await rig.call("agent.send", task_id=task_id, message="again", how="prompt")
        await until(lambda: rig.world.guest.prompts == ["go", "again"], "the second prompt")
        await until(lambda: not live.session.panel.is_busy, "never settled again")
        await rig.world.clock.advance(PAUSE_S)
        await until(lambda: any(row["row"]["changed_files"] for row in rig.of("task")), "the list does not know")
        row = rig.of("task")[-1]["row"]
        assert (row["state"], row["changed_files"], row["flagged_files"]) == ("running", 2, 1)
        await rig.finish(task_id)

    play(folder, story)
