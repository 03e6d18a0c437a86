"""Control lines: what the guest says, what the host orders, and every way a line can be wrong.

In: lines of protocol.md and broken ones. Out: facts and faults. Never: an exception from the guest's bytes.
"""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pui.domain.errors import ProtocolError
from pui.domain.handshake import (
    FAULT_LIMIT,
    CtlCommand,
    CtlDecoder,
    CtlEvent,
    CtlFault,
    ErrorReply,
    Exited,
    Hello,
    Mark,
    Ok,
    StderrData,
    ctl_line,
)

SESSION = (
    b"hello proto=1 guest=0.1.0 kernel=6.12.0-amd64 uptime_ms=812 later=ignored\n"
    b"mark stage=root uptime_ms=640\n"
    b"ok id=1\n"
    b"ok id=2 uptime_ms=900 agent=running\n"
    b"error id=3 code=mount message=no%20such%20tag%20%22x%22\r\n"
    b"stderr data=%00%ffa%0A\n"
    b"exited code=0 stderr_dropped=7\n"
    b"exited signal=9 stderr_dropped=0\n"
)
FACTS: list[CtlEvent] = [
    Hello(1, "0.1.0", "6.12.0-amd64", 812),
    Mark("root", 640),
    Ok(1, {}),
    Ok(2, {"uptime_ms": "900", "agent": "running"}),
    ErrorReply(3, "mount", 'no such tag "x"'),
    StderrData(b"\0\xffa\n"),
    Exited(0, None, 7),
    Exited(None, 9, 0),
]


def test_every_guest_line_is_understood() -> None:
    assert CtlDecoder().feed(SESSION) == FACTS


def test_f7_byte_by_byte_is_the_same() -> None:
    decoder = CtlDecoder()
    assert [event for byte in SESSION for event in decoder.feed(bytes([byte]))] == FACTS


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"HELLO proto=1",
        b"reboot now=1",
        b"hello",
        b"hello proto=one guest=a kernel=b uptime_ms=1",
        b"hello proto=-1 guest=a kernel=b uptime_ms=1",
        b"hello proto=1 guest=a kernel=b uptime_ms=9999999999999999999",
        b"hello proto=\xd9\xa1 guest=a kernel=b uptime_ms=1",
        b"mark stage=root  uptime_ms=1",
        b"mark stage uptime_ms=1",
        b"mark stage=a stage=b uptime_ms=1",
        b"mark stage=a=b uptime_ms=1",
        b"mark stage=%zz uptime_ms=1",
        b"ok id=",
        b"exited stderr_dropped=0",
        b"exited code=1 signal=9 stderr_dropped=0",
        b"\x1b[31mok id=1",
    ],
)
def test_a_bad_line_is_a_fault_and_the_next_one_is_read(line: bytes) -> None:
    fault, mark = CtlDecoder().feed(line + b"\nmark stage=x uptime_ms=1\n")
    assert isinstance(fault, CtlFault) and not fault.fatal_code
    assert mark == Mark("x", 1)


def test_too_many_bad_lines_are_fatal() -> None:
    faults = CtlDecoder().feed(b"?\n" * FAULT_LIMIT)
    codes = [fault.fatal_code for fault in faults if isinstance(fault, CtlFault)]
    assert codes == [""] * (FAULT_LIMIT - 1) + ["protocol.remote"]


def test_three_long_lines_are_a_flood() -> None:
    faults = CtlDecoder().feed((b"stderr data=" + b"a" * 8192 + b"\n") * 3)
    assert [fault.fatal_code for fault in faults if isinstance(fault, CtlFault)] == ["", "", "protocol.flood"]


def test_resync_drops_a_torn_line() -> None:
    decoder = CtlDecoder()
    decoder.feed(b"mark stage=h")
    decoder.resync()
    assert decoder.feed(b"alf uptime_ms=1\nok id=4\n") == [Ok(4, {})]


def test_orders_are_percent_encoded_lines() -> None:
    assert ctl_line("mount", 3, tag="pui0", path="/a b", ro=False) == b"mount id=3 tag=pui0 path=/a%20b ro=0\n"
    assert (
        ctl_line("start", 4, argv=["node", "--x=1\n"], uid=1000) == b"start id=4 argv=node argv=--x%3D1%0A uid=1000\n"
    )
    assert ctl_line("file", 5, data=b"\0\xff") == b"file id=5 data=%00%FF\n"
    assert CtlCommand("ping").line(6) == b"ping id=6\n"


@pytest.mark.parametrize("values", [{"path": "a\0b"}, {"argv": ["ok", "a\0b"]}, {"data": b"x" * 65_536}])
def test_an_order_the_guest_could_not_take_is_our_fault(values: dict[str, object]) -> None:
    with pytest.raises(ProtocolError) as raised:
        ctl_line("file", 1, **values)  # type: ignore[arg-type]
    assert raised.value.code == "protocol.local"


@settings(deadline=None)
@given(st.binary(max_size=500))
def test_f1_random_bytes_never_raise(data: bytes) -> None:
    CtlDecoder().feed(data + b"\n")


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_survive_an_order(data: bytes) -> None:
    line = ctl_line("file", 1, data=data)
    assert line.count(b"\n") == 1 and unquote_to_bytes(line.rstrip(b"\n").partition(b"data=")[2]) == data
