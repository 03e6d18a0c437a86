"""Real machines that are killed, cut off, started and ended again and again: named outcomes, nothing left.

In: the app in this process or as `pui run`. Out: assertions on outcome, processes, descriptors, files.
Never: a fixed sleep for something that another process does.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pui.domain.journal import TaskView
from pui.ports import ByteChannel, SocketEndpoint, Transport
from tests.support.app_process import processes_of
from tests.support.playbook import check_over, files_below
from tests.support.real_machine import RealApp, begin, task_on
from tests.support.waiting import wait_until
from tests.vm.test_command import started, until_line

pytestmark = pytest.mark.vm

GONE_WITHIN_S = 2.0
CYCLES = 10


def pids_of(program: str, folder: Path) -> list[int]:
    """Processes of the test's app that run this program of the pack."""
    return [pid for pid, words in processes_of(folder).items() if f"/qemu/bin/{program} " in words]


@pytest.mark.parametrize(
    ("victim", "code"),
    [("qemu-system", "launch.qemu_exit"), ("virtiofsd", "launch.mount_server"), ("pi", "guest.agent_exit")],
)
@pytest.mark.threat("J2")
def test_kill_9_while_running_is_named_and_clean(real: RealApp, victim: str, code: str) -> None:
    async def main() -> TaskView:
        with real.composed() as app:
            async with task_on(app, {real.project("kill"): False}) as task:
                await task.until_running()
                if victim == "pi":
                    await task.live.session._connected().write(b'{"type":"bash","command":"kill -9 $PPID"}\n')
                else:
                    assert pids_of(victim, real.folder)
                    for pid in pids_of(victim, real.folder):
                        os.kill(pid, signal.SIGKILL)
                view = await asyncio.wait_for(task.supervisor.wait(task.live.task_id), 60)
                check_over(app.files, task.live.task_id, view)
                return view

    outcome = asyncio.run(main()).outcome
    assert outcome is not None and (outcome.result, outcome.code) == ("failed", code)


@pytest.mark.parametrize("state", ["qemu-launch", "handshake", "running"])
@pytest.mark.threat("J1")
def test_kill_9_of_the_app_leaves_nothing_and_the_next_start_tells(real: RealApp, state: str) -> None:
    with started(real, "--folder", str(real.project("app")), "@hang") as process:
        until_line(process, type="transition", to=state)
        wait_until(lambda: bool(pids_of("virtiofsd", real.folder)), "a child of the app")
        process.kill()
        wait_until(lambda: not processes_of(real.folder), f"no child left in {state}", GONE_WITHIN_S)
    with real.composed() as app:
        (report,) = app.supervisor.recover()
        assert report.was_in == state
        view = app.supervisor.view(report.task_id)
        assert view.state == "finished" and not view.held
        assert view.outcome is not None and view.outcome.code == "task.app_ended"
        left = files_below(app.paths.task_dir(report.task_id))
        assert "overlay.qcow2" not in left and "journal.jsonl" in left
        assert app.supervisor.recover() == []


@pytest.mark.threat("J7")
def test_ten_launches_and_teardowns_leave_nothing(real: RealApp) -> None:
    """Each up to the guest's hello (its kernel, disk, folders and ports work), then cancelled."""
    project = real.project("cycles")

    async def main() -> None:
        with real.composed() as app:
            before = (0, 0)
            for number in range(CYCLES):
                task = begin(app.services, {project: False}, "@hang")
                await task.until_hello()
                view = await task.finish()
                check_over(app.files, task.live.task_id, view)
                assert view.outcome is not None and view.outcome.code == "task.cancelled"
                assert processes_of(real.folder) == {}
                if number == 0:
                    before = _counts()
            assert _counts() == before

    asyncio.run(main())


def _counts() -> tuple[int, int]:
    """Descriptors and threads. The loop's pool for blocking calls grows when two happen at once, up to its bound."""
    own = [thread for thread in threading.enumerate() if not thread.name.startswith("asyncio_")]
    return len(list(Path("/proc/self/fd").iterdir())), len(own)


class CuttableTransport:
    """ports.Transport over the real one, whose channel to pi can be cut and joined again."""

    def __init__(self, real: Transport) -> None:
        self._real = real
        self.pi: CuttableChannel | None = None

    def listen(self, directory: Path, name: str) -> SocketEndpoint:
        return self._real.listen(directory, name)

    def unlisten(self, endpoint: SocketEndpoint) -> None:
        self._real.unlisten(endpoint)

    async def connect(self, endpoint: SocketEndpoint, timeout_s: float) -> ByteChannel:
        channel = await self._real.connect(endpoint, timeout_s)
        if endpoint.path.stem != "rpc":
            return channel
        self.pi = CuttableChannel(self._real, endpoint, channel)
        return self.pi


@dataclass
class CuttableChannel:
    """The app's end of pi's port. A read that meets a cut goes on with what comes after it."""

    transport: Transport
    endpoint: SocketEndpoint
    channel: ByteChannel

    async def read(self) -> bytes:
        channel = self.channel
        data = await channel.read()
        while not data and channel is not self.channel:
            channel = self.channel
            data = await channel.read()
        return data

    async def write(self, data: bytes) -> None:
        await self.channel.write(data)

    async def close(self) -> None:
        await self.channel.close()

    async def cut_and_join(self) -> None:
        """protocol.md section 2: a port stays closed for 0.1 s at least."""
        old, opened = self.channel, asyncio.Event()

        class Closed:
            async def read(self) -> bytes:
                await opened.wait()
                return b""

            async def write(self, data: bytes) -> None:
                raise AssertionError("nobody writes while it is cut")

            async def close(self) -> None:
                return

        self.channel = Closed()
        await old.close()
        await asyncio.sleep(0.3)
        self.channel = await self.transport.connect(self.endpoint, 5.0)
        opened.set()


@pytest.mark.threat("F12")
def test_pi_lives_on_when_its_port_is_cut_and_joined(real: RealApp) -> None:
    async def main() -> None:
        with real.composed() as app:
            transport = CuttableTransport(app.services.transport)
            task = begin(replace(app.services, transport=transport), {real.project("cut"): False}, "@hang")
            try:
                await task.until_running()
                session, pid = task.live.session, await task.sh("echo $PPID")
                before = (await session.ask("get_state"))["sessionId"]
                assert transport.pi is not None
                await transport.pi.cut_and_join()
                session.attach(transport.pi)
                await transport.pi.write(b"\n")  # ends what may be half a line of ours
                async with asyncio.timeout(60):
                    assert (await session.ask("get_state"))["sessionId"] == before
                assert await task.sh("echo $PPID") == pid
            finally:
                await task.finish()

    asyncio.run(main())
