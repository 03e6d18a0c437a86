"""Frames and credits: the session, a plain model of the guest against it, and every broken frame.

In: frames whole, cut and hostile. Out: events and frames. Never: a byte beyond the credit.
"""

from __future__ import annotations

import random
import struct
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pui.domain.errors import ProtocolError
from pui.domain.mux import (
    CREDIT,
    DATA,
    FIN,
    HEADER,
    INITIAL_CREDIT_BYTES,
    OPEN,
    PAYLOAD_LIMIT_BYTES,
    RESET,
    STREAM_LIMIT,
    Data,
    Fin,
    MuxSession,
    Opened,
    Reset,
    Writable,
    frame,
)


def _frames(data: bytes) -> list[tuple[int, int, bytes]]:
    found, at = [], 0
    while at < len(data):
        stream, kind, zero, length = HEADER.unpack_from(data, at)
        assert zero == 0 and length <= PAYLOAD_LIMIT_BYTES
        found.append((stream, kind, data[at + 8 : at + 8 + length]))
        at += 8 + length
    return found


def test_one_request_and_one_answer() -> None:
    session = MuxSession()
    data = frame(1, OPEN) + frame(1, DATA, b"GET") + frame(1, FIN)
    assert session.feed(data) == [Opened(1), Data(1, b"GET"), Fin(1)]
    session.send(1, b"200")
    session.finish(1)
    assert _frames(session.take_outgoing()) == [(1, DATA, b"200"), (1, FIN, b"")]
    assert session.open_streams == ()
    assert session.feed(frame(1, CREDIT, b"\0\0\0\1") + frame(1, RESET)) == []


def test_sending_stops_at_the_credit_and_goes_on_with_more() -> None:
    session = MuxSession()
    session.feed(frame(1, OPEN))
    session.send(1, b"x" * (INITIAL_CREDIT_BYTES + 10))
    session.finish(1)
    out = _frames(session.take_outgoing())
    assert sum(len(payload) for _, _, payload in out) == INITIAL_CREDIT_BYTES
    assert {kind for _, kind, _ in out} == {DATA} and session.queued_bytes(1) == 10
    assert session.feed(frame(1, CREDIT, struct.pack("!I", 4))) == [Writable(1)]
    assert session.queued_bytes(1) == 6
    session.feed(frame(1, CREDIT, struct.pack("!I", 6)))
    assert _frames(session.take_outgoing()) == [(1, DATA, b"xxxx"), (1, DATA, b"x" * 6), (1, FIN, b"")]


def test_credit_is_returned_in_batches_once_bytes_were_used() -> None:
    session = MuxSession()
    session.feed(frame(1, OPEN) + frame(1, DATA, b"x" * PAYLOAD_LIMIT_BYTES) * 16)
    with pytest.raises(ProtocolError, match="beyond its credit"):
        session.feed(frame(1, DATA, b"x"))
    session = MuxSession()
    session.feed(frame(1, OPEN) + frame(1, DATA, b"x" * PAYLOAD_LIMIT_BYTES) * 16)
    session.consumed(1, 65_535)
    assert session.take_outgoing() == b""
    session.consumed(1, 1)
    assert _frames(session.take_outgoing()) == [(1, CREDIT, struct.pack("!I", 65_536))]
    assert session.feed(frame(1, DATA, b"x")) == [Data(1, b"x")]


def test_reset_from_either_side_ends_the_stream() -> None:
    session = MuxSession()
    assert session.feed(frame(1, OPEN) + frame(2, OPEN) + frame(1, RESET)) == [Opened(1), Opened(2), Reset(1)]
    session.reset(2)
    session.reset(2)
    session.send(1, b"late")
    session.consumed(1, 100_000)
    assert _frames(session.take_outgoing()) == [(2, RESET, b"")]
    assert session.feed(frame(2, DATA, b"late")) == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (frame(1, 0), "unknown frame type 0"),
        (frame(1, 6), "unknown frame type 6"),
        (frame(2, OPEN), "an open for stream 2 after 0"),
        (frame(1, OPEN) * 2, "an open for stream 1 after 1"),
        (frame(0, DATA, b"x"), "never opened"),
        (frame(1, OPEN) + frame(2, FIN), "never opened"),
        (HEADER.pack(1, OPEN, 1, 0), "wrong header"),
        (HEADER.pack(1, DATA, 0, PAYLOAD_LIMIT_BYTES + 1), "wrong header"),
        (frame(1, OPEN) + frame(1, FIN, b"x"), "wrong header"),
        (frame(1, OPEN) + frame(1, CREDIT, b"\1"), "wrong header"),
        (frame(1, OPEN) + frame(1, FIN) + frame(1, DATA, b"x"), "data after its end"),
        (frame(1, OPEN) + frame(1, FIN) * 2, "a second end"),
        (frame(1, OPEN) + frame(1, CREDIT, b"\xff" * 4) * 2, "more credit"),
        (b"".join(frame(number, OPEN) for number in range(1, STREAM_LIMIT + 2)), "more than 64 streams"),
    ],
)
def test_a_broken_frame_ends_the_session(data: bytes, reason: str) -> None:
    session = MuxSession()
    with pytest.raises(ProtocolError, match=reason) as raised:
        session.feed(data)
    assert raised.value.code == "protocol.remote"
    with pytest.raises(ProtocolError, match=reason):
        session.feed(b"")


def test_our_own_mistakes_are_named() -> None:
    session = MuxSession()
    with pytest.raises(ProtocolError) as raised:
        session.send(1, b"x")
    assert raised.value.code == "protocol.local"
    session.feed(frame(1, OPEN))
    session.finish(1)
    with pytest.raises(ProtocolError, match="after the end"):
        session.send(1, b"x")


@settings(deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=10))
def test_f1_random_bytes_raise_nothing_but_a_protocol_error(chunks: list[bytes]) -> None:
    session = MuxSession()
    for chunk in chunks:
        try:
            session.feed(chunk)
        except ProtocolError as fault:
            assert fault.code == "protocol.remote"


class _Guest:
    """The other side, written plainly from protocol.md: keeps its own books and asserts the host keeps to them."""

    def __init__(self) -> None:
        self.opened = 0
        self.to_send: dict[int, int] = {}
        self.host_may_send: dict[int, int] = defaultdict(int)
        self.received: dict[int, bytearray] = defaultdict(bytearray)
        self.ended: set[int] = set()
        self.own_end: set[int] = set()

    def over(self) -> set[int]:
        return self.ended & self.own_end

    def take(self, stream: int, kind: int, payload: bytes) -> None:
        assert stream <= self.opened and (kind == CREDIT or stream not in self.ended)
        if kind == DATA:
            self.host_may_send[stream] -= len(payload)
            assert self.host_may_send[stream] >= 0
            self.received[stream] += payload
        elif kind == CREDIT:
            self.to_send[stream] += int.from_bytes(payload, "big")
        else:
            assert kind == FIN
            self.ended.add(stream)


@pytest.mark.parametrize("seed", range(30))
def test_a_plain_guest_and_the_session_agree(seed: int) -> None:
    dice, session, guest = random.Random(seed), MuxSession(), _Guest()
    sent: dict[int, bytearray] = defaultdict(bytearray)
    heard: dict[int, bytearray] = defaultdict(bytearray)
    said: dict[int, bytearray] = defaultdict(bytearray)
    finished: set[int] = set()
    wire = bytearray()
    for _ in range(400):
        live = [number for number in range(1, guest.opened + 1) if number not in guest.over()]
        act = dice.randrange(7)
        if act == 0 and len(live) < STREAM_LIMIT:
            guest.opened += 1
            guest.to_send[guest.opened] = guest.host_may_send[guest.opened] = INITIAL_CREDIT_BYTES
            wire += frame(guest.opened, OPEN)
        elif act == 1 and (ready := [n for n in live if n not in guest.own_end and guest.to_send[n]]):
            number = dice.choice(ready)
            part = dice.randbytes(min(dice.choice([1, 100, 16_384]), guest.to_send[number]))
            guest.to_send[number] -= len(part)
            said[number] += part
            wire += frame(number, DATA, part)
        elif act == 2 and (open_ones := [n for n in live if n not in guest.own_end]) and dice.random() < 0.3:
            number = dice.choice(open_ones)
            guest.own_end.add(number)
            wire += frame(number, FIN)
        elif act == 3 and (hungry := [n for n in live if n not in guest.ended]):
            number, more = dice.choice(hungry), dice.choice([1, 5_000, 300_000])
            guest.host_may_send[number] += more
            wire += frame(number, CREDIT, struct.pack("!I", more))
        elif act == 4 and (mine := [n for n in session.open_streams if n not in finished]):
            number = dice.choice(mine)
            part = dice.randbytes(dice.choice([1, 1_000, 100_000]))
            sent[number] += part
            session.send(number, part)
        elif act == 5 and (mine := [n for n in session.open_streams if n not in finished]) and dice.random() < 0.3:
            number = dice.choice(mine)
            finished.add(number)
            session.finish(number)
        cut = dice.randrange(len(wire) + 1)
        for event in session.feed(bytes(wire[:cut])):
            if isinstance(event, Data):
                heard[event.stream] += event.data
                session.consumed(event.stream, len(event.data))
        del wire[:cut]
        for item in _frames(session.take_outgoing()):
            guest.take(*item)
        for number in range(1, guest.opened + 1):
            assert sent[number].startswith(guest.received[number])
            assert said[number].startswith(heard[number])
    for event in session.feed(bytes(wire)):
        if isinstance(event, Data):
            heard[event.stream] += event.data
    assert heard == {number: said[number] for number in heard}
    assert sum(map(len, heard.values())) == sum(map(len, said.values()))
