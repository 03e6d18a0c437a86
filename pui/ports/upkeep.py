"""What the upkeep of the app needs from the outside world: settings, keys, packs, updates.

In: domain values. Out: domain values, or a PuiError mapped at the adapter's edge. Never: an implementation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pui.domain.channel_root import OfferedRoot
from pui.domain.events import JsonValue
from pui.domain.model_policy import SecretText
from pui.domain.models_view import KeyPlace, ProviderState
from pui.domain.pack_job import Step
from pui.domain.pack_life import PackView as PackLifeView
from pui.domain.packs_view import StoreFacts
from pui.domain.settings import Settings
from pui.domain.update_policy import KnownOffer, UpdateState
from pui.ports import InstalledPack


class SettingsStore(Protocol):
    """What the person has chosen for the whole app."""

    def current(self) -> Settings: ...

    def change(self, key: str, value: JsonValue) -> Settings:
        """One value replaced, durably. Raises CallerError("caller.bad_request"), HostError; nothing changed then."""


class ModelKeys(Protocol):
    """The keys of model providers, by the place where a person wants them kept."""

    def providers(self) -> Sequence[ProviderState]:
        """What may be shown of each provider: never more of a key than its ending."""

    def places(self, *, may_look: bool = True) -> Sequence[KeyPlace]:
        """Where a key can be kept on this computer. Without `may_look` (it takes a while) a keystore is among them
        only if it was found before."""

    def set_key(self, provider: str, key: SecretText, place: KeyPlace) -> None:
        """Replaces the key of a provider; other places forget theirs. Raises CallerError, HostError."""

    def forget_key(self, provider: str) -> None:
        """In every place; one of the environment is forgotten by this app. Raises CallerError, HostError."""

    def set_address(self, provider: str, address: str) -> None:
        """An empty one goes back to the provider's own. Raises CallerError, HostError."""


@dataclass(frozen=True)
class JobResult:
    """How an act on packs ended: a sentence for the person; `to_boot` is the pack that a health boot has to try now."""

    note: str = ""
    to_boot: InstalledPack | None = None


class StepReport(Protocol):
    """How a worker on packs tells how far it is; called from the worker's thread."""

    def __call__(self, step: Step) -> None:
        """Raises PuiError("job.cancelled") when the person has stopped the job: let it through."""

    def check(self) -> None:
        """The same without a step, for a wait in which nothing moves."""


class PackWork(Protocol):
    """The acts on packs of this computer. All block: call them from a thread of their own, one at a time.

    Each raises PuiError by name; then tasks start from the same pack as before, unless the act says otherwise.
    """

    def facts(self) -> StoreFacts:
        """What is installed. Raises HostError."""

    def can_build(self) -> bool:
        """Whether a pack can be made on this computer."""

    def channel(self) -> str:
        """The address that updates come from, "" for none."""

    def read_root(self, file: Path) -> OfferedRoot:
        """A channel's root that a person chose; nothing is trusted by it.

        Raises CallerError caller.bad_request (no root's file), SetupError index.malformed, index.untrusted (its own
        keys did not sign it), HostError.
        """

    def trust_root(self, root: bytes, told: str) -> None:
        """Trusts `root` in place of the one before if `told` is its fingerprint.

        Raises CallerError caller.bad_request, caller.rejected (another fingerprint), SetupError pack.in_use while a
        channel is being asked, HostError.
        """

    def check(self) -> KnownOffer | None:
        """Asks the channel of the settings; None: nothing newer. Raises SetupError index.*, DownloadError fetch.*."""

    def update(self, report: StepReport) -> JobResult:
        """Asks, downloads (a part that is there goes on), installs. It is on trial afterwards."""

    def build(self, report: StepReport) -> JobResult:
        """Makes a pack here, trusts this computer's development key, installs it."""

    def install_file(self, file: Path, report: StepReport) -> JobResult:
        """A pack's archive beside its envelope, or a bundle."""

    def repair(self, report: StepReport) -> JobResult:
        """Writes anew what is broken of the active pack, from wherever that very pack can be had."""

    def verify(self, report: StepReport) -> JobResult:
        """Every byte of the active pack."""

    def roll_back(self, words: str | None, report: StepReport) -> JobResult:
        """Tasks start from the previous pack again; `words` of insistence below the security floor."""

    def clean(self, report: StepReport) -> JobResult:
        """Removes what no slot names and no task uses."""

    def to_try(self, report: StepReport) -> JobResult:
        """The active pack, or the one whose trial failed last, is to be booted."""

    def judged(self, pack_id: str) -> PackLifeView:
        """What the journal says of a pack now."""


@dataclass(frozen=True)
class MovePlan:
    """A move of the data folder that was found possible: `size_bytes` of `files` files and folders to `target`."""

    target: Path
    size_bytes: int
    files: int


class DataMover(Protocol):
    """Moves the data folder. Both block."""

    def plan(self, chosen: Path) -> MovePlan:
        """Raises CallerError("caller.bad_request"), HostError("host.disk_full"): nothing is changed by it."""

    def move(self, plan: MovePlan, report: StepReport) -> JobResult:
        """Raises HostError host.busy and others, PuiError("job.cancelled"): then all is as before."""


class UpdateRecord(Protocol):
    """What is remembered of updates, on disk."""

    def read(self) -> UpdateState:
        """Nothing is known when the file is absent or damaged."""

    def write(self, state: UpdateState) -> None:
        """Raises HostError."""


class MeteredProbe(Protocol):
    async def is_metered(self) -> tuple[bool, str]:
        """Whether each byte of this network may cost money, and in words how that is known. Unknown counts as not."""
