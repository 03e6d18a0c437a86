"""The payload: strict ustar in manifest order inside one zstd frame.

In: files in memory or on disk. Out: `….tar.zst` with size and SHA-256. Never: folders, links, owners, times.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import zstandard

from pui.packbuild.downloads import sha256_of_file
from pui.packbuild.progress import Progress, Report

CHUNK_BYTES = 1 << 20
"""One progress report per so many bytes."""


@dataclass(frozen=True)
class PackFile:
    """One file of the pack: its bytes, or a file on disk for large ones."""

    path: str
    content: bytes | Path
    executable: bool = False

    @property
    def mode(self) -> int:
        return 0o755 if self.executable else 0o644

    def size_bytes(self) -> int:
        return self.content.stat().st_size if isinstance(self.content, Path) else len(self.content)

    def sha256(self) -> str:
        if isinstance(self.content, Path):
            return sha256_of_file(self.content)
        return hashlib.sha256(self.content).hexdigest()

    def open(self) -> IO[bytes]:
        return self.content.open("rb") if isinstance(self.content, Path) else io.BytesIO(self.content)


@dataclass(frozen=True)
class WrittenArchive:
    """The finished payload."""

    size_bytes: int
    sha256: str


def write_archive(files: Iterable[PackFile], target: Path, level: int, report: Report) -> WrittenArchive:
    """Write `files`, sorted by path, to `target`.

    The bytes of libzstd's multi-threaded mode do not depend on the number of workers, but differ from those of the
    single-threaded mode: so the number is fixed to two, on every machine.
    """
    ordered = sorted(files, key=lambda file: file.path)
    total = tar_size_bytes(ordered)
    parameters = zstandard.ZstdCompressionParameters.from_level(
        level, threads=2, write_checksum=True, write_content_size=True
    )
    compressor = zstandard.ZstdCompressor(compression_params=parameters)
    with target.open("wb") as out, compressor.stream_writer(out, size=total, closefd=False) as frame:
        counter = _Counter(frame, total, report)
        with tarfile.open(
            fileobj=counter, mode="w|", format=tarfile.USTAR_FORMAT, bufsize=tarfile.RECORDSIZE
        ) as archive:  # type: ignore[call-overload] # a write-only stream is enough for "w|"
            for file in ordered:
                with file.open() as source:
                    archive.addfile(_info_of(file), source)
    return WrittenArchive(target.stat().st_size, sha256_of_file(target))


def _info_of(file: PackFile) -> tarfile.TarInfo:
    info = tarfile.TarInfo(file.path)
    info.mode, info.size = file.mode, file.size_bytes()
    return info


def tar_size_bytes(files: Iterable[PackFile]) -> int:
    """Length of the plain tar: a header and padded content a file, two zero blocks, padded to a record."""
    blocks = sum(1 + -(-file.size_bytes() // tarfile.BLOCKSIZE) for file in files) + 2
    return -(-blocks * tarfile.BLOCKSIZE // tarfile.RECORDSIZE) * tarfile.RECORDSIZE


class _Counter:
    """A file that counts what passes, for the progress bar."""

    def __init__(self, target: IO[bytes], total: int, report: Report) -> None:
        self._target, self._total, self._report, self._done = target, total, report, 0

    def write(self, data: bytes) -> int:
        before, self._done = self._done, self._done + len(data)
        if before // CHUNK_BYTES != self._done // CHUNK_BYTES or self._done == self._total:
            self._report(Progress("compress", self._done, self._total))
        return self._target.write(data)
