"""The archive's reader by itself (A17, A20, A22, A23): each of its own checks, where no other part stands before it.

In: chunks and a manifest. Out: the events, or the refusal of that very check. Never: a source that looks first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace

import pytest

from pui.adapters.packs.archive import _decompress, read_archive
from pui.domain.errors import PuiError
from pui.domain.manifest import Manifest, parse_manifest
from pui.domain.ustar import UstarReader
from tests.packs.test_hostile_archives import block, frame_of
from tests.support.pack_simulator import END, PackSim, compress, honest_tar

SMALL = {"a/b": (b"x" * 600, 0o644), "c": (b"", 0o755)}
TAR = honest_tar(SMALL)
ARCHIVE = compress(TAR)
MANIFEST = parse_manifest(PackSim(files=SMALL).build().manifest)


def signed(*, size_bytes: int, data: bytes = ARCHIVE) -> Manifest:
    payload = replace(MANIFEST.payload, size_bytes=size_bytes, sha256=hashlib.sha256(data).hexdigest())
    return replace(MANIFEST, payload=payload)


def read(chunks: Iterable[bytes], manifest: Manifest) -> int:
    return len(list(read_archive(chunks, manifest, lambda done, total: None)))


def refused(chunks: Iterable[bytes], manifest: Manifest, words: str) -> None:
    with pytest.raises(PuiError, match=words):
        read(chunks, manifest)


def test_a1_the_honest_one_is_read() -> None:
    assert read([ARCHIVE[:100], ARCHIVE[100:]], signed(size_bytes=len(ARCHIVE))) == 5


def test_a23_an_archive_that_is_whole_but_shorter_than_signed() -> None:
    refused([ARCHIVE], signed(size_bytes=len(ARCHIVE) + 1), r"pack\.checksum: the archive ends after")


def test_a23_an_archive_that_is_longer_than_signed() -> None:
    refused([ARCHIVE], signed(size_bytes=len(ARCHIVE) - 1), r"pack\.checksum: the archive is longer")


def test_a17_another_sum_than_the_signed_one() -> None:
    refused([ARCHIVE], signed(size_bytes=len(ARCHIVE), data=b"another"), r"pack\.checksum: the SHA-256 of the archive")


def test_a20_a_frame_that_brings_more_than_it_announces() -> None:
    """Stopped as soon as it is seen, not at its end: by libzstd or, if that should miss it, by our own count."""
    given = 0

    def chunks() -> Iterable[bytes]:
        nonlocal given
        head = frame_of(size=1000)[:-4]
        for piece in [head, *[block(1, 1 << 17, b"\0", is_last=False)] * 1000]:
            given += 1
            yield piece

    with pytest.raises(PuiError, match=r"pack\.(checksum|too_large)"):
        for _ in _decompress(chunks(), 300_000):
            pass
    assert given < 10


def test_a22_zeros_without_end_behind_the_last_file() -> None:
    reader = UstarReader(MANIFEST.files)
    reader.feed(TAR[:2048])
    with pytest.raises(PuiError, match=r"pack\.too_large: the archive has too much padding"):
        for _ in range(1000):
            reader.feed(END)


def test_a15_an_end_before_the_last_file_names_it() -> None:
    reader = UstarReader(MANIFEST.files)
    reader.feed(TAR[:700])
    with pytest.raises(PuiError, match=r"pack\.checksum: the archive ends before 'a/b' is complete"):
        reader.finish()
