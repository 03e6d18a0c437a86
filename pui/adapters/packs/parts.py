"""Files of a pack out of parts: each decompressed segment by segment and compared with the manifest.

In: a plan (domain/pack_parts.py), the folder of fetched parts, files that are here already. Out: the events that an
archive gives too (domain/ustar.py).
Never: a file whose bytes are not the signed ones, more than a few segments in memory.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import zstandard

from pui.adapters.packs.archive import Progress
from pui.adapters.packs.file_ops import mapped_os_errors
from pui.domain.errors import SetupError
from pui.domain.manifest import Manifest, ManifestFile
from pui.domain.pack_parts import SEGMENT_BYTES, DeltaPlan, Part, base_range, segments_of
from pui.domain.ustar import FileData, FileEnd, FileStart, UstarEvent
from pui.domain.zstd_frame import ZstdFrameReader, parse_header

_CHUNK_BYTES = 1024 * 1024


class PartsSource:
    """A pack whose files come from `plan`; as a PackSource, and to look at single files of."""

    def __init__(self, label: str, envelope: bytes, plan: DeltaPlan, folder: Path) -> None:
        """`folder` holds the parts, each named by its own SHA-256."""
        self.label = label
        self._envelope = envelope
        self._plan = plan
        self._folder = folder

    def read_envelope(self) -> bytes:
        return self._envelope

    @contextmanager
    def open_files(
        self, manifest: Manifest, progress: Progress, only: Collection[str] | None = None
    ) -> Iterator[Iterator[UstarEvent]]:
        """See PackSource."""
        yield self._events(manifest, progress, only)

    def _events(self, manifest: Manifest, progress: Progress, only: Collection[str] | None) -> Iterator[UstarEvent]:
        files = [file for file in manifest.files if only is None or file.path in only]
        done, total = 0, sum(file.size_bytes for file in files)
        for file in files:
            yield FileStart(file)
            for chunk in self.chunks(file):
                yield FileData(memoryview(chunk))
                done += len(chunk)
                progress(done, total)
            yield FileEnd(file)

    def chunks(self, file: ManifestFile) -> Iterator[bytes]:
        """The file's bytes; the end is reached only if they are the signed ones.

        Raises SetupError pack.checksum, .malformed, .too_large; HostError.
        """
        total, size_bytes = hashlib.sha256(), 0
        for chunk in self._named(file):
            total.update(chunk)
            size_bytes += len(chunk)
            if size_bytes > file.size_bytes:
                raise SetupError("pack.checksum", f"{file.path!r} is longer than its {file.size_bytes} bytes")
            yield chunk
        if size_bytes != file.size_bytes or total.hexdigest() != file.sha256:
            raise SetupError("pack.checksum", f"the SHA-256 of {file.path!r} is not the signed one")

    def _named(self, file: ManifestFile) -> Iterator[bytes]:
        """The file's bytes as they come; an error tells which file it was."""
        try:
            yield from self._raw(file)
        except SetupError as error:
            raise SetupError(error.code, f"{file.path!r}: {error.message}") from error

    def _raw(self, file: ManifestFile) -> Iterator[bytes]:
        if file.size_bytes == 0:
            return iter(())
        if file.sha256 in self._plan.kept:
            return _read(Path(self._plan.kept[file.sha256]))
        part = self._plan.fetched[file.sha256]
        base = Path(self._plan.bases[part.base]) if part.base else None
        return read_part(self._folder / part.sha256, part, base)


def read_part(path: Path, part: Part, base: Path | None) -> Iterator[bytes]:
    """The segments of the part's file. Whether they are the right ones, only the file's hash can tell.

    Raises SetupError pack.checksum, .malformed, .too_large; HostError.
    """
    with mapped_os_errors(f"reading {path}"), _opened(path) as fd, _opened_or_not(base) as base_fd:
        at = 0
        for index, (length, size_bytes) in enumerate(zip(part.frames, segments_of(part.size_bytes), strict=True)):
            prefix = b""
            if base_fd is not None:
                start, end = base_range(index, part.base_bytes)
                prefix = _piece(base_fd, start, end - start)
            yield decode_segment(_piece(fd, at, length), size_bytes, prefix)
            at += length


def decode_segment(frame: bytes, size_bytes: int, prefix: bytes) -> bytes:
    """Exactly one sound zstd frame of exactly `size_bytes`. Raises SetupError pack.checksum, .malformed, .too_large."""
    reader = ZstdFrameReader(size_bytes)
    reader.feed(frame)
    reader.finish()
    header = parse_header(frame[:18])
    if header is None or header.content_bytes != size_bytes or header.window_bytes > size_bytes:
        raise SetupError("pack.malformed", f"a segment of {size_bytes} bytes announces another length or window")
    known = zstandard.ZstdCompressionDict(prefix, dict_type=zstandard.DICT_TYPE_RAWCONTENT) if prefix else None
    try:
        engine = zstandard.ZstdDecompressor(dict_data=known, max_window_size=SEGMENT_BYTES)
        data = engine.decompress(frame, max_output_size=size_bytes)
    except (zstandard.ZstdError, MemoryError) as error:
        raise SetupError("pack.checksum", f"a segment cannot be decompressed: {error}") from error
    if len(data) != size_bytes:
        raise SetupError("pack.checksum", f"a segment has {len(data)} bytes instead of {size_bytes}")
    return data


def has_digest(path: Path, sha256: str, size_bytes: int) -> bool:
    """`path` is a regular file (no link) of just these bytes. False when it cannot be read."""
    try:
        with _opened(path) as fd:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode) or found.st_size != size_bytes:
                return False
            digest = hashlib.sha256()
            while chunk := os.read(fd, _CHUNK_BYTES):
                digest.update(chunk)
    except OSError:
        return False
    return digest.hexdigest() == sha256


def _read(path: Path) -> Iterator[bytes]:
    with mapped_os_errors(f"reading {path}"), _opened(path) as fd:
        while chunk := os.read(fd, _CHUNK_BYTES):
            yield chunk


def _piece(fd: int, start: int, length: int) -> bytes:
    with mapped_os_errors("reading a part of a pack"):
        data = os.pread(fd, length, start)
    if len(data) != length:
        raise SetupError("pack.checksum", "a part of the pack, or the file that it builds on, is too short")
    return data


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def _opened_or_not(path: Path | None) -> Iterator[int | None]:
    if path is None:
        yield None
        return
    with _opened(path) as fd:
        yield fd
