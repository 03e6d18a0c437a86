"""The model relay on real TCP and a socket pair: the guest's C against the host's own MuxSession, and against nonsense.

In: pui/guest/{mux,stream,relay}.c, pui/domain/mux.py. Out: verdicts. Never: a VM.
"""

from __future__ import annotations

import os
import random
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pui.domain.mux import CREDIT, DATA, FIN, OPEN, RESET, Data, Fin, MuxEvent, MuxSession, Opened, Reset, frame
from tests.guest.ports import Served, serve
from tests.support.waiting import wait_until

pytestmark = pytest.mark.vm

CREDIT_BYTES = 262_144


@dataclass
class _Relay:
    served: Served
    address: tuple[str, int]
    session: MuxSession = field(default_factory=MuxSession)
    events: list[MuxEvent] = field(default_factory=list)

    def connect(self) -> socket.socket:
        client = socket.create_connection(self.address, timeout=15)
        client.settimeout(15)
        return client

    def flush(self) -> None:
        self.served.port.sendall(self.session.take_outgoing())

    def next(self) -> MuxEvent:
        """The next event, with credit given back for its bytes at once."""
        while not self.events:
            data = self.served.port.recv(65536)
            assert data, "the guest closed the port"
            self.events += self.session.feed(data)
        event = self.events.pop(0)
        if isinstance(event, Data):
            self.session.consumed(event.stream, len(event.data))
        self.flush()
        return event

    def next_but_credit(self) -> MuxEvent:
        while not isinstance(event := self.next(), Opened | Data | Fin | Reset):
            pass
        return event

    def fault(self) -> str:
        assert self.served.child.stdout
        return self.served.child.stdout.readline().decode().strip()


@pytest.fixture
def relay(driver: Path) -> Iterator[_Relay]:
    end_read, end_write = os.pipe()
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    address = listener.getsockname()
    with serve(driver, "relay", (listener.fileno(), end_read)) as served:
        listener.close()
        os.close(end_read)
        try:
            yield _Relay(served, address)
        finally:
            os.close(end_write)


def test_a_request_and_its_answer(relay: _Relay) -> None:
    with relay.connect() as client:
        client.sendall(b"question")
        assert relay.next() == Opened(1)
        assert relay.next() == Data(1, b"question")
        relay.session.send(1, b"answer")
        relay.session.finish(1)
        relay.flush()
        assert client.recv(100) == b"answer"
        assert client.recv(100) == b""
    assert relay.next() == Fin(1)
    assert relay.session.open_streams == ()


def test_half_closing_leaves_the_other_direction_open(relay: _Relay) -> None:
    with relay.connect() as client:
        client.shutdown(socket.SHUT_WR)
        assert (relay.next(), relay.next()) == (Opened(1), Fin(1))
        relay.session.send(1, b"late")
        relay.session.finish(1)
        relay.flush()
        assert client.recv(100) == b"late"
        assert client.recv(100) == b""


def test_a_reset_of_the_host_is_an_error_for_the_process(relay: _Relay) -> None:
    with relay.connect() as client:
        assert relay.next() == Opened(1)
        relay.session.reset(1)
        relay.flush()
        with pytest.raises(ConnectionResetError):
            client.recv(100)


def test_a_process_that_dies_resets_the_stream(relay: _Relay) -> None:
    client = relay.connect()
    assert relay.next() == Opened(1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    assert relay.next() == Reset(1)
    with relay.connect():
        assert relay.next() == Opened(2)


def test_a_large_body_each_way_is_whole_and_within_the_credit(relay: _Relay) -> None:
    """MuxSession raises on DATA beyond the credit: passing this is also the proof that the guest keeps to it."""
    up, down = random.Random(1).randbytes(1_500_000), random.Random(2).randbytes(1_500_000)
    received = bytearray()

    def speak(client: socket.socket) -> None:
        writer = threading.Thread(target=_send_all, args=(client, up))
        writer.start()
        while part := client.recv(65536):
            received.extend(part)
        writer.join()

    with relay.connect() as client:
        speaker = threading.Thread(target=speak, args=(client,))
        speaker.start()
        assert relay.next() == Opened(1)
        relay.session.send(1, down)
        relay.session.finish(1)
        relay.flush()
        got = bytearray()
        while isinstance(event := relay.next_but_credit(), Data):
            got += event.data
        assert event == Fin(1)
        while relay.session.queued_bytes(1):
            relay.next()
        speaker.join()
    assert bytes(got) == up
    assert bytes(received) == down


def _send_all(client: socket.socket, data: bytes) -> None:
    client.sendall(data)
    client.shutdown(socket.SHUT_WR)


def test_without_credit_the_guest_stops_at_its_limit(relay: _Relay) -> None:
    with relay.connect() as client:
        client.setblocking(False)
        while _try_to_send(client):
            pass
        seen = bytearray()
        relay.served.port.settimeout(1.0)
        with pytest.raises(TimeoutError):
            while True:
                seen += relay.served.port.recv(65536)
    assert _data_bytes(seen) == CREDIT_BYTES


def _try_to_send(client: socket.socket) -> bool:
    try:
        return client.send(b"q" * 65536) > 0
    except BlockingIOError:
        return False


def _data_bytes(frames: bytearray) -> int:
    total = at = 0
    while at < len(frames):
        _, kind, _, length = struct.unpack_from("!IBBH", frames, at)
        total += length if kind == DATA else 0
        at += 8 + length
    return total


def test_a_process_that_does_not_read_costs_one_buffer(relay: _Relay) -> None:
    """The guest gives credit back only for what the process took: the host's queue stays, the other streams go on."""
    with relay.connect(), relay.connect() as lively:
        assert (relay.next(), relay.next()) == (Opened(1), Opened(2))
        relay.session.send(1, b"d" * (64 << 20))
        relay.session.send(2, b"for you")
        relay.flush()
        assert lively.recv(100) == b"for you"
        assert relay.session.queued_bytes(1) > 50 << 20


def test_at_most_64_streams_and_the_65th_waits(relay: _Relay) -> None:
    clients = [relay.connect() for _ in range(65)]
    opened = [relay.next() for _ in range(64)]
    assert opened == [Opened(number) for number in range(1, 65)]
    relay.session.reset(7)
    relay.flush()
    assert relay.next() == Opened(65)
    for client in clients:
        client.close()
    ends = [relay.next() for _ in range(64)]
    assert {type(end) for end in ends} <= {Fin, Reset}


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (frame(1, 9), "a frame with a wrong header"),
        (frame(1, 0), "a frame with a wrong header"),
        (struct.pack("!IBBH", 1, FIN, 1, 0), "a frame with a wrong header"),
        (frame(1, DATA), "a frame with a wrong header"),
        (struct.pack("!IBBH", 1, DATA, 0, 16_385), "a frame with a wrong header"),
        (frame(1, CREDIT, b"abc"), "a frame with a wrong header"),
        (frame(1, FIN, b"x"), "a frame with a wrong header"),
        (frame(0, FIN), "a frame with a wrong header"),
        (frame(2, DATA, b"x"), "a frame for a stream that was never opened"),
        (frame(1, OPEN), "a frame that its stream does not allow"),
        (frame(1, CREDIT, b"\xff\xff\xff\xff"), "a frame that its stream does not allow"),
        (frame(1, FIN) + frame(1, FIN), "a frame that its stream does not allow"),
        (frame(1, FIN) + frame(1, DATA, b"x"), "a frame that its stream does not allow"),
    ],
)
def test_a_broken_frame_resets_every_stream(relay: _Relay, bad: bytes, said: str) -> None:
    with relay.connect() as client:
        assert relay.next() == Opened(1)
        relay.served.port.sendall(bad)
        assert relay.fault() == said
        with pytest.raises(ConnectionResetError):
            while client.recv(100) == b"":
                wait_until(lambda: client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0, "an error")


def test_more_data_than_the_credit_is_a_fault(relay: _Relay) -> None:
    with relay.connect():
        assert relay.next() == Opened(1)
        relay.served.port.sendall(frame(1, DATA, b"x" * 16_384) * 64)
        # what the process has not read stays in kernel buffers: credit comes back for it, then none is left
        relay.served.port.sendall(frame(1, DATA, b"x" * 16_384) * 2048)
        assert relay.fault() == "a frame that its stream does not allow"


def test_frames_for_a_stream_that_is_over_are_ignored(relay: _Relay) -> None:
    with relay.connect():
        assert relay.next() == Opened(1)
        late = frame(1, RESET) + frame(1, DATA, b"x") + frame(1, FIN) + frame(1, CREDIT, b"\0\0\0\1") + frame(1, RESET)
        relay.served.port.sendall(late)
    with relay.connect() as client:
        assert relay.next() == Opened(2)
        relay.session.send(2, b"works")
        relay.flush()
        assert client.recv(100) == b"works"


def test_byte_by_byte_is_the_same(relay: _Relay) -> None:
    with relay.connect() as client:
        assert relay.next() == Opened(1)
        for byte in frame(1, DATA, b"abc") + frame(1, CREDIT, b"\0\0\0\1") + frame(1, DATA, b"def") + frame(1, FIN):
            relay.served.port.sendall(bytes([byte]))
        got = b""
        while part := client.recv(100):
            got += part
        assert got == b"abcdef"


@pytest.mark.parametrize("seed", range(12))
def test_seeded_nonsense_never_ends_the_relay(relay: _Relay, seed: int) -> None:
    """It either ignores it or says what was wrong; the sanitizer and the exit status judge the rest."""
    dice = random.Random(seed)
    clients = [relay.connect() for _ in range(3)]
    for _ in range(3):
        assert isinstance(relay.next(), Opened)
    for _ in range(200):
        kind, length = dice.choice([DATA, DATA, FIN, CREDIT]), dice.choice([1, 4, 4, 100])
        relay.served.port.sendall(frame(dice.randrange(1, 4), kind, dice.randbytes(4 if kind == CREDIT else length)))
    relay.served.port.sendall(dice.randbytes(5000))
    assert relay.fault().startswith("a frame")
    for client in clients:
        client.close()
