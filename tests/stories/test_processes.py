"""Whole tasks with the real adapters: real processes, sockets and files, a scripted program in QEMU's place.

In: tests/support/fake_qemu.py as QEMU, qemu-img and virtiofsd. Out: assertions on journal, folders, processes.
Never: a real machine (tests/vm).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pui.adapters.packs.store import InstalledPacks
from pui.domain.errors import CallerError
from pui.domain.journal import TaskView
from pui.domain.task import MountRequest, TaskSpec
from pui.supervisor.services import Services
from pui.supervisor.supervisor import Supervisor
from tests.support.app_process import Base, processes_of, real_probe, real_services, supervisor_of
from tests.support.fake_guest import FakeScript
from tests.support.pack_shop import PackShop
from tests.support.pack_simulator import APP, PackSim
from tests.support.playbook import check_over, files_below, until, until_state
from tests.support.simulated import SimulatedClock

Story = Callable[[Supervisor, str], Awaitable[None]]


def play(base: Base, services: Services, story: Story, spec: TaskSpec | None = None) -> TaskView:
    """Run a story on one created task to its end; then nothing is held, nothing runs, no socket is left."""

    async def main() -> TaskView:
        supervisor = supervisor_of(services)
        task_id = supervisor.create(spec or base.spec)
        try:
            await story(supervisor, task_id)
            view = await asyncio.wait_for(supervisor.wait(task_id), 30)
        finally:
            await supervisor.shutdown()
        check_over(services.files, task_id, view)
        return view

    view = asyncio.run(main())
    assert files_below(base.paths.runtime) == []
    assert processes_of(base.folder) == {}
    return view


async def start(supervisor: Supervisor, task_id: str) -> None:
    supervisor.trigger(task_id, "start")


def outcome_of(view: TaskView) -> tuple[str, str]:
    assert view.outcome is not None
    return view.outcome.result, view.outcome.code


@pytest.mark.parametrize("share", ["virtiofs", "9p"])
def test_the_whole_way(base: Base, share: str) -> None:
    view = play(base.prepare(), real_services(base, share=share), start)
    assert outcome_of(view) == ("completed", "")
    assert view.facts["share"] == share


def test_what_pi_writes_is_in_the_folder(base: Base) -> None:
    view = play(base.prepare(FakeScript(writes={"new.txt": "by pi\n"})), real_services(base), start)
    assert outcome_of(view) == ("completed", "")
    assert files_below(base.project) == ["README.md", "new.txt"]


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ({"exit_in": "start"}, "launch.qemu_exit"),
        ({"exit_in": "qmp"}, "launch.qemu_exit"),
        ({"exit_in": "boot"}, "launch.qemu_exit"),
        ({"exit_in": "hello"}, "launch.qemu_exit"),
        ({"exit_in": "configured"}, "launch.qemu_exit"),
        ({"exit_in": "rpc"}, "launch.qemu_exit"),
        ({"exit_in": "prompt"}, "launch.qemu_exit"),
        ({"exit_in": "prompt", "exit_signal": signal.SIGSEGV}, "launch.qemu_exit"),
        ({"garbage_on": ("qmp",)}, "protocol.remote"),
        ({"garbage_on": ("ctl",)}, ""),
        ({"garbage_on": ("rpc",)}, ""),
        ({"garbage_on": ("model",)}, "protocol.remote"),
        ({"oversized_on": ("qmp",)}, "protocol.remote"),
        ({"oversized_on": ("rpc",)}, ""),
        ({"oversized_on": ("model",)}, "protocol.remote"),
        ({"overlay_error": "could not open"}, "launch.overlay"),
        ({"overlay_error": "No space left on device"}, "host.disk_full"),
        ({"refuses": ("mount",)}, "guest.mount"),
        ({"refuses": ("start",)}, "guest.config"),
        ({"recording": "provider-errors"}, "model.upstream"),
        ({"status": "guest-panicked", "status_after_s": 0.3, "pause_ms": 200}, "launch.qemu_exit"),
        ({"hello_delay_s": 0.3}, ""),
        ({"half_lines": True}, ""),
        ({"ignores": ("quit",), "hang_in": ""}, ""),
    ],
    ids=lambda value: "-".join(str(word) for word in value.values()) if isinstance(value, dict) else value or "done",
)
def test_what_the_machine_does_decides_the_outcome(base: Base, script: dict[str, Any], code: str) -> None:
    view = play(base.prepare(FakeScript(**script)), real_services(base), start)
    assert outcome_of(view) == (("failed", code) if code else ("completed", ""))


def test_a_mount_server_that_does_not_start_is_named(base: Base) -> None:
    base.prepare(FakeScript(mount_server_error="libc too old"))
    view = play(base, real_services(base, share="virtiofs"), start)
    assert outcome_of(view) == ("failed", "launch.mount_server")


HANGS = [
    ({"overlay_hangs": True}, "overlay-prep", "task.timed_out"),
    ({"hang_in": "qmp"}, "qemu-launch", "launch.timeout"),
    ({"hang_in": "boot"}, "handshake", "guest.boot_timeout"),
    ({"hang_in": "rpc"}, "handshake", "guest.handshake_timeout"),
    ({"hang_in": "prompt"}, "running", "task.timed_out"),
]


async def stuck_in(supervisor: Supervisor, task_id: str, base: Base, state: str) -> None:
    """Started, in the state, with the process that hangs there."""
    supervisor.trigger(task_id, "start")
    await until_state(supervisor, task_id, state)
    await until(lambda: bool(processes_of(base.folder)), "no process was started")
    if state == "handshake":
        await until(lambda: "guest" in supervisor.live(task_id).journal.view.held, "nobody connected to the guest")


@pytest.mark.parametrize(("script", "state", "code"), HANGS)
@pytest.mark.threat("F8")
def test_a_hang_in_each_state_meets_its_limit(base: Base, script: dict[str, Any], state: str, code: str) -> None:
    """The limits run on a clock that the test moves on; everything else is real."""
    clock = SimulatedClock()

    async def story(supervisor: Supervisor, task_id: str) -> None:
        await stuck_in(supervisor, task_id, base, state)
        if code == "guest.handshake_timeout":
            await until(lambda: "guest" in supervisor.view(task_id).facts, "never said hello")
        await clock.advance(1_000_000)

    view = play(base.prepare(FakeScript(**script)), real_services(base, clock=clock), story)
    assert outcome_of(view) == ("failed", code)


@pytest.mark.parametrize(("script", "state"), [(script, state) for script, state, _ in HANGS])
def test_cancel_in_each_state(base: Base, script: dict[str, Any], state: str) -> None:
    async def story(supervisor: Supervisor, task_id: str) -> None:
        await stuck_in(supervisor, task_id, base, state)
        supervisor.trigger(task_id, "cancel")

    view = play(base.prepare(FakeScript(**script)), real_services(base, share="virtiofs"), story)
    assert outcome_of(view) == ("cancelled", "task.cancelled")


@pytest.mark.parametrize(
    ("script", "state", "program", "code"),
    [
        ({"hang_in": "qmp"}, "qemu-launch", "qemu-system", "launch.qemu_exit"),
        ({"hang_in": "boot"}, "handshake", "qemu-system", "launch.qemu_exit"),
        ({"hang_in": "prompt"}, "running", "qemu-system", "launch.qemu_exit"),
        ({"hang_in": "qmp"}, "qemu-launch", "virtiofsd", "launch.mount_server"),
        ({"hang_in": "boot"}, "handshake", "virtiofsd", "launch.mount_server"),
        ({"hang_in": "prompt"}, "running", "virtiofsd", "launch.mount_server"),
        ({"overlay_hangs": True}, "overlay-prep", "qemu-img", "launch.overlay"),
    ],
)
@pytest.mark.threat("J2")
def test_kill_9_of_each_process_in_each_state(
    base: Base, script: dict[str, Any], state: str, program: str, code: str
) -> None:
    def of_program() -> list[int]:
        return [pid for pid, words in processes_of(base.folder).items() if f"/qemu/bin/{program} " in words]

    async def story(supervisor: Supervisor, task_id: str) -> None:
        await stuck_in(supervisor, task_id, base, state)
        await until(lambda: bool(of_program()), f"{program} was not started")
        for pid in of_program():
            os.kill(pid, signal.SIGKILL)

    view = play(base.prepare(FakeScript(**script)), real_services(base, share="virtiofs"), story)
    assert outcome_of(view) == ("failed", code)


@pytest.mark.threat("J3")
def test_a_machine_that_obeys_nothing_is_killed_in_teardown(base: Base) -> None:
    async def story(supervisor: Supervisor, task_id: str) -> None:
        await stuck_in(supervisor, task_id, base, "running")
        supervisor.trigger(task_id, "cancel")

    base.prepare(FakeScript(hang_in="prompt", ignores=("quit", "sigterm")))
    assert outcome_of(play(base, real_services(base), story)) == ("cancelled", "task.cancelled")


# set-up required


def fake_pack_sim(base: Base, version: int = 1) -> PackSim:
    """The fake pack as a signed one: so that the real store checks it and the task runs from it."""
    base.prepare()
    files = {
        str(path.relative_to(base.pack)): (path.read_bytes(), path.stat().st_mode & 0o777)
        for path in base.pack.rglob("*")
        if path.is_file()
    }
    return PackSim(files={name: (data, 0o755 if mode & 0o100 else 0o644) for name, (data, mode) in files.items()})


@pytest.mark.parametrize("damage", ["missing", "corrupt"])
def test_a_pack_is_installed_after_set_up_required_and_the_task_goes_on(base: Base, damage: str) -> None:
    sim = fake_pack_sim(base)
    shutil.rmtree(base.pack)
    shop = PackShop(base.folder / "app")
    if damage == "corrupt":
        shop.install(sim)
        victim = shop.paths.packs_dir / sim.build().pack_id / "kernel/vmlinux"
        victim.chmod(0o644)
        victim.write_bytes(b"changed\n" + victim.read_bytes()[8:])

    async def story(supervisor: Supervisor, task_id: str) -> None:
        supervisor.trigger(task_id, "start")
        await until_state(supervisor, task_id, "setup-required")
        findings = supervisor.view(task_id).facts["findings"]
        assert isinstance(findings, list) and isinstance(findings[0], dict)
        assert findings[0]["code"] == f"pack.{damage}"
        assert processes_of(base.folder) == {}, "something of a bad pack was started"
        await asyncio.to_thread(shop.install, sim)
        supervisor.trigger(task_id, "retry")

    services = real_services(base, packs=InstalledPacks(base.paths, APP))
    assert outcome_of(play(base, services, story)) == ("completed", "")


@pytest.mark.threat("E4")
def test_an_accelerator_that_does_not_work_is_set_up_required(base: Base) -> None:
    """The real probe, whose machine here reports an internal error of the accelerator."""
    base.prepare(FakeScript(probe="internal-error"))
    clock = SimulatedClock()

    async def story(supervisor: Supervisor, task_id: str) -> None:
        supervisor.trigger(task_id, "start")
        await until_state(supervisor, task_id, "setup-required")
        findings = supervisor.view(task_id).facts["findings"]
        assert isinstance(findings, list) and isinstance(findings[0], dict)
        assert str(findings[0]["code"]).startswith("accel.") and findings[0]["hint"]
        supervisor.trigger(task_id, "cancel")

    services = real_services(base, clock=clock, host=real_probe(base.paths, clock, allow_tcg=False))
    play(base, services, story)


@pytest.mark.threat("G10")
def test_a_replaced_folder_is_not_mounted(base: Base) -> None:
    """threats.md, G10: the folder of that name is another one now."""

    async def story(supervisor: Supervisor, task_id: str) -> None:
        base.project.rename(base.folder / "moved")
        base.project.mkdir()
        supervisor.trigger(task_id, "start")
        await until_state(supervisor, task_id, "setup-required")
        failed = [r for r in supervisor.live(task_id).journal.feed.since(0)[0] if r.fields.get("event") == "failed"]
        assert failed[0].fields["code"] == "mount.refused"
        supervisor.trigger(task_id, "cancel")

    play(base.prepare(), real_services(base), story)


def test_a_folder_in_use_is_refused_and_leaves_no_trace(base: Base) -> None:
    async def story(supervisor: Supervisor, task_id: str) -> None:
        await stuck_in(supervisor, task_id, base, "running")
        (base.project / "inner").mkdir()
        before = files_below(base.paths.tasks_dir)
        for folder in (base.project, base.project / "inner"):
            with pytest.raises(CallerError) as caught:
                supervisor.create(TaskSpec("x", (MountRequest(folder),)))
            assert caught.value.code == "mount.refused"
        assert files_below(base.paths.tasks_dir) == before
        supervisor.trigger(task_id, "cancel")

    play(base.prepare(FakeScript(hang_in="prompt")), real_services(base), story)


@pytest.mark.threat("J10")
def test_the_run_folder_is_removed_while_a_task_runs(base: Base) -> None:
    """Somebody tidies the folder of sockets away: what is connected goes on, and the end is orderly."""

    async def story(supervisor: Supervisor, task_id: str) -> None:
        await stuck_in(supervisor, task_id, base, "running")
        shutil.rmtree(base.paths.runtime)
        supervisor.trigger(task_id, "cancel")

    view = play(base.prepare(FakeScript(hang_in="prompt")), real_services(base), story)
    assert outcome_of(view) == ("cancelled", "task.cancelled")
    assert view.state == "finished"
