"""Children start as told, end as told, and never outlive the app."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from pui.adapters.process import ChildProcess, LinuxProcessStarter
from pui.adapters.process_table import LinuxProcessTable
from pui.domain.errors import HostError, LaunchError, PuiError, SetupError
from pui.ports import ProcessIdentity
from tests.support.waiting import is_running, state_of, wait_until

STATUS = """
import json, os, resource
own = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "env": dict(os.environ), "uid": os.getuid(), "gid": os.getgid(), "no_new_privs": own["NoNewPrivs"].strip(),
    "capabilities": own["CapEff"].strip(), "session": os.getsid(0) == os.getpid(), "cwd": os.getcwd(),
    "fds": sorted(int(n) for n in os.listdir("/proc/self/fd")), "stdin": os.readlink("/proc/self/fd/0"),
    "core": resource.getrlimit(resource.RLIMIT_CORE), "seen": os.stat(os.environ.get("LOOK_AT", "/")).st_uid,
}))
"""


def python(code: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code]


def started(log: Path, argv: list[str], **options: Any) -> tuple[int, str]:
    async def main() -> tuple[int, str]:
        child = await LinuxProcessStarter().start(argv, env=options.pop("env", {}), log_path=log, **options)
        return await child.wait(), child.log_tail(16_384)

    return asyncio.run(main())


def report(log: Path, **options: Any) -> dict[str, Any]:
    code, tail = started(log, python(STATUS), **options)
    assert code == 0, tail
    loaded: dict[str, Any] = json.loads(tail)
    return loaded


def test_the_child_gets_exactly_its_environment_and_descriptors(tmp_path: Path) -> None:
    with (tmp_path / "extra").open("w") as extra, (tmp_path / "secret").open("w"):
        seen = report(tmp_path / "log", env={"ONLY": "this"}, pass_fds=[extra.fileno()], cwd=tmp_path)
        assert extra.fileno() in seen["fds"]
        # 0, 1, 2, the one passed, and the one with which it lists
        assert len(seen["fds"]) == 5
    assert {name: value for name, value in seen["env"].items() if name != "LC_CTYPE"} == {"ONLY": "this"}
    assert (seen["stdin"], seen["cwd"], seen["session"]) == ("/dev/null", str(tmp_path), True)
    assert (seen["no_new_privs"], seen["core"]) == ("1", [0, 0])


def test_the_guest_user_has_no_capability_and_owns_the_users_files(tmp_path: Path) -> None:
    seen = report(tmp_path / "log", env={"LOOK_AT": str(tmp_path)}, as_guest_user=True)
    assert (seen["uid"], seen["gid"], seen["seen"]) == (1000, 1000, 1000)
    assert int(seen["capabilities"], 16) == 0


@pytest.mark.parametrize(
    ("argv", "error", "code"),
    [
        (["/nonexistent/qemu"], SetupError, "qemu.missing"),
        (["/etc/passwd"], SetupError, "qemu.missing"),
        (["/bin/true", "x" * (1 << 22)], LaunchError, "launch.qemu_exit"),
    ],
    ids=["absent", "not-executable", "too-long"],
)
def test_what_cannot_be_executed_is_named(tmp_path: Path, argv: list[str], error: type[PuiError], code: str) -> None:
    with pytest.raises(error) as caught:
        started(tmp_path / "log", argv)
    assert caught.value.code == code
    assert argv[0] in caught.value.message


def test_a_file_that_is_no_program_is_named(tmp_path: Path) -> None:
    (tmp_path / "program").write_bytes(b"\x7fELF but not really")
    (tmp_path / "program").chmod(0o755)
    with pytest.raises(SetupError, match="cannot be executed"):
        started(tmp_path / "log", [str(tmp_path / "program")])


def test_a_log_that_cannot_be_written_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(HostError, match="cannot write the log"):
        started(tmp_path / "log", ["/bin/true"])
    assert not (tmp_path / "elsewhere").exists()


def test_exit_codes_and_signals_are_told_to_everybody_who_waits(tmp_path: Path) -> None:
    async def main() -> list[int]:
        child = await LinuxProcessStarter().start(
            python("import os; os.kill(os.getpid(), 9)"), env={}, log_path=tmp_path / "log"
        )
        first = await asyncio.gather(child.wait(), child.wait())
        return [*first, await child.wait(), await child.stop(1.0)]

    assert asyncio.run(main()) == [-9, -9, -9, -9]
    assert started(tmp_path / "log", python("raise SystemExit(7)"))[0] == 7


def test_the_log_is_bounded_and_the_tail_is_the_end(tmp_path: Path) -> None:
    async def main() -> ChildProcess:
        code = "import sys\nfor n in range(20000): print('line', n)\nprint('the \\x1b[31mend')"
        child = await LinuxProcessStarter(log_limit_bytes=10_000).start(python(code), env={}, log_path=tmp_path / "log")
        assert await child.wait() == 0
        return child

    child = asyncio.run(main())
    assert child.log_tail(4096).endswith("the \ufffd[31mend\n")
    assert len(child.log_tail(100)) <= 100
    kept = (tmp_path / "log").read_text()
    assert 10_000 <= len(kept) <= 10_200
    assert "limit of this log is reached" in kept
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(99)"


async def up(code: str, log: Path, starter: LinuxProcessStarter | None = None) -> ChildProcess:
    child = await (starter or LinuxProcessStarter()).start(python(code), env={}, log_path=log)
    while "up" not in child.log_tail():  # noqa: ASYNC110 - the pump has no event to wait for
        await asyncio.sleep(0.005)
    return child


def test_stop_is_gentle_first_and_ends_the_stubborn(tmp_path: Path) -> None:
    async def main() -> tuple[int, int]:
        gentle = await up("import time; print('up', flush=True); time.sleep(99)", tmp_path / "a")
        stubborn = await up(STUBBORN, tmp_path / "b")
        return await gentle.stop(30.0), await stubborn.stop(0.05)

    assert asyncio.run(main()) == (-signal.SIGTERM, -signal.SIGKILL)


@pytest.mark.threat("J3")
def test_a_stopped_process_can_be_ended(tmp_path: Path) -> None:
    async def main() -> int:
        child = await up("import time; print('up', flush=True); time.sleep(99)", tmp_path / "a")
        child.send_signal(signal.SIGSTOP)
        wait_until(lambda: state_of(child.identity.pid) == b"T", "the child is stopped")
        return await child.stop(0.05)

    assert asyncio.run(main()) == -signal.SIGKILL


def test_a_cancelled_stop_leaves_nothing_behind(tmp_path: Path) -> None:
    async def main() -> int:
        child = await up(STUBBORN, tmp_path / "a")
        stopping = asyncio.create_task(child.stop(60.0))
        await asyncio.sleep(0.05)
        stopping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stopping
        return await child.wait()

    assert asyncio.run(main()) == -signal.SIGKILL


def test_what_the_child_started_ends_with_it(tmp_path: Path) -> None:
    code = "import subprocess; print('up', subprocess.Popen(['/bin/sleep', '99']).pid, flush=True)"
    _, tail = started(tmp_path / "log", python(code))
    grandchild = int(tail.split()[1])
    wait_until(lambda: not is_running(grandchild), "the grandchild ends")


def own_children() -> set[int]:
    return {int(pid) for pid in Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()}


def test_a_start_that_is_cancelled_loses_no_process(tmp_path: Path) -> None:
    """Each start either hands out its child or never forked: there is no await between the two."""

    async def main() -> None:
        starter = LinuxProcessStarter()
        children: list[ChildProcess] = []

        async def one(number: int) -> None:
            await asyncio.sleep(0.0005 * (number % 7))
            children.append(await starter.start(["/bin/sleep", "99"], env={}, log_path=tmp_path / "log"))

        tasks = [asyncio.create_task(one(n)) for n in range(40)]
        await asyncio.sleep(0.002)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert own_children() == {child.identity.pid for child in children}
        await asyncio.gather(*(child.stop(1.0) for child in children))

    asyncio.run(main())


def in_thread(work: Callable[[], Coroutine[Any, Any, None]]) -> list[BaseException]:
    faults: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(work())
        except BaseException as fault:
            faults.append(fault)

    thread = threading.Thread(target=run, name="pui-supervisor")
    thread.start()
    thread.join()
    return faults


def test_it_works_in_a_thread_that_is_not_the_main_one(tmp_path: Path) -> None:
    async def work() -> None:
        child = await LinuxProcessStarter().start(["/bin/true"], env={}, log_path=tmp_path / "log")
        assert await child.wait() == 0

    assert in_thread(work) == []


def test_a_second_thread_may_not_start_processes(tmp_path: Path) -> None:
    starter = LinuxProcessStarter()

    async def work() -> None:
        child = await starter.start(["/bin/true"], env={}, log_path=tmp_path / "log")
        await child.wait()

    asyncio.run(work())
    assert [type(fault) for fault in in_thread(work)] == [RuntimeError]


APP = """
import asyncio, sys
from pathlib import Path
from pui.adapters.process import LinuxProcessStarter

async def main():
    starter, log = LinuxProcessStarter(), Path(sys.argv[1])
    plain = await starter.start(["/bin/sleep", "99"], env={}, log_path=log)
    guest = await starter.start(["/bin/sleep", "99"], env={}, log_path=log, as_guest_user=True)
    print(plain.identity.pid, guest.identity.pid, flush=True)
    await plain.wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGABRT], ids=["kill-9", "abort"])
@pytest.mark.threat("J1")
def test_children_die_with_the_app_however_it_dies(tmp_path: Path, how: signal.Signals) -> None:
    app = subprocess.Popen([sys.executable, "-c", APP, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True)
    assert app.stdout
    children = [int(pid) for pid in app.stdout.readline().split()]
    assert len(children) == 2
    assert all(is_running(pid) for pid in children)
    app.send_signal(how)
    app.wait()
    app.stdout.close()
    wait_until(lambda: not any(is_running(pid) for pid in children), "the children die", timeout_s=2.0)


@pytest.mark.threat("J4")
def test_the_table_knows_a_process_by_more_than_its_pid(tmp_path: Path) -> None:
    async def main() -> None:
        table = LinuxProcessTable()
        child = await LinuxProcessStarter().start(["/bin/sleep", "99"], env={}, log_path=tmp_path / "log")
        real = child.identity
        strangers = [
            ProcessIdentity(real.pid, real.start_ticks + 1, real.executable),
            ProcessIdentity(real.pid, real.start_ticks, "/usr/bin/other"),
            ProcessIdentity(os.getpid(), real.start_ticks, real.executable),
        ]
        assert table.is_alive(real)
        assert not any(table.is_alive(other) or table.kill(other) for other in strangers)
        assert table.kill(real)
        assert await child.wait() == -signal.SIGKILL
        assert not table.is_alive(real)
        assert not table.kill(real)

    asyncio.run(main())


@pytest.mark.threat("J7")
def test_fifty_cycles_leave_nothing(tmp_path: Path) -> None:
    def held() -> tuple[int, int]:
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()

    async def main() -> None:
        starter = LinuxProcessStarter()
        await (await starter.start(["/bin/true"], env={}, log_path=tmp_path / "log")).wait()
        before = held()
        for _ in range(50):
            child = await starter.start(["/bin/sleep", "99"], env={}, log_path=tmp_path / "log")
            await child.stop(5.0)
        assert held() == before

    asyncio.run(main())
