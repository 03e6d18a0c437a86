"""Every fault in every state: the runner ends in the right state, with the right outcome and reverse-order release.

In: the real task chart, scripted activities, simulated time. Out: assertions on the journal. Never: a sleep.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import pytest

from pui.domain.chart_names import GUARDS
from pui.domain.errors import LaunchError
from pui.domain.events import JsonValue, Triggered
from pui.domain.journal import parse_journal
from pui.domain.machine import ChartMachine
from pui.resources import load_chart
from pui.supervisor.resources import Resource, ResourceStack
from pui.supervisor.runner import TaskRunner
from pui.supervisor.task_journal import TaskJournal
from tests.support.simulated import MemoryJournal, SimulatedClock, settle

Act = Callable[["Bench", int], Awaitable[Mapping[str, JsonValue]]]

WORK = ("run_preflight", "prepare_overlay", "launch_qemu", "await_hello", "serve_channel")
STATE_OF = {
    "run_preflight": "preflight",
    "prepare_overlay": "overlay-prep",
    "launch_qemu": "qemu-launch",
    "await_hello": "handshake",
    "serve_channel": "running",
}
ACQUIRED_BY = {
    "run_preflight": (),
    "prepare_overlay": ("runtime-dir", "overlay"),
    "launch_qemu": ("mount-server", "qemu"),
    "await_hello": ("channel",),
    "serve_channel": (),
}


class Bench:
    """A runner whose activities push the resources of ACQUIRED_BY and then behave as `script` says."""

    def __init__(self, script: Mapping[str, Act] | None = None, journal: MemoryJournal | None = None) -> None:
        self.file = journal or MemoryJournal()
        self.clock = SimulatedClock()
        self.journal = TaskJournal(self.file, self.clock)
        self.resources = ResourceStack(self.journal)
        self.released: list[str] = []
        self.script = dict(script or {})
        machine = ChartMachine(load_chart("task"), GUARDS["task"])
        table = {name: self._activity(name) for name in WORK} | {"release_resources": self._teardown}
        self.runner = TaskRunner(machine, table, self.journal, self.clock)

    def _activity(self, name: str) -> Callable[[int], Awaitable[Mapping[str, JsonValue]]]:
        async def run(cause: int) -> Mapping[str, JsonValue]:
            for resource in ACQUIRED_BY[name]:
                self.push(resource, cause)
            act = self.script.get(name)
            return {} if act is None else await act(self, cause)

        return run

    def push(self, name: str, cause: int) -> None:
        async def release() -> None:
            self.released.append(name)

        self.resources.push(Resource(name, "test", release), cause)

    async def _teardown(self, cause: int) -> Mapping[str, JsonValue]:
        act = self.script.get("release_resources")
        if act is not None:
            await act(self, cause)
        if failures := await self.resources.release_all(cause):
            raise LaunchError("launch.qemu_exit", "; ".join(failures))
        return {}

    async def run(self, *triggers: str, meanwhile: Callable[[Bench], Awaitable[None]] | None = None) -> None:
        for trigger in triggers:
            self.runner.post(Triggered(trigger))
        loop_task = asyncio.create_task(self.runner.run())
        await settle()
        if meanwhile is not None:
            await meanwhile(self)
        await asyncio.wait_for(loop_task, 5)
        self.check_invariants()

    def check_invariants(self) -> None:
        """Every held thing is released in exact reverse order; every record's cause stands before it."""
        acquired = [str(record["name"]) for record in self.file.of("acquired")]
        assert self.released == acquired[::-1]
        assert not self.journal.view.held
        for record in self.file.records:
            cause = record["cause"]
            assert cause is None or (isinstance(cause, int) and cause < int(str(record["seq"])))
        assert [record["seq"] for record in self.file.records] == list(range(1, len(self.file.records) + 1))

    def path(self) -> list[str]:
        return [str(record["to"]) for record in self.file.of("transition")]


async def fail(_bench: Bench, _cause: int) -> Mapping[str, JsonValue]:
    raise LaunchError("launch.overlay", "made to fail")


async def blunder(_bench: Bench, _cause: int) -> Mapping[str, JsonValue]:
    raise TypeError("a bug")


async def hang(_bench: Bench, _cause: int) -> Mapping[str, JsonValue]:
    await asyncio.Event().wait()
    return {}


async def need_setup(_bench: Bench, _cause: int) -> Mapping[str, JsonValue]:
    return {"setup_is_needed": True}


def test_a_task_without_faults_takes_the_whole_way() -> None:
    bench = Bench()
    asyncio.run(bench.run("start"))
    assert bench.path() == [
        "preflight", "overlay-prep", "qemu-launch", "handshake", "running", "teardown", "finished",
    ]  # fmt: skip
    assert bench.journal.view.outcome is not None and bench.journal.view.outcome.result == "completed"


@pytest.mark.parametrize("activity", WORK[1:])
@pytest.mark.parametrize("act", [fail, blunder], ids=["fail", "bug"])
def test_a_failure_leads_through_teardown(activity: str, act: Act) -> None:
    bench = Bench({activity: act})
    asyncio.run(bench.run("start"))
    assert bench.path()[-2:] == ["teardown", "finished"]
    outcome = bench.journal.view.outcome
    assert outcome is not None
    assert (outcome.result, outcome.code) == ("failed", "launch.overlay" if act is fail else "bug.unexpected")


@pytest.mark.parametrize("activity", WORK[1:])
def test_a_hang_is_ended_by_the_state_s_timeout(activity: str) -> None:
    bench = Bench({activity: hang})

    async def wait_it_out(running: Bench) -> None:
        assert running.runner.state == STATE_OF[activity]
        await running.clock.advance(1_000_000)

    asyncio.run(bench.run("start", meanwhile=wait_it_out))
    assert bench.path()[-2:] == ["teardown", "finished"]
    outcome = bench.journal.view.outcome
    assert outcome is not None and outcome.result == "failed" and "longer than its limit" in outcome.message


@pytest.mark.parametrize("activity", WORK)
def test_cancel_in_each_state(activity: str) -> None:
    bench = Bench({activity: hang})

    async def cancel(running: Bench) -> None:
        assert running.runner.state == STATE_OF[activity]
        running.runner.post(Triggered("cancel"))

    asyncio.run(bench.run("start", meanwhile=cancel))
    assert bench.path()[-1] == "finished"
    outcome = bench.journal.view.outcome
    assert outcome is not None and (outcome.result, outcome.code) == ("cancelled", "task.cancelled")


@pytest.mark.parametrize("act", [fail, blunder, need_setup], ids=["fail", "bug", "finding"])
def test_preflight_that_does_not_pass_is_setup_required_and_can_be_retried(act: Act) -> None:
    bench = Bench({"run_preflight": act})

    async def mend_and_retry(running: Bench) -> None:
        assert running.runner.state == "setup-required"
        running.script = {"run_preflight": pass_now}
        running.runner.post(Triggered("retry"))

    asyncio.run(bench.run("start", meanwhile=mend_and_retry))
    assert bench.path()[:3] == ["preflight", "setup-required", "preflight"]
    assert bench.path()[-1] == "finished"


async def pass_now(_bench: Bench, _cause: int) -> Mapping[str, JsonValue]:
    return {"setup_is_needed": False}


def test_a_late_result_of_a_state_left_changes_nothing() -> None:
    async def stubborn(bench: Bench, _cause: int) -> Mapping[str, JsonValue]:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return {"late": True}  # swallows its cancellation: its result belongs to a state that is gone
        return {}

    bench = Bench({"launch_qemu": stubborn})

    async def cancel(running: Bench) -> None:
        running.runner.post(Triggered("cancel"))

    asyncio.run(bench.run("start", meanwhile=cancel))
    assert len(bench.file.of("stale")) == 1
    assert bench.path()[-1] == "finished"


def test_a_trigger_that_the_state_does_not_know_is_rejected_and_recorded() -> None:
    bench = Bench({"serve_channel": hang})

    async def disturb(running: Bench) -> None:
        running.runner.post(Triggered("retry"))
        running.runner.post(Triggered("no_such_thing"))
        await settle()
        assert running.runner.state == "running"
        running.runner.post(Triggered("cancel"))

    asyncio.run(bench.run("start", meanwhile=disturb))
    assert [record["trigger"] for record in bench.file.of("rejected")] == ["retry", "no_such_thing"]


def test_a_teardown_that_hangs_strands_the_task() -> None:
    bench = Bench({"release_resources": hang})

    async def wait_it_out(running: Bench) -> None:
        assert running.runner.state == "teardown"
        await running.clock.advance(100)

    with pytest.raises(AssertionError):  # the invariant of the bench: nothing was released
        asyncio.run(bench.run("start", meanwhile=wait_it_out))
    assert bench.path()[-1] == "stranded"
    assert list(bench.journal.view.held) == ["runtime-dir", "overlay", "mount-server", "qemu", "channel"]


def test_one_failing_release_does_not_keep_the_others_from_running() -> None:
    async def push_faulty(bench: Bench, cause: int) -> Mapping[str, JsonValue]:
        async def release() -> None:
            raise OSError("busy")

        bench.resources.push(Resource("faulty", "test", release), cause)
        return {}

    bench = Bench({"launch_qemu": push_faulty})
    with pytest.raises(AssertionError):
        asyncio.run(bench.run("start"))
    assert bench.path()[-1] == "stranded"
    assert bench.released == ["channel", "qemu", "mount-server", "overlay", "runtime-dir"]
    assert [record["name"] for record in bench.file.of("release-failed")] == ["faulty"]


@pytest.mark.parametrize("full_from", [3, 8, 14, 19])
@pytest.mark.threat("J9")
def test_a_full_disk_ends_the_task_by_name_and_still_releases_everything(full_from: int) -> None:
    bench = Bench({"serve_channel": hang}, MemoryJournal(full_from))
    asyncio.run(_until_finished(bench))
    assert bench.runner.state == "finished"
    everything = ["channel", "qemu", "mount-server", "overlay", "runtime-dir"]
    assert bench.released == everything[len(everything) - len(bench.released) :]
    assert not bench.resources.names
    assert bench.journal.view.outcome is not None and bench.journal.view.outcome.code == "host.disk_full"


async def _until_finished(bench: Bench) -> None:
    bench.runner.post(Triggered("start"))
    await asyncio.wait_for(bench.runner.run(), 5)


def test_the_journal_on_disk_folds_to_what_was_shown() -> None:
    import json

    bench = Bench()
    asyncio.run(bench.run("start"))
    raw = b"".join(json.dumps(record).encode() + b"\n" for record in bench.file.records)
    from pui.domain.journal import fold

    parsed = parse_journal(raw)
    assert not parsed.is_torn
    assert fold(parsed.records) == bench.journal.view
