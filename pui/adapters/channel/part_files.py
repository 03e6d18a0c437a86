"""Cuts the packs of a channel into parts: each file whole, and as a difference to the same file of earlier packs.

In: archives that were proven, the lists of parts that the channel has already. Out: part files, a list to be signed.
Never: a part that was not decoded and compared again, a file of a pack written by its own name.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import zstandard

from pui.adapters.channel.repository import Repository
from pui.adapters.packs.archive import read_archive
from pui.adapters.packs.file_ops import FileOps, mapped_os_errors, opened_folder, remove_tree
from pui.adapters.packs.parts import decode_segment
from pui.adapters.packs.source import FileSource
from pui.domain.errors import SetupError
from pui.domain.manifest import Manifest, ManifestFile
from pui.domain.pack_parts import SEGMENT_BYTES, Part, base_range, segments_of
from pui.domain.ustar import FileData, FileEnd, FileStart, UstarEvent

LEAST_FOR_A_PATCH_BYTES = 64 * 1024
"""A smaller file comes whole: a difference would save less than the request costs."""

_DRAFT = "draft"
_WHOLE = zstandard.ZstdCompressionParameters.from_level(10, write_checksum=True, write_content_size=True)
_PATCH = zstandard.ZstdCompressionParameters(
    window_log=26,
    hash_log=24,
    chain_log=24,
    search_log=5,
    min_match=5,
    target_length=16,
    strategy=zstandard.STRATEGY_LAZY2,
    write_checksum=True,
    write_content_size=True,
)
"""Large tables: with those of level 10 most of what the prefix has is not found again (docs/adr/0010-parts.md)."""


@dataclass(frozen=True)
class EarlierPack:
    """A pack that the channel offered before, and still has."""

    archive: Path
    manifest: Manifest


@dataclass(frozen=True)
class _Job:
    """A part to be made; without a `base` it holds the whole file."""

    file: ManifestFile
    base: ManifestFile | None

    @property
    def pair(self) -> tuple[str, str]:
        return self.file.sha256, self.base.sha256 if self.base else ""


def make_parts(
    repository: Repository, archive: Path, manifest: Manifest, known: Iterable[Part], earlier: Sequence[EarlierPack]
) -> tuple[Part, ...]:
    """Writes the parts of the pack in `archive` that the channel lacks, and returns the list of all of them.

    `known` are parts that the channel lists for other packs. Runs under the publisher's lock. Raises SetupError (an
    archive is not the one of its manifest), HostError.
    """
    offered = {(part.file, part.base): part for part in known if repository.has_part(part.sha256)}
    jobs = _jobs(manifest, [pack.manifest for pack in earlier])
    missing = [job for job in jobs if job.pair not in offered]
    if not missing:
        return _useful([offered[job.pair] for job in jobs])
    with _place_to_unpack(repository) as place:
        wanted = {job.file.sha256 for job in missing} | {job.base.sha256 for job in missing if job.base}
        for pack in (EarlierPack(archive, manifest), *earlier):
            _unpack(repository.ops, pack, wanted, place)
        for job in missing:
            offered[job.pair] = _encode(repository, job, place)
        repository.sync_parts()
    return _useful([offered[job.pair] for job in jobs])


def _jobs(manifest: Manifest, earlier: Iterable[Manifest]) -> list[_Job]:
    """Each different file once whole, and once for each other file of the same path that an earlier pack had."""
    found: dict[tuple[str, str], _Job] = {}
    files = [file for file in manifest.files if file.size_bytes > 0]
    jobs = [_Job(file, None) for file in files]
    for before in earlier:
        by_path = {file.path: file for file in before.files}
        pairs = [(file, by_path.get(file.path)) for file in files if file.size_bytes >= LEAST_FOR_A_PATCH_BYTES]
        jobs += [_Job(file, base) for file, base in pairs if base and base.size_bytes and base.sha256 != file.sha256]
    for job in jobs:
        found.setdefault(job.pair, job)
    return list(found.values())


def _useful(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Without the patches that are nearly as long as the whole file."""
    whole = {part.file: part.download_bytes for part in parts if not part.base}
    return tuple(part for part in parts if not part.base or part.download_bytes * 4 < whole[part.file] * 3)


def _encode(repository: Repository, job: _Job, place: Path) -> Part:
    """Each segment is decoded again and compared, so that nobody is offered what cannot be used."""
    lengths: list[int] = []
    total, base_bytes = hashlib.sha256(), job.base.size_bytes if job.base else 0
    with mapped_os_errors(f"writing a part of {job.file.path}"):
        with (place / job.file.sha256).open("rb") as source, _new_file(repository.ops, place, _DRAFT) as write:
            for index in range(len(segments_of(job.file.size_bytes))):
                data = source.read(SEGMENT_BYTES)
                prefix = _prefix(place / job.base.sha256, base_range(index, base_bytes)) if job.base else b""
                frame = _compress(data, prefix)
                if decode_segment(frame, len(data), prefix) != data:
                    raise SetupError("pack.checksum", f"a segment of {job.file.path} came back as another one")
                write(frame)
                total.update(frame)
                lengths.append(len(frame))
        repository.place_part(place / _DRAFT, total.hexdigest())
    base = job.base.sha256 if job.base else ""
    return Part(job.file.sha256, job.file.size_bytes, base, base_bytes, tuple(lengths), total.hexdigest())


@contextmanager
def _new_file(ops: FileOps, folder: Path, name: str) -> Iterator[Callable[[bytes | memoryview], None]]:
    """Writes to a new file, which is durable afterwards."""
    with opened_folder(folder) as at:
        fd = ops.open_new(name, at)
        try:
            yield lambda data: ops.write(fd, data)
            ops.set_mode(fd, 0o644)
            ops.sync(fd)
        finally:
            os.close(fd)


def _compress(data: bytes, prefix: bytes) -> bytes:
    if not prefix:
        return zstandard.ZstdCompressor(compression_params=_WHOLE).compress(data)
    known = zstandard.ZstdCompressionDict(prefix, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    return zstandard.ZstdCompressor(compression_params=_PATCH, dict_data=known).compress(data)


def _prefix(path: Path, limits: tuple[int, int]) -> bytes:
    start, end = limits
    with path.open("rb") as file:
        file.seek(start)
        return file.read(end - start)


def _unpack(ops: FileOps, pack: EarlierPack, wanted: Collection[str], place: Path) -> None:
    """The wanted files of an archive, each under its SHA-256; those that are there already are passed over."""
    missing = {file.sha256 for file in pack.manifest.files if file.sha256 in wanted} - {p.name for p in place.iterdir()}
    if not missing:
        return
    with FileSource(pack.archive).open_archive(pack.manifest.payload) as chunks:
        _write_wanted(ops, read_archive(chunks, pack.manifest, lambda done, total: None), missing, place)


def _write_wanted(ops: FileOps, events: Iterable[UstarEvent], missing: set[str], place: Path) -> None:
    """Two files of a pack may be equal: the first one is written."""
    write: Callable[[bytes | memoryview], None] | None = None
    with mapped_os_errors(f"unpacking a pack to {place}"), ExitStack() as stack:
        for event in events:
            match event:
                case FileStart(file) if file.sha256 in missing:
                    missing.discard(file.sha256)
                    write = stack.enter_context(_new_file(ops, place, file.sha256))
                case FileData(data) if write is not None:
                    write(data)
                case FileEnd() if write is not None:
                    stack.close()
                    write = None


@contextmanager
def _place_to_unpack(repository: Repository) -> Iterator[Path]:
    """A folder in the channel's; gone afterwards (if the publisher dies: at the next publication)."""
    place, ops = repository.unpacked, repository.ops
    with mapped_os_errors(f"unpacking packs to {place}"), opened_folder(place.parent) as at:
        ops.make_folder(place.name, at, 0o700)
        try:
            yield place
        finally:
            remove_tree(ops, place.name, at)
