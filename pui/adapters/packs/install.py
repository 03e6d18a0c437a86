"""Brings a pack in: verify, one streaming pass into a staging folder, then a swap by renames. All or nothing.

In: a PackSource, trusted keys. Out: the installed pack, active; or a PuiError and the folders as they were.
Never: a file the manifest does not list, a link followed, a pack that is visible before every byte of it is proven
and durable.
"""

from __future__ import annotations

import secrets
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pui.adapters.packs.archive import Progress
from pui.adapters.packs.check import check_pack, scan_tree
from pui.adapters.packs.cleaning import clean_staging, remove_unused
from pui.adapters.packs.file_ops import (
    FileOps,
    mapped_os_errors,
    opened_folder,
    remove_tree,
    sync_folder,
    write_new_file,
)
from pui.adapters.packs.keys import TrustFolder
from pui.adapters.packs.locks import installer_lock, pack_removal
from pui.adapters.packs.slots import LIMIT_BYTES, installed_floors, read_slot, render_floors, render_slot
from pui.adapters.packs.source import PackSource
from pui.adapters.packs.tree_writer import TreeWriter
from pui.adapters.paths import AppPaths, own_dir
from pui.domain.errors import HostError, SetupError
from pui.domain.manifest import Manifest
from pui.domain.pack_check import ENVELOPE, RECORDED_STATS, check_tree, render_stats
from pui.domain.pack_path import RESERVED_FOLDER
from pui.domain.trust import AppFacts, VerifiedManifest, check_compatibility, check_version_floor
from pui.ports import InstalledPack

LOCK_WAIT_S = 10.0
_SPARE_BYTES = 16 * 1024 * 1024
_BYTES_PER_FILE = 4096  # what a small file costs beyond its size


@dataclass(frozen=True)
class InstallResult:
    """`was_there`: the same pack was installed and sound, it was only made active. `cleaned`: what an installer that
    died had left. `removed`: ids of packs that are neither active nor previous any more. `trouble`: what could not be
    removed after the swap, in words; it is harmless and tried again by the next install."""

    pack: InstalledPack
    was_there: bool
    cleaned: tuple[str, ...]
    removed: tuple[str, ...]
    trouble: tuple[str, ...]


class InstallWitness:
    """Is told what an install does, under the installer's lock; life.py writes it down. This one looks away."""

    def opened(self) -> None:
        """The lock is held. Raises PuiError: then nothing is installed."""

    def begins(self, pack_id: str, *, is_new: bool) -> None:
        """It will be unpacked (`is_new`) or only made active. Raises PuiError: then nothing is installed."""

    def refused(self, pack_id: str, error: BaseException) -> None:
        """It was not installed, all is as before."""

    def swapped(self, pack_id: str) -> None:
        """The slots name it."""

    def closes(self) -> None:
        """Packs that nobody needs are removed; the lock is given back after this."""

    def may_be_previous(self, pack_id: str) -> bool:
        """Whether the active pack, `pack_id`, is fit to be the way back."""
        return True


@dataclass(frozen=True)
class _Stage:
    """The folder of one install: the pack as it grows, and the new slot files."""

    folder: Path

    @property
    def pack(self) -> Path:
        return self.folder / "pack"

    @property
    def replaced(self) -> Path:
        return self.folder / "replaced"

    def draft(self, target: Path) -> Path:
        return self.folder / target.name

    def before(self, target: Path) -> Path:
        """A copy of the slot file as it was, ready to be renamed back: a full disk cannot prevent that."""
        return self.folder / f"{target.name}.before"


class PackInstaller:
    """Installs packs for one user. Safe against a second one, in this process or another."""

    def __init__(
        self,
        paths: AppPaths,
        app: AppFacts,
        *,
        ops: FileOps | None = None,
        lock_wait_s: float = LOCK_WAIT_S,
        witness: InstallWitness | None = None,
    ) -> None:
        self._paths = paths
        self._app = app
        self._witness = witness or InstallWitness()
        self._ops = ops or FileOps()
        self._lock_wait_s = lock_wait_s

    def install(
        self, source: PackSource, trust: TrustFolder, *, progress: Progress | None = None, allow_older: bool = False
    ) -> InstallResult:
        """The pack of `source`, verified, unpacked and made active.

        Raises SetupError (pack.*), DownloadError (fetch.*), HostError host.disk_full or .permission, CallerError;
        then the active pack is the same as before and nothing is left in the staging folder.
        """
        envelope = source.read_envelope()
        verified = self._verify(envelope, trust)
        with self._locked():
            cleaned = clean_staging(self._ops, self._paths)
            self._witness.opened()
            floors = {} if allow_older else installed_floors(self._paths)
            check_version_floor(verified.manifest, floors.get(verified.manifest.platform))
            was_there = self._is_sound(verified, trust)
            trouble: list[str] = []
            with (
                self._witnessed(verified.pack_id, is_new=not was_there),
                self._stage(verified.pack_id, trouble) as stage,
            ):
                if not was_there:
                    self._unpack(source, envelope, verified.manifest, stage, progress or _no_progress)
                self._swap_in(stage, verified, is_new=not was_there)
            removed = remove_unused(self._ops, self._paths, trouble)
            self._witness.closes()
        pack = InstalledPack(verified.pack_id, self._root(verified), verified.manifest, verified.signed_by)
        return InstallResult(pack, was_there, cleaned, removed, tuple(trouble))

    def check(self, source: PackSource, trust: TrustFolder, *, progress: Progress | None = None) -> VerifiedManifest:
        """Everything install() checks about the pack itself, without writing a byte. Raises as install() does."""
        verified = self._verify(source.read_envelope(), trust)
        with source.open_files(verified.manifest, progress or _no_progress) as events:
            for _ in events:
                pass
        return verified

    @contextmanager
    def _witnessed(self, pack_id: str, *, is_new: bool) -> Iterator[None]:
        self._witness.begins(pack_id, is_new=is_new)
        try:
            yield
        except BaseException as error:
            self._witness.refused(pack_id, error)
            raise
        self._witness.swapped(pack_id)

    def _verify(self, envelope: bytes, trust: TrustFolder) -> VerifiedManifest:
        try:
            verified = trust.verify(envelope)
        except SetupError as error:
            if trust.faults and error.code == "pack.untrusted":
                raise SetupError(error.code, error.message, detail="\n".join(trust.faults)) from error
            raise
        check_compatibility(verified.manifest, self._app)
        return verified

    @contextmanager
    def _locked(self) -> Iterator[None]:
        paths = self._paths
        for folder in (paths.data, paths.pack_dir, paths.packs_dir, paths.staging_dir):
            own_dir(folder)
        with mapped_os_errors(f"changing {paths.pack_dir}"), installer_lock(paths.install_lock, self._lock_wait_s):
            yield

    def _root(self, verified: VerifiedManifest) -> Path:
        return self._paths.packs_dir / verified.pack_id

    def _is_sound(self, verified: VerifiedManifest, trust: TrustFolder) -> bool:
        root = self._root(verified)
        if not root.exists():
            return False
        try:
            check_pack(root, trust, self._app, full=True)
        except SetupError:
            return False  # damaged: the install puts a good one in its place
        return True

    @contextmanager
    def _stage(self, pack_id: str, trouble: list[str]) -> Iterator[_Stage]:
        """A fresh staging folder; gone afterwards, whatever happens (after SIGKILL: by the next start)."""
        name = f"{pack_id}.{secrets.token_hex(4)}"
        with opened_folder(self._paths.staging_dir) as staging:
            try:
                self._ops.make_folder(name, staging, 0o700)
                yield _Stage(self._paths.staging_dir / name)
            finally:
                # An error of the install itself is the one to report, and a swap that was made stays made.
                try:
                    remove_tree(self._ops, name, staging)
                except OSError as error:
                    trouble.append(f"{self._paths.staging_dir / name} could not be removed: {error.strerror}")

    def _unpack(
        self, source: PackSource, envelope: bytes, manifest: Manifest, stage: _Stage, progress: Progress
    ) -> None:
        self._check_space(manifest)
        with opened_folder(stage.folder) as at:
            self._ops.make_folder(stage.pack.name, at)
        with source.open_files(manifest, progress) as events, TreeWriter(self._ops, stage.pack) as writer:
            for event in events:
                writer.take(event)
        self._record(stage.pack, envelope, manifest)

    def _check_space(self, manifest: Manifest) -> None:
        needed = manifest.total_size_bytes + _BYTES_PER_FILE * len(manifest.files) + _SPARE_BYTES
        free = self._ops.free_bytes(self._paths.pack_dir)
        if free < needed:
            raise HostError(
                "host.disk_full",
                f"the pack needs {needed >> 20} MiB in {self._paths.pack_dir}, {free >> 20} MiB are free",
            )

    def _record(self, root: Path, envelope: bytes, manifest: Manifest) -> None:
        """Compares what was written with the manifest once more, and keeps its stats for the check at each launch."""
        found = scan_tree(root)
        faults = check_tree(manifest, found, {}, found[""].owner).faults
        if faults:
            raise HostError("host.permission", f"the file system did not keep what was written: {faults[0]}")
        with opened_folder(root) as at:
            self._ops.make_folder(RESERVED_FOLDER, at)
            self._ops.sync(at)
        with opened_folder(root / RESERVED_FOLDER) as at:
            write_new_file(self._ops, Path(ENVELOPE).name, at, envelope)
            write_new_file(self._ops, Path(RECORDED_STATS).name, at, render_stats(found))
            self._ops.sync(at)

    def _swap_in(self, stage: _Stage, verified: VerifiedManifest, *, is_new: bool) -> None:
        """From here on nothing is written any more, only renamed; every file that is renamed is durable."""
        targets = self._draft_slots(stage, verified)
        with _interrupt_later():
            try:
                if is_new:
                    self._place(stage, self._root(verified))
                for target in targets:
                    self._ops.rename(stage.draft(target), target)
                sync_folder(self._ops, self._paths.pack_dir)
            except BaseException:
                self._swap_back(stage, verified, targets)
                raise

    def _draft_slots(self, stage: _Stage, verified: VerifiedManifest) -> list[Path]:
        """The slot files that change, in the order of their renames. `active` is the moment of the swap. The floor
        comes after it: raised before, it would make an update after a crash think that the pack had been there."""
        paths, manifest = self._paths, verified.manifest
        floors = dict(self._known_floors())
        floors[manifest.platform] = max(manifest.pack_version, floors.get(manifest.platform, 0))
        drafts: dict[Path, bytes] = {}
        active = self._known_active()
        if active not in (None, verified.pack_id) and self._witness.may_be_previous(str(active)):
            drafts[paths.previous_pack] = render_slot(str(active))
        drafts[paths.active_pack] = render_slot(verified.pack_id)
        drafts[paths.version_floor] = render_floors(floors)
        with opened_folder(stage.folder) as at:
            for target, data in drafts.items():
                if target.is_file() and target.stat().st_size <= LIMIT_BYTES:
                    write_new_file(self._ops, stage.before(target).name, at, target.read_bytes())
                write_new_file(self._ops, stage.draft(target).name, at, data)
        return list(drafts)

    def _known_floors(self) -> dict[str, int]:
        try:
            return dict(installed_floors(self._paths))
        except SetupError:  # only reached with allow_older: the person insists, so the unreadable file is replaced
            return {}

    def _known_active(self) -> str | None:
        try:
            return read_slot(self._paths.active_pack)
        except SetupError:
            return None  # unreadable: this install mends it

    def _place(self, stage: _Stage, root: Path) -> None:
        if root.exists():
            with pack_removal(root):
                self._ops.rename(root, stage.replaced)
        self._ops.rename(stage.pack, root)
        sync_folder(self._ops, root.parent)

    def _swap_back(self, stage: _Stage, verified: VerifiedManifest, targets: Sequence[Path]) -> None:
        """A step failed: the slots say again what they said, the new pack goes back into the staging folder.

        Renames by os and not by FileOps: a test that fails every step would forbid the way back as well.
        """
        for target in targets:
            if stage.draft(target).exists():
                continue  # it was not renamed
            if stage.before(target).exists():
                stage.before(target).replace(target)
            else:
                target.unlink(missing_ok=True)
        root = self._root(verified)
        if not stage.pack.exists() and self._known_active() != verified.pack_id and root.exists():
            root.replace(stage.pack)
        if stage.replaced.exists() and not root.exists():
            stage.replaced.replace(root)


def _no_progress(done_bytes: int, total_bytes: int) -> None:
    """Nobody looks."""


@contextmanager
def _interrupt_later() -> Iterator[None]:
    """Ctrl-C waits until the renames are done; it would find neither the old nor the new state complete."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
