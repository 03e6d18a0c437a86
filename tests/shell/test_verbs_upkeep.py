"""settings.*, model.*, setup.* and pack.* as the page asks them, over real settings, keys, packs and a real channel.

In: calls as text. Out: replies, events, what natively was asked. Never: a key in a reply or an event.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from pui.domain.channel_root import fingerprint
from pui.domain.facts import AcceleratorVerdict
from pui.resources import load_chart
from pui.shell.router import Router
from pui.shell.table import verb_table
from pui.supervisor.setup_check import SetupCheck, SetupFacts
from pui.supervisor.upkeep import Upkeep
from tests.shell.rig import TOKEN, Rig
from tests.support.channel_rig import ChannelRig
from tests.support.simulated import settle
from tests.support.simulated_ports import FACTS, SimulatedPorts
from tests.support.upkeep_rig import UpkeepRig

KEY = "canary-0123456789abcd"


class Page:
    """The page's side of one app: `ask` gives results, `refusal` codes; `said` is every byte that reached the page."""

    def __init__(self, base: Path) -> None:
        self.rig, self.world = Rig(base), SimulatedPorts(base / "world")
        self.upkeep_rig = UpkeepRig(base)
        board = self.upkeep_rig.board()
        facts = SetupFacts("linux", "x86_64", "/data", lambda: False, jail_reason="none")
        self.upkeep = Upkeep(
            self.upkeep_rig.settings,
            self.upkeep_rig.keys,
            self.upkeep_rig.keys,
            SetupCheck(load_chart("setup"), self.world.services(), self.upkeep_rig.settings, facts),
            board,
            self.upkeep_rig.watch(board),
            self.upkeep_rig.mover(),
        )
        self.rig.desk.upkeep = self.upkeep
        self.router: Router = self.rig.router()
        self.said = ""
        self._ids = itertools.count()

    async def _reply(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        call = {"t": TOKEN, "id": next(self._ids), "method": method, "params": params}
        reply = await self.router.answer(json.dumps(call))
        assert reply is not None
        self.said += json.dumps(reply)
        return reply

    async def ask(self, method: str, **params: Any) -> Any:
        reply = await self._reply(method, params)
        assert reply["ok"], reply
        return reply["result"]

    async def refusal(self, method: str, **params: Any) -> str:
        reply = await self._reply(method, params)
        assert not reply["ok"], reply
        return str(reply["error"]["code"])

    async def events(self) -> list[dict[str, Any]]:
        """What was told since the last look; a mark of our own ends the wait."""
        feed, found = self.rig.desk.events, list[dict[str, Any]]()
        self.rig.desk.tell("mark")
        async with contextlib.aclosing(feed.follow(feed.cursor)) as batches:
            async for batch in batches:
                self.said += "".join(batch or [])
                found += [json.loads(text) for text in batch or []]
                if found and found[-1]["type"] == "mark":
                    break
        return found[:-1]

    async def job(self, method: str, **params: Any) -> dict[str, Any]:
        """Starts a job and waits for its end; the PackView after it."""
        job_id = (await self.ask(method, **params))["job_id"]
        await self.upkeep.packs.jobs.wait(job_id)
        await self.upkeep.packs.close()
        view = [event["packs"] for event in await self.events() if event["type"] == "pack"][-1]
        assert view["job"]["job_id"] == job_id
        return dict(view)


def play(base: Path, story: Callable[[Page], Awaitable[None]]) -> Page:
    async def run() -> Page:
        page = Page(base)
        try:
            await story(page)
        finally:
            await page.rig.desk.close()
            page.upkeep_rig.close()
        await page.events()
        return page

    return asyncio.run(run())


def test_settings(tmp_path: Path) -> None:
    async def story(page: Page) -> None:
        view = await page.ask("settings.set", key="theme", value="dark")
        assert (view["theme"], view["data_dir"]) == ("dark", "/data")
        assert view["model"] == {"provider": "demo", "model": "demo-1"}
        (event,) = await page.events()
        assert (event["type"], event["settings"]) == ("settings", view)
        for key, value in (("theme", "blue"), ("text_scale", 1), ("nonsense", 1), ("theme", None)):
            assert await page.refusal("settings.set", key=key, value=value) == "caller.bad_request"
        for key, value in (("channel", "https://evil.example/"), ("addresses", {}), ("data_dir", "/")):
            assert await page.refusal("settings.set", key=key, value=value) == "caller.bad_request"
        assert (await page.ask("settings.set", key="disk_limit_bytes", value=5 << 30))["disk_limit_bytes"] == 5 << 30
        assert [event["type"] for event in await page.events()] == ["settings", "pack"]

    page = play(tmp_path, story)
    assert page.upkeep.settings.current().theme == "dark"
    assert page.upkeep.settings.current().channel == ""


def test_a_key_is_accepted_only_with_a_native_yes_and_never_comes_back(tmp_path: Path) -> None:
    async def story(page: Page) -> None:
        page.rig.dialogs.yes = [False, True]
        given = {"provider": "openai", "key": KEY, "keep": "memory"}
        assert await page.refusal("model.set_key", **given) == "caller.rejected"
        assert await page.refusal("model.set_key", **(given | {"keep": "cloud"})) == "caller.bad_request"
        assert await page.refusal("model.set_key", **(given | {"provider": "nobody"})) == "caller.bad_request"
        assert await page.events() == []
        view = await page.ask("model.set_key", **given)
        openai = next(found for found in view["providers"] if found["name"] == "openai")
        assert openai["key"] == {"is_set": True, "ending": "abcd", "source": "memory"}
        (event,) = await page.events()
        assert event["models"] == view == await page.ask("model.list")
        assert page.upkeep.models.choice("openai", "").key.reveal() == KEY
        view = await page.ask("model.forget_key", provider="openai")
        assert not any(found["key"]["is_set"] for found in view["providers"])

    page = play(tmp_path, story)
    asked = json.dumps(page.rig.dialogs.asked)
    assert "kept in memory" in asked
    assert KEY not in asked + page.said


def test_an_address_is_asked_natively(tmp_path: Path) -> None:
    async def story(page: Page) -> None:
        page.rig.dialogs.texts = ["http://127.0.0.1:1/v1", None, "http://far.example/v1", ""]
        compatible = {"provider": "openai-compatible"}
        view = await page.ask("model.set_address", **compatible)
        assert any(found["address"] == "http://127.0.0.1:1/v1" for found in view["providers"])
        assert await page.ask("model.set_address", **compatible) == view
        assert await page.refusal("model.set_address", **compatible) == "caller.bad_request"
        view = await page.ask("model.set_address", **compatible)
        assert not any(found["address"].startswith("http:") for found in view["providers"])
        assert await page.refusal("model.set_address", **compatible, address="https://x") == "caller.bad_request"

    play(tmp_path, story)


def test_the_setup_is_checked_in_the_background(tmp_path: Path) -> None:
    async def story(page: Page) -> None:
        hello = await page.ask("app.hello")
        assert {"settings", "setup", "packs", "models"} <= set(hello)
        assert (hello["setup"]["is_ready"], hello["setup"]["is_checking"]) == (False, True)
        view = await page.upkeep.setup.wait()
        assert (view["is_ready"], view["is_checking"]) == (True, False)
        assert view["accelerator"] == {"name": "kvm", "label": "KVM", "is_emulated": False}
        missing = AcceleratorVerdict("kvm", "missing", "/dev/kvm is not there")
        page.world.facts = replace(FACTS, accelerators=(missing,))
        assert (await page.ask("setup.check"))["is_checking"] is True
        assert (await page.ask("setup.check"))["is_checking"] is True
        await page.upkeep.setup.wait()
        events = [event["setup"] for event in await page.events() if event["type"] == "setup"]
        (finding,) = [found for found in events[-1]["findings"] if found["severity"] == "blocker"]
        assert (finding["code"], finding["action"]) == ("accel.missing", "open_help")
        assert any("modprobe kvm_intel" in step for step in finding["steps"])
        assert any("nested virtualization" in step for step in finding["steps"])
        assert finding["title"] == "This machine offers no hardware acceleration."

    play(tmp_path, story)


def test_the_way_of_the_set_up_is_drawn_from_the_chart_that_runs(tmp_path: Path) -> None:
    async def story(page: Page) -> None:
        assert (await page.ask("chart.get", chart="setup"))["trace"]["current"] == "unchecked"
        await page.ask("app.hello")
        await page.upkeep.setup.wait()
        page.world.facts = replace(FACTS, accelerators=(AcceleratorVerdict("kvm", "missing", "gone"),))
        await page.ask("setup.check")
        await page.ask("setup.check")
        await page.upkeep.setup.wait()
        view = await page.ask("chart.get", chart="setup")
        way = [(step["source"], step["trigger"], step["target"]) for step in view["trace"]["steps"]]
        assert way == [
            ("unchecked", "check", "checking"),
            ("checking", "done", "ready"),
            ("ready", "check", "checking"),
            ("checking", "done", "required"),
        ]
        assert view["trace"]["current"] == "required"
        assert await page.refusal("chart.get", chart="setup", task_id="t1") == "caller.bad_request"

    play(tmp_path, story)


def test_a_check_that_hangs_meets_the_limit_of_the_chart(tmp_path: Path) -> None:
    async def story(page: Page) -> None:
        page.world.held.add("probe")
        await page.ask("app.hello")
        await settle()
        await page.world.clock.advance(601)
        await page.upkeep.setup.wait()
        view = page.upkeep.setup.view()
        assert view["is_checking"] is False
        assert [found["code"] for found in cast(Any, view["findings"])] == ["task.timed_out"]
        assert (await page.ask("chart.get", chart="setup"))["trace"]["current"] == "required"

    play(tmp_path, story)


def test_a_new_pack_is_followed_by_a_new_look_at_this_computer(tmp_path: Path) -> None:
    async def story(page: Page) -> None:
        await page.ask("app.hello")
        await page.upkeep.setup.wait()
        await page.events()
        page.rig.dialogs.files = [page.upkeep_rig.built(1)]
        job_id = (await page.ask("pack.install", source="file"))["job_id"]
        await page.upkeep.packs.finished(job_id)
        await page.upkeep.setup.wait()
        told = [event for event in await page.events() if event["type"] == "setup"]
        assert [event["setup"]["is_checking"] for event in told] == [True, False]
        await page.ask("pack.skip", version=None)
        await page.upkeep.packs.tell()
        assert {event["type"] for event in await page.events()} == {"pack"}

    play(tmp_path, story)


def test_a_check_that_fails_is_a_finding_and_a_running_one_ends_with_the_app(tmp_path: Path) -> None:
    async def story(page: Page) -> None:
        page.world.faults["probe"] = TypeError("a bug")
        page.upkeep.setup.start()
        view: Any = await page.upkeep.setup.wait()
        assert [found["code"] for found in view["findings"]] == ["bug.unexpected"]
        page.world.held.add("probe")
        page.upkeep.setup.start()
        await asyncio.sleep(0)

    play(tmp_path, story)


def test_packs_from_nothing_to_an_update_and_back(tmp_path: Path) -> None:
    async def story(page: Page) -> None:
        rig = page.upkeep_rig
        rig.channel.publish(1)
        rig.channel.trust()
        assert (await page.ask("app.hello"))["packs"]["active"] is None
        with rig.channel.served() as (address, _):
            page.rig.dialogs.texts = [address, "ftp://x"]
            assert (await page.ask("pack.set_channel"))["channel"] == address
            assert await page.refusal("pack.set_channel") == "caller.bad_request"
            assert (await page.job("pack.install", source="channel"))["active"]["version"] == 1
            rig.channel.publish(2)
            checked = await page.ask("pack.check")
            assert checked["update"]["version"] == 2
            assert checked["last_check_ms"] > 0
            assert (await page.ask("pack.skip", version=2))["update"]["is_skipped"] is True
            assert (await page.ask("pack.skip", version=None))["update"]["is_skipped"] is False
            assert (await page.job("pack.update"))["active"]["version"] == 2
        view = await page.job("pack.rollback")
        assert (view["active"]["version"], view["previous"]["version"]) == (1, 2)
        rig.work.life.raise_security_floor(3)
        assert (await page.job("pack.rollback", words="please"))["job"]["error"]["code"] == "pack.rollback"
        assert (await page.job("pack.verify"))["job"]["state"] == "done"
        assert (await page.job("pack.clean"))["job"]["state"] == "done"
        assert (await page.job("pack.try"))["job"]["phase"] == "trying"
        assert (await page.job("pack.repair"))["job"]["state"] == "failed"

    play(tmp_path, story)


def test_a_root_is_trusted_by_native_questions(tmp_path: Path) -> None:
    async def story(page: Page) -> None:
        rig, dialogs = page.upkeep_rig, page.rig.dialogs
        rig.channel.publish(1)
        file = rig.channel.metadata("1.root.json")
        mark = fingerprint(file.read_bytes())
        assert (await page.ask("app.hello"))["packs"]["trust"] is None
        with rig.channel.served() as (address, seen):
            dialogs.texts = [address]
            await page.ask("pack.set_channel")
            assert (await page.ask("pack.check"))["check_error"]["code"] == "index.untrusted"
            assert seen == [], "nothing is asked of a channel that nobody trusts"
            dialogs.files = [None, file, file, file, file, tmp_path / "none.json", file]
            dialogs.texts = [None, "5f2c", "0" * 64, mark, f" {mark[:32].upper()}:{mark[32:]} "]
            dialogs.yes = [False, True]
            untrusted = await page.ask("pack.trust_root")
            assert await page.ask("pack.trust_root") == untrusted
            assert await page.refusal("pack.trust_root") == "caller.bad_request"
            assert await page.refusal("pack.trust_root") == "caller.rejected"
            assert (await page.ask("pack.trust_root"))["trust"] is None, "the person said no"
            assert await page.refusal("pack.trust_root") == "caller.bad_request"
            assert not rig.paths.trust_root.exists()
            await page.events()
            view = await page.ask("pack.trust_root")
            assert (view["trust"]["fingerprint"], view["trust"]["version"]) == (mark, 1)
            assert (view["trust"]["is_shipped"], view["trust"]["problem"]) == (False, "")
            assert view["check_error"] is None, "what was said without the root is over"
            assert [event["packs"] for event in await page.events() if event["type"] == "pack"] == [view]
            assert (await page.job("pack.install", source="channel"))["active"]["version"] == 1
        assert await page.refusal("pack.trust_root", fingerprint=mark) == "caller.bad_request"

    page = play(tmp_path, story)
    asked = page.rig.dialogs.asked
    before, after = [lines for title, lines in asked if title == "Fingerprint of the root"], dict(asked)
    mark = fingerprint(page.upkeep_rig.paths.trust_root.read_bytes())
    assert mark not in str(before), "it could be copied from there"
    shown = after["Trust this channel?"]
    assert f"Fingerprint: {mark}" in shown
    assert any("signed by 2 of:" in line for line in shown)


def test_a_root_in_place_of_another_is_named_and_one_job_at_a_time(tmp_path: Path) -> None:
    async def story(page: Page) -> None:
        rig, dialogs = page.upkeep_rig, page.rig.dialogs
        rig.channel.publish(1)
        rig.channel.trust()
        other = ChannelRig(tmp_path / "other")
        other.publish(1)
        file = other.metadata("1.root.json")
        rig.boots.script = ["hang"]
        dialogs.files = [rig.built(1), file, file]
        job_id = (await page.ask("pack.install", source="file"))["job_id"]
        assert await page.refusal("pack.trust_root") == "job.busy"
        await page.ask("pack.cancel", job_id=job_id)
        await page.upkeep.packs.finished(job_id)
        dialogs.texts, dialogs.yes = [fingerprint(file.read_bytes())], [True]
        assert (await page.ask("pack.trust_root"))["trust"]["fingerprint"] == fingerprint(file.read_bytes())
        rig.paths.trust_root.chmod(0o666)
        view = await page.ask("pack.skip", version=None)
        assert "host.permission" in view["trust"]["problem"]
        assert view["trust"]["fingerprint"] == ""

    page = play(tmp_path, story)
    former = page.upkeep_rig.channel.metadata("1.root.json").read_bytes()
    assert any(
        f"takes the place of the root {fingerprint(former)[:16]}" in str(lines) for _, lines in page.rig.dialogs.asked
    )


def test_a_file_is_chosen_natively(tmp_path: Path) -> None:
    async def story(page: Page) -> None:
        page.rig.dialogs.files = [None, page.upkeep_rig.built(1)]
        assert await page.ask("pack.install", source="file") == {"job_id": None}
        assert (await page.job("pack.install", source="file"))["active"]["version"] == 1
        assert await page.refusal("pack.install", source="file", path="/x") == "caller.bad_request"
        assert await page.refusal("pack.install", source="https://x") == "caller.bad_request"
        assert await page.refusal("pack.cancel", job_id="nothing") == "caller.bad_request"
        page.upkeep_rig.boots.script = ["hang"]
        page.rig.dialogs.files = [page.upkeep_rig.built(2)]
        job_id = (await page.ask("pack.install", source="file"))["job_id"]
        assert await page.refusal("pack.update") == "job.busy"
        assert await page.ask("pack.cancel", job_id=job_id) == {}
        assert (await page.upkeep.packs.jobs.wait(job_id)).state == "cancelled"

    play(tmp_path, story)


@dataclass
class Tasks:
    """The part of a Supervisor that data.move asks."""

    ids: list[str]

    def running(self) -> list[str]:
        return self.ids


def test_the_data_is_moved_by_native_questions_and_then_everything_says_so(tmp_path: Path) -> None:
    target = tmp_path / "disk"
    target.mkdir()

    async def story(page: Page) -> None:
        rig = page.upkeep_rig
        await page.upkeep.packs.finished(page.upkeep.packs.install_file(rig.built(1)))
        page.rig.desk.supervisor = cast(Any, Tasks(["t1"]))
        assert await page.refusal("data.move") == "host.busy"
        page.rig.desk.supervisor = cast(Any, Tasks([]))
        page.rig.dialogs.folders = [None, target, rig.paths.data, target]
        page.rig.dialogs.yes = [False, True]
        assert await page.ask("data.move") == {"job_id": None}
        assert await page.ask("data.move") == {"job_id": None}
        assert await page.refusal("data.move") == "caller.bad_request"
        view = await page.job("data.move")
        assert (view["job"]["kind"], view["job"]["state"]) == ("move", "done")
        assert str(target / "pui") in view["job"]["note"]
        assert view["active"]["version"] == 1, "what was known still holds"
        assert await page.refusal("settings.set", key="theme", value="dark") == "data.moved"
        assert (await page.job("pack.clean"))["job"]["error"]["code"] == "data.moved"
        assert await page.refusal("data.move", path="/x") == "caller.bad_request"

    page = play(tmp_path, story)
    assert (target / "pui" / "runtime" / "active").exists()
    assert sorted(path.name for path in page.upkeep_rig.paths.data.iterdir()) == ["in-use.lock", "moved-to"]
    assert any(str(target / "pui") in line for _, lines in page.rig.dialogs.asked for line in lines)


def test_without_upkeep_there_are_no_such_verbs(tmp_path: Path) -> None:
    async def main() -> Any:
        return await Rig(tmp_path).router().answer(json.dumps({"t": TOKEN, "id": 1, "method": "pack.check"}))

    assert asyncio.run(main())["error"]["code"] == "caller.bad_request"


@pytest.mark.parametrize("secret", [KEY])
def test_a_refused_key_is_not_quoted(tmp_path: Path, secret: str) -> None:
    async def story(page: Page) -> None:
        page.rig.dialogs.yes = [True]
        given = {"provider": "openai", "key": f"{secret} with spaces", "keep": "file"}
        assert await page.refusal("model.set_key", **given) == "caller.bad_request"

    assert secret not in play(tmp_path, story).said


def test_the_table_that_runs_has_exactly_the_verbs_of_the_contract(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "bridge.md").read_text("utf-8")
    rows = re.findall(r"^\| (`[^|]+`) \|", text.split("## Verbs")[1].split("## Events")[0], re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"`([a-z_.]+)`", row)}

    async def story(page: Page) -> None:
        assert set(verb_table(replace(page.rig.desk, greetings={})).names) == documented

    play(tmp_path, story)
