"""Updates in the background over a real channel on loopback: what is fetched, tried, left alone; time is played.

In: channels that move on, lie, expire or vanish. Out: the pack that runs, the reason that is kept. Never: real waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from pui.domain.errors import CallerError
from pui.supervisor.pack_board import PackBoard
from pui.supervisor.update_watch import LOOK_INTERVAL_S, UpdateWatch
from tests.support.simulated import SimulatedClock
from tests.support.upkeep_rig import UpkeepRig, finished

Story = Callable[[PackBoard, UpdateWatch], Awaitable[None]]


@pytest.fixture
def rig(tmp_path: Path) -> UpkeepRig:
    """Version 1 is installed from the channel that it is asked again."""
    rig = UpkeepRig(tmp_path)
    rig.channel.publish(1)
    rig.channel.trust()
    return rig


def play(rig: UpkeepRig, story: Story) -> None:
    async def run() -> None:
        board = rig.board()
        watch = rig.watch(board)
        with rig.channel.served() as (address, _):
            rig.settings.change("channel", address)
            await finished(board, board.update("install"))
            try:
                await story(board, watch)
            finally:
                await watch.close()
                await board.close()

    asyncio.run(run())


def test_a_newer_pack_is_fetched_tried_and_active(rig: UpkeepRig) -> None:
    async def story(board: PackBoard, watch: UpdateWatch) -> None:
        assert await watch.round() == ["there is nothing newer"]
        rig.channel.publish(2)
        said = await watch.round()
        assert said[0] == "there is a newer version"
        assert "is installed" in said[-1]
        assert await watch.round() == ["there is nothing newer"]

    play(rig, story)
    assert (rig.active_version(), rig.state(1), rig.boots.booted) == (2, "previous", [rig.pack_id(1), rig.pack_id(2)])
    assert rig.updates.read().offer is None


def test_a_bad_one_falls_back_once_and_its_reason_is_kept(rig: UpkeepRig) -> None:
    async def story(board: PackBoard, watch: UpdateWatch) -> None:
        rig.channel.publish(2)
        rig.boots.script = ["bad"]
        assert "failed its trial" in (await watch.round())[-1]
        view = await board.view()
        assert "guest.boot_timeout" in str(view["check_error"])
        assert (await watch.round())[0] == "there is nothing newer", "it is not fetched again and again"

    play(rig, story)
    assert (rig.active_version(), rig.state(2)) == (1, "failed")
    assert len(rig.boots.booted) == 2


@pytest.mark.parametrize("key", ["skip", "update_download", "metered"])
def test_what_a_person_holds_back_is_not_fetched(rig: UpkeepRig, key: str) -> None:
    async def story(board: PackBoard, watch: UpdateWatch) -> None:
        rig.channel.publish(2)
        if key == "skip":
            await board.check()
            await board.skip(2)
        elif key == "metered":
            rig.metered.answer = True
        else:
            rig.settings.change("update_download", False)
        said = await watch.round()
        assert not list(rig.paths.channel_cache.rglob("*.tar.zst"))
        assert (said[-1] == "the test says so") == (key == "metered")
        assert rig.updates.read().offer is not None
        if key == "skip":
            rig.channel.publish(3)
            assert "is installed" in (await watch.round())[-1], "a later version is offered again"
        if key == "metered":
            rig.settings.change("update_on_metered", True)
            assert "is installed" in (await watch.round())[-1]

    play(rig, story)
    assert rig.active_version() == {"skip": 3, "update_download": 1, "metered": 2}[key]


@pytest.mark.parametrize("how", ["expired", "older", "gone", "unsigned"])
def test_a_channel_that_lies_or_is_out_of_date_stops_nothing(rig: UpkeepRig, how: str) -> None:
    codes = {"expired": "index.expired", "older": "index.rollback", "gone": "fetch.http", "unsigned": "index."}

    async def story(board: PackBoard, watch: UpdateWatch) -> None:
        if how == "expired":
            rig.channel.publish(2, days=-1)
        if how == "older":
            old = rig.channel.snapshot_of_www("old")
            rig.channel.publish(2)
            await board.check()
            rig.channel.folder = old
        if how == "gone":
            rig.channel.folder = rig.channel.base / "nothing"
        if how == "unsigned":
            path = rig.channel.metadata("timestamp.json")
            path.write_bytes(path.read_bytes().replace(b'"sig":"', b'"sig":"00'))
        (said,) = await watch.round()
        assert codes[how] in said
        assert "what is installed goes on working" in said
        error = rig.updates.read().error
        assert error is not None
        assert error.code.startswith(codes[how])

    play(rig, story)
    assert rig.active_version() == 1


def test_the_watch_keeps_its_times(tmp_path: Path) -> None:
    clock = SimulatedClock()
    rig = UpkeepRig(tmp_path, clock)

    async def minutes(count: int) -> None:
        for _ in range(count):
            await clock.advance(LOOK_INTERVAL_S)
            await asyncio.sleep(0.01)  # a thread answers

    async def run() -> None:
        board = rig.board()
        watch = rig.watch(board)
        watch.start()
        watch.start()
        await minutes(5)
        assert rig.updates.read().last_check_ms is None, "no channel is named"
        rig.settings.change("channel", "http://127.0.0.1:1/")
        await minutes(3)
        first = rig.updates.read()
        assert first.last_check_ms is not None
        assert first.error is not None
        await minutes(30)
        assert rig.updates.read().last_check_ms == first.last_check_ms
        await minutes(32)
        second = rig.updates.read().last_check_ms
        assert second is not None
        assert 3_600_000 <= second - first.last_check_ms <= 3_600_000 + 120_000
        rig.settings.change("update_check", False)
        await minutes(120)
        assert rig.updates.read().last_check_ms == second
        await watch.close()
        await watch.close()
        await board.close()

    asyncio.run(run())


def test_without_a_channel_nothing_is_asked(tmp_path: Path) -> None:
    rig = UpkeepRig(tmp_path)

    async def run() -> None:
        board = rig.board()
        with pytest.raises(CallerError, match="no channel is named"):
            await rig.watch(board).round()
        assert (await board.view())["check_error"] is None
        await board.close()

    asyncio.run(run())


def test_a_person_s_job_goes_first(rig: UpkeepRig) -> None:
    async def story(board: PackBoard, watch: UpdateWatch) -> None:
        rig.boots.script = ["hang"]
        job_id = board.install_file(rig.built(2))
        await watch._round_quietly()
        board.jobs.cancel(job_id)
        await board.jobs.wait(job_id)

    play(rig, story)
    assert rig.updates.read().last_check_ms is None
