"""The installed packs of one user: which is active, is it sound, list, verify, remove.

In: the app's folders and facts. Out: InstalledPack, listings, or PuiErrors by name (implements ports.PackStore).
Never: an install (install.py), a pack that is handed out unchecked.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pui.adapters.packs.check import check_ancestors, check_pack, read_verified, scan_tree
from pui.adapters.packs.cleaning import clean_staging, remove_pack
from pui.adapters.packs.file_ops import FileOps, mapped_os_errors, opened_folder, write_new_file
from pui.adapters.packs.keys import TrustFolder, load_trust
from pui.adapters.packs.locks import installer_lock, pack_use
from pui.adapters.packs.slots import is_pack_id, read_slot
from pui.adapters.paths import AppPaths
from pui.domain.errors import CallerError, PuiError, SetupError
from pui.domain.manifest import Manifest
from pui.domain.pack_check import ENVELOPE, RECORDED_STATS, render_stats
from pui.domain.trust import AppFacts
from pui.ports import InstalledPack

_LOCK_WAIT_S = 10.0


@dataclass(frozen=True)
class PackListing:
    """One installed pack. `slot` is "active", "previous" or ""; `manifest` is None when `problem` says why."""

    pack_id: str
    slot: str
    manifest: Manifest | None
    signed_by: str
    problem: PuiError | None


class InstalledPacks:
    """All packs below `paths.packs_dir`."""

    def __init__(self, paths: AppPaths, app: AppFacts, *, ops: FileOps | None = None) -> None:
        self._paths = paths
        self._app = app
        self._ops = ops or FileOps()

    def active(self) -> InstalledPack:
        """The active pack after the check at launch (see ports.PackStore). Writes nothing, takes no lock."""
        pack_id = read_slot(self._paths.active_pack)
        if pack_id is None:
            raise SetupError("pack.missing", "no runtime pack is installed")
        return self.check(pack_id, full=False)

    def verify(self, pack_id: str | None = None) -> InstalledPack:
        """Like active(), for any installed pack, with the SHA-256 of every file. What is sound again after a copy of
        the whole home folder gets a new record, so that the next launch is fast.

        Raises SetupError pack.*, CallerError caller.bad_request for an id that is none.
        """
        chosen = pack_id or read_slot(self._paths.active_pack)
        if chosen is None:
            raise SetupError("pack.missing", "no runtime pack is installed")
        check_pack_id(chosen)
        pack = self.check(chosen, full=True)
        if self._record_is_stale(pack.pack_id):
            with self._locked():
                self.renew_record(pack.pack_id)
        return pack

    def list(self) -> tuple[PackListing, ...]:
        """Every installed pack, with a quick look at its envelope only."""
        with mapped_os_errors(f"listing {self._paths.packs_dir}"):
            if not self._paths.packs_dir.exists():
                return ()
            names = sorted(path.name for path in self._paths.packs_dir.iterdir())
        trust = load_trust(self._paths.trust_dir)
        return tuple(self._listing(name, trust) for name in names)

    def remove(self, pack_id: str, *, force: bool = False) -> None:
        """Raises CallerError (no id, or the active pack without `force`), SetupError pack.missing, pack.in_use."""
        check_pack_id(pack_id)
        if not (self._paths.packs_dir / pack_id).is_dir():
            raise SetupError("pack.missing", f"pack {pack_id} is not installed")
        with self._locked():
            self._check_removable(pack_id, force=force)
            with mapped_os_errors(f"removing pack {pack_id}"):
                remove_pack(self._ops, self._paths, pack_id)
                for slot in (self._paths.active_pack, self._paths.previous_pack):
                    if read_slot(slot) == pack_id:
                        slot.unlink()

    def hold(self, pack_id: str) -> AbstractContextManager[None]:
        """While it is entered, no process can remove the pack. For a task, from launch to teardown.

        Entering raises SetupError pack.missing, pack.in_use.
        """
        check_pack_id(pack_id)
        return pack_use(self._paths.packs_dir / pack_id)

    def clean(self) -> tuple[str, ...]:
        """At start: removes what an installer that died had left, returns the names. Does nothing while one lives."""
        if not self._paths.staging_dir.exists() or not any(self._paths.staging_dir.iterdir()):
            return ()
        try:
            with self._locked(wait_s=0.0), mapped_os_errors(f"cleaning {self._paths.staging_dir}"):
                return clean_staging(self._ops, self._paths)
        except SetupError:  # pack.in_use: its owner lives and will clean up itself
            return ()

    def disk_use_bytes(self) -> int:
        """What all packs and what is on its way in take up, in whole blocks. Raises HostError."""
        with mapped_os_errors(f"measuring {self._paths.pack_dir}"):
            return sum(_disk_use(path) for path in (self._paths.packs_dir, self._paths.staging_dir) if path.exists())

    def check(self, pack_id: str, *, full: bool) -> InstalledPack:
        """The pack after the check at launch, or of every byte. Writes nothing. Raises SetupError pack.*."""
        paths = self._paths
        check_ancestors((paths.data, paths.pack_dir, paths.packs_dir))
        return check_pack(paths.packs_dir / pack_id, load_trust(paths.trust_dir), self._app, full=full)

    def _listing(self, name: str, trust: TrustFolder) -> PackListing:
        slot = self._slot_of(name)
        try:
            verified = read_verified(self._paths.packs_dir / name, trust)
        except PuiError as error:
            return PackListing(name, slot, None, "", error)
        return PackListing(name, slot, verified.manifest, verified.signed_by, None)

    def _slot_of(self, pack_id: str) -> str:
        for label, path in (("active", self._paths.active_pack), ("previous", self._paths.previous_pack)):
            try:
                if read_slot(path) == pack_id:
                    return label
            except SetupError:
                continue  # an unreadable slot names no pack; active() tells
        return ""

    def _check_removable(self, pack_id: str, *, force: bool) -> None:
        if self._slot_of(pack_id) == "active" and not force:
            raise CallerError(
                "caller.rejected", f"{pack_id} is the active pack", hint="Insist with `pui pack remove --force`."
            )

    @contextmanager
    def _locked(self, wait_s: float = _LOCK_WAIT_S) -> Iterator[None]:
        lock = self._paths.install_lock
        with mapped_os_errors(f"locking {lock}"), installer_lock(lock, wait_s):
            yield

    def _record_is_stale(self, pack_id: str) -> bool:
        record, data = self._record(pack_id)
        with mapped_os_errors(f"reading {record}"):
            return not record.exists() or record.read_bytes() != data

    def _record(self, pack_id: str) -> tuple[Path, bytes]:
        """Where the record of a pack is, and what it would hold now."""
        root = self._paths.packs_dir / pack_id
        with mapped_os_errors(f"looking at {root}"):
            found = scan_tree(root)
        own = frozenset((ENVELOPE, RECORDED_STATS))
        return root / RECORDED_STATS, render_stats({path: entry for path, entry in found.items() if path not in own})

    def renew_record(self, pack_id: str) -> None:
        """Records what the files of a pack look like now that every byte of them was proven. The caller holds the
        installer's lock. Raises HostError."""
        record, data = self._record(pack_id)
        with mapped_os_errors(f"renewing {record}"):
            if record.exists() and record.read_bytes() == data:
                return
            name = f"record.{secrets.token_hex(4)}"
            with opened_folder(self._paths.staging_dir) as at:
                write_new_file(self._ops, name, at, data)
            self._ops.rename(self._paths.staging_dir / name, record)


def _disk_use(folder: Path) -> int:
    found = [path.lstat() for path in folder.rglob("*")]
    return sum(entry.st_blocks for entry in found) * 512


def check_pack_id(pack_id: str) -> None:
    """Raises CallerError caller.bad_request for a text that cannot be a pack's id."""
    if not is_pack_id(pack_id):
        raise CallerError(
            "caller.bad_request", f"{ascii(pack_id)[:80]} is not the id of a pack", hint="`pui pack list`"
        )
