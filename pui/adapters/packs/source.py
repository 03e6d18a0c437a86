"""Where a pack comes from: two sibling files, in a folder or at an address.

In: a path or an address as a person types it. Out: the envelope's bytes and a stream of the archive's bytes.
Never: trust in either; the length of everything read is bounded by the caller.
"""

from __future__ import annotations

import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from pui.adapters.packs.archive import Progress, read_archive
from pui.adapters.packs.file_ops import mapped_os_errors
from pui.domain.errors import CallerError, SetupError
from pui.domain.manifest import Manifest, Payload
from pui.domain.trust import MAX_ENVELOPE_BYTES
from pui.domain.ustar import UstarEvent

ARCHIVE_SUFFIX = ".tar.zst"
ENVELOPE_SUFFIX = ".envelope.json"
CHUNK_BYTES = 128 * 1024


class PackSource(Protocol):
    """One pack to install."""

    @property
    def label(self) -> str:
        """What a person is shown."""

    def read_envelope(self) -> bytes:
        """Not much more than MAX_ENVELOPE_BYTES. Raises PuiError."""

    def open_files(
        self, manifest: Manifest, progress: Progress, only: Collection[str] | None = None
    ) -> AbstractContextManager[Iterator[UstarEvent]]:
        """The files of the pack, each proven by the end of all events. With `only` (paths), others may be left out.

        Raises PuiError, also while it is iterated.
        """


class ArchiveSource(ABC):
    """A pack in one archive: its files come in one pass over all of it."""

    @abstractmethod
    def open_archive(self, payload: Payload) -> AbstractContextManager[Iterator[bytes]]:
        """The archive's bytes in chunks of at most 256 KiB. Raises PuiError, also while it is iterated.

        Raises SetupError pack.checksum before the first byte when its length is known not to be payload's.
        """

    @contextmanager
    def open_files(
        self, manifest: Manifest, progress: Progress, only: Collection[str] | None = None
    ) -> Iterator[Iterator[UstarEvent]]:
        """See PackSource: all files, whatever `only` says, for the archive's own hash comes last."""
        with self.open_archive(manifest.payload) as chunks:
            yield read_archive(chunks, manifest, progress)


class FileSource(ArchiveSource):
    """Two files in one folder."""

    def __init__(self, path: Path) -> None:
        """`path` names the archive or the envelope. Raises CallerError caller.bad_request for another name."""
        folder, stem = path.parent, pack_stem(path.name)
        self._archive = folder / f"{stem}{ARCHIVE_SUFFIX}"
        self._envelope = folder / f"{stem}{ENVELOPE_SUFFIX}"

    @property
    def label(self) -> str:
        return str(self._archive)

    def read_envelope(self) -> bytes:
        self._require(self._envelope)
        with mapped_os_errors(f"reading {self._envelope}"), self._envelope.open("rb") as file:
            return file.read(MAX_ENVELOPE_BYTES + 1)  # one byte too many is refused where it is parsed

    @contextmanager
    def open_archive(self, payload: Payload) -> Iterator[Iterator[bytes]]:
        self._require(self._archive)
        with mapped_os_errors(f"reading {self._archive}"):
            fd = os.open(self._archive, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            _check_length(os.fstat(fd), payload)
            yield self._chunks(fd)
        finally:
            os.close(fd)

    def _chunks(self, fd: int) -> Iterator[bytes]:
        while True:
            with mapped_os_errors(f"reading {self._archive}"):
                chunk = os.read(fd, CHUNK_BYTES)
            if not chunk:
                return
            yield chunk

    def _require(self, path: Path) -> None:
        if not path.is_file():
            raise CallerError(
                "caller.bad_request",
                f"there is no file {path}",
                hint=f"A pack is two files side by side: NAME{ARCHIVE_SUFFIX} and NAME{ENVELOPE_SUFFIX}.",
            )


def pack_stem(name: str) -> str:
    """The common part of the two file names. Raises CallerError caller.bad_request."""
    for suffix in (ARCHIVE_SUFFIX, ENVELOPE_SUFFIX):
        if name.endswith(suffix) and name != suffix:
            return name.removesuffix(suffix)
    raise CallerError("caller.bad_request", f"{name!r} does not end in {ARCHIVE_SUFFIX} or {ENVELOPE_SUFFIX}")


def _check_length(found: os.stat_result, payload: Payload) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise CallerError("caller.bad_request", "the archive is not a regular file")
    if found.st_size != payload.size_bytes:
        raise SetupError(
            "pack.checksum", f"the archive has {found.st_size} bytes, the manifest says {payload.size_bytes}"
        )
