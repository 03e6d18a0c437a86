"""The files inside a pack, installed or not, for people who look into it.

In: an installed pack's id, or the path of a pack file. Out: its manifest and the proven bytes of chosen files.
Never: a byte that is not the signed one, an install, a write. A pack of another platform can be read too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pui.adapters.packs.archive import read_archive
from pui.adapters.packs.check import read_verified
from pui.adapters.packs.file_ops import mapped_os_errors
from pui.adapters.packs.keys import load_trust
from pui.adapters.packs.slots import is_pack_id, read_slot
from pui.adapters.packs.source import ARCHIVE_SUFFIX, ENVELOPE_SUFFIX, FileSource
from pui.adapters.paths import AppPaths
from pui.domain.errors import CallerError, SetupError
from pui.domain.manifest import Manifest, ManifestFile
from pui.domain.ustar import FileData, FileStart

CHUNK_BYTES = 1 << 20
Wanted = Callable[[str], bool]
Block = tuple[ManifestFile, bytes]
"""A file and the next bytes of it; an empty file gives one empty block."""


@dataclass(frozen=True)
class OpenedPack:
    """`blocks(wanted)` gives the bytes of the files whose path is wanted, in the order of the manifest. Whoever uses
    them must first let it run to its end: only then are they proven. Raises PuiError."""

    pack_id: str
    manifest: Manifest
    signed_by: str
    blocks: Callable[[Wanted], Iterator[Block]]

    def texts(self, paths: tuple[str, ...]) -> dict[str, bytes]:
        """The bytes of `paths`, as far as the pack has them; for small files. Raises SetupError, HostError."""
        present = {file.path for file in self.manifest.files}.intersection(paths)
        found: dict[str, bytes] = {}
        if present:
            for file, data in self.blocks(present.__contains__):
                found[file.path] = found.get(file.path, b"") + data
        return found


def open_pack(what: str | None, paths: AppPaths) -> OpenedPack:
    """`what`: a pack file's path, an installed pack's id, or None for the active pack.

    Raises SetupError pack.missing, .untrusted, .malformed, .corrupt; CallerError caller.bad_request.
    """
    if what is not None and what.endswith((ARCHIVE_SUFFIX, ENVELOPE_SUFFIX)):
        return _open_file(FileSource(Path(what)), paths)
    chosen = what or read_slot(paths.active_pack)
    if chosen is None:
        raise SetupError("pack.missing", "no runtime pack is installed")
    if not is_pack_id(chosen):
        raise CallerError(
            "caller.bad_request",
            f"{ascii(chosen)[:80]} is neither the id of a pack nor a pack file",
            hint=f"`pui pack list` shows ids; a pack file ends in {ARCHIVE_SUFFIX} or {ENVELOPE_SUFFIX}.",
        )
    return _open_installed(paths.packs_dir / chosen, paths)


def _open_file(source: FileSource, paths: AppPaths) -> OpenedPack:
    verified = load_trust(paths.trust_dir).verify(source.read_envelope())
    manifest = verified.manifest

    def blocks(wanted: Wanted) -> Iterator[Block]:
        with source.open_archive(manifest.payload) as chunks:
            current: ManifestFile | None = None
            for event in read_archive(chunks, manifest, lambda done, total: None):
                if isinstance(event, FileStart):
                    current = event.file if wanted(event.file.path) else None
                    if current is not None:
                        yield current, b""
                elif isinstance(event, FileData) and current is not None:
                    yield current, bytes(event.data)

    return OpenedPack(verified.pack_id, manifest, verified.signed_by, blocks)


def _open_installed(root: Path, paths: AppPaths) -> OpenedPack:
    verified = read_verified(root, load_trust(paths.trust_dir))

    def blocks(wanted: Wanted) -> Iterator[Block]:
        for file in verified.manifest.files:
            if wanted(file.path):
                yield from _file_blocks(root, file)

    return OpenedPack(verified.pack_id, verified.manifest, verified.signed_by, blocks)


def _file_blocks(root: Path, file: ManifestFile) -> Iterator[Block]:
    """Raises SetupError("pack.corrupt") when the file is not the signed one."""
    digest, left = hashlib.sha256(), file.size_bytes
    yield file, b""
    with mapped_os_errors(f"reading {file.path}"), (root / file.path).open("rb") as source:
        while left >= 0 and (data := source.read(CHUNK_BYTES)):
            left -= len(data)
            digest.update(data)
            yield file, data
    if left != 0 or digest.hexdigest() != file.sha256:
        raise SetupError("pack.corrupt", f"pack {root.name}: {file.path} is not the signed file")
