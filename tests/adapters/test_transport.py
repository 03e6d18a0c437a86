"""Sockets that only we can open, channels that tell when they broke."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pui.adapters.transport import READ_LIMIT_BYTES, SocketChannel, UnixTransport
from pui.domain.errors import HostError, LaunchError, OutcomeUnknownError
from pui.ports import SocketEndpoint
from tests.support.machines import short_folder


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as made:
        yield made


async def pair(folder: Path) -> tuple[SocketChannel, socket.socket]:
    """Our end and the child's."""
    transport = UnixTransport()
    endpoint = transport.listen(folder / "run", "x")
    channel = await transport.connect(endpoint, 5.0)
    with socket.socket(fileno=os.dup(endpoint.listener_fd)) as listener:
        theirs, _ = listener.accept()
    transport.unlisten(endpoint)
    return channel, theirs


@pytest.mark.threat("H19")
def test_a_socket_is_private(folder: Path) -> None:
    transport = UnixTransport()
    endpoint = transport.listen(folder / "run", "qmp")
    assert endpoint.path == folder / "run/qmp.sock"
    assert (endpoint.path.stat().st_mode & 0o777, endpoint.path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert not os.get_inheritable(endpoint.listener_fd)
    transport.unlisten(endpoint)


def test_unlisten_closes_once_and_never_a_stranger(folder: Path) -> None:
    transport = UnixTransport()
    endpoint = transport.listen(folder / "run", "x")
    transport.unlisten(endpoint)
    stranger = transport.listen(folder / "run", "y")
    assert stranger.listener_fd == endpoint.listener_fd  # the kernel gives the lowest free number
    transport.unlisten(endpoint)
    os.fstat(stranger.listener_fd)
    transport.unlisten(stranger)
    with (folder / "file").open("w") as file:
        transport.unlisten(SocketEndpoint(endpoint.path, file.fileno()))
        os.fstat(file.fileno())
    assert endpoint.path.exists()


@pytest.mark.parametrize(("spare", "is_fine"), [(0, True), (-1, False)])
@pytest.mark.threat("E10")
def test_a_path_of_107_bytes_is_the_longest(folder: Path, spare: int, is_fine: bool) -> None:
    deep = folder / "run"
    name = "x" * (107 - len(os.fsencode(deep / ".sock")) - spare)
    transport = UnixTransport()
    if is_fine:
        transport.unlisten(transport.listen(deep, name))
        return
    with pytest.raises(HostError) as caught:
        transport.listen(deep, name)
    assert caught.value.code == "host.path_too_long"
    assert "PUI_RUNTIME_DIR" in caught.value.hint


def test_a_stale_socket_is_replaced_and_an_open_folder_is_refused(folder: Path) -> None:
    transport = UnixTransport()
    for _ in range(2):
        transport.unlisten(transport.listen(folder / "run", "x"))
    (folder / "open").mkdir(mode=0o755)
    with pytest.raises(HostError, match="host.permission"):
        transport.listen(folder / "open", "x")


def test_nobody_there_is_a_named_error(folder: Path) -> None:
    transport = UnixTransport()
    endpoint = transport.listen(folder / "run", "x")
    transport.unlisten(endpoint)
    for _ in range(2):
        with pytest.raises(LaunchError, match="launch.timeout"):
            asyncio.run(transport.connect(endpoint, 1.0))
        endpoint.path.unlink(missing_ok=True)


def test_bytes_go_both_ways_in_bounded_pieces(folder: Path) -> None:
    async def main() -> None:
        channel, theirs = await pair(folder)
        with theirs:
            await channel.write(b"hello")
            assert theirs.recv(10) == b"hello"
            total = 5 * READ_LIMIT_BYTES
            sending = asyncio.get_running_loop().run_in_executor(None, theirs.sendall, b"x" * total)
            got = 0
            while got < total:
                data = await channel.read()
                assert 0 < len(data) <= READ_LIMIT_BYTES
                got += len(data)
            await sending
        assert await channel.read() == b""
        await channel.close()
        await channel.close()

    asyncio.run(main())


def test_a_break_in_the_middle_of_a_write_is_an_unknown_outcome(folder: Path) -> None:
    async def main() -> None:
        channel, theirs = await pair(folder)
        writing = asyncio.create_task(channel.write(b"x" * (4 << 20)))
        await asyncio.sleep(0.05)
        assert not writing.done()  # back-pressure: nobody reads
        theirs.close()
        with pytest.raises(OutcomeUnknownError) as caught:
            await writing
        assert caught.value.code == "channel.lost_after_send"
        with pytest.raises(OutcomeUnknownError):
            await channel.write(b"more")
        assert await channel.read() == b""
        await channel.close()

    asyncio.run(main())


@pytest.mark.threat("F13")
def test_closing_does_not_wait_for_a_peer_that_never_reads(folder: Path) -> None:
    async def main() -> None:
        channel, theirs = await pair(folder)
        writing = asyncio.create_task(channel.write(b"x" * (4 << 20)))
        await asyncio.sleep(0.05)
        async with asyncio.timeout(5):
            await channel.close()
        with pytest.raises(OutcomeUnknownError):
            await writing
        theirs.close()

    asyncio.run(main())
