"""A bounded look at the header of a qcow2 image before it is opened again.

In: the first bytes of the file, its size, what it should be. Out: the list of its faults, empty when it is ours.
Never: a table or cluster beyond the header, a path that the image names, I/O.

Source: QEMU's docs/interop/qcow2.txt. A guest (or a QEMU that a guest took over) may have written the overlay; a
backing file or an external data file would make QEMU read any file of the host (threats.md, qcow2).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

HEADER_READ_BYTES = 65536
"""How much of the file a caller reads: one cluster; extensions and backing name lie in the first one."""

MAGIC = b"QFI\xfb"
_HEADER = struct.Struct(">4sIQIIQIIQQIIQQQQII")
_EXTENSION = struct.Struct(">II")
_CLUSTER_BITS = 16
_COMPATIBLE_LAZY_REFCOUNTS = 1
_EXTENSION_END = 0
_EXTENSION_BACKING_FORMAT = 0xE2792ACA
_EXTENSION_FEATURE_NAMES = 0x6803F857
_EXTENSION_DATA_FILE = 0x44415441
_BACKING_NAME_LIMIT_BYTES = 1023
_REFUSED_EXTENSIONS = {
    _EXTENSION_DATA_FILE: "an external data file",
    0x0537BE77: "encryption",
    0x23852875: "bitmaps",
}
_L1_ENTRY_BYTES = 8


@dataclass(frozen=True)
class ExpectedImage:
    """What the image must be. `backing_path` is the base's absolute path as given to qemu-img, None for no backing."""

    backing_path: str | None
    virtual_size_bytes: int


@dataclass(frozen=True)
class _Header:
    magic: bytes
    version: int
    backing_offset: int
    backing_size: int
    cluster_bits: int
    size_bytes: int
    crypt_method: int
    l1_entries: int
    l1_offset: int
    refcount_offset: int
    refcount_clusters: int
    snapshots: int
    snapshots_offset: int
    incompatible: int
    compatible: int
    autoclear: int
    refcount_order: int
    header_length: int


def check_qcow2_header(data: bytes, file_size_bytes: int, expected: ExpectedImage) -> tuple[str, ...]:
    """All faults found in `data` (the first HEADER_READ_BYTES of the file, or all of a shorter file).

    Wanted: version 3, no feature bit but lazy refcounts, clusters of 64 KiB, exactly the expected backing name with
    format qcow2, the expected size, tables inside the file, no snapshots, no unknown extension.
    """
    if data[:4] != MAGIC:
        return ("not a qcow2 image",)
    if len(data) < _HEADER.size:
        return ("the header is cut short",)
    header = _Header(*_HEADER.unpack_from(data))
    if header.version != 3:
        return (f"qcow2 version {header.version}, only 3 is used",)
    faults = [*_feature_faults(header), *_layout_faults(header, file_size_bytes, expected)]
    if header.header_length < _HEADER.size or header.header_length > len(data) or header.header_length % 8:
        return (*faults, f"a header length of {header.header_length} bytes")
    extensions, extension_fault = _read_extensions(data, header.header_length, _end_of_extensions(header, data))
    faults += [extension_fault] if extension_fault else []
    faults += [*_extension_faults(extensions, expected), *_backing_faults(header, data, expected)]
    return tuple(faults)


def _feature_faults(header: _Header) -> Iterator[str]:
    if header.incompatible:
        yield f"incompatible features 0x{header.incompatible:x}"
    if header.compatible & ~_COMPATIBLE_LAZY_REFCOUNTS:
        yield f"compatible features 0x{header.compatible:x}"
    if header.autoclear:
        yield f"autoclear features 0x{header.autoclear:x}"
    if header.crypt_method:
        yield "encryption"
    if header.snapshots:
        yield f"{header.snapshots} internal snapshots"


def _layout_faults(header: _Header, file_size_bytes: int, expected: ExpectedImage) -> Iterator[str]:
    if header.cluster_bits != _CLUSTER_BITS:
        yield f"clusters of 2^{header.cluster_bits} bytes"
    if header.refcount_order != 4:
        yield f"refcounts of 2^{header.refcount_order} bits"
    if header.size_bytes != expected.virtual_size_bytes:
        yield f"a virtual size of {header.size_bytes} bytes instead of {expected.virtual_size_bytes}"
    yield from _table_faults("L1 table", header.l1_offset, header.l1_entries * _L1_ENTRY_BYTES, file_size_bytes)
    refcount_bytes = header.refcount_clusters << _CLUSTER_BITS
    yield from _table_faults("refcount table", header.refcount_offset, refcount_bytes, file_size_bytes)
    if header.l1_entries > _l1_entries_for(expected.virtual_size_bytes):
        yield f"an L1 table of {header.l1_entries} entries"


def _l1_entries_for(size_bytes: int) -> int:
    """One L1 entry maps one cluster full of 8-byte entries: 512 MiB at 64 KiB."""
    mapped = 1 << (2 * _CLUSTER_BITS - 3)
    return (size_bytes + mapped - 1) // mapped


def _table_faults(name: str, offset: int, size_bytes: int, file_size_bytes: int) -> Iterator[str]:
    if offset == 0 or offset % (1 << _CLUSTER_BITS) or offset + size_bytes > file_size_bytes:
        yield f"the {name} is not inside the file"


def _end_of_extensions(header: _Header, data: bytes) -> int:
    """Extensions end where the backing name begins, at the latest with what was read."""
    return min(header.backing_offset or len(data), len(data), 1 << _CLUSTER_BITS)


def _read_extensions(data: bytes, start: int, end: int) -> tuple[dict[int, bytes], str]:
    """Extensions by type, and a fault ("" if none). Each is padded to 8 bytes; a type occurs once."""
    found: dict[int, bytes] = {}
    while start + _EXTENSION.size <= end:
        kind, size_bytes = _EXTENSION.unpack_from(data, start)
        if kind == _EXTENSION_END:
            return found, ""
        start += _EXTENSION.size
        if start + size_bytes > end or kind in found:
            return found, "a header extension is cut short or occurs twice"
        found[kind] = data[start : start + size_bytes]
        start += (size_bytes + 7) & ~7
    return found, "" if start == end else "the header extensions have no end"


def _extension_faults(extensions: dict[int, bytes], expected: ExpectedImage) -> Iterator[str]:
    for kind in extensions.keys() - {_EXTENSION_BACKING_FORMAT, _EXTENSION_FEATURE_NAMES}:
        yield _REFUSED_EXTENSIONS.get(kind, f"an unknown header extension 0x{kind:08x}")
    wanted = None if expected.backing_path is None else b"qcow2"
    if extensions.get(_EXTENSION_BACKING_FORMAT) != wanted:
        yield "the backing format is not the one that was given"


def _backing_faults(header: _Header, data: bytes, expected: ExpectedImage) -> Iterator[str]:
    start, size_bytes = header.backing_offset, header.backing_size
    if expected.backing_path is None:
        if start or size_bytes:
            yield "a backing file where none belongs"
        return
    end = start + size_bytes
    is_inside = header.header_length <= start and size_bytes <= _BACKING_NAME_LIMIT_BYTES and end <= len(data)
    if not is_inside or data[start:end] != expected.backing_path.encode("utf-8", "surrogateescape"):
        yield "the backing file is not the base image"
