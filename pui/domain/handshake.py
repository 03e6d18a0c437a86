"""Control lines of the port `pui.ctl`: host orders out, guest facts in.

In: bytes of the guest (hostile); orders as names and values. Out: typed facts or CtlFault; one line of bytes an order.
Never: I/O, waiting, trust in a number of the guest. Source: pui/guest/protocol.md, section 2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from pui.domain.errors import ProtocolError
from pui.domain.jsonl import JsonlDecoder, Oversized

PROTOCOL_VERSION = 1
GUEST_LINE_LIMIT_BYTES = 8 * 1024
HOST_LINE_LIMIT_BYTES = 64 * 1024
FAULT_LIMIT = 100
_SAFE = "-._~/"
_WORD = re.compile(rb"[a-z_][a-z0-9_]{0,31}")
_VALUE = re.compile(rb"(?:[A-Za-z0-9\-._~/]|%[0-9A-Fa-f]{2})*+")
_NUMBER = re.compile(r"[0-9]{1,18}")

Value = str | bytes | int


@dataclass(frozen=True)
class Hello:
    """The guest's ports are open. `uptime_ms` counts from the guest's own boot."""

    proto: int
    guest: str
    kernel: str
    uptime_ms: int


@dataclass(frozen=True)
class Mark:
    """A boot stage was passed."""

    stage: str
    uptime_ms: int


@dataclass(frozen=True)
class Ok:
    """The guest did order `id`; `values` are the other keys of its answer."""

    id: int
    values: Mapping[str, str]


@dataclass(frozen=True)
class ErrorReply:
    """The guest could not do order `id`."""

    id: int
    code: str
    message: str


@dataclass(frozen=True)
class StderrData:
    """Bytes that pi wrote to its stderr."""

    data: bytes


@dataclass(frozen=True)
class Exited:
    """pi ended: `code`, or `signal` when one ended it. `stderr_dropped` bytes of its stderr were not sent."""

    code: int | None
    signal: int | None
    stderr_dropped: int


@dataclass(frozen=True)
class CtlFault:
    """A line that is not used. `fatal_code` is an error code when the channel has to end, else empty."""

    reason: str
    fatal_code: str = ""


CtlEvent = Hello | Mark | Ok | ErrorReply | StderrData | Exited | CtlFault


@dataclass(frozen=True)
class CtlCommand:
    """One order: a verb and its keys in order; a key may repeat (`argv`)."""

    verb: str
    pairs: tuple[tuple[str, Value], ...] = ()

    def line(self, order_id: int) -> bytes:
        """The bytes of the line. Raises ProtocolError("protocol.local") as ctl_line does."""
        return _line(self.verb, order_id, self.pairs)


def ctl_line(verb: str, order_id: int, /, **values: Value | Iterable[Value]) -> bytes:
    """One host line; a sequence repeats its key. Raises ProtocolError("protocol.local"): NUL or over 64 KiB."""
    pairs: list[tuple[str, Value]] = []
    for key, value in values.items():
        many = (value,) if isinstance(value, str | bytes | int) else tuple(value)
        pairs += [(key, item) for item in many]
    return _line(verb, order_id, tuple(pairs))


def _line(verb: str, order_id: int, pairs: tuple[tuple[str, Value], ...]) -> bytes:
    words = [verb, f"id={order_id}", *(f"{key}={_encode(key, value)}" for key, value in pairs)]
    line = " ".join(words).encode("ascii") + b"\n"
    if len(line) > HOST_LINE_LIMIT_BYTES:
        raise ProtocolError("protocol.local", f"a control line `{verb}` would have {len(line)} bytes")
    return line


def _encode(key: str, value: Value) -> str:
    data = value if isinstance(value, bytes) else str(int(value) if isinstance(value, bool) else value).encode()
    if key != "data" and b"\0" in data:
        raise ProtocolError("protocol.local", f"a NUL byte in `{key}` of a control line")
    return quote(data, safe=_SAFE)


class CtlDecoder:
    """Guest bytes to facts; at most 8 KiB a line, the third longer one or the 100th bad one is fatal."""

    def __init__(self) -> None:
        self._lines = JsonlDecoder(GUEST_LINE_LIMIT_BYTES)
        self._faults = 0

    def feed(self, data: bytes) -> list[CtlEvent]:
        """What the bytes say, in order. Never raises."""
        return [self._event(item) for item in self._lines.feed(data)]

    def resync(self) -> None:
        """After a reconnect: drop what is left of a torn line."""
        self._lines.resync()

    def _event(self, item: bytes | Oversized) -> CtlEvent:
        if isinstance(item, Oversized):
            return CtlFault("a control line over 8 KiB", "protocol.flood" if item.is_flood else "")
        try:
            return _parse(item)
        except _BadLine as bad:
            self._faults += 1
            return CtlFault(str(bad), "protocol.remote" if self._faults >= FAULT_LIMIT else "")


class _BadLine(Exception):
    """Inside this module only."""


def _parse(line: bytes) -> CtlEvent:
    verb, *words = line.split(b" ")
    if not _WORD.fullmatch(verb):
        raise _BadLine("a control line without a verb")
    parser = _PARSERS.get(verb.decode())
    if parser is None:
        raise _BadLine(f"unknown verb `{verb.decode()}`")
    return parser(_Keys(_split(words)))


def _split(words: list[bytes]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for word in words:
        key, equals, value = word.partition(b"=")
        if not equals or not _WORD.fullmatch(key) or not _VALUE.fullmatch(value):
            raise _BadLine("a control line with a word that is not key=value")
        if key.decode() in found:
            raise _BadLine(f"a control line names `{key.decode()}` twice")
        found[key.decode()] = unquote_to_bytes(value)
    return found


class _Keys:
    """The keys of one line, taken by name and type."""

    def __init__(self, found: dict[str, bytes]) -> None:
        self._found = found

    def raw(self, key: str) -> bytes:
        if key not in self._found:
            raise _BadLine(f"a control line without `{key}`")
        return self._found[key]

    def text(self, key: str) -> str:
        return self.raw(key).decode("utf-8", "replace")

    def number(self, key: str) -> int:
        text = self.text(key)
        if not _NUMBER.fullmatch(text):
            raise _BadLine(f"`{key}` of a control line is not a number")
        return int(text)

    def number_or_none(self, key: str) -> int | None:
        return self.number(key) if key in self._found else None

    def others(self, *taken: str) -> dict[str, str]:
        return {key: self.text(key) for key in self._found if key not in taken}


def _exited(keys: _Keys) -> Exited:
    code, signal = keys.number_or_none("code"), keys.number_or_none("signal")
    if (code is None) == (signal is None):
        raise _BadLine("`exited` needs a code or a signal")
    return Exited(code, signal, keys.number_or_none("stderr_dropped") or 0)


_PARSERS: dict[str, Callable[[_Keys], CtlEvent]] = {
    "hello": lambda k: Hello(k.number("proto"), k.text("guest"), k.text("kernel"), k.number("uptime_ms")),
    "mark": lambda k: Mark(k.text("stage"), k.number("uptime_ms")),
    "ok": lambda k: Ok(k.number("id"), k.others("id")),
    "error": lambda k: ErrorReply(k.number("id"), k.text("code"), k.text("message")),
    "stderr": lambda k: StderrData(k.raw("data")),
    "exited": _exited,
}
