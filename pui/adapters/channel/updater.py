"""Asks a channel for the newest pack of this computer, fetches it, hands it to the ordinary installer.

In: the app's folders, a channel's address, the time. Out: an Offer, a downloaded pack, an installed pack.
Never: a pack that the channel's release keys did not sign, a state older than one seen before, a change to what runs
when the channel is out of date or lies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pui.adapters.channel.download import Downloader, Wanted, digest_of
from pui.adapters.channel.trust_root import keep_root, trusted_root
from pui.adapters.channel.tuf_client import ChannelIndex
from pui.adapters.packs.archive import Progress
from pui.adapters.packs.file_ops import FileOps, mapped_os_errors, opened_folder, read_file, remove_tree
from pui.adapters.packs.keys import TrustFolder, load_trust, remove_drafts, write_private_file
from pui.adapters.packs.locks import installer_lock
from pui.adapters.packs.slots import read_floors
from pui.adapters.packs.source import ENVELOPE_SUFFIX, FileSource
from pui.adapters.packs.web import Web, checked_url
from pui.adapters.paths import AppPaths, own_dir
from pui.domain.channel import (
    MAX_NEWEST_BYTES,
    MAX_STATE_BYTES,
    ChannelState,
    Newest,
    check_clock,
    check_issued,
    check_seen,
    newest_path,
    parse_newest,
    parse_state,
    render_state,
    root_issued,
)
from pui.domain.errors import SetupError
from pui.domain.trust import MAX_ENVELOPE_BYTES, AppFacts, KeyGroup, VerifiedManifest, check_compatibility

_LOCK_WAIT_S = 1.0


@dataclass(frozen=True)
class Offer:
    """The newest pack of a channel for this computer. `is_newer` than every version ever installed here. `cleaned` are
    the names of what a check that died had left."""

    verified: VerifiedManifest
    envelope: bytes
    archive: Wanted
    is_newer: bool
    issued: datetime | None
    cleaned: tuple[str, ...] = ()


class ChannelUpdater:
    """One channel. `clock` gives UTC; it is compared with floors only, timers are monotonic."""

    def __init__(
        self,
        paths: AppPaths,
        app: AppFacts,
        address: str,
        *,
        web: Web | None = None,
        downloader: Downloader | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        ops: FileOps | None = None,
    ) -> None:
        """Raises CallerError caller.bad_request for an address that pui does not fetch from."""
        self._paths = paths
        self._app = app
        self._base = checked_url(address)
        self._web = web or Web()
        self._ops = ops or FileOps()
        self._downloader = downloader or Downloader(self._web, ops=self._ops)
        self._clock = clock

    def check(self) -> Offer:
        """What the channel offers, every signature verified. Writes metadata and floors only.

        Raises SetupError index.*, pack.*, DownloadError fetch.*, HostError.
        """
        with self._locked():
            cleaned = self._remove_drafts()
            root, state, now = trusted_root(self._paths), self._state(), self._clock()
            check_clock(now, state.issued, root_issued(root))
            index = ChannelIndex(self._base, self._cache("index"), self._web)
            try:
                index.refresh(root)
            finally:
                self._keep_root(index)
            issued = index.issued()
            check_issued(issued, now, state)
            trust = self.release_trust()
            keys = trust.release or KeyGroup(())
            newest = parse_newest(index.read(newest_path(self._app.platform), MAX_NEWEST_BYTES), self._app.platform)
            check_seen(newest, state, keys)
            offer = self._offer(index, newest, trust, issued)
            self._remember(state.after(newest.platform, newest.pack_version, keys, issued))
        return replace(offer, cleaned=cleaned)

    def download(
        self,
        offer: Offer,
        *,
        progress: Progress = lambda done, total: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> FileSource:
        """The two files of the offered pack, complete and proven; parts of other packs are removed.

        Raises DownloadError fetch.*, HostError, SetupError pack.in_use while another process downloads.
        """
        with self._locked():
            folder = self._cache("packs") / offer.verified.pack_id
            with mapped_os_errors(f"writing {folder}"):
                self._remove_others(folder)
                own_dir(folder)
                archive = folder / offer.verified.manifest.payload.name
                if not self._is_there(archive, offer.archive):
                    self._downloader.download(offer.archive, archive, progress=progress, cancelled=cancelled)
                stem = archive.name.removesuffix(".tar.zst")
                write_private_file(folder / f"{stem}{ENVELOPE_SUFFIX}", offer.envelope, ops=self._ops)
        return FileSource(archive)

    def forget_download(self, offer: Offer) -> None:
        """After the installation, or when the files turned out wrong. Raises HostError."""
        doing = "removing a downloaded pack"
        with self._locked(), mapped_os_errors(doing), opened_folder(self._cache("packs")) as at:
            remove_tree(self._ops, offer.verified.pack_id, at)

    def release_trust(self) -> TrustFolder:
        """Trust in the channel's release keys and in nobody else: a development key cannot vouch for an update."""
        found = load_trust(self._paths.trust_dir)
        return TrustFolder((), found.faults, found.release)

    def _offer(self, index: ChannelIndex, newest: Newest, trust: TrustFolder, issued: datetime | None) -> Offer:
        envelope = index.read(newest.envelope, MAX_ENVELOPE_BYTES)
        verified = trust.verify(envelope)
        manifest = verified.manifest
        if (manifest.platform, manifest.pack_version) != (newest.platform, newest.pack_version):
            raise SetupError("index.mismatch", f"{newest.envelope} is for {manifest.platform} {manifest.pack_version}")
        check_compatibility(manifest, self._app)
        archive = Wanted(*index.target(manifest.payload.name))
        if (archive.size_bytes, archive.sha256) != (manifest.payload.size_bytes, manifest.payload.sha256):
            raise SetupError("index.mismatch", f"index and envelope disagree on {manifest.payload.name}")
        floor = read_floors(self._paths.version_floor).get(manifest.platform, 0)
        return Offer(verified, envelope, archive, manifest.pack_version > floor, issued)

    def _keep_root(self, index: ChannelIndex) -> None:
        root = index.verified_root()
        if root is not None:
            keep_root(self._paths, root, self._ops)

    def _remove_drafts(self) -> tuple[str, ...]:
        paths, ops = self._paths, self._ops
        with mapped_os_errors(f"cleaning {paths.data}"):
            return (
                *remove_drafts(paths.data, ops, paths.channel_state.name),
                *remove_drafts(paths.trust_dir, ops, paths.trust_root.name),
                *remove_drafts(paths.root_history, ops),
            )

    def _state(self) -> ChannelState:
        path = self._paths.channel_state
        with mapped_os_errors(f"reading {path}"):
            try:
                return parse_state(read_file(path, MAX_STATE_BYTES))
            except FileNotFoundError:
                return ChannelState()
            except SetupError as error:
                hint = f"Remove {path} to forget what was seen, then check again."
                raise SetupError(error.code, f"{path}: {error.message}", hint=hint) from error

    def _remember(self, state: ChannelState) -> None:
        write_private_file(self._paths.channel_state, render_state(state), ops=self._ops)

    def _cache(self, part: str) -> Path:
        """A folder of this channel in the cache, which only this user writes."""
        name = hashlib.sha256(str(self._base).encode()).hexdigest()[:16]
        folder = self._paths.channel_cache
        for step in (folder, folder / name, folder / name / part):
            own_dir(step)
        return folder / name / part

    @staticmethod
    def _is_there(archive: Path, wanted: Wanted) -> bool:
        if archive.is_symlink() or not archive.is_file() or archive.stat().st_size != wanted.size_bytes:
            return False
        return digest_of(archive) == wanted.sha256

    def _remove_others(self, folder: Path) -> None:
        others = [path.name for path in folder.parent.iterdir() if path != folder]
        with opened_folder(folder.parent) as at:
            for name in others:
                remove_tree(self._ops, name, at)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        own_dir(self._paths.data)
        lock = self._paths.channel_lock
        with mapped_os_errors(f"locking {lock}"), installer_lock(lock, _LOCK_WAIT_S):
            yield
