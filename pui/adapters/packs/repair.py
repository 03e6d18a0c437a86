"""Mends an installed pack: only what differs from its signed manifest is written anew, from a source of that pack.

In: the verified manifest, a source of its files. Out: the pack's folder as it was signed, and what was mended.
Never: a file in place before every byte that the source gives is proven, a link followed, a pack that a task uses.

Each file takes its place by one rename: whoever dies in between leaves a pack that is less broken, and still refused.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pui.adapters.packs.archive import Progress
from pui.adapters.packs.check import has_wrong_sum, scan_tree
from pui.adapters.packs.file_ops import FileOps, mapped_os_errors, opened_folder, remove_tree, sync_folder
from pui.adapters.packs.locks import pack_removal
from pui.adapters.packs.source import PackSource
from pui.adapters.paths import AppPaths
from pui.domain.errors import HostError, SetupError
from pui.domain.manifest import ManifestFile
from pui.domain.pack_check import ENVELOPE, FOLDER_MODE, RepairPlan, plan_repair
from pui.domain.trust import VerifiedManifest
from pui.domain.ustar import FileData, FileEnd, FileStart, UstarEvent

_SPARE_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class RepairResult:
    """`mended`: files written anew; `removed`: entries that had been added; `written_bytes` of all files."""

    pack_id: str
    mended: tuple[str, ...]
    removed: tuple[str, ...]
    written_bytes: int


class PackRepair:
    """One repair, under the installer's lock."""

    def __init__(self, paths: AppPaths, ops: FileOps, verified: VerifiedManifest) -> None:
        self._paths = paths
        self._ops = ops
        self._verified = verified
        self._root = paths.packs_dir / verified.pack_id

    def mend(self, source: PackSource, progress: Progress | None = None) -> RepairResult:
        """Raises SetupError pack.missing, pack.in_use, pack.*; HostError host.disk_full, host.permission."""
        if not self._root.is_dir():
            hint = "Install it instead: pui pack install FILE"
            raise SetupError("pack.missing", f"pack {self._verified.pack_id} is not installed", hint=hint)
        with mapped_os_errors(f"repairing {self._root}"), pack_removal(self._root):
            plan = self._plan()
            wanted = {file.path: file for file in self._verified.manifest.files if file.path in plan.broken}
            with opened_folder(self._paths.staging_dir) as at:
                name = f"repair.{secrets.token_hex(4)}"
                try:
                    self._ops.make_folder(name, at, 0o700)
                    stage = self._paths.staging_dir / name
                    drafts = self._write_drafts(source, stage, wanted, progress)
                    self._put_in_place(stage, plan, drafts, source)
                finally:
                    remove_tree(self._ops, name, at)
        size_bytes = sum(file.size_bytes for file in wanted.values())
        return RepairResult(self._verified.pack_id, tuple(sorted(wanted)), plan.extra, size_bytes)

    def _plan(self) -> RepairPlan:
        """Everything that looks right is hashed as well."""
        plan = plan_repair(self._verified.manifest, scan_tree(self._root), os.geteuid())
        rest = [file for file in self._verified.manifest.files if file.path not in plan.broken]
        wrong = {file.path for file in rest if has_wrong_sum(self._root, file)}
        return RepairPlan(plan.broken | wrong, plan.extra, plan.folders)

    def _write_drafts(
        self, source: PackSource, stage: Path, wanted: Mapping[str, ManifestFile], progress: Progress | None
    ) -> dict[str, Path]:
        """Where each broken file lies, proven and durable. The source is not even opened when none is broken."""
        needed = sum(file.size_bytes for file in wanted.values()) + _SPARE_BYTES
        free = self._ops.free_bytes(stage)
        if free < needed:
            message = f"the repair needs {needed >> 20} MiB in {self._paths.pack_dir}, {free >> 20} MiB are free"
            raise HostError("host.disk_full", message)
        drafts = {path: stage / f"{number}" for number, path in enumerate(wanted)}
        if not drafts:
            return {}
        told = progress or (lambda done, total: None)
        with opened_folder(stage) as at, source.open_files(self._verified.manifest, told, wanted) as events:
            writer = _DraftWriter(self._ops, at, drafts)
            try:
                for event in events:
                    writer.take(event)
            finally:
                writer.close()
        return drafts

    def _put_in_place(self, stage: Path, plan: RepairPlan, drafts: Mapping[str, Path], source: PackSource) -> None:
        for path in plan.extra:
            self._remove(path)
        for path in plan.folders:
            self._set_folder_mode(self._root / path)
        for path, draft in drafts.items():
            parent = self._make_parents(path)
            self._ops.rename(draft, parent / PurePosixPath(path).name)
            sync_folder(self._ops, parent)
        envelope = self._make_parents(ENVELOPE) / PurePosixPath(ENVELOPE).name
        data = source.read_envelope()
        draft = stage / "envelope"
        with opened_folder(stage) as at, _closing(self._ops.open_new(draft.name, at)) as fd:
            self._ops.write(fd, data)
            self._ops.set_mode(fd, 0o644)
            self._ops.sync(fd)
        self._ops.rename(draft, envelope)
        sync_folder(self._ops, envelope.parent)

    def _remove(self, path: str) -> None:
        """A folder above may have gone with an entry that was removed before."""
        parent = self._root / PurePosixPath(path).parent
        holder = opened_folder(parent) if parent.is_dir() else nullcontext(None)
        with holder as at:
            if at is not None:
                for name in _names_shown_as(PurePosixPath(path).name, at):
                    remove_tree(self._ops, name, at)
                self._ops.sync(at)

    def _make_parents(self, path: str) -> Path:
        """The real folder that `path` belongs into, made where it is missing."""
        folder = self._root
        for name in PurePosixPath(path).parts[:-1]:
            if not (folder / name).is_dir():
                with opened_folder(folder) as at:
                    self._ops.make_folder(name, at)
                    self._ops.sync(at)
            folder /= name
        return folder

    def _set_folder_mode(self, folder: Path) -> None:
        with opened_folder(folder) as at:
            self._ops.set_mode(at, FOLDER_MODE)


def _names_shown_as(shown: str, at: int) -> list[str]:
    """The scan tells names that are no UTF-8 with replaced bytes; whatever looks so was added."""
    with os.scandir(at) as entries:
        return [entry.name for entry in entries if os.fsencode(entry.name).decode("utf-8", "replace") == shown]


class _closing:
    """A descriptor that is closed at the end."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __enter__(self) -> int:
        return self._fd

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


class _DraftWriter:
    """Writes the files of the archive that are wanted, each to its draft."""

    def __init__(self, ops: FileOps, at: int, drafts: Mapping[str, Path]) -> None:
        self._ops = ops
        self._at = at
        self._drafts = drafts
        self._fd: int | None = None

    def take(self, event: UstarEvent) -> None:
        match event:
            case FileStart(file) if file.path in self._drafts:
                self._fd = self._ops.open_new(self._drafts[file.path].name, self._at)
            case FileData(data) if self._fd is not None:
                self._ops.write(self._fd, data)
            case FileEnd(file) if self._fd is not None:
                self._ops.set_mode(self._fd, file.mode)
                self._ops.sync(self._fd)
                self.close()
            case _:
                return

    def close(self) -> None:
        """Idempotent."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
