"""A file of lines, compressed with zstd: written whole and durably, read with a limit.

In: a path in the app's own folders, lines. Out: a 0600 file; its lines. Never: half a file under the name, more than
one line and one block in memory, a link that is followed.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from contextlib import suppress
from pathlib import Path

import zstandard

from pui.adapters.journal_file import mapped_write_error, sync_folder
from pui.domain.errors import HostError

LEVEL = 1
"""The look at the folders must not wait for it: 1 is three times as fast as 3 and a tenth larger."""
WINDOW_LIMIT_BYTES = 8 * 1024 * 1024
_CHUNK_BYTES = 256 * 1024
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
_READ_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


def write_compressed(path: Path, lines: Iterable[bytes]) -> int:
    """Replace `path` by these lines; on the disk itself when this returns the size in bytes.

    Raises HostError host.disk_full, host.permission.
    """
    new = path.with_name(f"{path.name}.new")
    parameters = zstandard.ZstdCompressionParameters.from_level(LEVEL, write_checksum=True)
    try:
        with os.fdopen(os.open(new, _NEW_FILE, 0o600), "wb") as file:
            with zstandard.ZstdCompressor(compression_params=parameters).stream_writer(file, closefd=False) as writer:
                for line in lines:
                    writer.write(line + b"\n")
            file.flush()
            os.fsync(file.fileno())
            size_bytes = file.tell()
        new.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            new.unlink()
        raise mapped_write_error(error, path) from error
    return size_bytes


def read_compressed(path: Path, limit_bytes: int, line_limit_bytes: int) -> Generator[bytes, None, None]:
    """Its lines without their LF; a last one without LF comes as it is. A generator: close it.

    Raises HostError("host.permission"): absent, not zstd, damaged, or larger than the limits (after decompression).
    """
    engine = zstandard.ZstdDecompressor(max_window_size=WINDOW_LIMIT_BYTES)
    rest, left = b"", limit_bytes
    try:
        with os.fdopen(os.open(path, _READ_FILE), "rb") as file:
            reader = engine.stream_reader(file, read_size=_CHUNK_BYTES, read_across_frames=False, closefd=False)
            while data := reader.read(_CHUNK_BYTES):
                left -= len(data)
                *lines, rest = (rest + data).split(b"\n")
                if left < 0 or len(rest) > line_limit_bytes:
                    raise HostError("host.permission", f"{path} is larger than pui ever wrote it")
                yield from lines
    except OSError as error:
        raise HostError("host.permission", f"cannot read {path}: {error.strerror}") from error
    except (zstandard.ZstdError, MemoryError) as error:
        raise HostError("host.permission", f"{path} is damaged: {error}") from error
    if rest:
        yield rest
