"""The bridge of pui.rpc on a socket pair and two pipes: whole, in order, with back-pressure, however it is cut.

In: pui/guest/bridge.c. Out: verdicts. Never: a VM.
"""

from __future__ import annotations

import os
import random
import select
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.guest.ports import Served, read_exactly, serve

pytestmark = pytest.mark.vm


@dataclass
class _Agent:
    """The pipes' other ends: what pi would read and write."""

    served: Served
    stdin: int
    stdout: int

    def read(self, size_bytes: int) -> bytes:
        data = b""
        while len(data) < size_bytes:
            ready, _, _ = select.select([self.stdin], [], [], 20)
            assert ready, f"only {len(data)} of {size_bytes} bytes came"
            data += os.read(self.stdin, size_bytes - len(data))
        return data


@pytest.fixture
def agent(driver: Path) -> Iterator[_Agent]:
    stdin, to_agent = os.pipe()
    from_agent, stdout = os.pipe()
    os.set_blocking(stdout, True)
    with serve(driver, "bridge", (to_agent, from_agent)) as served:
        os.close(to_agent)
        os.close(from_agent)
        ends = _Agent(served, stdin, stdout)
        try:
            yield ends
        finally:
            for fd in {ends.stdin, ends.stdout} - {-1}:
                os.close(fd)


def test_both_ways_byte_for_byte(agent: _Agent) -> None:
    every = bytes(range(256)) * 3
    agent.served.port.sendall(every)
    assert agent.read(len(every)) == every
    os.write(agent.stdout, every)
    assert read_exactly(agent.served.port, len(every)) == every


def test_a_large_stream_in_odd_pieces_is_whole(agent: _Agent) -> None:
    dice = random.Random(11)
    data = dice.randbytes(3_000_000)

    def send() -> None:
        at = 0
        while at < len(data):
            size = dice.randrange(1, 70_000)
            agent.served.port.sendall(data[at : at + size])
            at += size

    sender = threading.Thread(target=send)
    sender.start()
    got = agent.read(len(data))
    sender.join()
    assert got == data


def test_an_agent_that_does_not_read_stops_the_host(agent: _Agent) -> None:
    """Back-pressure, not memory: what the bridge takes while pi is deaf is bounded, and nothing of it is lost."""
    block = b"0123456789abcdef" * 4096
    agent.served.port.settimeout(1.0)
    sent = 0
    with pytest.raises(TimeoutError):
        while sent < 64 << 20:
            sent += agent.served.port.send(block[sent % len(block) :])
    assert sent < 4 << 20
    got = agent.read(sent)
    assert got == (block * (sent // len(block) + 1))[:sent]


def test_a_host_that_does_not_read_stops_the_agent(agent: _Agent) -> None:
    os.set_blocking(agent.stdout, False)
    written = 0
    while select.select([], [agent.stdout], [], 1.0)[1]:
        written += os.write(agent.stdout, b"y" * 4096)
        assert written < 4 << 20
    assert read_exactly(agent.served.port, written) == b"y" * written


def test_after_the_agents_end_its_last_bytes_arrive(agent: _Agent) -> None:
    os.write(agent.stdout, b"last words\n")
    os.close(agent.stdout)
    agent.stdout = -1
    assert read_exactly(agent.served.port, 11) == b"last words\n"


def test_a_closed_stdin_does_not_end_the_output(agent: _Agent) -> None:
    os.close(agent.stdin)
    agent.stdin = -1
    agent.served.port.sendall(b"no one reads this\n" * 1000)
    os.write(agent.stdout, b"still here\n")
    assert read_exactly(agent.served.port, 11) == b"still here\n"
