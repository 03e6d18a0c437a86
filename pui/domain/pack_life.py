"""The life of the packs of one store, by the records of its journal and the slots on disk.

In: records, which pack each slot names, which folders exist. Out: a view of every pack, what a start has to catch up
on, verdicts about health, checks and the way back. Never: I/O, a clock.

A slot says from which pack tasks start and is changed by one rename; the journal says why. After a crash the two may
differ by one step: `catch_up` names the triggers of statecharts/pack.json that bring the journal back to the slots.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from pui.domain.errors import SetupError
from pui.domain.events import JsonValue
from pui.domain.journal import Record
from pui.domain.manifest import Manifest

FULL_CHECK_INTERVAL_NS = 7 * 24 * 3600 * 1_000_000_000
ABSENT = "absent"
GONE = frozenset({ABSENT, "removed"})
BOOT_STATES = frozenset({"overlay-prep", "qemu-launch", "handshake"})
BLAMED_CODES = frozenset(
    {
        "qemu.missing",
        "launch.overlay",
        "launch.qemu_exit",
        "launch.timeout",
        "guest.boot_timeout",
        "guest.handshake_timeout",
        "guest.agent_exit",
        "guest.config",
        "protocol.remote",
        "protocol.flood",
        "channel.lost_after_send",
    }
)
"""What ends a boot by the pack's fault. A full disk, missing memory or a folder that cannot be shared is not."""


@dataclass(frozen=True)
class PackView:
    """One pack. `reason_*` is why it is failed or corrupt; `checked_at_ns` is the last time every byte was hashed;
    `is_proven` when a machine of it has reached pi's answer since its installation."""

    pack_id: str
    state: str = ABSENT
    since_ns: int = 0
    scope: int = 1
    reason_code: str = ""
    reason: str = ""
    checked_at_ns: int = 0
    is_proven: bool = False


@dataclass(frozen=True)
class StoreView:
    """Every pack that the journal knows, by id; `last_seq` is 0 for an empty journal."""

    packs: Mapping[str, PackView] = field(default_factory=dict)
    last_seq: int = 0

    def of(self, pack_id: str) -> PackView:
        """A pack that the journal does not know is absent."""
        return self.packs.get(pack_id, PackView(pack_id))

    def latest_failed(self) -> PackView | None:
        """The pack whose trial failed last."""
        failed = [pack for pack in self.packs.values() if pack.state == "failed"]
        return max(failed, key=lambda pack: pack.since_ns, default=None)


@dataclass(frozen=True)
class Slots:
    """What is on disk: the ids that the two slot files hold, and the folders that exist."""

    active: str | None
    previous: str | None
    folders: frozenset[str]


@dataclass(frozen=True)
class Pull:
    """A trigger to pull on a pack's chart; `why` is told and written."""

    pack_id: str
    trigger: str
    why: str


def fold_store(records: Iterable[Record]) -> StoreView:
    """The view after all records; a record that names no pack has no effect."""
    view = StoreView()
    for record in records:
        view = fold_store_one(view, record)
    return view


def fold_store_one(view: StoreView, record: Record) -> StoreView:
    """The view after one record more."""
    pack_id = record.fields.get("pack")
    if not isinstance(pack_id, str):
        return replace(view, last_seq=record.seq)
    pack = view.of(pack_id)
    if record.type == "transition":
        pack = _moved(pack, record)
    elif record.type == "fact" and record.fields.get("fact") == "checked":
        pack = replace(pack, checked_at_ns=record.at_ns)
    return StoreView(dict(view.packs) | {pack_id: pack}, record.seq)


def _moved(pack: PackView, record: Record) -> PackView:
    state, trigger, scope = record.fields.get("to"), record.fields.get("trigger"), record.fields.get("scope")
    return replace(
        pack,
        state=str(state),
        since_ns=record.at_ns,
        scope=scope if type(scope) is int and scope > 0 else pack.scope + 1,
        reason_code=str(record.fields.get("code", "")),
        reason=str(record.fields.get("reason", "")),
        checked_at_ns=record.at_ns if trigger in ("installed", "repaired") else pack.checked_at_ns,
        is_proven=trigger == "health_proven" or (pack.is_proven and state in ("active", "previous")),
    )


def unhealthy(pack: PackView) -> SetupError:
    """The error of a pack whose trial failed."""
    return SetupError("pack.unhealthy", f"pack {pack.pack_id} failed its trial: {pack.reason_code}: {pack.reason}")


def guard_facts(pack: PackView, slots: Slots) -> dict[str, JsonValue]:
    """The facts of the pack chart's guards."""
    return {"is_previous": _place(pack.pack_id, slots) == "previous", "was_proven": pack.is_proven}


def catch_up(view: StoreView, slots: Slots) -> tuple[Pull, ...]:
    """What the journal has missed: one trigger a pack; call it again until it is empty (at most three rounds)."""
    known = sorted(set(view.packs) | slots.folders)
    pulls = (_pull_for(view.of(pack_id), _place(pack_id, slots)) for pack_id in known)
    return tuple(pull for pull in pulls if pull is not None)


def _place(pack_id: str, slots: Slots) -> str:
    if pack_id not in slots.folders:
        return "gone"
    if pack_id == slots.active:
        return "active"
    return "previous" if pack_id == slots.previous else "kept"


_MISSED: Mapping[tuple[str, str], tuple[str, str]] = {
    ("absent", "active"): ("adopted", "it was installed without a record"),
    ("removed", "active"): ("adopted", "it was installed without a record"),
    ("absent", "previous"): ("adopted", "it was installed without a record"),
    ("removed", "previous"): ("adopted", "it was installed without a record"),
    ("installing", "active"): ("installed", "pui ended before it could write down that the installation was through"),
    ("previous", "active"): ("activated", "the slot names it"),
    ("retired", "active"): ("activated", "the slot names it"),
    ("active", "previous"): ("superseded", "the slot of the active pack names another one"),
    ("active", "kept"): ("superseded", "no slot names it"),
    ("trial", "kept"): ("superseded", "no slot names it"),
    ("trial", "previous"): ("superseded", "the slot of the active pack names another one"),
    ("previous", "kept"): ("superseded", "no slot names it"),
    ("corrupt", "kept"): ("superseded", "no slot names it"),
    ("installing", "gone"): ("interrupted", "the installation was interrupted"),
}


def _pull_for(pack: PackView, place: str) -> Pull | None:
    """An `installing` pack in no slot is removed by whoever catches up; then its place is "gone"."""
    missed = _MISSED.get((pack.state, place))
    if missed is not None:
        return Pull(pack.pack_id, *missed)
    if place == "gone" and pack.state not in GONE:
        return Pull(pack.pack_id, "remove", "its folder is gone")
    return None


def heir_of_previous(view: StoreView, slots: Slots) -> str | None:
    """Which pack the slot `previous` has to name when a swap was interrupted and it names the active one, if any."""
    fitting = [view.of(pack_id) for pack_id in slots.folders if pack_id != slots.active]
    proven = [pack for pack in fitting if pack.state in ("previous", "active")]
    heir = max(proven, key=lambda pack: (pack.state == "active", pack.since_ns), default=None)
    return heir.pack_id if heir is not None else None


def blames_pack(states: Iterable[str], code: str) -> bool:
    """True when a task that went through `states` and failed with `code` says something about its pack."""
    visited = set(states)
    return "running" not in visited and bool(visited & BOOT_STATES) and code in BLAMED_CODES


def full_check_is_due(pack: PackView, now_ns: int, *, was_unclean: bool) -> bool:
    """Every byte is hashed after an unclean end, once a week, when the clock went back, and while it is damaged."""
    age_ns = now_ns - pack.checked_at_ns
    return was_unclean or pack.state == "corrupt" or not 0 <= age_ns < FULL_CHECK_INTERVAL_NS


def words_of_insistence(version: int) -> str:
    """What a person has to write to go below the security floor."""
    return f"run pack {version} although it has known holes"


def check_way_back(manifest: Manifest, floor: int, words: str | None) -> None:
    """Raises SetupError pack.rollback when the pack is below the security floor and the words are not the ones."""
    needed = words_of_insistence(manifest.pack_version)
    if manifest.pack_version >= floor or words == needed:
        return
    raise SetupError(
        "pack.rollback",
        f"pack version {manifest.pack_version} is below the security floor {floor}",
        hint=f"Insist in words: pui pack rollback --insist '{needed}'",
    )
