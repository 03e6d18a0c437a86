"""What every implementation of a port promises: the same assertions for the real adapters and for the fakes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from pui.domain.errors import CallerError, HostError, LaunchError, OutcomeUnknownError
from pui.domain.launch_plan import MountServerSocket, ShareInput
from pui.ports import ByteChannel, Process, ProcessIdentity, SocketEndpoint, VirtualMachine
from tests.contract.kits import Kit, fake_kit, real_kit
from tests.support.fake_guest import FakeScript

HANG_S = 30.0  # what has not come by then will never come
MakeKit = Callable[[FakeScript], AbstractContextManager[Kit]]


@pytest.fixture(params=[real_kit, fake_kit], ids=["real", "fake"])
def make_kit(request: pytest.FixtureRequest) -> MakeKit:
    made: MakeKit = request.param
    return made


def with_machine(
    make_kit: MakeKit, work: Callable[[Kit, VirtualMachine], Awaitable[None]], script: FakeScript | None = None
) -> None:
    async def main() -> None:
        with make_kit(script or FakeScript()) as kit:
            machine = await kit.start()
            try:
                async with asyncio.timeout(HANG_S):
                    await work(kit, machine)
            finally:
                async with asyncio.timeout(HANG_S):
                    await machine.quit(2.0)

    asyncio.run(main())


async def mount_server(kit: Kit) -> Process:
    endpoint = kit.transport.listen(kit.folder / "run", "fs-pui0")
    share = ShareInput("pui0", kit.folder, False, MountServerSocket(endpoint.path, endpoint.listener_fd))
    server = await kit.servers.start(kit.pack, share, kit.folder / "fs.log")
    kit.transport.unlisten(endpoint)
    return server


async def line(channel: ByteChannel, held: bytearray) -> bytes:
    """The next line of a channel; `held` keeps what came after it."""
    async with asyncio.timeout(10):
        while b"\n" not in held:
            data = await channel.read()
            assert data, "the channel closed"
            held += data
    end = held.index(b"\n") + 1
    found = bytes(held[:end])
    del held[:end]
    return found


# processes


def test_a_process_is_stopped_once_and_waited_for_by_many(make_kit: MakeKit) -> None:
    async def main() -> None:
        with make_kit(FakeScript()) as kit:
            server = await mount_server(kit)
            assert server.exit_code is None
            waits = [asyncio.create_task(server.wait()) for _ in range(2)]
            code = await server.stop(5.0)
            assert code == -15
            assert [code, code, code] == [await server.stop(5.0), *await asyncio.gather(*waits)]
            assert server.exit_code == code

    asyncio.run(main())


def test_a_process_that_ends_says_why(make_kit: MakeKit) -> None:
    async def main() -> None:
        with make_kit(FakeScript(mount_server_error="virtiofsd: bad day")) as kit:
            server = await mount_server(kit)
            assert (await server.wait(), server.log_tail()) == (1, "virtiofsd: bad day\n")
            assert server.log_tail(4) == "day\n"

    asyncio.run(main())


def test_the_table_kills_by_identity_alone(make_kit: MakeKit) -> None:
    async def main() -> None:
        with make_kit(FakeScript()) as kit:
            server = await mount_server(kit)
            real = server.identity
            other = ProcessIdentity(real.pid, real.start_ticks + 1, real.executable)
            assert (kit.table.is_alive(real), kit.table.is_alive(other), kit.table.kill(other)) == (True, False, False)
            assert kit.table.kill(real)
            assert await server.wait() == -9
            assert (kit.table.is_alive(real), kit.table.kill(real)) == (False, False)

    asyncio.run(main())


# machines


def test_a_machine_quits_and_may_be_told_twice(make_kit: MakeKit) -> None:
    async def work(kit: Kit, machine: VirtualMachine) -> None:
        assert kit.table.is_alive(machine.identity)
        await machine.quit(5.0)
        await machine.quit(5.0)
        assert await machine.wait() == 0
        assert not kit.table.is_alive(machine.identity)

    with_machine(make_kit, work)


def test_a_cancelled_quit_kills_at_once(make_kit: MakeKit) -> None:
    async def work(kit: Kit, machine: VirtualMachine) -> None:
        quitting = asyncio.create_task(machine.quit(60.0))
        await asyncio.sleep(0.05)
        assert kit.table.is_alive(machine.identity)
        quitting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await quitting
        assert await machine.wait() == -9
        assert not kit.table.is_alive(machine.identity)

    with_machine(make_kit, work, FakeScript(ignores=("quit", "sigterm")))


def test_a_killed_machine_is_seen_and_can_be_quit(make_kit: MakeKit) -> None:
    async def work(kit: Kit, machine: VirtualMachine) -> None:
        channel = await kit.transport.connect(kit.endpoints["pui.rpc"], 5.0)
        kit.kill(machine.identity.pid)
        assert await machine.wait() == -9
        assert await channel.read() == b""
        assert await channel.read() == b""
        await channel.close()

    with_machine(make_kit, work)


@pytest.mark.parametrize("phase", ["start", "qmp"])
def test_a_machine_that_dies_at_once_is_told_by_name(make_kit: MakeKit, phase: str) -> None:
    async def main() -> None:
        with make_kit(FakeScript(exit_in=phase, stderr="qemu: bad option")) as kit:
            with pytest.raises(LaunchError) as caught:
                await kit.start()
            assert caught.value.code == "launch.qemu_exit"
            assert "bad option" in caught.value.detail

    asyncio.run(main())


def test_a_healthy_machine_reports_no_trouble(make_kit: MakeKit) -> None:
    async def work(kit: Kit, machine: VirtualMachine) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await machine.trouble()

    with_machine(make_kit, work)


# channels and the guest


def test_a_whole_task_over_the_three_ports(make_kit: MakeKit) -> None:
    async def work(kit: Kit, machine: VirtualMachine) -> None:
        ctl = await kit.transport.connect(kit.endpoints["pui.ctl"], 5.0)
        rpc = await kit.transport.connect(kit.endpoints["pui.rpc"], 5.0)
        ctl_held, rpc_held = bytearray(), bytearray()
        assert (await line(ctl, ctl_held)).startswith(b"hello proto=1 ")
        assert (await line(ctl, ctl_held)).startswith(b"mark stage=init ")
        assert (await line(ctl, ctl_held)).startswith(b"mark stage=ports ")
        await rpc.write(b'{"type":"get_state","id":"1"}\n')
        await ctl.write(b"config id=1 hostname=pui\nstart id=2 argv=pi\n")
        assert [await line(ctl, ctl_held) for _ in range(2)] == [b"ok id=1\n", b"ok id=2\n"]
        state = json.loads(await line(rpc, rpc_held))
        assert (state["id"], state["command"], state["success"]) == ("1", "get_state", True)
        await rpc.write(b'{"type":"prompt","id":"2","message":"go"}\n')
        records = [json.loads(await line(rpc, rpc_held))]
        while records[-1]["type"] != "agent_settled":
            records.append(json.loads(await line(rpc, rpc_held)))
        assert (records[0]["id"], records[0]["data"]) == ("2", {"disposition": "started"})
        assert {"agent_start", "tool_execution_end", "message_end"} <= {record["type"] for record in records}
        await ctl.write(b"poweroff id=3\n")
        assert await machine.wait() == 0
        await ctl.close()
        await rpc.close()

    with_machine(make_kit, work)


def test_a_run_may_ask_the_model_first(make_kit: MakeKit) -> None:
    async def work(kit: Kit, machine: VirtualMachine) -> None:
        ends = [await kit.transport.connect(kit.endpoints[f"pui.{name}"], 5.0) for name in ("ctl", "rpc", "model")]
        ctl, rpc, model = ends
        await ctl.write(b"start id=1 argv=pi\n")
        await rpc.write(b'{"type":"prompt","id":"1","message":"go"}\n')
        asked = b""
        while b'{"messages":[]}' not in asked or not asked.endswith(b"\0\0\0\x01\x03\0\0\0"):
            asked += await model.read()
        assert asked.startswith(b"\0\0\0\x01\x01\0\0\0\0\0\0\x01\x02\0")
        await model.write(b"\0\0\0\x01\x03\0\0\0")
        assert json.loads(await line(rpc, bytearray()))["command"] == "prompt"
        for channel in ends:
            await channel.close()

    with_machine(make_kit, work, FakeScript(model_body='{"messages":[]}'))


@pytest.mark.parametrize("phase", ["hello", "configured", "rpc", "prompt"])
def test_a_guest_that_dies_closes_its_channels(make_kit: MakeKit, phase: str) -> None:
    async def work(kit: Kit, machine: VirtualMachine) -> None:
        rpc = await kit.transport.connect(kit.endpoints["pui.rpc"], 5.0)
        ctl = await kit.transport.connect(kit.endpoints["pui.ctl"], 5.0)
        orders = [(ctl, b"start id=1 argv=pi\n"), (rpc, b'{"type":"get_state","id":"1"}\n')]
        orders.append((rpc, b'{"type":"prompt","id":"2","message":"go"}\n'))
        for channel, order in orders:
            try:
                await channel.write(order)
            except OutcomeUnknownError:
                break
        assert await machine.wait() == 1
        while await rpc.read():
            pass
        with pytest.raises(OutcomeUnknownError):
            await rpc.write(b"x" * (1 << 20))
        await ctl.close()
        await rpc.close()

    with_machine(make_kit, work, FakeScript(exit_in=phase))


@pytest.mark.parametrize("channel", ["ctl", "rpc", "model"])
@pytest.mark.parametrize("how", ["garbage_on", "oversized_on"])
def test_a_babbling_guest_babbles(make_kit: MakeKit, how: str, channel: str) -> None:
    async def work(kit: Kit, machine: VirtualMachine) -> None:
        end = await kit.transport.connect(kit.endpoints[f"pui.{channel}"], 5.0)
        first = await line(end, bytearray())
        assert not first.startswith((b"hello", b"{"))
        await end.close()

    script = FakeScript(**{how: (channel,)}, oversized_bytes=300_000)  # type: ignore[arg-type]
    with_machine(make_kit, work, script)


def test_a_silent_guest_is_silent(make_kit: MakeKit) -> None:
    async def work(kit: Kit, machine: VirtualMachine) -> None:
        end = await kit.transport.connect(kit.endpoints["pui.ctl"], 5.0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await end.read()
        await end.close()

    with_machine(make_kit, work, FakeScript(hang_in="boot"))


def test_an_order_can_be_refused(make_kit: MakeKit) -> None:
    async def work(kit: Kit, machine: VirtualMachine) -> None:
        end, held = await kit.transport.connect(kit.endpoints["pui.ctl"], 5.0), bytearray()
        await end.write(b"mount id=7 tag=pui0 path=/workspace type=9p ro=0\n")
        answers = [await line(end, held) for _ in range(4)]
        assert answers[-1].startswith(b"error id=7 code=refused ")
        await end.close()

    with_machine(make_kit, work, FakeScript(refuses=("mount",)))


def test_transport_names_what_cannot_be(make_kit: MakeKit) -> None:
    async def main() -> None:
        with make_kit(FakeScript()) as kit:
            with pytest.raises(HostError) as caught:
                kit.transport.listen(kit.folder / "run", "x" * 108)
            assert caught.value.code == "host.path_too_long"
            endpoint = kit.transport.listen(kit.folder / "run", "x")
            kit.transport.unlisten(endpoint)
            kit.transport.unlisten(endpoint)
            with pytest.raises(LaunchError) as missed:
                await kit.transport.connect(endpoint, 0.5)
            assert missed.value.code == "launch.timeout"

    asyncio.run(main())


def test_a_machine_answers_only_where_it_listens(make_kit: MakeKit) -> None:
    async def work(kit: Kit, machine: VirtualMachine) -> None:
        with pytest.raises(LaunchError) as missed:
            await kit.transport.connect(SocketEndpoint(kit.folder / "run" / "other.sock", -1), 0.2)
        assert missed.value.code == "launch.timeout"

    with_machine(make_kit, work)


def test_a_closed_channel_stays_closed(make_kit: MakeKit) -> None:
    async def work(kit: Kit, machine: VirtualMachine) -> None:
        end = await kit.transport.connect(kit.endpoints["pui.rpc"], 5.0)
        await end.close()
        await end.close()
        with pytest.raises(OutcomeUnknownError):
            await end.write(b"x\n")

    with_machine(make_kit, work)


# disks and files


def test_an_overlay_is_made_once(make_kit: MakeKit) -> None:
    async def main() -> None:
        with make_kit(FakeScript()) as kit:
            await kit.disks.create_overlay(kit.pack, kit.folder / "overlay.qcow2")
            with pytest.raises(LaunchError, match="launch.overlay"):
                await kit.disks.create_overlay(kit.pack, kit.folder / "overlay.qcow2")
        with make_kit(FakeScript(overlay_error="qemu-img: no")) as kit:
            with pytest.raises(LaunchError) as caught:
                await kit.disks.create_overlay(kit.pack, kit.folder / "overlay.qcow2")
            assert "qemu-img: no" in caught.value.detail

    asyncio.run(main())


def test_a_journal_takes_what_json_can_say_until_it_is_closed(make_kit: MakeKit) -> None:
    with make_kit(FakeScript()) as kit:
        record = {"seq": 1, "odd": "\u2028\ud800", "deep": {"list": [1, None]}}
        journal = kit.open_journal()
        try:
            journal.append(record, durable=True)
            record["seq"] = 99
            journal.append({"seq": 2}, durable=False)
            with pytest.raises(ValueError, match="not JSON compliant"):
                journal.append({"seq": float("nan")}, durable=False)
        finally:
            journal.close()
            journal.close()
        with pytest.raises(HostError):
            journal.append({"seq": 3}, durable=False)
        written = [json.loads(row) for row in kit.written().splitlines()]
        assert written == [{"seq": 1, "odd": "\u2028\ud800", "deep": {"list": [1, None]}}, {"seq": 2}]


def test_task_files(make_kit: MakeKit) -> None:
    with make_kit(FakeScript()) as kit:
        files = kit.files
        assert list(files.task_ids()) == []
        for name in ("t-2", "t-1"):
            files.create(name)
        with pytest.raises(CallerError):
            files.create("t-1")
        assert list(files.task_ids()) == ["t-1", "t-2"]
        journal = files.journal("t-1")
        journal.append({"seq": 1, "odd": "\u2028"}, durable=True)
        journal.append({"seq": 2}, durable=False)
        journal.close()
        assert [json.loads(row) for row in files.read_journal("t-1").splitlines()] == [
            {"seq": 1, "odd": "\u2028"},
            {"seq": 2},
        ]
        with pytest.raises(HostError, match="journal.unreadable"):
            files.read_journal("t-2")
        for bad in ("../x", "a/b", ""):
            with pytest.raises(CallerError):
                files.path("t-1", bad)
            with pytest.raises(CallerError):
                files.create(bad)
        stamps = dict(files.task_stamps())
        assert set(stamps) == {"t-1", "t-2"}
        again = files.journal("t-1")
        again.append({"seq": 3}, durable=False)
        again.close()
        assert {id_ for id_, stamp in files.task_stamps().items() if stamp != stamps[id_]} == {"t-1"}
        assert list(files.task_ids_with("x.zst")) == []
        files.write_lines("t-2", "x.zst", [b"one", b"two"])
        assert list(files.task_ids_with("x.zst")) == ["t-2"]
        assert list(files.read_lines("t-2", "x.zst", 100, 100)) == [b"one", b"two"]
        for _ in range(2):
            files.remove_file("t-2", "x.zst")
        with pytest.raises(HostError):
            list(files.read_lines("t-2", "x.zst", 100, 100))
        files.runtime_dir("t-1")
        for _ in range(2):
            files.remove_runtime_dir("t-1")
            assert list(files.remove_work_files("t-1")) == []
            files.remove_task("t-1")
        assert list(files.task_ids()) == ["t-2"]
        assert isinstance(files.path("t-2", "qemu.log"), Path)
