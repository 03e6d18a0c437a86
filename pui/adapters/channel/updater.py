"""Asks a channel for the newest pack of this computer, fetches it, hands it to the ordinary installer.

In: the app's folders, a channel's address, the time. Out: an Offer, a downloaded pack, an installed pack.
Never: a pack that the channel's release keys did not sign, a state older than one seen before, a change to what runs
when the channel is out of date or lies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx

from pui.adapters.channel.download import Downloader, Wanted, digest_of
from pui.adapters.channel.parts_fetch import GOES_ON, PartsFetch, PartsWanted, held_files
from pui.adapters.channel.repair_source import RepairSource
from pui.adapters.channel.trust_root import keep_root, trusted_root
from pui.adapters.channel.tuf_client import ChannelIndex
from pui.adapters.packs.archive import Progress
from pui.adapters.packs.file_ops import FileOps, mapped_os_errors, opened_folder, read_file, remove_tree
from pui.adapters.packs.keys import TrustFolder, load_trust, remove_drafts, write_private_file
from pui.adapters.packs.locks import installer_lock
from pui.adapters.packs.slots import installed_floors, raise_floor, read_floors
from pui.adapters.packs.source import FileSource, PackSource
from pui.adapters.packs.web import Web, checked_url
from pui.adapters.paths import AppPaths, own_dir
from pui.domain.channel import (
    MAX_NEWEST_BYTES,
    MAX_STATE_BYTES,
    ChannelState,
    Newest,
    archive_name,
    check_clock,
    check_floor,
    check_issued,
    check_seen,
    envelope_path,
    newest_path,
    parse_newest,
    parse_state,
    parts_path,
    render_state,
    root_issued,
)
from pui.domain.errors import DownloadError, SetupError
from pui.domain.manifest import ManifestFile
from pui.domain.pack_parts import MAX_LIST_BYTES, Part, helps, parse_parts, plan_delta
from pui.domain.trust import MAX_ENVELOPE_BYTES, AppFacts, KeyGroup, VerifiedManifest, check_compatibility

_LOCK_WAIT_S = 1.0


@dataclass(frozen=True)
class Offer:
    """The newest pack of a channel for this computer. `is_newer` than every version ever installed here.

    `parts`: its files one by one, when they spare bytes over the archive; `delta_bytes` then are left to fetch.
    `cleaned` are the names of what a check that died had left.
    """

    verified: VerifiedManifest
    envelope: bytes
    archive: Wanted
    is_newer: bool
    issued: datetime | None
    targets: httpx.URL
    cleaned: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    delta_bytes: int | None = None

    @property
    def download_bytes(self) -> int:
        """What has to be fetched, if nothing that is installed here turns out to be damaged."""
        return self.archive.size_bytes if self.delta_bytes is None else self.delta_bytes


@dataclass(frozen=True)
class _View:
    """A channel whose metadata was verified just now."""

    index: ChannelIndex
    newest: Newest
    trust: TrustFolder
    issued: datetime | None
    cleaned: tuple[str, ...]


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
        tell: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        """`tell` gets a sentence when a whole archive has to be fetched where parts were to do.

        Raises CallerError caller.bad_request for an address that pui does not fetch from.
        """
        self._paths = paths
        self._app = app
        self._base = checked_url(address)
        self._web = web or Web()
        self._ops = ops or FileOps()
        self._downloader = downloader or Downloader(self._web, ops=self._ops)
        self._clock = clock
        self._tell = tell

    def check(self) -> Offer:
        """What the channel offers, every signature verified. Writes metadata and floors only.

        Raises SetupError index.*, pack.*, DownloadError fetch.*, HostError.
        """
        with self._viewed() as view:
            return self._with_parts(view, self._offer(view, view.newest.envelope))

    def download(
        self,
        offer: Offer,
        *,
        progress: Progress = lambda done, total: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> PackSource:
        """The offered pack, complete and proven: its archive, or its parts beside what is installed; what was fetched
        of other packs is removed.

        Raises DownloadError fetch.*, HostError, SetupError pack.in_use while another process downloads.
        """
        return self._bring(offer, offer.verified.manifest.files, progress, cancelled)

    def installed_pack(self, pack_id: str) -> PackSource:
        """The pack of this id for a repair: only what the repair asks for is fetched.

        Raises SetupError index.mismatch when the channel no longer has it, and as check() does.
        """
        with self._viewed() as view:
            offer = self._offer_of(view, pack_id)
            parts = self._parts(view.index, offer)

        def bring(files: Sequence[ManifestFile], progress: Progress) -> PackSource:
            return self._bring(replace(offer, parts=parts), files, progress, lambda: False)

        return RepairSource(offer.verified.manifest.payload.name, offer.envelope, bring)

    def forget_download(self, offer: Offer) -> None:
        """After the installation, or when the files turned out wrong. Raises HostError."""
        self.forget_pack(offer.verified.pack_id)

    def forget_pack(self, pack_id: str) -> None:
        """The same, after a repair of an installed pack."""
        doing = "removing a downloaded pack"
        with self._locked(), mapped_os_errors(doing), opened_folder(self._cache("packs")) as at:
            remove_tree(self._ops, pack_id, at)

    def release_trust(self) -> TrustFolder:
        """Trust in the channel's release keys and in nobody else: a development key cannot vouch for an update."""
        found = load_trust(self._paths.trust_dir)
        return TrustFolder((), found.faults, found.release)

    @contextmanager
    def _viewed(self) -> Iterator[_View]:
        """The index, refreshed and verified; what was seen is remembered if all that is done with it goes well."""
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
            floor = index.security_floors().get(newest.platform, 0)
            check_floor(floor, newest)
            yield _View(index, newest, trust, issued, cleaned)
            self._raise_floor(floor)
            self._remember(state.after(newest.platform, newest.pack_version, keys, issued))

    def _offer(self, view: _View, name: str) -> Offer:
        """The pack whose envelope is the target `name`."""
        envelope = view.index.read(name, MAX_ENVELOPE_BYTES)
        verified = view.trust.verify(envelope)
        manifest, newest = verified.manifest, view.newest
        is_other = name == newest.envelope and manifest.pack_version != newest.pack_version
        if manifest.platform != newest.platform or is_other:
            raise SetupError("index.mismatch", f"{name} is for {manifest.platform} {manifest.pack_version}")
        check_compatibility(manifest, self._app)
        archive = Wanted(*view.index.target(manifest.payload.name))
        if (archive.size_bytes, archive.sha256) != (manifest.payload.size_bytes, manifest.payload.sha256):
            raise SetupError("index.mismatch", f"index and envelope disagree on {manifest.payload.name}")
        floor = installed_floors(self._paths).get(manifest.platform, 0)
        is_newer = manifest.pack_version > floor
        return Offer(verified, envelope, archive, is_newer, view.issued, view.index.targets, view.cleaned)

    def _offer_of(self, view: _View, pack_id: str) -> Offer:
        for name in (envelope_path(archive_name(pack_id)), view.newest.envelope):
            if view.index.lists(name):
                offer = self._offer(view, name)
                if offer.verified.pack_id == pack_id:
                    return offer
        hint = "Install its newest instead: pui pack update. Or repair from a file of the same pack."
        raise SetupError("index.mismatch", f"the channel does not have pack {pack_id} (any more)", hint=hint)

    def _with_parts(self, view: _View, offer: Offer) -> Offer:
        """The list of parts is fetched only where it can help: when another pack is installed."""
        held = held_files(self._paths) if offer.is_newer else {}
        parts = self._parts(view.index, offer) if held else ()
        plan = plan_delta(offer.verified.manifest.files, parts, held) if parts else None
        if plan is None or not helps(plan, offer.verified.manifest):
            return offer
        return replace(offer, parts=parts, delta_bytes=plan.download_bytes)

    def _parts(self, index: ChannelIndex, offer: Offer) -> tuple[Part, ...]:
        """Empty when the channel was published without, or its list cannot be used: that is no reason not to update."""
        name = parts_path(offer.verified.manifest.payload.name)
        try:
            return parse_parts(index.read(name, MAX_LIST_BYTES)) if index.lists(name) else ()
        except (DownloadError, SetupError) as error:
            if error.code in GOES_ON:
                raise
            self._tell(f"the list of the pack's parts is no good ({error.code}: {error.message})")
            return ()

    def _bring(
        self, offer: Offer, files: Sequence[ManifestFile], progress: Progress, cancelled: Callable[[], bool]
    ) -> PackSource:
        manifest = offer.verified.manifest
        with self._locked():
            folder = self._cache("packs") / offer.verified.pack_id
            archive = folder / manifest.payload.name
            with mapped_os_errors(f"writing {folder}"):
                self._remove_others(folder)
                own_dir(folder)
                is_there = self._is_there(archive, offer.archive)
                if offer.parts and not is_there:
                    wanted = PartsWanted(str(archive), offer.envelope, manifest, files, offer.parts, offer.targets)
                    fetch = PartsFetch(self._downloader, folder / "parts", self._tell)
                    source = fetch.source(wanted, held_files(self._paths), progress, cancelled)
                    if source is not None:
                        return source
                if not is_there:
                    self._downloader.download(offer.archive, archive, progress=progress, cancelled=cancelled)
                write_private_file(folder / envelope_path(archive.name), offer.envelope, ops=self._ops)
        return FileSource(archive)

    def _raise_floor(self, floor: int) -> None:
        """The channel knows of holes in earlier packs. Raises SetupError pack.in_use while packs are being changed."""
        paths = self._paths
        if floor <= read_floors(paths.security_floor).get(self._app.platform, 0):
            return
        for folder in (paths.data, paths.pack_dir, paths.staging_dir):
            own_dir(folder)
        with mapped_os_errors("raising the security floor"), installer_lock(paths.install_lock, _LOCK_WAIT_S):
            raise_floor(self._ops, paths, self._app.platform, floor)
        self._tell(f"packs before version {floor} have known holes, says the channel: nobody goes back to one unasked")

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
