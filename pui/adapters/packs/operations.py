"""The acts on packs that the window and the command line share: update, install, build, repair, verify, go back, clean.

In: the app's folders, settings, where the channel is, a builder. Out: what was done; progress as steps (implements
ports.PackWork). Never: a check of its own (trust, install, life do that), an act on a data folder that was moved away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pui.adapters.data_dir import check_not_moved
from pui.adapters.packs.archive import Progress
from pui.adapters.packs.install import InstallResult
from pui.adapters.packs.keys import TrustFolder, channel_trust, load_trust, trust_development_key
from pui.adapters.packs.life import PackLife
from pui.adapters.packs.repair import RepairResult
from pui.adapters.packs.slots import read_slot
from pui.adapters.packs.source import ARCHIVE_SUFFIX, ENVELOPE_SUFFIX, FileSource, PackSource
from pui.adapters.packs.store import PackListing
from pui.adapters.paths import AppPaths, own_dir
from pui.domain.channel_root import OfferedRoot, fingerprint
from pui.domain.errors import CallerError, HostError, PuiError, SetupError
from pui.domain.pack_job import Phase, Step
from pui.domain.pack_life import PackView
from pui.domain.packs_view import ListedPack, StoreFacts
from pui.domain.trust import AppFacts
from pui.domain.update_policy import KnownOffer
from pui.ports.upkeep import JobResult, SettingsStore, StepReport

if TYPE_CHECKING:
    from pui.adapters.channel.updater import ChannelUpdater, Offer
    from pui.adapters.packs.floor_rate import CheckStopped
    from pui.adapters.packs.web import Web

BUNDLE_SUFFIX = ".pui-bundle"
FILE_SUFFIXES = (BUNDLE_SUFFIX, ARCHIVE_SUFFIX, ENVELOPE_SUFFIX)


class Builder:
    """Makes packs on this computer; compose.py knows the real one."""

    def is_possible(self) -> bool:
        """Whether the tools for it are here."""
        return False

    def build(self, report: StepReport) -> Path:
        """The archive, beside its envelope, signed by this computer's own key. Raises PuiError("pack.build")."""
        raise CallerError("caller.rejected", "this pui cannot build packs")


@dataclass(frozen=True)
class Surroundings:
    """`channel` gives the address ("" for none) when asked; `shipped_root` is the root that came with the app."""

    channel: Callable[[], str]
    shipped_root: bytes | None = None
    web: Web | None = None


class PackOperations:
    """The packs of one user."""

    def __init__(
        self,
        paths: AppPaths,
        app: AppFacts,
        life: PackLife,
        settings: SettingsStore,
        around: Surroundings,
        builder: Builder | None = None,
    ) -> None:
        self.life = life
        self._paths = paths
        self._app = app
        self._settings = settings
        self._around = around
        self._builder = builder or Builder()

    # ports.PackWork

    def facts(self) -> StoreFacts:
        """See ports.PackWork. Raises SetupError data.moved too."""
        check_not_moved(self._paths)
        packs = tuple(_listed(pack) for pack in self.life.store.list())
        trust = channel_trust(self._paths.trust_dir, self._around.shipped_root)
        return StoreFacts(packs, self.life.view(), self.life.store.disk_use_bytes(), trust)

    def can_build(self) -> bool:
        return self._builder.is_possible()

    def channel(self) -> str:
        return self._around.channel()

    def check(self) -> KnownOffer | None:
        """See ports.PackWork."""
        offer = self.updater().check()
        return known_offer(offer) if offer.is_newer else None

    def read_root(self, file: Path) -> OfferedRoot:
        """See ports.PackWork."""
        from pui.adapters.channel.trust_root import offered_root  # with python-tuf

        check_not_moved(self._paths)
        return offered_root(self._paths, file)

    def trust_root(self, root: bytes, told: str) -> None:
        """See ports.PackWork."""
        from pui.adapters.channel.trust_root import install_root

        check_not_moved(self._paths)
        install_root(self._paths, root, told, replace=True)

    def update(self, report: StepReport) -> JobResult:
        """See ports.PackWork. Where no pack is active, the newest one is installed even if it was there before."""
        report(Step("checking"))
        updater = self.updater(lambda sentence: report(Step("downloading", note=sentence)), report.check)
        offer = updater.check()
        if not offer.is_newer and self.life.slots().active is not None:
            return JobResult("nothing newer is there")
        return self._installed(self.install_offer(updater, offer, report))

    def build(self, report: StepReport) -> JobResult:
        """See ports.PackWork."""
        check_not_moved(self._paths)
        own_dir(self._paths.data)  # before anything in it is made: with a lax umask the key's folder would be writable
        archive = self._builder.build(report)
        trust_development_key(self._paths.dev_key, self._paths.trust_dir)
        return self._installed(self.install(FileSource(archive), load_trust(self._paths.trust_dir), report))

    def install_file(self, file: Path, report: StepReport) -> JobResult:
        """See ports.PackWork."""
        if not file.name.endswith(FILE_SUFFIXES):
            raise CallerError("caller.bad_request", f"{file.name} is no pack: those end in {', '.join(FILE_SUFFIXES)}")
        if file.name.endswith(BUNDLE_SUFFIX):
            return self._installed(self.install_bundle(file, report))
        return self._installed(self.install(FileSource(file), load_trust(self._paths.trust_dir), report))

    def repair(self, report: StepReport) -> JobResult:
        """See ports.PackWork: from a pack that was built here, else from the channel."""
        pack_id = self._active_id()
        report(Step("repairing", note=f"looking for what is broken of {pack_id}"))
        done = self._repair_from_build(pack_id, report) or self.repair_from_channel(pack_id, report)
        pack = self.life.store.check(pack_id, full=False)
        words = f"{len(done.mended)} file(s) written anew, {len(done.removed)} removed"
        return JobResult(words, pack if self.judged(pack_id).state == "trial" else None)

    def verify(self, report: StepReport) -> JobResult:
        """See ports.PackWork."""
        report(Step("verifying"))
        pack = self.life.verify()
        return JobResult(f"{pack.pack_id} is sound: {len(pack.manifest.files)} files as signed by {pack.signed_by}")

    def roll_back(self, words: str | None, report: StepReport) -> JobResult:
        """See ports.PackWork."""
        check_not_moved(self._paths)
        report(Step("switching"))
        now, left = self.life.roll_back(words)
        return JobResult(f"tasks start from {now} again; {left} was left")

    def clean(self, report: StepReport) -> JobResult:
        """See ports.PackWork."""
        check_not_moved(self._paths)
        report(Step("cleaning"))
        cleaned = self.life.clean()
        freed = f"{cleaned.freed_bytes / 2**20:.0f} MiB are free again"
        return JobResult("; ".join([freed, *(f"kept: {why}" for why in cleaned.trouble)]))

    def to_try(self, report: StepReport) -> JobResult:
        """See ports.PackWork."""
        report(Step("trying"))
        return JobResult(to_boot=self.life.store.check(self.id_to_try(), full=False))

    def judged(self, pack_id: str) -> PackView:
        return self.life.view().of(pack_id)

    # what the command line adds its own words to

    def updater(
        self, tell: Callable[[str], None] = lambda sentence: None, check_stopped: CheckStopped = lambda: None
    ) -> ChannelUpdater:
        """For the channel that is named; see ChannelUpdater for `tell`, Web for `check_stopped`.

        Raises CallerError when no channel is named.
        """
        from pui.adapters.channel.updater import ChannelUpdater  # with python-tuf: 80 ms that most starts do not need

        check_not_moved(self._paths)
        address = self.channel()
        if not address:
            raise CallerError(
                "caller.bad_request",
                "no channel is named",
                hint="In the window: Settings, Runtime, «Set…»; in a terminal: `pui settings set channel URL`, or for "
                "one command --channel URL or PUI_CHANNEL.",
            )
        self.ensure_root()
        from pui.adapters.packs.web import Web  # late: httpx is slow to import, and the window waits for this module

        web = (self._around.web or Web()).stoppable(check_stopped)
        return ChannelUpdater(self._paths, self._app, address, web=web, tell=tell)

    def install_offer(self, updater: ChannelUpdater, offer: Offer, report: StepReport) -> InstallResult:
        """Downloads and installs; a part that is there goes on, and stays when it is stopped. Raises PuiError."""
        source = updater.download(offer, progress=as_progress(report, "downloading"))
        try:
            result = self.install(source, updater.release_trust(), report)
        except PuiError as error:
            if error.code.startswith("pack.") and error.code != "pack.in_use":
                updater.forget_download(offer)
            raise
        updater.forget_download(offer)
        return result

    def install(
        self, source: PackSource, trust: TrustFolder, report: StepReport, *, allow_older: bool = False
    ) -> InstallResult:
        """See PackLife.install; before it the limit of the settings is kept. Raises HostError host.disk_limit too."""
        check_not_moved(self._paths)
        report(Step("installing"))
        self._keep_limit(source, trust)
        result = self.life.install(source, trust, progress=as_progress(report, "installing"), allow_older=allow_older)
        self.life.recover()
        return result

    def install_bundle(self, file: Path, report: StepReport, *, allow_older: bool = False) -> InstallResult:
        """One file with its chain of roots. Raises PuiError."""
        from pui.adapters.channel.bundle import BundleSource, bundle_trust

        check_not_moved(self._paths)
        self.ensure_root()
        source = BundleSource(file)
        return self.install(source, bundle_trust(self._paths, source), report, allow_older=allow_older)

    def ensure_root(self) -> None:
        """A root that came with the app is trusted, unless the person has chosen one."""
        from pui.adapters.channel.trust_root import install_root

        shipped = self._around.shipped_root
        if shipped is not None and not self._paths.trust_root.exists():
            install_root(self._paths, shipped, fingerprint(shipped))

    def id_to_try(self) -> str:
        """Raises SetupError pack.missing."""
        pack_id = read_slot(self._paths.active_pack)
        if pack_id is not None:
            return pack_id
        failed = self.life.view().latest_failed()
        if failed is None:
            raise SetupError("pack.missing", "no runtime pack is installed")
        return failed.pack_id

    def _active_id(self) -> str:
        pack_id = read_slot(self._paths.active_pack)
        if pack_id is None:
            raise SetupError("pack.missing", "no runtime pack is installed")
        return pack_id

    def _installed(self, result: InstallResult) -> JobResult:
        pack_id = result.pack.pack_id
        said = [f"{pack_id} {'was there already' if result.was_there else 'is installed'}"]
        said += [f"removed {name}" for name in result.removed] + list(result.trouble)
        return JobResult("; ".join(said), result.pack if self.judged(pack_id).state == "trial" else None)

    def _keep_limit(self, source: PackSource, trust: TrustFolder) -> None:
        """What nobody needs is collected before anything is refused."""
        limit_bytes = self._settings.current().disk_limit_bytes
        if limit_bytes is None:
            return
        verified = trust.verify(source.read_envelope())
        if (self._paths.packs_dir / verified.pack_id).exists():
            return
        needed = verified.manifest.total_size_bytes
        if self.life.store.disk_use_bytes() + needed > limit_bytes and self._paths.staging_dir.is_dir():
            self.life.clean()
        used = self.life.store.disk_use_bytes()
        if used + needed > limit_bytes:
            raise HostError(
                "host.disk_limit",
                f"packs take up {used >> 20} MiB, the new one needs {needed >> 20} MiB, the limit is "
                f"{limit_bytes >> 20} MiB",
            )

    def _repair_from_build(self, pack_id: str, report: StepReport) -> RepairResult | None:
        """A pack that this computer has built may still lie in the cache."""
        trust = load_trust(self._paths.trust_dir)
        for envelope in sorted(self._paths.build_dir.glob(f"*{ENVELOPE_SUFFIX}")):
            source = FileSource(envelope)
            try:
                if trust.verify(source.read_envelope()).pack_id != pack_id:
                    continue
                return self.life.repair(source, trust, progress=as_progress(report, "repairing"))
            except (SetupError, CallerError):  # another pack's, damaged, or without its archive: ask the channel
                continue
        return None

    def repair_from_channel(
        self, pack_id: str, report: StepReport, tell: Callable[[str], None] = lambda sentence: None
    ) -> RepairResult:
        """Only what is broken is fetched. Raises SetupError index.mismatch when the channel no longer has the pack."""
        updater = self.updater(tell, report.check)
        report(Step("checking"))
        source = updater.installed_pack(pack_id)
        done = self.life.repair(source, updater.release_trust(), progress=as_progress(report, "repairing"))
        updater.forget_pack(pack_id)
        return done


def known_offer(offer: Offer) -> KnownOffer:
    """What is remembered and shown of an offer."""
    manifest = offer.verified.manifest
    size_bytes, download_bytes = manifest.total_size_bytes, offer.download_bytes
    return KnownOffer(manifest.pack_version, offer.verified.pack_id, size_bytes, download_bytes)


def as_progress(report: StepReport, phase: Phase) -> Progress:
    """Progress of an installer as steps of one phase."""
    return lambda done_bytes, total_bytes: report(Step(phase, done_bytes, total_bytes))


def _listed(pack: PackListing) -> ListedPack:
    problem = "" if pack.problem is None else str(pack.problem)
    return ListedPack(pack.pack_id, pack.slot, pack.manifest, pack.signed_by, problem)
