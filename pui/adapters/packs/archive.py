"""The one pass over an archive: hash it, decompress it, split it into files, hash those.

In: chunks of compressed bytes and the manifest. Out: the events of domain/ustar.py, proven by the time they end.
Never: a file system, more than a few blocks in memory, a byte after the one frame.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator

import zstandard

from pui.domain.errors import SetupError
from pui.domain.manifest import Manifest, ManifestFile, Payload
from pui.domain.ustar import FileData, FileEnd, FileStart, UstarEvent, UstarReader, archive_limit_bytes
from pui.domain.zstd_frame import MAX_WINDOW_BYTES, ZstdFrameReader

Progress = Callable[[int, int], None]
"""Called with (bytes done, bytes in all) of the archive."""


def read_archive(chunks: Iterable[bytes], manifest: Manifest, progress: Progress) -> Iterator[UstarEvent]:
    """The archive's events. Whoever uses the files must first let it run to its end: the last check is the archive's
    own size and SHA-256.

    Raises SetupError pack.checksum, .malformed, .bad_type, .bad_path, .too_large; whatever `chunks` raises.
    """
    checked = _checked_bytes(chunks, manifest.payload, progress)
    reader = UstarReader(manifest.files)
    sums = _FileSums()
    for data in _decompress(checked, archive_limit_bytes(manifest.files)):
        for event in reader.feed(data):
            sums.see(event)
            yield event
    reader.finish()


def _checked_bytes(chunks: Iterable[bytes], payload: Payload, progress: Progress) -> Iterator[bytes]:
    """The same bytes; the end is reached only if size and SHA-256 of the whole are the signed ones."""
    whole, done = hashlib.sha256(), 0
    for chunk in chunks:
        done += len(chunk)
        if done > payload.size_bytes:
            raise SetupError("pack.checksum", f"the archive is longer than its {payload.size_bytes} bytes")
        whole.update(chunk)
        yield chunk
        progress(done, payload.size_bytes)
    if done < payload.size_bytes:
        raise SetupError("pack.checksum", f"the archive ends after {done} of {payload.size_bytes} bytes")
    if whole.hexdigest() != payload.sha256:
        raise SetupError("pack.checksum", "the SHA-256 of the archive is not the signed one")


def _decompress(chunks: Iterable[bytes], limit_bytes: int) -> Iterator[bytes]:
    """The content of the one frame, at most 128 KiB a time and `limit_bytes` in all."""
    frame = ZstdFrameReader(limit_bytes)
    engine = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES).decompressobj()
    left = limit_bytes
    for chunk in chunks:
        for piece in frame.feed(chunk):
            data = _decompress_piece(engine, piece)
            left -= len(data)
            if left < 0:
                raise SetupError("pack.too_large", f"the archive grows beyond {limit_bytes} bytes")
            if data:
                yield data
    frame.finish()
    if not engine.eof:
        raise SetupError("pack.checksum", "the archive is cut off: the decompressor waits for more")
    if limit_bytes - left != frame.content_bytes:  # libzstd does not compare when the last block is an empty one
        raise SetupError("pack.checksum", f"the archive announces {frame.content_bytes} bytes and has others")


def _decompress_piece(engine: zstandard.ZstdDecompressionObj, piece: bytes) -> bytes:
    try:
        return engine.decompress(piece)
    except (zstandard.ZstdError, MemoryError) as error:
        raise SetupError("pack.checksum", f"the archive cannot be decompressed: {error}") from error


class _FileSums:
    """SHA-256 of each file as it passes."""

    def __init__(self) -> None:
        self._sum = hashlib.sha256()

    def see(self, event: UstarEvent) -> None:
        match event:
            case FileStart():
                self._sum = hashlib.sha256()
            case FileData(data):
                self._sum.update(data)
            case FileEnd(file):
                self._compare(file)

    def _compare(self, file: ManifestFile) -> None:
        if self._sum.hexdigest() != file.sha256:
            raise SetupError("pack.checksum", f"the SHA-256 of {file.path!r} in the archive is not the signed one")
