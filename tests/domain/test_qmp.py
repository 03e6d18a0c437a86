"""The monitor client: pairs replies with commands, survives any bytes.

In: lines as QEMU writes them, and lines it should never write. Out: messages. Never: a socket.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pui.domain.qmp import (
    LINE_LIMIT_BYTES,
    PENDING_LIMIT,
    QmpClient,
    QmpEvent,
    QmpFault,
    QmpGreeting,
    QmpMessage,
    QmpReply,
    mute_serial_command,
)

# As QEMU 7.2 wrote them.
GREETING = (
    b'{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2"}, '
    b'"capabilities": ["oob"]}}\r\n'
)
EVENT = (
    b'{"timestamp": {"seconds": 1700000000, "microseconds": 42}, "event": "SHUTDOWN", '
    b'"data": {"guest": true, "reason": "guest-shutdown"}}\r\n'
)


def _feed(data: bytes) -> list[QmpMessage]:
    return QmpClient().feed(data)


def test_a_conversation() -> None:
    client = QmpClient()
    assert client.feed(GREETING) == [QmpGreeting("7.2.22")]
    assert client.command("qmp_capabilities") == b'{"execute":"qmp_capabilities","id":1}\n'
    line = client.command("blockdev-add", {"driver": "fi\nle,x", "ü": "\U0001f600"})
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        "execute": "blockdev-add",
        "id": 2,
        "arguments": {"driver": "fi\nle,x", "ü": "\U0001f600"},
    }
    assert (client.last_id, client.pending) == (2, {1: "qmp_capabilities", 2: "blockdev-add"})
    answers = (
        b'{"return": {}, "id": 1}\r\n' + EVENT + b'{"id": 2, "error": {"class": "GenericError", "desc": "no"}}\r\n'
    )
    assert client.feed(answers) == [
        QmpReply(1, "qmp_capabilities", {}),
        QmpEvent("SHUTDOWN", {"guest": True, "reason": "guest-shutdown"}, 1_700_000_000_000_042),
        QmpReply(2, "blockdev-add", None, "GenericError: no"),
    ]
    assert client.pending == {}


def test_replies_may_come_in_another_order() -> None:
    client = QmpClient()
    client.command("query-status")
    client.command("quit")
    replies = client.feed(b'{"return": 2, "id": 2}\n{"return": {"status": "running"}, "id": 1}\n')
    assert replies == [QmpReply(2, "quit", 2), QmpReply(1, "query-status", {"status": "running"})]


def test_byte_by_byte_is_the_same() -> None:
    data = GREETING + b"\r\n\n" + EVENT
    client = QmpClient()
    assert [message for byte in data for message in client.feed(bytes([byte]))] == _feed(data)
    assert len(_feed(data)) == 2


FAULTS = {
    "no json": b"hello\n",
    "no object": b"[1]\n",
    "too deep": b'{"return": ' + b"[" * 5000 + b"]" * 5000 + b"}\n",
    "bad number": b'{"return": NaN, "id": 1}\n',
    "key twice": b'{"return": 1, "return": 2, "id": 1}\n',
    "nothing known": b"{}\n",
    "both": b'{"return": 1, "error": {}, "id": 1}\n',
    "no id": b'{"return": 1}\n',
    "id unknown": b'{"return": 1, "id": 9}\n',
    "id text": b'{"return": 1, "id": "1"}\n',
    "id bool": b'{"return": 1, "id": true}\n',
    "id float": b'{"return": 1, "id": 1.0}\n',
    "id list": b'{"return": 1, "id": [1]}\n',
    "event unnamed": b'{"event": 7}\n',
    "event empty": b'{"event": ""}\n',
    "event long": b'{"event": "' + b"x" * 513 + b'"}\n',
    "too long": b"x" * (LINE_LIMIT_BYTES + 1),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_breach_is_a_value_and_the_next_line_is_read(name: str) -> None:
    client = QmpClient()
    client.command("query-status")
    messages = client.feed(FAULTS[name])
    assert len(messages) == 1
    assert isinstance(messages[0], QmpFault)
    assert client.feed(b"\n" + EVENT)[-1] == _feed(EVENT)[0]
    assert client.feed(b'{"return": 1, "id": 1}\n') == [QmpReply(1, "query-status", 1)]


def test_an_answer_to_an_unreadable_line_says_so() -> None:
    (fault,) = _feed(b'{"error": {"class": "GenericError", "desc": "JSON parse error"}}\n')
    assert fault == QmpFault("a reply to nothing that was asked (GenericError: JSON parse error)")


def test_a_reply_counts_once() -> None:
    client = QmpClient()
    client.command("quit")
    first, second = client.feed(b'{"return": 1, "id": 1}\n' * 2)
    assert isinstance(first, QmpReply)
    assert isinstance(second, QmpFault)


@pytest.mark.parametrize(
    ("line", "version"),
    [
        (b'{"QMP": 1}', ""),
        (b'{"QMP": {"version": {"qemu": {"major": 10, "minor": 0}}}}', ""),
        (b'{"QMP": {"version": {"qemu": {"major": "10", "minor": 0, "micro": 1}}}}', ""),
        (b'{"QMP": {"version": {"qemu": {"major": 10, "minor": -1, "micro": 1}}}}', ""),
        (b'{"QMP": {"version": {"qemu": {"major": 10, "minor": 0, "micro": 8}}}}', "10.0.8"),
    ],
)
def test_greetings(line: bytes, version: str) -> None:
    assert _feed(line + b"\n") == [QmpGreeting(version)]


def test_odd_events_and_errors_keep_their_shape() -> None:
    assert _feed(b'{"event": "STOP", "data": 3, "timestamp": {"seconds": -1}}\n') == [QmpEvent("STOP")]
    client = QmpClient()
    client.command("a")
    client.command("b")
    long = b'{"id": 2, "error": {"class": 1, "desc": "' + b"y" * 9000 + b'"}}\n'
    one, two = client.feed(b'{"id": 1, "error": 7}\n' + long)
    assert one == QmpReply(1, "a", None, "unnamed error")
    assert two == QmpReply(2, "b", None, "unnamed error: " + "y" * 512)


def test_commands_without_answers_are_bounded() -> None:
    client = QmpClient()
    for _ in range(PENDING_LIMIT):
        client.command("query-status")
    with pytest.raises(ValueError, match="not answered"):
        client.command("query-status")
    client.feed(b'{"return": 1, "id": 1}\n')
    assert b'"id":65' in client.command("query-status")


def test_muting_the_serial_log() -> None:
    assert json.loads(mute_serial_command(QmpClient())) == {
        "execute": "chardev-change",
        "id": 1,
        "arguments": {"id": "serial", "backend": {"type": "null", "data": {}}},
    }


@given(st.lists(st.binary(max_size=60) | st.sampled_from([GREETING, EVENT, b'{"return": 1, "id": 1}\n']), max_size=8))
def test_no_bytes_raise(chunks: list[bytes]) -> None:
    client = QmpClient()
    client.command("query-status")
    for chunk in chunks:
        client.feed(chunk)
