"""The files of a published channel: `metadata/N.ROLE.json`, `metadata/timestamp.json`, `targets/SHA256.NAME`,
`targets/parts/SHA256.part`.

In: the folder. Out: its newest documents, new files put in place one by one. Never: a signature, a decision.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from tuf.api.exceptions import LengthOrHashMismatchError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization import DeserializationError

from pui.adapters.packs.file_ops import FileOps, mapped_os_errors, opened_folder, read_file, remove_tree, sync_folder
from pui.adapters.packs.keys import remove_drafts, write_private_file
from pui.adapters.packs.source import CHUNK_BYTES
from pui.adapters.paths import own_dir
from pui.domain.channel import MAX_ROOT_BYTES
from pui.domain.errors import CallerError, SetupError
from pui.domain.pack_parts import part_name
from pui.domain.trust import MAX_ENVELOPE_BYTES

MAX_METADATA_BYTES = 5_000_000
_ROOT_NAME = re.compile(r"([1-9][0-9]{0,8})\.root\.json")
Role = TypeVar("Role", Root, Snapshot, Targets, Timestamp)


class Repository:
    """Reads raise CallerError or SetupError index.malformed when the folder is not a channel's, HostError."""

    def __init__(self, folder: Path, ops: FileOps | None = None) -> None:
        self.folder = folder
        self.ops = ops or FileOps()
        self._metadata = folder / "metadata"
        self._targets = folder / "targets"
        self._parts = self._targets / "parts"

    @property
    def lock(self) -> Path:
        return self.folder / ".publish.lock"

    @property
    def unpacked(self) -> Path:
        """Where packs lie unpacked while they are cut into parts."""
        return self.folder / ".unpacked"

    def prepare(self) -> None:
        """Makes the folders, readable for a web server; nobody else may write to them."""
        for path in (self.folder, self._metadata, self._targets, self._parts):
            if not path.exists():
                own_dir(path)
                path.chmod(0o755)
            own_dir(path)

    def remove_drafts(self) -> tuple[str, ...]:
        """What a publication that died had not put in place; the caller holds the lock. Raises OSError."""
        found = [name for folder in (self._metadata, self._targets) for name in remove_drafts(folder, self.ops)]
        if self.unpacked.exists():
            with opened_folder(self.folder) as at:
                remove_tree(self.ops, self.unpacked.name, at)
            found.append(self.unpacked.name)
        return tuple(found)

    def root_path(self, version: int) -> Path:
        return self._metadata / f"{version}.root.json"

    def root_versions(self) -> list[int]:
        """Ascending; empty when there is no channel."""
        if not self._metadata.is_dir():
            return []
        found = (_ROOT_NAME.fullmatch(path.name) for path in self._metadata.iterdir())
        return sorted(int(match.group(1)) for match in found if match)

    def root_chain(self) -> list[bytes]:
        """Every root, oldest first."""
        return [self._read(self.root_path(version), MAX_ROOT_BYTES) for version in self.root_versions()]

    def root_bytes(self) -> bytes | None:
        """The newest root."""
        chain = self.root_versions()
        return self._read(self.root_path(chain[-1]), MAX_ROOT_BYTES) if chain else None

    def timestamp(self) -> Metadata[Timestamp] | None:
        path = self._metadata / "timestamp.json"
        return self._parsed(path, Timestamp) if path.is_file() else None

    def snapshot(self) -> Metadata[Snapshot] | None:
        timestamp = self.timestamp()
        if timestamp is None:
            return None
        return self._parsed(self._metadata / f"{timestamp.signed.snapshot_meta.version}.snapshot.json", Snapshot)

    def targets(self) -> Metadata[Targets] | None:
        snapshot = self.snapshot()
        if snapshot is None:
            return None
        return self._parsed(self._metadata / f"{snapshot.signed.meta['targets.json'].version}.targets.json", Targets)

    def write(self, role: Metadata[Any]) -> None:
        """A role's file, in one step. Raises HostError."""
        kind, version = role.signed.type, role.signed.version
        name = "timestamp.json" if kind == Timestamp.type else f"{version}.{kind}.json"
        write_private_file(self._metadata / name, role.to_bytes(), ops=self.ops)

    def target_path(self, listed: TargetFile) -> Path:
        return self._targets / f"{listed.hashes['sha256']}.{listed.path}"

    def read_target(self, listed: TargetFile) -> bytes:
        """A small target, proven by its length and hash. Raises SetupError index.mismatch."""
        data = self._read(self.target_path(listed), MAX_ENVELOPE_BYTES)
        try:
            listed.verify_length_and_hashes(data)
        except LengthOrHashMismatchError as error:
            raise SetupError("index.mismatch", f"{listed.path} of {self.folder} was changed: {error}") from error
        return data

    def write_target(self, listed: TargetFile, data: bytes) -> None:
        write_private_file(self.target_path(listed), data, ops=self.ops)

    def copy_target(self, source: Path, listed: TargetFile) -> None:
        """A large target. Its copy is hashed, for the source might have been exchanged after its check."""
        target = self.target_path(listed)
        draft = f".{target.name}.draft"
        with mapped_os_errors(f"copying {source}"), opened_folder(self._targets) as at, source.open("rb") as whole:
            try:
                self._copy(whole, self.ops.open_new(draft, at))
                with (self._targets / draft).open("rb") as copy:
                    listed.verify_length_and_hashes(copy)
                self.ops.rename(self._targets / draft, target)
                self.ops.sync(at)
            except LengthOrHashMismatchError as error:
                raise SetupError("pack.checksum", f"{source} changed while it was read") from error
            finally:
                (self._targets / draft).unlink(missing_ok=True)

    def _copy(self, source: BinaryIO, fd: int) -> None:
        try:
            while chunk := source.read(CHUNK_BYTES):
                self.ops.write(fd, chunk)
            self.ops.set_mode(fd, 0o644)
            self.ops.sync(fd)
        finally:
            os.close(fd)

    def part_path(self, sha256: str) -> Path:
        return self._targets / part_name(sha256)

    def has_part(self, sha256: str) -> bool:
        return self.part_path(sha256).is_file()

    def place_part(self, draft: Path, sha256: str) -> None:
        """Gives a durable file of the same file system its place. Raises OSError."""
        self.ops.rename(draft, self.part_path(sha256))

    def sync_parts(self) -> None:
        """The names of the parts are durable from here on. Raises OSError."""
        sync_folder(self.ops, self._parts)

    def _parsed(self, path: Path, kind: type[Role]) -> Metadata[Role]:
        try:
            found: Metadata[Role] = Metadata.from_bytes(self._read(path, MAX_METADATA_BYTES))
        except DeserializationError as error:
            raise SetupError("index.malformed", f"{path} is not a TUF document") from error
        if not isinstance(found.signed, kind):
            raise SetupError("index.malformed", f"{path} is not a {kind.type}")
        return found

    def _read(self, path: Path, limit_bytes: int) -> bytes:
        if not path.is_file():
            raise CallerError("caller.bad_request", f"{self.folder} is not a whole channel: {path} is missing")
        with mapped_os_errors(f"reading {path}"):
            return read_file(path, limit_bytes)


def meta_of(role: Metadata[Any]) -> MetaFile:
    """Version, length and SHA-256 of a role's file, for the role that names it."""
    return MetaFile.from_data(role.signed.version, role.to_bytes(), ["sha256"])
