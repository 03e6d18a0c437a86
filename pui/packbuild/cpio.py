"""The initrd archive (newc cpio), byte for byte the same for the same content.

In: names and bytes. Out: the archive. Never: inode numbers, owners or times of the builder.
Source: Linux Documentation/driver-api/early-userspace/buffer-format.rst.
"""

from __future__ import annotations

from collections.abc import Sequence

_FOLDER, _FILE = 0o040755, 0o100000


def render_cpio(files: Sequence[tuple[str, int, bytes]]) -> bytes:
    """`files` are (path, permission bits, content), in this order; parent folders are added before first use."""
    parts: list[bytes] = []
    folders: set[str] = set()
    for path, mode, content in files:
        for depth in range(1, path.count("/") + 1):
            folder = "/".join(path.split("/")[:depth])
            if folder not in folders:
                folders.add(folder)
                parts.append(_member(folder, _FOLDER, b"", len(parts) + 1))
        parts.append(_member(path, _FILE | mode, content, len(parts) + 1))
    parts.append(_member("TRAILER!!!", 0, b"", 0))
    archive = b"".join(parts)
    return archive + bytes(-len(archive) % 512)


def _member(name: str, mode: int, content: bytes, inode: int) -> bytes:
    raw_name = name.encode() + b"\0"
    links = 2 if mode == _FOLDER else 1
    fields = (inode, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(raw_name), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + raw_name
    return head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)
