"""The control port's state machine on a socket pair, driven by hand and by a seeded fuzz.

In: pui/guest/ctl.c with a table of one verb, `echo`. Out: verdicts. Never: a VM.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pui.domain.handshake import CtlDecoder, CtlEvent, ErrorReply, Hello, Mark, Ok, ctl_line
from tests.guest.ports import Served, serve

pytestmark = pytest.mark.vm


class _Host:
    """Reads the guest's lines through the host's own decoder."""

    def __init__(self, port: socket.socket) -> None:
        self.port = port
        self._decoder = CtlDecoder()
        self._events: list[CtlEvent] = []

    def next(self) -> CtlEvent:
        while not self._events:
            data = self.port.recv(65536)
            assert data, "the guest closed the port"
            self._events += self._decoder.feed(data)
        return self._events.pop(0)


@pytest.fixture
def served(driver: Path) -> Iterator[Served]:
    with serve(driver, "ctl") as child:
        yield child


@pytest.fixture
def host(served: Served) -> _Host:
    greeted = _Host(served.port)
    assert isinstance(greeted.next(), Hello)
    assert greeted.next() == Mark("init", 12)
    assert isinstance(greeted.next(), Mark)
    return greeted


def test_hello_names_the_protocol(served: Served) -> None:
    hello = _Host(served.port).next()
    assert isinstance(hello, Hello)
    assert hello.proto == 1
    assert hello.uptime_ms > 0


def test_lines_are_answered_in_order(host: _Host) -> None:
    host.port.sendall(b"".join(ctl_line("echo", number, text=str(number)) for number in range(1, 501)))
    assert [host.next() for _ in range(500)] == [Ok(number, {"text": str(number)}) for number in range(1, 501)]


def test_each_kind_of_bad_line_gets_its_error_and_the_next_one_works(host: _Host) -> None:
    host.port.sendall(b"\nnope id=1\necho id=2\necho\nEcho id=4\necho id=5 text=%\n" + ctl_line("echo", 6, text="a b"))
    codes = [(event.id, event.code) for event in (host.next() for _ in range(5)) if isinstance(event, ErrorReply)]
    assert codes == [(1, "unknown_verb"), (2, "bad_value"), (0, "bad_line"), (4, "bad_line"), (5, "bad_line")]
    assert host.next() == Ok(6, {"text": "a b"})


@pytest.mark.parametrize("excess", [1, 2, 65_536, 300_000])
def test_a_line_that_is_too_long_is_skipped_to_its_end(host: _Host, excess: int) -> None:
    host.port.sendall(b"echo id=1 text=" + b"x" * (65_536 - 15 + excess) + b"\n" + ctl_line("echo", 2, text="on"))
    refused = host.next()
    assert isinstance(refused, ErrorReply)
    assert (refused.id, refused.code) == (0, "E2BIG")
    assert host.next() == Ok(2, {"text": "on"})


def test_the_longest_line_is_taken(host: _Host) -> None:
    line = b"echo id=1 text=ok x="
    host.port.sendall(line + b"y" * (65_536 - len(line)) + b"\n")
    assert host.next() == Ok(1, {"text": "ok"})


def test_byte_by_byte_is_the_same(host: _Host) -> None:
    for byte in ctl_line("echo", 1, text="ä\n") + b"bad\n" + ctl_line("echo", 2, text=""):
        host.port.sendall(bytes([byte]))
    assert host.next() == Ok(1, {"text": "ä\n"})
    assert isinstance(host.next(), ErrorReply)
    assert host.next() == Ok(2, {"text": ""})


def test_a_host_that_does_not_read_stops_the_guest_from_reading(host: _Host) -> None:
    """More answers than all buffers hold: none is lost, none comes twice."""
    line_count = 2000
    data = b"".join(ctl_line("echo", number, text="z" * 1000) for number in range(1, line_count + 1))
    host.port.setblocking(False)
    sent = 0
    events: list[CtlEvent] = []
    while sent < len(data):
        try:
            sent += host.port.send(data[sent:])
        except BlockingIOError:  # the guest has stopped: only reading helps now
            host.port.settimeout(20)
            events.append(host.next())
            host.port.setblocking(False)
    host.port.settimeout(20)
    events += [host.next() for _ in range(line_count - len(events))]
    assert [event.id for event in events if isinstance(event, Ok)] == list(range(1, line_count + 1))


def test_seeded_fuzz_never_ends_it(host: _Host) -> None:
    dice = random.Random(7)
    pieces = [
        b"echo",
        b" ",
        b"id=1",
        b"text=%41",
        b"%",
        b"\n",
        b"\n\n",
        b"\0",
        b"=",
        b"\xff" * 3,
        b"x" * 40,
        b"id=99999999",
    ]
    for round_number in range(1, 101):
        noise = b"".join(dice.choice(pieces) for _ in range(dice.randrange(60)))
        host.port.sendall(noise + b"\n" + ctl_line("echo", 1_000_000 + round_number, text="alive"))
        while host.next() != Ok(1_000_000 + round_number, {"text": "alive"}):
            pass
