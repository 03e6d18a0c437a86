"""The overlay's header before reuse: threats.md D1 to D4 and D7.

In: the header that qemu-img made, and what a guest could make of it. Out: faults by name. Never: qemu-img itself.
"""

from __future__ import annotations

import base64
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pui.domain.qcow2_header import HEADER_READ_BYTES, ExpectedImage, check_qcow2_header

BACKING = "/pui-t/base.qcow2"
EXPECTED = ExpectedImage(BACKING, 1 << 30)
FILE_SIZE = 196_624

# `qemu-img create -f qcow2 -F qcow2 -b /pui-t/base.qcow2 o.qcow2` of QEMU 7.2 with a base of 1 GiB: its header.
REAL = zlib.decompress(
    base64.b64decode(
        "eNqNUcEKwjAMzTa96x/0LOhgX+BJELx48tx1GRa2trYZc578Pj/DrxC82A0VvWx7kJcGkkdes99snwAQQYdw5mnuo82whi/Cjt9d"
        "EPzwMCY+zKe4N4ubT9OT0HXiH8focfBSV4BMWmpYKmmcaiC0tZWhsRMhngmt4gXLOHGWywJ7+yOhS2PROakVo8bgkMtWX2WYsV3C"
        "UJGV6PrWh4JfGmYxF7pS5AbXB++z5MaN/PQwsLxmf55HzcWmkkuKU+5w1d3oBUaKOv0="
    )
).ljust(HEADER_READ_BYTES, b"\0")

EXTENSIONS_AT = 112  # the header length that qemu-img writes


def _patched(offset: int, form: str, value: int) -> bytes:
    packed = struct.pack(form, value)
    return REAL[:offset] + packed + REAL[offset + len(packed) :]


def _with_extensions(*extensions: tuple[int, bytes], end: bool = True) -> bytes:
    body = b"".join(struct.pack(">II", kind, len(data)) + data + bytes(-len(data) % 8) for kind, data in extensions)
    body += bytes(8) if end else b""
    name_at = EXTENSIONS_AT + len(body)
    head = bytearray(REAL[:EXTENSIONS_AT])
    head[8:16] = struct.pack(">Q", name_at)
    return (bytes(head) + body + BACKING.encode()).ljust(HEADER_READ_BYTES, b"\0")


FORMAT = (0xE2792ACA, b"qcow2")


def _check(data: bytes, expected: ExpectedImage = EXPECTED, size_bytes: int = FILE_SIZE) -> tuple[str, ...]:
    return check_qcow2_header(data, size_bytes, expected)


def test_what_qemu_img_makes_is_ours() -> None:
    assert len(REAL) == HEADER_READ_BYTES
    assert _check(REAL) == ()
    assert _check(_with_extensions(FORMAT)) == ()
    assert _check(_with_extensions(FORMAT, (0x6803F857, b"names"))) == ()


def test_lazy_refcounts_are_harmless() -> None:
    assert _check(_patched(80, ">Q", 1)) == ()


def _renamed(name: bytes) -> bytes:
    at = struct.unpack_from(">Q", REAL, 8)[0]
    data = REAL[:at] + name + REAL[at + len(name) :]
    return data[:16] + struct.pack(">I", len(name)) + data[20:]


CASES: dict[str, tuple[bytes, str]] = {
    "D1-host-file": (_renamed(b"/etc/passwd"), "the backing file is not the base image"),
    "D1-longer-name": (_renamed(BACKING.encode() + b"x"), "the backing file is not the base image"),
    "D1-no-backing": (_patched(8, ">Q", 0), "the backing file is not the base image"),
    "D1-name-over-header": (_patched(8, ">Q", 4), "the backing file is not the base image"),
    "D1-name-outside": (_patched(8, ">Q", HEADER_READ_BYTES), "the backing file is not the base image"),
    "D1-name-too-long": (_patched(16, ">I", 1024), "the backing file is not the base image"),
    "D1-raw-backing": (_with_extensions((0xE2792ACA, b"raw")), "the backing format is not the one that was given"),
    "D1-probed-backing": (_with_extensions(), "the backing format is not the one that was given"),
    "D2-data-file-bit": (_patched(72, ">Q", 4), "incompatible features 0x4"),
    "D2-data-file-name": (_with_extensions(FORMAT, (0x44415441, b"/etc/shadow")), "an external data file"),
    "D3-json": (_renamed(b'json:{"driver":"nbd"}'), "the backing file is not the base image"),
    "D3-nbd": (_renamed(b"nbd:localhost:10809"), "the backing file is not the base image"),
    "D3-http": (_renamed(b"http://example.org/x"), "the backing file is not the base image"),
    "D4-raw": (bytes(HEADER_READ_BYTES), "not a qcow2 image"),
    "D7-empty": (b"", "not a qcow2 image"),
    "D7-magic-only": (REAL[:4], "the header is cut short"),
    "D7-one-byte-short": (REAL[:103], "the header is cut short"),
    "D7-extensions-cut": (REAL[:200], "a header extension is cut short or occurs twice"),
    "D7-huge-l1": (_patched(36, ">I", 0xFFFFFFFF), "an L1 table of 4294967295 entries"),
    "D7-l1-outside": (_patched(40, ">Q", 1 << 62), "the L1 table is not inside the file"),
    "D7-l1-zero": (_patched(40, ">Q", 0), "the L1 table is not inside the file"),
    "D7-l1-crooked": (_patched(40, ">Q", 65537), "the L1 table is not inside the file"),
    "D7-refcounts-outside": (_patched(56, ">I", 0xFFFFFFFF), "the refcount table is not inside the file"),
    "D7-refcount-bits": (_patched(96, ">I", 6), "refcounts of 2^6 bits"),
    "D7-header-length-small": (_patched(100, ">I", 96), "a header length of 96 bytes"),
    "D7-header-length-huge": (_patched(100, ">I", 1 << 20), "a header length of 1048576 bytes"),
    "D7-header-length-crooked": (_patched(100, ">I", 105), "a header length of 105 bytes"),
    "D7-cluster-bits": (_patched(20, ">I", 9), "clusters of 2^9 bytes"),
    "D7-size": (_patched(24, ">Q", 1 << 40), f"a virtual size of {1 << 40} bytes instead of {1 << 30}"),
    "version-2": (_patched(4, ">I", 2), "qcow2 version 2, only 3 is used"),
    "dirty-bit": (_patched(72, ">Q", 1), "incompatible features 0x1"),
    "corrupt-bit": (_patched(72, ">Q", 2), "incompatible features 0x2"),
    "compatible-bit": (_patched(80, ">Q", 2), "compatible features 0x2"),
    "autoclear-bit": (_patched(88, ">Q", 2), "autoclear features 0x2"),
    "encrypted": (_patched(32, ">I", 2), "encryption"),
    "snapshots": (_patched(60, ">I", 3), "3 internal snapshots"),
    "crypto-extension": (_with_extensions(FORMAT, (0x0537BE77, bytes(16))), "encryption"),
    "bitmaps-extension": (_with_extensions(FORMAT, (0x23852875, bytes(24))), "bitmaps"),
    "unknown-extension": (_with_extensions(FORMAT, (0x12345678, b"")), "an unknown header extension 0x12345678"),
    "extension-twice": (_with_extensions(FORMAT, FORMAT), "a header extension is cut short or occurs twice"),
}


@pytest.mark.parametrize("name", CASES)
def test_case(name: str) -> None:
    data, fault = CASES[name]
    assert fault in _check(data)


def test_extensions_without_an_end_mark_end_at_the_name() -> None:
    assert _check(_with_extensions(FORMAT, end=False)) == ()
    crooked = bytearray(_with_extensions(FORMAT, end=False))
    crooked[8:16] = struct.pack(">Q", struct.unpack(">Q", crooked[8:16])[0] + 4)
    assert "the header extensions have no end" in _check(bytes(crooked))


def test_an_image_without_backing() -> None:
    alone = ExpectedImage(None, 1 << 30)
    assert _check(REAL, alone) == (
        "the backing format is not the one that was given",
        "a backing file where none belongs",
    )
    blank = bytearray(_with_extensions())
    blank[8:20] = bytes(12)
    assert _check(bytes(blank), alone) == ()


def test_all_faults_are_told_at_once() -> None:
    data = bytearray(_patched(72, ">Q", 4))
    data[60:64] = struct.pack(">I", 1)
    assert len(_check(bytes(data), size_bytes=1000)) == 4


def test_names_that_are_not_utf8_can_still_be_ours() -> None:
    name = b"/pui-t/\xff.qcow2"
    expected = ExpectedImage(name.decode("utf-8", "surrogateescape"), 1 << 30)
    assert check_qcow2_header(_renamed(name), FILE_SIZE, expected) == ()


@given(st.binary(max_size=300), st.integers(0, 1 << 64))
def test_any_bytes_get_a_verdict(tail: bytes, size_bytes: int) -> None:
    assert _check(REAL[:8] + tail, size_bytes=size_bytes)


@given(st.integers(0, 1000), st.binary(min_size=1, max_size=16))
def test_no_change_of_the_head_raises(offset: int, data: bytes) -> None:
    _check(REAL[:offset] + data + REAL[offset + len(data) :])
