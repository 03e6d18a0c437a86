"""One file that installs without a network: the chain of roots, the envelope and the archive of a pack.

In: a published channel; a bundle file. Out: a bundle; a pack source whose envelope the channel's release keys signed.
Never: trust in the bundle's own words: its index only says which entries follow, and every entry is bounded.

The file is a strict ustar archive (read by domain/ustar.py): `bundle.json` first, the roots oldest first, the
envelope, then the pack's archive as it is.
"""

from __future__ import annotations

import os
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pui.adapters.channel.repository import Repository
from pui.adapters.channel.trust_root import keep_root, trusted_root
from pui.adapters.channel.tuf_client import MAX_ROOT_ROTATIONS, advance_root, check_root
from pui.adapters.packs.file_ops import mapped_os_errors
from pui.adapters.packs.keys import TrustFolder, load_trust, without_revoked
from pui.adapters.packs.source import ARCHIVE_SUFFIX, CHUNK_BYTES, ENVELOPE_SUFFIX, ArchiveSource
from pui.adapters.paths import AppPaths
from pui.domain.channel import MAX_ROOT_BYTES, newest_path, parse_newest, release_keys
from pui.domain.errors import CallerError, SetupError
from pui.domain.events import JsonValue
from pui.domain.manifest import MAX_TOTAL_BYTES, ManifestFile, Payload
from pui.domain.strict_json import StrictJsonError, dump_canonical, load_object
from pui.domain.trust import MAX_ENVELOPE_BYTES, VerifiedManifest
from pui.domain.ustar import BLOCK_BYTES, FileData, FileEnd, FileStart, UstarReader

BUNDLE_SUFFIX = ".pui-bundle"
SCHEMA = "pui-bundle-1"
INDEX_NAME = "bundle.json"
MAX_INDEX_BYTES = 64 * 1024
_ROOT_NAME = re.compile(r"roots/[1-9][0-9]{0,8}\.root\.json")
_PACK_NAME = re.compile(r"pack/[A-Za-z0-9][A-Za-z0-9._-]{0,120}")
_INDEX_SIZE = slice(124, 135)


@dataclass(frozen=True)
class _Entry:
    name: str
    size_bytes: int


def write_bundle(target: Path, channel: Path, platform: str) -> VerifiedManifest:
    """Bundles the newest pack of `platform` in the published folder `channel`.

    The folder's own chain of roots must verify, and so must the envelope. Raises CallerError, SetupError, HostError.
    """
    if not target.name.endswith(BUNDLE_SUFFIX):
        raise CallerError("caller.bad_request", f"{target} does not end in {BUNDLE_SUFFIX}")
    repository = Repository(channel)
    roots, targets = repository.root_chain(), repository.targets()
    if not roots or targets is None:
        raise CallerError("caller.bad_request", f"{channel} is not a published channel")
    check_root(roots[0])
    release = release_keys(advance_root(roots[0], roots[1:]))
    listed = targets.signed.targets
    if newest_path(platform) not in listed:
        raise CallerError("caller.bad_request", f"{channel} offers no pack for {platform}")
    newest = parse_newest(repository.read_target(listed[newest_path(platform)]), platform)
    envelope = repository.read_target(listed[newest.envelope])
    verified = TrustFolder((), (), release).verify(envelope)
    archive = repository.target_path(listed[verified.manifest.payload.name])
    small = {
        f"roots/{version}.root.json": data for version, data in zip(repository.root_versions(), roots, strict=True)
    }
    small[f"pack/{newest.envelope}"] = envelope
    with mapped_os_errors(f"writing {target}"):
        _write(target, small, verified.manifest.payload, archive)
    return verified


def _write(target: Path, small: Mapping[str, bytes], payload: Payload, archive: Path) -> None:
    """A draft first, so that half a bundle never has the name of one."""
    entries = [_Entry(name, len(data)) for name, data in small.items()]
    entries.append(_Entry(f"pack/{payload.name}", payload.size_bytes))
    draft = target.with_name(f".{target.name}.draft")
    try:
        with draft.open("wb") as out, archive.open("rb") as source:
            if os.fstat(source.fileno()).st_size != payload.size_bytes:
                raise SetupError("pack.checksum", f"{archive} has not the size that its manifest says")
            with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
                for name, data in ({INDEX_NAME: _render_index(entries)} | dict(small)).items():
                    tar.addfile(_info(name, len(data)), BytesIO(data))
                tar.addfile(_info(f"pack/{payload.name}", payload.size_bytes), source)
            os.fsync(out.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _info(name: str, size_bytes: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size_bytes, 0o644
    return info


def _render_index(entries: Iterable[_Entry]) -> bytes:
    values: list[JsonValue] = [{"name": entry.name, "size": entry.size_bytes} for entry in entries]
    return dump_canonical({"schema": SCHEMA, "entries": values})


class BundleSource(ArchiveSource):
    """A bundle as a PackSource. Nothing is unpacked to a second place: the archive is read where it lies."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def label(self) -> str:
        return str(self._path)

    def read_envelope(self) -> bytes:
        return self._head()[1]

    def roots(self) -> list[bytes]:
        """The chain, as it comes; nothing is verified. Raises SetupError pack.*, CallerError, HostError."""
        return self._head()[0]

    @contextmanager
    def open_archive(self, payload: Payload) -> Iterator[Iterator[bytes]]:
        with self._opened() as (entries, chunks):
            last = entries[-1]
            if last != _Entry(f"pack/{payload.name}", payload.size_bytes):
                raise SetupError("pack.checksum", f"the bundle holds {last.name}, not {payload.name} of the manifest")
            yield self._archive(entries, chunks)

    def _head(self) -> tuple[list[bytes], bytes]:
        with self._opened() as (entries, chunks):
            wanted = [entry.name for entry in entries[:-1]]
            found: dict[str, bytearray] = {}
            for name, data in _pieces(entries, chunks):
                if name == entries[-1].name:
                    break
                found.setdefault(name, bytearray()).extend(data)
        if [name for name in wanted if name not in found]:
            raise SetupError("pack.malformed", "the bundle is cut off")
        return [bytes(found[name]) for name in wanted[1:-1]], bytes(found[wanted[-1]])

    def _archive(self, entries: list[_Entry], chunks: Iterator[bytes]) -> Iterator[bytes]:
        for name, data in _pieces(entries, chunks):
            if name == entries[-1].name and data:
                yield data

    @contextmanager
    def _opened(self) -> Iterator[tuple[list[_Entry], Iterator[bytes]]]:
        """All entries with the index as the first, and the file's bytes from its start."""
        if not self._path.is_file():
            raise CallerError("caller.bad_request", f"there is no file {self._path}")
        with mapped_os_errors(f"reading {self._path}"), self._path.open("rb") as file:
            header = file.read(BLOCK_BYTES)
            index = file.read(_index_size(header))
            entries = [_Entry(INDEX_NAME, len(index)), *_parse_index(index)]
            file.seek(0)
            yield entries, iter(lambda: file.read(CHUNK_BYTES), b"")


def _pieces(entries: list[_Entry], chunks: Iterator[bytes]) -> Iterator[tuple[str, bytes]]:
    """Name and bytes, b"" once at each start; the reader refuses whatever is not exactly `entries`."""
    reader = UstarReader([ManifestFile(entry.name, entry.size_bytes, "", 0o644) for entry in entries])
    name = ""
    for chunk in chunks:
        for event in reader.feed(chunk):
            match event:
                case FileStart(file):
                    name = file.path
                    yield name, b""
                case FileData(data):
                    yield name, bytes(data)
                case FileEnd():
                    pass
    reader.finish()


def _index_size(header: bytes) -> int:
    text = header[_INDEX_SIZE]
    if not header.startswith(INDEX_NAME.encode() + b"\0") or re.fullmatch(rb"[0-7]{11}", text) is None:
        raise SetupError("pack.malformed", "the file is not a bundle of pui")
    size = int(text, 8)
    if not 0 < size <= MAX_INDEX_BYTES:
        raise SetupError("pack.malformed", f"the bundle's index has {size} bytes, more than {MAX_INDEX_BYTES}")
    return size


def _parse_index(data: bytes) -> list[_Entry]:
    """Roots, the envelope, the archive, in this order. Raises SetupError pack.malformed."""
    try:
        table = load_object(data, MAX_INDEX_BYTES)
        values = table.get("entries")
        if table.get("schema") != SCHEMA or not isinstance(values, list) or not 3 <= len(values) <= MAX_ROOT_ROTATIONS:
            raise StrictJsonError(f"it is not a {SCHEMA} of 3 to {MAX_ROOT_ROTATIONS} entries")
        entries = [_entry(value) for value in values]
        *roots, envelope, archive = entries
        for entry in roots:
            _require(entry, _ROOT_NAME, "", MAX_ROOT_BYTES)
        _require(envelope, _PACK_NAME, ENVELOPE_SUFFIX, MAX_ENVELOPE_BYTES)
        _require(archive, _PACK_NAME, ARCHIVE_SUFFIX, MAX_TOTAL_BYTES)
        if len({entry.name for entry in entries}) != len(entries):
            raise StrictJsonError("a name occurs twice")
    except StrictJsonError as error:
        raise SetupError("pack.malformed", f"the bundle's index is refused: {error}") from error
    return entries


def _entry(value: JsonValue) -> _Entry:
    name, size = (value.get("name"), value.get("size")) if isinstance(value, dict) else (None, None)
    if not isinstance(name, str) or isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise StrictJsonError("an entry has no name or size")
    return _Entry(name, size)


def _require(entry: _Entry, pattern: re.Pattern[str], suffix: str, limit_bytes: int) -> None:
    if pattern.fullmatch(entry.name) is None or not entry.name.endswith(suffix) or entry.size_bytes > limit_bytes:
        raise StrictJsonError(f"the entry {ascii(entry.name)[:80]} is not allowed there")


def bundle_trust(paths: AppPaths, source: BundleSource) -> TrustFolder:
    """Trust in the release keys of the newest root that leads, signed step by step, from the trusted one.

    That root is kept once it has vouched for the bundle's pack. Raises SetupError index.*, pack.untrusted, HostError.
    """
    newest = advance_root(trusted_root(paths), source.roots())
    known = load_trust(paths.trust_dir)
    trust = TrustFolder((), known.faults, without_revoked(release_keys(newest), known.keys))
    trust.verify(source.read_envelope())
    keep_root(paths, newest)
    return trust
