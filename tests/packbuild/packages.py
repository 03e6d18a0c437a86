"""Small packages made in a test: a .deb, an npm tarball, an ELF library.

In: names and contents. Out: files. Never: the network, a tool of the machine.
"""

from __future__ import annotations

import io
import lzma
import struct
import tarfile
from pathlib import Path

import zstandard


def make_tar(entries: list[tarfile.TarInfo], contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for info in entries:
            raw = contents.get(info.name, b"")
            info.size = len(raw) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(raw))
    return buffer.getvalue()


def tar_entry(name: str, kind: bytes = tarfile.REGTYPE, *, mode: int = 0o644, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.linkname = kind, mode, link
    return info


def _ar_member(name: str, raw: bytes) -> bytes:
    head = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(raw):<10}".encode() + b"`\n"
    return head + raw + b"\n" * (len(raw) % 2)


def make_deb(path: Path, data_tar: bytes, compression: str = "xz") -> Path:
    """A package with an odd-sized control member before the data, so that padding matters."""
    packed = {"xz": lzma.compress(data_tar), "zst": zstandard.ZstdCompressor().compress(data_tar), "": data_tar}
    suffix = f".{compression}" if compression else ""
    members = [("debian-binary", b"2.0\n"), ("control.tar.xz", b"odd"), (f"data.tar{suffix}", packed[compression])]
    path.write_bytes(b"!<arch>\n" + b"".join(_ar_member(name, raw) for name, raw in members))
    return path


def make_library(needed: list[str]) -> bytes:
    """The smallest 64-bit ELF library that names `needed` in its dynamic section: one PT_LOAD, one PT_DYNAMIC."""
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in needed)
    offsets, position = [], 1
    for name in needed:
        offsets.append(position)
        position += len(name) + 1
    head_bytes = 64 + 2 * 56
    dynamic_at = head_bytes
    strings_at = dynamic_at + 16 * (len(needed) + 3)
    tags = [(1, offset) for offset in offsets] + [(5, strings_at), (10, len(strings)), (0, 0)]
    dynamic = b"".join(struct.pack("<QQ", *tag) for tag in tags)
    total = strings_at + len(strings)
    ident = b"\x7fELF" + bytes([2, 1, 1, 0]) + bytes(8)
    header = ident + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, total, total, 4096)
    dyn = struct.pack("<IIQQQQQQ", 2, 6, dynamic_at, dynamic_at, dynamic_at, len(dynamic), len(dynamic), 8)
    return header + load + dyn + dynamic + strings
