"""The guest's control line codec, against a second reading of protocol.md in Python and against the host's codec.

In: pui/guest/line.c, cmdline.c through tests/guest/driver.c. Out: verdicts. Never: a VM.
"""

from __future__ import annotations

import random
import re
import subprocess
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest

from pui.domain.handshake import CtlDecoder, CtlFault, StderrData, ctl_line

pytestmark = pytest.mark.vm

WORD = re.compile(rb"[a-z_][a-z0-9_]{0,31}")
VALUE = re.compile(rb"(?:[A-Za-z0-9\-._~/]|%[0-9A-Fa-f]{2})*")


def _run(driver: Path, mode: str, data: bytes) -> bytes:
    done = subprocess.run([driver, mode], input=data, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, (done.returncode, done.stderr)
    return done.stdout


def _expected(line: bytes) -> str:
    """What driver.c prints for a line that keeps the rules; "!" for one that breaks any."""
    verb, *words = line.split(b" ")
    found: list[tuple[str, bytes]] = []
    for word in words:
        key, equals, value = word.partition(b"=")
        twice = key != b"argv" and key.decode("latin-1") in [name for name, _ in found]
        if not equals or not WORD.fullmatch(key) or twice or not VALUE.fullmatch(value):
            return "!"
        found.append((key.decode(), unquote_to_bytes(value)))
    ids = [value for key, value in found if key == "id"]
    if not WORD.fullmatch(verb) or len(found) > 160 or (ids and not _is_u64(ids[0])):
        return "!"
    number = int(ids[0]) if ids else 0
    return " ".join([str(number), verb.decode(), *(f"{key}={value.hex()}" for key, value in found)])


def _is_u64(value: bytes) -> bool:
    return re.fullmatch(rb"[0-9]+", value) is not None and int(value) < 2**64


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"ping id=1", "1 ping id=31"),
        (b"start id=2 argv=/a argv=b%20c argv=", "2 start id=32 argv=2f61 argv=622063 argv="),
        (b"file id=3 data=%00%ff%0A", "3 file id=33 data=00ff0a"),
        (b"ping id=18446744073709551615", "18446744073709551615 ping id=" + b"18446744073709551615".hex()),
        (b"ping id=18446744073709551616", "0 ! id is not a number"),
        (b"ping id=", "0 ! id is not a number"),
        (b"ping  id=1", "1 ! a key is not of the form [a-z_0-9]="),
        (b"Ping id=4", "4 ! the verb is not a word"),
        (b"ping id=4 id=5", "4 ! a key occurs twice"),
        (b"ping x=%4 id=6", "6 ! a value is not percent-encoded"),
        (b"ping x=%", "0 ! a value is not percent-encoded"),
        (b"ping x=%g0", "0 ! a value is not percent-encoded"),
        (b"ping x=a=b id=7", "7 ! a value is not percent-encoded"),
        (b"ping x=\x00 id=8", "8 ! a value is not percent-encoded"),
        (b"ping id=9 " + b" ".join(b"argv=x" for _ in range(160)), "9 ! too many keys"),
    ],
)
def test_a_line_is_read_or_refused(driver: Path, line: bytes, said: str) -> None:
    assert _run(driver, "lines", line + b"\n").decode().rstrip("\n") == said


def test_seeded_fuzz_agrees_with_a_second_reading(driver: Path) -> None:
    dice = random.Random(20260102)
    lines = [_fuzzed(dice) for _ in range(20_000)]
    said = _run(driver, "lines", b"".join(line + b"\n" for line in lines)).decode("latin-1").splitlines()
    assert len(said) == len(lines)
    for line, text in zip(lines, said, strict=True):
        expected = _expected(line)
        assert (text == expected) if expected != "!" else (" ! " in text), line


def _fuzzed(dice: random.Random) -> bytes:
    pieces = [
        b"id=",
        b"argv=",
        b"x=",
        b"a_1=",
        b"%41",
        b"%zz",
        b"%",
        b" ",
        b" ",
        b"=",
        b"/~",
        b"7",
        b"\xff",
        b"\0",
        b"A",
    ]
    good = b"verb id=%d x=%s" % (dice.randrange(2**33), b"%20".join([b"a", b"b"][: dice.randrange(3)]))
    if dice.random() < 0.3:
        return good
    noise = b"".join(dice.choice(pieces) for _ in range(dice.randrange(12)))
    return (good + b" " + noise if dice.random() < 0.5 else noise).replace(b"\n", b"")


def test_what_the_host_writes_the_guest_reads(driver: Path) -> None:
    every = bytes(range(256)) * 4
    line = ctl_line("file", 12, path="/home/agent/ä b", data=every)
    said = _run(driver, "lines", line).decode().rstrip("\n")
    assert said == f"12 file id={b'12'.hex()} path={'/home/agent/ä b'.encode().hex()} data={every.hex()}"


def test_what_the_guest_writes_the_host_reads(driver: Path) -> None:
    every = bytes(range(256)) * 8
    line = _run(driver, "build", every)
    assert CtlDecoder().feed(line) == [StderrData(every)]


def test_a_value_that_does_not_fit_is_cut_at_a_whole_byte(driver: Path) -> None:
    line = _run(driver, "build", b"\n" * 9000)
    assert len(line) <= 8192
    assert line.endswith(b"%0A\n")
    (event,) = CtlDecoder().feed(line)
    assert not isinstance(event, CtlFault)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("console=ttyS0 quiet\n", "0 /dev/vda ext4"),
        ("quiet pui.mode=probe", "1 /dev/vda ext4"),
        ("pui.mode=probe pui.mode=task", "0 /dev/vda ext4"),
        ("pui.root=/dev/vdb pui.rootfstype=erofs x.pui.mode=probe", "0 /dev/vdb erofs"),
        ("pui.root=" + "a" * 100, "0 " + "a" * 63 + " ext4"),
    ],
)
def test_the_kernel_command_line(driver: Path, text: str, said: str) -> None:
    assert _run(driver, "cmdline", text.encode()).decode().strip() == said
