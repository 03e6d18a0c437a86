"""Threat C10 seen from the tasks: a boot that reaches pi proves its pack, one that fails by the pack's fault is told.

In: simulated ports, a recorder of what was told. Out: verdicts. Never: a real machine.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from pui.domain.errors import SetupError
from pui.domain.facts import HostFacts
from pui.domain.journal import Record, TaskView
from pui.domain.task import TaskSpec
from pui.ports import InstalledPack
from pui.resources import load_chart
from pui.supervisor.pack_health import health_boot
from pui.supervisor.supervisor import Supervisor
from tests.support.fake_guest import FakeScript
from tests.support.simulated_ports import FACTS, SimulatedPorts, fault


@dataclass
class Told:
    """ports.PackTrial that writes down what it is told."""

    calls: list[tuple[str, ...]] = field(default_factory=list)
    fault: SetupError | None = None
    before: InstalledPack | None = None

    def proven(self, pack_id: str) -> bool:
        self._hear("proven", pack_id)
        return True

    def failed(self, pack_id: str, code: str, message: str) -> str | None:
        self._hear("failed", code)
        return f"fell back because of {code}"

    def way_back(self, pack_id: str) -> InstalledPack | None:
        return self.before

    def mark_unclean(self) -> None:
        self._hear("unclean")

    def _hear(self, *call: str) -> None:
        if self.fault is not None:
            raise self.fault
        self.calls.append(call)


def supervisor(world: SimulatedPorts, told: Told) -> Supervisor:
    services = replace(world.services(), pack_trial=told)
    return Supervisor(services, load_chart("task"), load_chart("agent"))


def run(world: SimulatedPorts, told: Told, *, only_boot: bool, advance_s: float = 0) -> TaskView:
    async def story() -> TaskView:
        app = supervisor(world, told)
        if only_boot:
            boot = asyncio.create_task(health_boot(app, "the-pack", lambda record: None))
            await pass_time(world, boot, advance_s)
            return (await boot)[1]
        task_id = app.create(TaskSpec("do it", ()))
        app.trigger(task_id, "start")
        ended = asyncio.create_task(app.wait(task_id))
        await pass_time(world, ended, advance_s)
        return await ended

    return asyncio.run(story())


async def pass_time(world: SimulatedPorts, work: asyncio.Task[object], advance_s: float) -> None:  # type: ignore[type-arg]
    for _ in range(100 if advance_s else 0):
        await asyncio.sleep(0.01)
        await world.clock.advance(advance_s / 100)
        if work.done():
            return


@pytest.mark.parametrize("only_boot", [True, False], ids=["health-boot", "task"])
def test_a_machine_that_reaches_pi_proves_its_pack(tmp_path: Path, *, only_boot: bool) -> None:
    world, told = SimulatedPorts(tmp_path), Told()

    view = run(world, told, only_boot=only_boot)

    assert [call[0] for call in told.calls] == ["proven"]
    assert view.outcome is not None
    assert view.outcome.result == "completed"
    assert "passed its trial" in str(view.facts["pack_trial"])
    assert world.leftovers() == []
    sent = b"(health boot" in b"".join(path.read_bytes() for path in tmp_path.rglob("transcript.jsonl"))
    assert not sent
    assert ("stats" in view.facts) != only_boot, "a health boot asks pi for nothing but its state"


@pytest.mark.parametrize(
    ("script", "faults", "code"),
    [
        (FakeScript(), {"overlay": "launch.overlay"}, "launch.overlay"),
        (FakeScript(), {"qemu": "launch.qemu_exit"}, "launch.qemu_exit"),
        (FakeScript(exit_in="boot"), {}, "launch.qemu_exit"),
        (FakeScript(refuses=("start",)), {}, "guest.config"),
    ],
)
@pytest.mark.parametrize("only_boot", [True, False], ids=["health-boot", "task"])
def test_c10_a_boot_that_fails_is_told_with_its_code(
    tmp_path: Path, script: FakeScript, faults: dict[str, str], code: str, *, only_boot: bool
) -> None:
    world = SimulatedPorts(tmp_path, script, faults={place: fault(name) for place, name in faults.items()})
    told = Told()

    view = run(world, told, only_boot=only_boot)

    assert told.calls == [("failed", code)]
    assert view.facts["pack_trial"] == f"fell back because of {code}"


def test_c10_a_guest_that_never_speaks(tmp_path: Path) -> None:
    told = Told()
    run(SimulatedPorts(tmp_path, FakeScript(hang_in="boot")), told, only_boot=True, advance_s=400)
    assert [call[0] for call in told.calls] == ["failed"]


@pytest.mark.parametrize(
    ("place", "code"), [("overlay", "host.disk_full"), ("lock", "pack.in_use"), ("mount-server", "launch.mount_server")]
)
def test_what_is_not_the_packs_fault_is_not_told(tmp_path: Path, place: str, code: str) -> None:
    told = Told()
    run(SimulatedPorts(tmp_path, faults={place: fault(code)}), told, only_boot=True)
    assert "failed" not in [call[0] for call in told.calls]


def test_a_failure_after_pi_has_answered_is_not_the_packs(tmp_path: Path) -> None:
    world, told = SimulatedPorts(tmp_path, FakeScript(exit_in="prompt")), Told()
    view = run(world, told, only_boot=False)
    assert view.outcome is not None
    assert view.outcome.result == "failed"
    assert [call[0] for call in told.calls] == ["proven"]


def test_without_an_accelerator_nothing_is_said_about_the_pack(tmp_path: Path) -> None:
    world, told = SimulatedPorts(tmp_path, facts=replace(FACTS, accelerators=())), Told()
    view = run(world, told, only_boot=True)
    assert told.calls == []
    assert view.outcome is not None
    assert view.outcome.result == "cancelled"


@pytest.mark.parametrize("works_before", [True, False])
def test_c10_a_kernel_that_runs_nowhere_is_the_packs_fault(tmp_path: Path, *, works_before: bool) -> None:
    """A broken kernel looks like a broken accelerator; a computer without one has none for any pack."""
    world = SimulatedPorts(tmp_path)
    told = Told(before=replace(world.active(), pack_id="linux-x86_64-0-111111111111"))
    none = replace(FACTS, accelerators=())

    async def probe(pack: InstalledPack, *, refresh: bool = False) -> HostFacts:
        return FACTS if works_before and pack == told.before else none

    world.probe = probe  # type: ignore[method-assign]
    view = run(world, told, only_boot=True)
    assert told.calls == ([("failed", "accel.missing")] if works_before else [])
    assert ("pack_trial" in view.facts) == works_before


def test_c10_a_qemu_that_does_not_start_is_the_packs_fault(tmp_path: Path) -> None:
    world, told = SimulatedPorts(tmp_path, facts=replace(FACTS, qemu_version="5.0.0")), Told()
    run(world, told, only_boot=True)
    assert told.calls == [("failed", "qemu.too_old")]


def test_a_store_that_cannot_be_written_changes_no_task(tmp_path: Path) -> None:
    told = Told(fault=SetupError("pack.in_use", "another pui is installing"))
    view = run(SimulatedPorts(tmp_path), told, only_boot=False)
    assert view.outcome is not None
    assert view.outcome.result == "completed"
    assert "stays on trial" in str(view.facts["pack_trial"])


def test_a_recovered_task_makes_a_full_check_due(tmp_path: Path) -> None:
    world, told = SimulatedPorts(tmp_path, FakeScript(hang_in="boot")), Told()

    async def die() -> None:
        app = supervisor(world, told)
        app.trigger(app.create(TaskSpec("do it", ())), "start")
        await asyncio.sleep(0.05)

    asyncio.run(die())
    world.is_alive = lambda identity: False  # type: ignore[method-assign]
    assert len(supervisor(world, told).recover()) == 1
    assert told.calls == [("unclean",)]
    assert supervisor(world, told).recover() == []
    assert told.calls == [("unclean",)]


def test_records_of_a_health_boot_can_be_followed(tmp_path: Path) -> None:
    seen: list[Record] = []
    asyncio.run(_followed(SimulatedPorts(tmp_path), seen))
    assert [r.fields["to"] for r in seen if r.type == "transition"][-2:] == ["teardown", "finished"]


async def _followed(world: SimulatedPorts, seen: list[Record]) -> None:
    await health_boot(supervisor(world, Told()), "the-pack", seen.append)
