"""Jobs on packs through the real installer: each kind, its trial, stopping and going on, one at a time, its errors.

In: small real packs, a channel on loopback, played machines. Out: jobs, the store, the view. Never: a fake installer.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from pui.adapters.packs.web import FetchLimits
from pui.domain.errors import CallerError, HostError
from pui.domain.pack_job import Job, Step
from pui.domain.pack_life import words_of_insistence
from pui.ports.upkeep import JobResult, StepReport
from pui.supervisor.pack_board import PackBoard
from tests.support.channel_rig import etag_of, serve
from tests.support.upkeep_rig import UpkeepRig, finished

Story = Callable[[PackBoard], Awaitable[Any]]


@pytest.fixture
def rig(tmp_path: Path) -> UpkeepRig:
    return UpkeepRig(tmp_path)


def play(rig: UpkeepRig, story: Story) -> Any:
    async def run() -> Any:
        board = rig.board()
        try:
            return await story(board)
        finally:
            await board.close()

    return asyncio.run(run())


def install(rig: UpkeepRig, version: int) -> Job:
    return play(rig, lambda board: finished(board, board.install_file(rig.built(version))))


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what happens is in another thread
            await asyncio.sleep(0.01)


def test_a_file_is_installed_and_tried(rig: UpkeepRig) -> None:
    job = install(rig, 1)
    assert (job.state, job.kind, job.error) == ("done", "install", None)
    assert rig.boots.booted == [rig.pack_id(1)]
    assert (rig.state(1), rig.active_version()) == ("active", 1)
    last = rig.views[-1]
    assert last["active"]["version"] == 1
    assert last["active"]["state_label"] == "Active"
    assert last["active"]["components"] == {"pi": "1.5.2", "qemu": "10.0"}
    assert last["job"]["state"] == "done"
    assert last["job"]["note"].endswith("has reached pi")
    assert last["disk_use_bytes"] > 0
    assert last["can_build"] is True


def test_a_bad_pack_falls_back_and_the_reason_is_kept(rig: UpkeepRig) -> None:
    install(rig, 1)
    rig.boots.script = ["bad"]
    job = install(rig, 2)
    assert job.state == "failed"
    assert job.error is not None
    assert job.error.code == "pack.unhealthy"
    assert (rig.state(2), rig.active_version()) == ("failed", 1)
    shown = {pack["version"]: pack for pack in rig.views[-1]["packs"]}
    assert "guest.boot_timeout no hello" in shown[2]["reason"]
    assert rig.views[-1]["job"]["error"]["code"] == "pack.unhealthy"


def test_without_an_accelerator_the_pack_stays_on_trial_and_that_is_said(rig: UpkeepRig) -> None:
    rig.boots.script = ["setup", "good"]
    job = install(rig, 1)
    assert (job.state, rig.state(1)) == ("done", "trial")
    assert "no health boot is possible: accel.missing" in job.note
    tried = play(rig, lambda board: finished(board, board.try_pack()))
    assert (tried.state, rig.state(1)) == ("done", "active")


def test_a_pack_that_failed_can_be_tried_again_and_is_active_then(rig: UpkeepRig) -> None:
    rig.boots.script = ["bad", "good"]
    assert install(rig, 1).state == "failed"
    assert play(rig, lambda board: finished(board, board.try_pack())).state == "done"
    assert (rig.state(1), rig.active_version()) == ("active", 1)


def test_a_build_is_installed(rig: UpkeepRig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.paths.data.mkdir(exist_ok=True)
    monkeypatch.setattr("pui.adapters.packs.operations.trust_development_key", lambda key, folder: None)
    job = play(rig, lambda board: finished(board, board.build()))
    assert (job.state, job.kind, rig.active_version()) == ("done", "build", 7)


def with_channel(rig: UpkeepRig, *versions: int) -> None:
    rig.channel.publish(*versions)
    rig.channel.trust()


def test_from_an_empty_computer_to_an_update(rig: UpkeepRig) -> None:
    with_channel(rig, 1)

    async def story(board: PackBoard) -> None:
        with rig.channel.served() as (address, _):
            rig.settings.change("channel", address)
            first = await board.jobs.wait(board.update("install"))
            assert (first.state, first.kind, rig.active_version()) == ("done", "install", 1)
            rig.channel.publish(2)
            state = await board.check()
            assert state.offer is not None
            assert rig.views[-1]["update"]["version"] == 2
            assert rig.views[-1]["update"]["is_skipped"] is False
            skipped = await board.skip(2)
            assert skipped["update"]["is_skipped"] is True  # type: ignore[index,call-overload]
            with pytest.raises(CallerError, match="not on offer"):
                await board.skip(9)
            await board.skip(None)
            job = await finished(board, board.update())
            assert (job.state, rig.active_version(), rig.state(1)) == ("done", 2, "previous")
            assert (await board.view())["update"] is None
            again = await finished(board, board.update())
            assert (again.state, again.note) == ("done", "nothing newer is there")

    play(rig, story)


def test_a_channel_that_cannot_be_asked_is_remembered_and_changes_nothing(rig: UpkeepRig) -> None:
    install(rig, 1)

    async def story(board: PackBoard) -> None:
        rig.settings.change("channel", "http://127.0.0.1:1/")
        state = await board.check()
        assert state.error is not None
        view = await board.view()
        assert view["check_error"]["code"] == state.error.code  # type: ignore[index,call-overload]
        assert (await finished(board, board.update())).state == "failed"

    play(rig, story)
    assert rig.active_version() == 1
    assert rig.updates.read().error is not None


def test_without_a_channel_the_words_say_what_to_do(rig: UpkeepRig) -> None:
    job = play(rig, lambda board: finished(board, board.update("install")))
    assert job.error is not None
    assert "settings set channel" in job.error.hint


def test_a_stopped_download_keeps_its_part_and_goes_on(rig: UpkeepRig) -> None:
    with_channel(rig, 1)
    path, data = rig.channel.archive(1)
    half, stopped, go_on = len(data) // 2, threading.Event(), threading.Event()

    def slow(talk: Any) -> None:
        if go_on.is_set():
            serve(talk, data)
            return
        talk.head(200, Content_Length=str(len(data)), ETag=etag_of(data))
        talk.wfile.write(data[:half])
        talk.wfile.flush()
        stopped.wait(10)
        talk.wfile.write(data[half : half + 1])

    async def story(board: PackBoard) -> None:
        with rig.channel.served() as (address, seen):
            rig.settings.change("channel", address)
            rig.channel.overrides[path] = slow
            job_id = board.update("install")
            await eventually(lambda: rig.views[-1]["job"]["done_bytes"] == half)
            shown = rig.views[-1]["job"]
            assert (shown["phase"], shown["total_bytes"], shown["can_cancel"]) == ("downloading", len(data), True)
            board.jobs.cancel(job_id)
            stopped.set()
            job = await finished(board, job_id)
            assert (job.state, rig.views[-1]["job"]["state"]) == ("cancelled", "cancelled")
            parts = list(rig.paths.channel_cache.rglob("*.part"))
            assert [part.stat().st_size for part in parts] == [half + 1]
            go_on.set()
            asked_before = len(seen)
            job = await finished(board, board.update("install"))
            assert (job.state, rig.active_version()) == ("done", 1)
            assert sum(path in line for line in seen[asked_before:]) == 1
            assert not list(rig.paths.channel_cache.rglob("*.part"))

    play(rig, story)


@pytest.mark.parametrize("where", ["head", "body", "index"])
def test_a_server_that_is_silent_does_not_hold_a_stop(tmp_path: Path, where: str) -> None:
    rig = UpkeepRig(tmp_path, limits=FetchLimits(10, 3600, 1, 3600))
    with_channel(rig, 1)
    path, data = rig.channel.archive(1)
    is_silent = threading.Event()

    def silent(talk: Any) -> None:
        if where == "body":
            talk.head(200, Content_Length=str(len(data)), ETag=etag_of(data))
            talk.wfile.write(data[:9])
            talk.wfile.flush()
        is_silent.set()
        talk.stopping.wait(60)

    async def story(board: PackBoard) -> Job:
        with rig.channel.served() as (address, _):
            rig.settings.change("channel", address)
            rig.channel.overrides["/metadata/timestamp.json" if where == "index" else path] = silent
            job_id = board.update("install")
            await eventually(is_silent.is_set)
            board.jobs.cancel(job_id)
            return await finished(board, job_id)

    job: Job = play(rig, story)
    assert job.state == "cancelled"


def test_a_stopped_build_and_a_stopped_trial(rig: UpkeepRig) -> None:
    rig.boots.script = ["hang"]

    async def story(board: PackBoard) -> None:
        job_id = board.build()
        board.jobs.cancel(job_id)
        assert (await finished(board, job_id)).state == "cancelled"
        assert rig.boots.booted == []
        job_id = board.install_file(rig.built(1))
        await eventually(lambda: bool(rig.boots.booted))
        board.jobs.cancel(job_id)
        job = await finished(board, job_id)
        assert (job.state, rig.boots.cancelled, rig.state(1)) == ("cancelled", 1, "trial")

    play(rig, story)


def test_one_job_at_a_time_and_only_what_runs_is_stopped(rig: UpkeepRig) -> None:
    rig.boots.script = ["hang"]

    async def story(board: PackBoard) -> None:
        job_id = board.install_file(rig.built(1))
        for other in (board.verify, board.build, board.clean):
            with pytest.raises(HostError, match="running already"):
                other()
        rig.settings.change("channel", "http://127.0.0.1:1/")
        with pytest.raises(HostError, match="a job runs"):
            await board.check()
        with pytest.raises(CallerError):
            board.jobs.cancel("another")
        board.jobs.cancel(job_id)
        await finished(board, job_id)
        with pytest.raises(CallerError):
            board.jobs.cancel(job_id)
        with pytest.raises(CallerError):
            await board.jobs.wait("another")

    play(rig, story)


def test_verify_repair_clean_and_the_way_back(rig: UpkeepRig) -> None:
    install(rig, 1)
    install(rig, 2)
    job = play(rig, lambda board: finished(board, board.verify()))
    assert "is sound: 5 files as signed by" in job.note
    broken = rig.paths.packs_dir / rig.pack_id(2) / "kernel" / "vmlinux"
    broken.chmod(0o644)
    broken.write_bytes(b"changed")
    damaged = play(rig, lambda board: finished(board, board.verify()))
    assert damaged.error is not None
    assert damaged.error.code == "pack.corrupt"
    with_channel(rig, 2)

    async def story(board: PackBoard) -> None:
        with rig.channel.served() as (address, _):
            rig.settings.change("channel", address)
            job = await finished(board, board.repair())
            assert (job.error, job.state) == (None, "done")
            assert "1 file(s) written anew" in job.note

    play(rig, story)
    assert (rig.state(2), rig.active_version()) == ("active", 2)
    rig.work.life.raise_security_floor(2)
    refused = play(rig, lambda board: finished(board, board.roll_back(None)))
    assert refused.error is not None
    assert refused.error.code == "pack.rollback"
    words = words_of_insistence(1)
    assert words in refused.error.hint
    assert play(rig, lambda board: finished(board, board.roll_back(words))).state == "done"
    assert rig.active_version() == 1
    assert "MiB are free again" in play(rig, lambda board: finished(board, board.clean())).note


def test_a_repair_finds_the_pack_that_was_built_here(rig: UpkeepRig) -> None:
    install(rig, 1)
    built = rig.built(1)
    rig.paths.build_dir.mkdir(parents=True)
    for file in built.parent.glob("*-1.*"):
        (rig.paths.build_dir / file.name).write_bytes(file.read_bytes())
    (rig.paths.build_dir / "odd.envelope.json").write_text("{}")
    (rig.paths.packs_dir / rig.pack_id(1) / "kernel" / "vmlinux").unlink()
    job = play(rig, lambda board: finished(board, board.repair()))
    assert (job.error, rig.state(1)) == (None, "active")


def test_the_limit_of_the_disk_collects_first_and_then_refuses(rig: UpkeepRig, monkeypatch: pytest.MonkeyPatch) -> None:
    from pui.domain import settings as bounds

    for version in (1, 2, 3):
        install(rig, version)
    one_pack = rig.work.life.store.check(rig.pack_id(3), full=False).manifest.total_size_bytes
    monkeypatch.setitem(bounds._CHECKS, "disk_limit_bytes", lambda value: value)
    used = rig.work.life.store.disk_use_bytes()
    rig.settings.change("disk_limit_bytes", used + one_pack - 1)
    job = install(rig, 4)
    assert job.error is not None
    assert job.error.code == "host.disk_limit"
    assert rig.active_version() == 3
    rig.boots.script = ["bad", "good"]
    rig.settings.change("disk_limit_bytes", None)
    assert install(rig, 4).state == "failed"  # stays on disk, and nobody needs it
    rig.settings.change("disk_limit_bytes", rig.work.life.store.disk_use_bytes() + 1)
    assert install(rig, 5).error is None
    assert not (rig.paths.packs_dir / rig.pack_id(4)).exists()


@pytest.mark.parametrize("name", ["x.txt", "x.zip", "pui-bundle"])
def test_another_file_is_no_pack(rig: UpkeepRig, tmp_path: Path, name: str) -> None:
    job = play(rig, lambda board: finished(board, board.install_file(tmp_path / name)))
    assert job.error is not None
    assert job.error.code == "caller.bad_request"


def test_a_bug_is_told_without_its_text(rig: UpkeepRig) -> None:
    def act(report: StepReport) -> JobResult:
        raise TypeError("secret detail")

    async def story(board: PackBoard) -> Job:
        return await board.jobs.wait(board.jobs.start("clean", act))

    job: Job = play(rig, story)
    assert job.error is not None
    assert job.error.code == "bug.unexpected"
    assert "secret" not in job.error.message


def test_progress_is_told_at_most_ten_times_a_second(rig: UpkeepRig) -> None:
    """By the clock of the test: ten thousand steps between two ticks are one event."""
    from tests.support.simulated import SimulatedClock, settle

    clock = SimulatedClock()
    rig.clock = clock
    ready, go_on = threading.Event(), threading.Event()

    def act(report: StepReport) -> JobResult:
        for done in range(10_000):
            report(Step("downloading", done, 20_000))
        ready.set()
        go_on.wait(10)
        report(Step("downloading", 15_000, 20_000))
        return JobResult("through")

    async def story(board: PackBoard) -> None:
        job_id = board.jobs.start("update", act)
        await asyncio.to_thread(ready.wait, 10)
        await settle()
        assert len(rig.views) == 1, "only that it began"
        await clock.advance(0.1)
        await clock.advance(0.1)
        assert len(rig.views) == 2
        assert rig.views[-1]["job"]["done_bytes"] == 9999
        go_on.set()
        job = await board.jobs.wait(job_id)
        assert (job.note, job.step.done_bytes) == ("through", 15_000)
        assert len(rig.views) == 3

    play(rig, story)
