"""folder.*: what is granted, what is asked about natively, what the page never learns or names.

In: choices, answers of dialogs, a policy that says what a test wants. Out: assertions. Never: a real dialog.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from pui.domain.errors import CallerError
from pui.domain.folder_grants import FolderGrant, parse_grants, render_grants
from pui.domain.strict_json import StrictJsonError
from tests.shell.rig import MemoryGrants, Rig

APP = Path("/home/ada/app")


def play(story: Callable[[Rig], Awaitable[None]], grants: MemoryGrants | None = None) -> Rig:
    async def run() -> Rig:
        rig = Rig(grants=grants or MemoryGrants())
        await story(rig)
        return rig

    return asyncio.run(run())


async def choose(rig: Rig, path: Path = APP, *, read_only: bool = False) -> dict[str, Any]:
    rig.dialogs.folders.append(path)
    row = await rig.desk.folders.choose(read_only)
    assert isinstance(row, dict)
    return row


def test_a_choice_in_the_dialog_is_a_grant_and_its_id_tells_nothing() -> None:
    async def story(rig: Rig) -> None:
        row = await choose(rig)
        assert row["name"] == "app" and row["path"] == str(APP) and row["exists"] is True
        assert "ada" not in row["id"] and len(rig.dialogs.asked) == 1
        assert await rig.desk.folders.mounts_for([(row["id"], False)])
        assert len(rig.dialogs.asked) == 1  # nothing more was asked

    play(story)


def test_nothing_chosen_is_null() -> None:
    async def story(rig: Rig) -> None:
        rig.dialogs.folders.append(None)
        assert await rig.desk.folders.choose(True) is None

    assert play(story).grants.saved == ()


def test_a_refused_folder_is_refused_at_once() -> None:
    async def story(rig: Rig) -> None:
        rig.policy.refused.add(str(APP))
        with pytest.raises(CallerError) as caught:
            await choose(rig)
        assert caught.value.code == "mount.refused"

    assert play(story).grants.saved == ()


@pytest.mark.parametrize("answer", [True, False])
def test_warnings_and_links_are_asked_about(answer: bool) -> None:
    async def story(rig: Rig) -> None:
        rig.policy.warnings["/real"] = ("it is on the network",)
        rig.policy.leads_to[str(APP)] = "/real"
        rig.dialogs.yes.append(answer)
        if answer:
            assert (await choose(rig))["path"] == "/real"
        else:
            with pytest.raises(CallerError) as caught:
                await choose(rig)
            assert caught.value.code == "caller.declined"
        words = " ".join(rig.dialogs.asked[-1][1])
        assert "it is on the network" in words and "/real" in words and str(APP) in words

    assert len(play(story).grants.saved) == int(answer)


@pytest.mark.parametrize("answer", [True, False])
def test_reading_does_not_grant_writing(answer: bool) -> None:
    async def story(rig: Rig) -> None:
        row = await choose(rig, read_only=True)
        await rig.desk.folders.mounts_for([(row["id"], True)])
        rig.dialogs.yes.append(answer)
        if not answer:
            with pytest.raises(CallerError):
                await rig.desk.folders.mounts_for([(row["id"], False)])
            return
        (mount,) = await rig.desk.folders.mounts_for([(row["id"], False)])
        assert not mount.read_only
        asked = len(rig.dialogs.asked)
        await rig.desk.folders.mounts_for([(row["id"], False)])
        assert len(rig.dialogs.asked) == asked

    assert play(story).grants.saved[0].may_write is answer


def test_g10_another_folder_under_the_same_path_needs_a_new_yes_and_loses_writing() -> None:
    async def story(rig: Rig) -> None:
        row = await choose(rig)
        rig.policy.inodes[str(APP)] = 99
        rig.dialogs.yes += [True, False]  # use it: yes; write: no
        with pytest.raises(CallerError):
            await rig.desk.folders.mounts_for([(row["id"], False)])
        assert "replaced" in " ".join(rig.dialogs.asked[-2][1])

    play(story)


def test_unknown_ids_and_forgotten_folders() -> None:
    async def story(rig: Rig) -> None:
        row = await choose(rig)
        await rig.desk.folders.forget(row["id"])
        for folder_id in (row["id"], "ffff", ""):
            with pytest.raises(CallerError):
                await rig.desk.folders.mounts_for([(folder_id, True)])

    assert play(story).grants.saved == ()


def test_the_last_choice_is_kept_with_the_folder_across_starts() -> None:
    last = {"network": "offline", "thinking": "high", "memory_mib": 1024, "cpu_count": 2}

    async def first(rig: Rig) -> None:
        row = await choose(rig)
        model = {"provider": "demo", "model": "demo"}
        await rig.desk.folders.remember([row["id"]], last | {"model": model, "memory_mib": "much", "other": 1})

    async def second(rig: Rig) -> None:
        (row,) = await rig.desk.folders.rows()
        assert isinstance(row, dict) and isinstance(row["last"], dict)
        assert row["last"]["network"] == "offline" and row["last"]["memory_mib"] is None
        assert row["exists"] is False  # /home/ada/app is not on this computer

    kept = MemoryGrants(parse_grants(render_grants(play(first).grants.saved)))
    play(second, kept)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"folders":[1]}',
        b'{"folders":[{"id":"a","path":"relative","device":1,"inode":1,"used_ms":1,"may_write":true,"read_only":true,'
        b'"warnings":[],"last":{}}]}',
        b'{"folders":[{"id":"a","path":"/x","device":true,"inode":1,"used_ms":1,"may_write":true,"read_only":true,'
        b'"warnings":[],"last":{}}]}',
    ],
)
def test_a_file_that_pui_did_not_write_is_no_grant(data: bytes) -> None:
    with pytest.raises(StrictJsonError):
        parse_grants(data)


def test_the_file_holds_the_newest_two_hundred() -> None:
    grants = [FolderGrant(f"{n:x}", f"/f/{n}", 1, n, True, False, n) for n in range(300)]
    assert {grant.used_ms for grant in parse_grants(render_grants(grants))} == set(range(100, 300))
