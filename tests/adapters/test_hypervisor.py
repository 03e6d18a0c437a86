"""QEMU starts, answers, gets into trouble and ends; whatever it does, nothing of it stays."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from pui.adapters.qemu import hypervisor
from pui.adapters.qemu.event_log import EventLog
from pui.adapters.qemu.hypervisor import QemuMachine
from pui.domain.errors import LaunchError, PuiError, SetupError
from pui.domain.qmp import QmpEvent
from pui.domain.qmp_log import EVENT_LIMIT, FULL, parse_qmp_log
from pui.domain.task_files import QMP_LOG
from tests.support.fake_guest import FakeScript
from tests.support.machines import Bench, short_folder
from tests.support.waiting import is_running

T = TypeVar("T")


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as made:
        yield made


def with_machine(bench: Bench, work: Callable[[QemuMachine], Awaitable[T]]) -> T:
    async def main() -> T:
        machine = await bench.start()
        try:
            return await work(machine)
        finally:
            await machine.quit(2.0)

    return asyncio.run(main())


def failure(bench: Bench) -> PuiError:
    async def nothing(machine: QemuMachine) -> None: ...

    with pytest.raises(PuiError) as caught:
        with_machine(bench, nothing)
    return caught.value


def test_a_machine_answers_and_quits(folder: Path) -> None:
    async def work(machine: QemuMachine) -> str:
        assert is_running(machine.identity.pid)
        return await machine.query_status()

    bench = Bench(folder)
    assert with_machine(bench, work) == "running"


def test_quit_by_order_is_a_clean_exit_and_may_be_repeated(folder: Path) -> None:
    async def main() -> int:
        machine = await Bench(folder).start()
        await machine.quit(5.0)
        await machine.quit(5.0)
        return await machine.wait()

    assert asyncio.run(main()) == 0


@pytest.mark.parametrize(
    ("ignores", "code"), [(("quit",), -signal.SIGTERM), (("quit", "sigterm"), -signal.SIGKILL)], ids=["term", "kill"]
)
@pytest.mark.threat("J3")
def test_a_machine_that_does_not_obey_is_ended(folder: Path, ignores: tuple[str, ...], code: int) -> None:
    async def main() -> int:
        machine = await Bench(folder, FakeScript(ignores=ignores)).start()
        await machine.quit(0.1)
        return await machine.wait()

    assert asyncio.run(main()) == code


def test_a_cancelled_quit_kills(folder: Path) -> None:
    async def main() -> int:
        machine = await Bench(folder, FakeScript(ignores=("quit", "sigterm"))).start()
        quitting = asyncio.create_task(machine.quit(60.0))
        await asyncio.sleep(0.05)
        quitting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await quitting
        return await machine.wait()

    assert asyncio.run(main()) == -signal.SIGKILL


@pytest.mark.parametrize("phase", ["start", "qmp"])
@pytest.mark.threat("E2")
def test_an_early_exit_is_told_with_its_last_lines(folder: Path, phase: str) -> None:
    error = failure(Bench(folder, FakeScript(exit_in=phase, exit_code=3, stderr="qemu: no such option")))
    assert (type(error), error.code) == (LaunchError, "launch.qemu_exit")
    assert "exit code 3" in error.message
    assert "no such option" in error.detail


@pytest.mark.threat("E2")
@pytest.mark.threat("J8")
def test_an_early_death_names_the_signal(folder: Path) -> None:
    error = failure(Bench(folder, FakeScript(exit_in="qmp", exit_signal=signal.SIGSEGV)))
    assert (error.code, "SIGSEGV" in error.message) == ("launch.qemu_exit", True)


@pytest.mark.threat("E6")
def test_a_silent_monitor_is_a_timeout(folder: Path) -> None:
    error = failure(Bench(folder, FakeScript(hang_in="qmp"), monitor_limit_s=0.3))
    assert (type(error), error.code) == (LaunchError, "launch.timeout")


@pytest.mark.parametrize("fault", [{"garbage_on": ("qmp",)}, {"oversized_on": ("qmp",)}], ids=["garbage", "oversized"])
@pytest.mark.threat("E6")
def test_a_monitor_that_babbles_is_named(folder: Path, fault: dict[str, tuple[str, ...]]) -> None:
    assert failure(Bench(folder, FakeScript(**fault))).code == "protocol.remote"  # type: ignore[arg-type]


def test_answers_in_pieces_are_put_together(folder: Path) -> None:
    async def work(machine: QemuMachine) -> str:
        return await machine.query_status()

    assert with_machine(Bench(folder, FakeScript(half_lines=True)), work) == "running"


@pytest.mark.threat("E1")
def test_a_missing_program_is_a_matter_of_set_up(folder: Path) -> None:
    bench = Bench(folder)
    (bench.pack_root / "qemu/lib/ld.so").unlink()
    error = failure(bench)
    assert (type(error), error.code) == (SetupError, "qemu.missing")


def test_a_cancelled_start_leaves_no_process(folder: Path) -> None:
    async def main() -> None:
        starting = asyncio.create_task(Bench(folder, FakeScript(hang_in="qmp")).start())
        await asyncio.sleep(0.1)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting

    asyncio.run(main())


def test_a_start_cancelled_at_any_moment_leaves_nothing(folder: Path) -> None:
    """The leak fixture looks for processes and descriptors; a start takes about 0.1 s here."""

    async def main() -> None:
        for step in range(25):
            starting = asyncio.create_task(Bench(folder, FakeScript(exit_in="qmp" if step % 2 else "")).start())
            await asyncio.sleep(0.006 * step)
            starting.cancel()
            try:
                machine = await starting
            except (asyncio.CancelledError, LaunchError):
                continue
            await machine.quit(2.0)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("status", "words"),
    [("internal-error", "accelerator failed"), ("guest-panicked", "panicked"), ("io-error", "full")],
)
@pytest.mark.threat("E9", "D9")
def test_a_machine_in_trouble_says_so(folder: Path, status: str, words: str) -> None:
    """The trouble may come before or after the monitor was opened: both are seen."""

    async def work(machine: QemuMachine) -> str:
        async with asyncio.timeout(10):
            return await machine.trouble()

    assert words in with_machine(Bench(folder, FakeScript(status=status)), work)
    (folder / "pack/fake.json").write_text(FakeScript(status=status, status_after_s=0.1).to_json())
    assert words in with_machine(Bench(folder), work)


def test_a_healthy_machine_has_no_trouble(folder: Path) -> None:
    async def work(machine: QemuMachine) -> bool:
        waiting = asyncio.create_task(machine.trouble())
        await asyncio.wait({waiting}, timeout=0.2)
        is_quiet = not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return is_quiet

    assert with_machine(Bench(folder), work)


def test_a_console_without_end_is_muted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file stops growing because QEMU was told so, not because anybody cut it."""
    monkeypatch.setattr(hypervisor, "SERIAL_WATCH_S", 0.02)

    async def work(machine: QemuMachine) -> None:
        serial = folder / "serial.log"
        with serial.open("ab") as file:
            file.truncate((1 << 20) + 1)
        deadline = asyncio.get_running_loop().time() + 10
        while not (folder / "serial.log.muted").exists():
            assert asyncio.get_running_loop().time() < deadline, "never muted"
            await asyncio.sleep(0.01)

    with_machine(Bench(folder), work)


@pytest.mark.threat("J2")
def test_killing_the_process_is_seen(folder: Path) -> None:
    async def work(machine: QemuMachine) -> int:
        os.kill(machine.identity.pid, signal.SIGKILL)
        return await machine.wait()

    assert with_machine(Bench(folder), work) == -signal.SIGKILL


@pytest.mark.threat("J7")
def test_fifty_machines_leave_nothing(folder: Path) -> None:
    def held() -> tuple[int, int]:
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()

    async def main() -> None:
        await (await Bench(folder).start()).quit(5.0)
        before = held()
        for _ in range(50):
            machine = await Bench(folder).start()
            await machine.quit(5.0)
        assert held() == before
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


def test_the_monitors_events_are_kept_beside_the_log(folder: Path) -> None:
    async def main() -> None:
        machine = await Bench(folder).start()
        for _ in range(2):  # the machine's own first question is answered then: a write that breaks loses what was said
            await machine._monitor.query_status()
        await machine.quit(5.0)

    asyncio.run(main())
    names = [event.name for event in parse_qmp_log((folder / QMP_LOG).read_bytes())]
    assert "SHUTDOWN" in names


def test_a_flood_of_events_does_not_fill_the_disk(folder: Path) -> None:
    log = EventLog(folder / QMP_LOG)
    for number in range(EVENT_LIMIT + 50):
        log.note(QmpEvent("RTC_CHANGE", {"offset": number}, 1))
    events = parse_qmp_log((folder / QMP_LOG).read_bytes())
    assert (len(events), events[-1].name) == (EVENT_LIMIT + 1, FULL)


def test_events_that_cannot_be_written_do_not_end_the_machine(folder: Path) -> None:
    log = EventLog(folder / "absent" / QMP_LOG)
    log.note(QmpEvent("STOP", {}, 1))
    (folder / "absent").mkdir()
    log.note(QmpEvent("STOP", {}, 1))
    assert not (folder / "absent" / QMP_LOG).exists()
