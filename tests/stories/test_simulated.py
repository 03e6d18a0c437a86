"""Whole tasks on simulated ports: each event with exactly the records that follow it, then every fault in every state.

In: the real supervisor, chart and activities; tests/support/simulated_ports.py. Out: assertions. Never: a process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from pui.domain.errors import CallerError, HostError
from pui.domain.journal import TaskView
from pui.domain.task import MountRequest, TaskSpec
from pui.resources import load_chart
from pui.supervisor import guest_work
from pui.supervisor.supervisor import Supervisor
from tests.support.fake_guest import FakeScript
from tests.support.playbook import Playbook, check_over, files_below, until_state
from tests.support.simulated_ports import NO_VIRTIOFS, SimulatedPorts, fault

FOLDER = Path("/home/ann/project")
SPEC = TaskSpec("make it better", (MountRequest(FOLDER),))
Story = Callable[[Supervisor, SimulatedPorts], Awaitable[None]]

PREFLIGHT = ("event triggered start", "created -> preflight", "start run_preflight")
FINDINGS = "fact accelerator,findings,jail,os,pack,probe_from_cache,share,share_reason,signed_by,timeout_scale"
TO_OVERLAY = (FINDINGS, "event done", "preflight -> overlay-prep", "start prepare_overlay")
OVERLAY = ("+ pack-lock", "+ runtime-dir", "+ overlay")
TO_LAUNCH = ("event done", "overlay-prep -> qemu-launch", "start launch_qemu")
SHARE = ("+ socket-fs-pui0", "+ mount-server-pui0")
PORTS = ("+ socket-qmp", "+ socket-ctl", "+ socket-rpc", "+ socket-model")
TO_HANDSHAKE = ("+ qemu", "event done", "qemu-launch -> handshake", "start await_hello")
HELLO = ("+ channel-pui.ctl", "+ reader-pui.ctl", "+ guest", "fact guest,guest_kernel")
MODEL = ("+ model-gateway", "fact is_demo,model_choice,model_label", "+ channel-pui.model", "+ reader-pui.model")
RPC = ("+ channel-pui.rpc", "+ reader-pui.rpc")
TO_RUNNING = ("+ reader-sleep", "fact boot_marks_ms,model", "event done", "handshake -> running", "start serve_channel")
DONE = ("fact stats", "event done", "outcome completed", "running -> teardown", "start release_resources")
FINISHED = ("event done", "teardown -> finished", "fact changes")
EVERYTHING = (*OVERLAY, *SHARE, *PORTS, "+ qemu", *(x for x in (*HELLO, *MODEL, *RPC, *TO_RUNNING) if x[0] == "+"))


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two waits that are not on the task's clock: for a guest to power off, for the cause of a symptom."""
    monkeypatch.setattr(guest_work, "POWER_OFF_LIMIT_S", 0.05)
    monkeypatch.setattr(guest_work, "CAUSE_LIMIT_S", 0.05)


def released(*acquired: str) -> tuple[str, ...]:
    """The records of releasing what was acquired."""
    return tuple("-" + line[1:] for line in reversed(acquired))


def play(world: SimulatedPorts, story: Story, spec: TaskSpec = SPEC) -> TaskView:
    """Run a story on a task that is created already (t1), to its end; then check everything that must hold."""

    async def main() -> TaskView:
        supervisor = Supervisor(world.services(), load_chart("task"), load_chart("agent"))
        supervisor.create(spec)
        await story(supervisor, world)
        view = await asyncio.wait_for(supervisor.wait("t1"), 20)
        check_over(world.files, "t1", view)
        assert supervisor.view("t1") == view
        return view

    view = asyncio.run(main())
    assert world.leftovers() == []
    assert files_below(world.paths.runtime) == []
    return view


def outcome_of(view: TaskView) -> tuple[str, str]:
    assert view.outcome is not None
    return view.outcome.result, view.outcome.code


async def start(supervisor: Supervisor, _world: SimulatedPorts) -> None:
    supervisor.trigger("t1", "start")


def in_state(state: str, deed: Callable[[Supervisor, SimulatedPorts], object]) -> Story:
    """Start, wait for a state, let everything get as far as it can, do something."""

    async def story(supervisor: Supervisor, world: SimulatedPorts) -> None:
        supervisor.trigger("t1", "start")
        await until_state(supervisor, "t1", state)
        await world.clock.advance(0)
        deed(supervisor, world)

    return story


def expire(supervisor: Supervisor, world: SimulatedPorts) -> None:
    """Time passes, beyond any limit."""
    supervisor.live("t1").loop_task.get_loop().create_task(world.clock.advance(1_000_000))


def cancel(supervisor: Supervisor, _world: SimulatedPorts) -> None:
    supervisor.trigger("t1", "cancel")


def test_the_whole_way_event_by_event(folder: Path) -> None:
    places = {"probe", "overlay", "mount-server", "qemu", "connect ctl", "connect model", "connect rpc"}
    world = SimulatedPorts(folder, held=set(places))

    async def story(supervisor: Supervisor, world: SimulatedPorts) -> None:
        book = Playbook(supervisor, "t1")
        await book.step(None, "created")
        await book.step(lambda: supervisor.trigger("t1", "start"), *PREFLIGHT)
        await book.step(lambda: world.let("probe"), *TO_OVERLAY, *OVERLAY)
        await book.step(lambda: world.let("overlay"), *TO_LAUNCH, SHARE[0])
        await book.step(lambda: world.let("mount-server"), SHARE[1], *PORTS)
        await book.step(lambda: world.let("qemu"), *TO_HANDSHAKE)
        await book.step(lambda: world.let("connect ctl"), *HELLO, *MODEL[:2])
        await book.step(lambda: world.let("connect model"), *MODEL[2:])
        await book.step(lambda: world.let("connect rpc"), *RPC, *TO_RUNNING, *DONE, *released(*EVERYTHING), *FINISHED)

    view = play(world, story)
    assert outcome_of(view) == ("completed", "")
    assert world.guest.prompts == ["make it better"]
    assert [verb for verb, _ in world.guest.orders][-1] == "poweroff"


def test_cancel_in_the_middle_of_the_launch_releases_what_there_is(folder: Path) -> None:
    world = SimulatedPorts(folder, held={"qemu"})

    async def story(supervisor: Supervisor, world: SimulatedPorts) -> None:
        book = Playbook(supervisor, "t1")
        launch = ("created", *PREFLIGHT, *TO_OVERLAY, *OVERLAY, *TO_LAUNCH, *SHARE, *PORTS)
        await book.step(lambda: supervisor.trigger("t1", "start"), *launch)
        await book.step(
            lambda: supervisor.trigger("t1", "cancel"),
            "event triggered cancel",
            "outcome cancelled task.cancelled",
            "qemu-launch -> teardown",
            "start release_resources",
            *released(*OVERLAY, *SHARE, *PORTS),
            *FINISHED,
        )

    play(world, story)


def test_a_surplus_record_fails_a_playbook(folder: Path) -> None:
    world = SimulatedPorts(folder, held={"probe"})

    async def story(supervisor: Supervisor, world: SimulatedPorts) -> None:
        book = Playbook(supervisor, "t1")
        with pytest.raises(AssertionError):
            await book.step(lambda: supervisor.trigger("t1", "start"), "created", *PREFLIGHT[:2])
        supervisor.trigger("t1", "cancel")

    play(world, story)


# every declared error of every activity, once

DECLARED = [
    ("lock", "pack.in_use", "overlay-prep"),
    ("overlay", "launch.overlay", "overlay-prep"),
    ("overlay", "host.disk_full", "overlay-prep"),
    ("mount-server", "launch.mount_server", "qemu-launch"),
    ("listen fs-pui0", "host.path_too_long", "qemu-launch"),
    ("listen qmp", "host.path_too_long", "qemu-launch"),
    ("listen ctl", "host.permission", "qemu-launch"),
    ("listen model", "host.path_too_long", "qemu-launch"),
    ("qemu", "launch.qemu_exit", "qemu-launch"),
    ("qemu", "launch.timeout", "qemu-launch"),
    ("qemu", "qemu.missing", "qemu-launch"),
    ("qemu", "protocol.remote", "qemu-launch"),
    ("connect ctl", "launch.timeout", "handshake"),
    ("connect model", "launch.timeout", "handshake"),
    ("connect rpc", "launch.timeout", "handshake"),
    ("new-gateway", "caller.bad_request", "handshake"),
]


@pytest.mark.parametrize(("place", "code", "state"), DECLARED)
def test_a_declared_error_is_the_outcome(folder: Path, place: str, code: str, state: str) -> None:
    view = play(SimulatedPorts(folder, faults={place: fault(code)}), start)
    assert outcome_of(view) == ("failed", code)
    assert [visit.state for visit in view.visits][-3:] == [state, "teardown", "finished"]


@pytest.mark.parametrize("place", sorted({place for place, _, _ in DECLARED}))
def test_a_bug_in_any_place_is_named_and_everything_is_released(folder: Path, place: str) -> None:
    view = play(SimulatedPorts(folder, faults={place: ZeroDivisionError("a bug")}), start)
    assert outcome_of(view) == ("failed", "bug.unexpected")


# cancel and time-out in each state

STUCK = {
    "preflight": ({"held": {"probe"}}, ""),
    "overlay-prep": ({"held": {"overlay"}}, "task.timed_out"),
    "qemu-launch": ({"held": {"qemu"}}, "launch.timeout"),
    "handshake": ({"script": FakeScript(hang_in="boot")}, "guest.boot_timeout"),
    "running": ({"script": FakeScript(hang_in="prompt")}, "task.timed_out"),
}


@pytest.mark.parametrize("state", STUCK)
def test_cancel_in_each_state(folder: Path, state: str) -> None:
    view = play(SimulatedPorts(folder, **STUCK[state][0]), in_state(state, cancel))  # type: ignore[arg-type]
    assert outcome_of(view) == ("cancelled", "task.cancelled")
    assert state in [visit.state for visit in view.visits]


@pytest.mark.parametrize("state", list(STUCK)[1:])
@pytest.mark.threat("E8", "J3")
def test_a_hang_in_each_state_meets_its_limit(folder: Path, state: str) -> None:
    options, code = STUCK[state]
    view = play(SimulatedPorts(folder, **options), in_state(state, expire))  # type: ignore[arg-type]
    assert outcome_of(view) == ("failed", code)


@pytest.mark.parametrize("phase", ["hello", "configured", "rpc"])
@pytest.mark.threat("E7", "F8")
def test_a_guest_that_falls_silent_in_the_handshake_is_a_timeout(folder: Path, phase: str) -> None:
    view = play(SimulatedPorts(folder, FakeScript(hang_in=phase)), in_state("handshake", expire))
    assert outcome_of(view) == ("failed", "guest.handshake_timeout")


def test_cancel_before_the_start_writes_nothing_but_the_end(folder: Path) -> None:
    async def story(supervisor: Supervisor, world: SimulatedPorts) -> None:
        supervisor.trigger("t1", "cancel")

    assert outcome_of(play(SimulatedPorts(folder), story)) == ("cancelled", "task.cancelled")


# what ends by itself


@pytest.mark.parametrize(
    ("dies", "state", "code"),
    [
        ("qemu", "handshake", "launch.qemu_exit"),
        ("qemu", "running", "launch.qemu_exit"),
        ("virtiofsd-pui0", "qemu-launch", "launch.mount_server"),
        ("virtiofsd-pui0", "handshake", "launch.mount_server"),
        ("virtiofsd-pui0", "running", "launch.mount_server"),
    ],
)
@pytest.mark.threat("J2")
def test_a_killed_process_is_named(folder: Path, dies: str, state: str, code: str) -> None:
    world = SimulatedPorts(folder, **STUCK[state][0])  # type: ignore[arg-type]
    view = play(world, in_state(state, lambda _, world: world.processes[dies].die(-9)))
    assert outcome_of(view) == ("failed", code)
    assert view.outcome is not None and "-9" in view.outcome.message


@pytest.mark.parametrize("state", ["handshake", "running"])
@pytest.mark.threat("E9")
def test_trouble_that_qemu_reports_ends_the_task(folder: Path, state: str) -> None:
    def panic(_supervisor: Supervisor, world: SimulatedPorts) -> None:
        world.processes["qemu"].report("the guest's kernel panicked")  # type: ignore[attr-defined]

    view = play(SimulatedPorts(folder, **STUCK[state][0]), in_state(state, panic))  # type: ignore[arg-type]
    assert outcome_of(view) == ("failed", "launch.qemu_exit")
    assert view.outcome is not None and "panicked" in view.outcome.message


@pytest.mark.parametrize("port", ["ctl", "rpc"])
@pytest.mark.threat("E9")
def test_a_port_that_the_guest_closes_ends_the_task(folder: Path, port: str) -> None:
    world = SimulatedPorts(folder, FakeScript(hang_in="prompt"))
    view = play(world, in_state("running", lambda _, world: world.channels[port].guest_closes()))
    assert outcome_of(view) == ("failed", "guest.agent_exit")


@pytest.mark.parametrize("state", ["handshake", "running"])
@pytest.mark.threat("E9")
def test_an_exit_of_pi_is_told_with_its_stderr(folder: Path, state: str) -> None:
    def pi_exits(_supervisor: Supervisor, world: SimulatedPorts) -> None:
        world.channels["ctl"].deliver(b"stderr data=out%20of%20memory%0A\nexited signal=9 stderr_dropped=0\n")

    phase = {"handshake": "configured", "running": "prompt"}[state]
    world = SimulatedPorts(folder, FakeScript(hang_in=phase))
    view = play(world, in_state(state, pi_exits))
    assert outcome_of(view) == ("failed", "guest.agent_exit")
    assert view.outcome is not None and "by signal 9" in view.outcome.message
    assert b"out of memory" in world.files.read_journal("t1")


# hostile bytes


@pytest.mark.parametrize(
    ("script", "codes"),
    [
        (FakeScript(garbage_on=("ctl",), hang_in="boot"), {"protocol.remote", "guest.boot_timeout"}),
        (FakeScript(oversized_on=("ctl",), oversized_bytes=1 << 20), {"protocol.remote", "protocol.flood", ""}),
        (FakeScript(garbage_on=("rpc",)), {""}),
        (FakeScript(oversized_on=("rpc",)), {"", "protocol.flood"}),
        (FakeScript(garbage_on=("model",)), {""}),
    ],
    ids=["garbage-ctl", "flood-ctl", "garbage-rpc", "flood-rpc", "garbage-model"],
)
@pytest.mark.threat("F1", "F3")
def test_hostile_bytes_do_no_harm_or_are_named(folder: Path, script: FakeScript, codes: set[str]) -> None:
    async def story(supervisor: Supervisor, world: SimulatedPorts) -> None:
        supervisor.trigger("t1", "start")
        if script.hang_in:
            await until_state(supervisor, "t1", "handshake")
            await world.clock.advance(100_000)

    assert outcome_of(play(SimulatedPorts(folder, script), story))[1] in codes


@pytest.mark.parametrize("verb", ["config", "mount", "file", "env", "start"])
def test_an_order_that_the_guest_refuses_is_named(folder: Path, verb: str) -> None:
    view = play(SimulatedPorts(folder, FakeScript(refuses=(verb,))), start)
    assert outcome_of(view) == ("failed", "guest.mount" if verb == "mount" else "guest.config")


def test_a_guest_of_another_protocol_is_refused(folder: Path) -> None:
    def greet(_supervisor: Supervisor, world: SimulatedPorts) -> None:
        world.channels["ctl"].deliver(b"hello proto=2 guest=x kernel=y uptime_ms=1\n")

    view = play(SimulatedPorts(folder, FakeScript(hang_in="boot")), in_state("handshake", greet))
    assert outcome_of(view) == ("failed", "protocol.remote")


def test_a_late_hello_is_in_time_when_the_limit_is_not_over(folder: Path) -> None:
    async def story(supervisor: Supervisor, world: SimulatedPorts) -> None:
        supervisor.trigger("t1", "start")
        await until_state(supervisor, "t1", "handshake")
        await world.clock.advance(59)
        world.let("connect ctl")

    world = SimulatedPorts(folder, held={"connect ctl"})
    assert outcome_of(play(world, story)) == ("completed", "")


def test_an_error_of_the_model_is_the_outcome(folder: Path) -> None:
    view = play(SimulatedPorts(folder, FakeScript(recording="provider-errors")), start)
    assert outcome_of(view) == ("failed", "model.upstream")


# set-up required


@pytest.mark.parametrize("code", ["pack.missing", "pack.corrupt", "pack.untrusted", "pack.incompatible"])
def test_a_pack_that_is_not_usable_is_mended_and_retried(folder: Path, code: str) -> None:
    world = SimulatedPorts(folder, faults={"pack": fault(code)})

    async def story(supervisor: Supervisor, world: SimulatedPorts) -> None:
        supervisor.trigger("t1", "start")
        await until_state(supervisor, "t1", "setup-required")
        findings = supervisor.view("t1").facts["findings"]
        assert isinstance(findings, list) and isinstance(findings[0], dict) and findings[0]["code"] == code
        supervisor.trigger("t1", "retry")

    view = play(world, story)
    assert outcome_of(view) == ("completed", "")
    assert [visit.state for visit in view.visits][:4] == ["created", "preflight", "setup-required", "preflight"]


def test_a_probe_that_hangs_is_set_up_required_and_can_be_cancelled(folder: Path) -> None:
    async def story(supervisor: Supervisor, world: SimulatedPorts) -> None:
        supervisor.trigger("t1", "start")
        await until_state(supervisor, "t1", "preflight")
        await world.clock.advance(61)
        await until_state(supervisor, "t1", "setup-required")
        supervisor.trigger("t1", "cancel")

    assert outcome_of(play(SimulatedPorts(folder, held={"probe"}), story)) == ("cancelled", "task.cancelled")


@pytest.mark.threat("G10")
def test_a_folder_that_was_replaced_between_choice_and_launch_is_refused(folder: Path) -> None:
    """threats.md, G10."""
    world = SimulatedPorts(folder)

    async def story(supervisor: Supervisor, world: SimulatedPorts) -> None:
        world.folder_facts[str(FOLDER)] = (1, 2)
        supervisor.trigger("t1", "start")
        await until_state(supervisor, "t1", "setup-required")
        failed = [r for r in supervisor.live("t1").journal.feed.since(0)[0] if r.fields.get("event") == "failed"]
        assert failed[0].fields["code"] == "mount.refused"
        supervisor.trigger("t1", "cancel")

    play(world, story)
    assert not world.guest.orders


# several tasks


def test_a_busy_folder_and_the_limit_are_refused_without_a_trace(folder: Path) -> None:
    world = SimulatedPorts(folder, held={"probe"}, machine_limit=2)

    async def story(supervisor: Supervisor, world: SimulatedPorts) -> None:
        supervisor.trigger("t1", "start")
        before = files_below(world.paths.tasks_dir)
        with pytest.raises(CallerError) as caught:
            supervisor.create(SPEC)
        assert caught.value.code == "mount.refused"
        assert files_below(world.paths.tasks_dir) == before
        other = supervisor.create(TaskSpec("x", (MountRequest(Path("/home/ann/other")),)))
        with pytest.raises(HostError) as full:
            supervisor.create(TaskSpec("x", ()))
        assert full.value.code == "host.busy"
        await supervisor.shutdown()
        assert supervisor.view(other).state == "finished"
        supervisor.trigger("t1", "cancel")

    play(world, story)


@pytest.mark.threat("J9")
def test_a_full_disk_while_running_ends_the_task_and_releases_everything(folder: Path) -> None:
    world = SimulatedPorts(folder, FakeScript(hang_in="prompt"))

    async def main() -> TaskView:
        supervisor = Supervisor(world.services(), load_chart("task"), load_chart("agent"))
        task_id = supervisor.create(SPEC)
        supervisor.trigger(task_id, "start")
        await until_state(supervisor, task_id, "running")
        live = supervisor.live(task_id)

        def full(record: object, *, durable: bool) -> None:
            raise HostError("host.disk_full", "no space left")

        live.journal._file.append = full  # type: ignore[method-assign]
        live.journal.write("fact", 1, {"facts": {}})
        return await asyncio.wait_for(supervisor.wait(task_id), 20)

    view = asyncio.run(main())
    assert outcome_of(view) == ("failed", "host.disk_full")
    assert (world.leftovers(), view.held) == ([], {})


def test_9p_needs_no_mount_server(folder: Path) -> None:
    view = play(SimulatedPorts(folder, facts=NO_VIRTIOFS), start)
    assert outcome_of(view) == ("completed", "")
    assert view.facts["share"] == "9p"
