"""The life of every installed pack: runs statecharts/pack.json over the journal, beside the slots.

In: the folders, the chart, a clock. Out: the pack that tasks start from; promotion, fall-back, roll-back, recovery.
Never: a state that the chart does not know, a slot that names a pack before the reason is written down.

A fall-back is written down before the slots change, everything else after: the start completes either (`recover`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pui.adapters.packs.archive import Progress
from pui.adapters.packs.cleaning import clean_staging, remove_pack, remove_unused
from pui.adapters.packs.file_ops import FileOps, mapped_os_errors, opened_folder
from pui.adapters.packs.install import LOCK_WAIT_S, InstallResult, InstallWitness, PackInstaller
from pui.adapters.packs.keys import TrustFolder
from pui.adapters.packs.locks import installer_lock
from pui.adapters.packs.pack_journal import append_record, read_records, set_aside
from pui.adapters.packs.repair import PackRepair, RepairResult
from pui.adapters.packs.slots import is_pack_id, raise_floor, read_floors, read_slot, write_slots
from pui.adapters.packs.source import PackSource
from pui.adapters.packs.store import InstalledPacks
from pui.adapters.paths import AppPaths
from pui.domain.chart_names import GUARDS
from pui.domain.errors import HostError, PuiError, SetupError
from pui.domain.events import JsonValue, Triggered
from pui.domain.journal import Record
from pui.domain.machine import ChartMachine
from pui.domain.pack_life import (
    GONE,
    PackView,
    Slots,
    StoreView,
    catch_up,
    check_way_back,
    fold_store,
    fold_store_one,
    full_check_is_due,
    guard_facts,
    heir_of_previous,
)
from pui.domain.statechart import Chart
from pui.domain.trust import AppFacts
from pui.ports import Clock, InstalledPack

_QUICK_WAIT_S = 2.0
_ROUNDS = 4


@dataclass(frozen=True)
class Cleaned:
    """What `pui pack clean` removed: names, bytes that are free again, and what could not go, in words."""

    removed: tuple[str, ...]
    freed_bytes: int
    trouble: tuple[str, ...]


class PackLife:
    """ports.PackStore, PackLock and PackTrial over the packs below `paths.packs_dir`."""

    def __init__(
        self,
        paths: AppPaths,
        app: AppFacts,
        chart: Chart,
        clock: Clock,
        *,
        ops: FileOps | None = None,
        lock_wait_s: float = LOCK_WAIT_S,
    ) -> None:
        self._paths = paths
        self._app = app
        self._chart = chart
        self._clock = clock
        self._ops = ops or FileOps()
        self._lock_wait_s = lock_wait_s
        self.store = InstalledPacks(paths, app, ops=self._ops)

    def view(self) -> StoreView:
        """What the journal says; one that cannot be read says nothing."""
        try:
            return fold_store(read_records(self._paths.pack_journal))
        except PuiError as error:
            if error.code != "journal.unreadable":
                raise
            return StoreView()

    def active(self) -> InstalledPack:
        """The pack to start from, after the check at launch: every byte after an unclean end and once a week.

        Raises SetupError pack.missing, .unhealthy, .corrupt, .untrusted, .incompatible.
        """
        pack_id = read_slot(self._paths.active_pack)
        known = self.view()
        if pack_id is None:
            raise _nothing_to_start(known)
        if known.of(pack_id).state == "failed":  # a fall-back was interrupted after its reason had been written
            self.recover()
            pack_id = read_slot(self._paths.active_pack) or ""
            if not pack_id:
                raise _nothing_to_start(known)
        return self._checked(pack_id, known.of(pack_id))

    def hold(self, pack_id: str) -> AbstractContextManager[None]:
        """See InstalledPacks.hold: a running task keeps the pack it started with."""
        return self.store.hold(pack_id)

    def verify(self, pack_id: str | None = None) -> InstalledPack:
        """See InstalledPacks.verify; damage and soundness are written down."""
        chosen = pack_id or read_slot(self._paths.active_pack)
        try:
            pack = self.store.verify(chosen)
        except SetupError as error:
            if chosen is not None and error.code == "pack.corrupt":
                self._note_quietly(chosen, error)
            raise
        self._note_quietly(pack.pack_id, None)
        return pack

    def install(
        self, source: PackSource, trust: TrustFolder, *, progress: Progress | None = None, allow_older: bool = False
    ) -> InstallResult:
        """See PackInstaller.install. The pack is active and on trial afterwards."""
        witness = _Witness(self)
        installer = PackInstaller(self._paths, self._app, ops=self._ops, lock_wait_s=self._lock_wait_s, witness=witness)
        return installer.install(source, trust, progress=progress, allow_older=allow_older)

    def repair(self, source: PackSource, trust: TrustFolder, *, progress: Progress | None = None) -> RepairResult:
        """Writes anew only what is broken of the installed pack that `source` is. It is on trial again afterwards.

        Raises SetupError pack.missing (it is not installed), pack.in_use, pack.*; DownloadError; HostError.
        """
        verified = trust.verify(source.read_envelope())
        with self.locked(self._lock_wait_s):
            clean_staging(self._ops, self._paths)
            self.catch_up_locked()
            work = PackRepair(self._paths, self._ops, verified)
            result = work.mend(source, progress)
            self.store.check(verified.pack_id, full=True)
            self.store.renew_record(verified.pack_id)
            self.note_checked(verified.pack_id)
        return result

    def proven(self, pack_id: str) -> bool:
        """A machine of the pack has reached pi's answer: its trial is over, and one that had failed is active again.
        False when its state asks for no proof.

        Raises SetupError pack.in_use (then nothing changes), HostError.
        """
        if self.view().of(pack_id).state not in ("trial", "failed"):
            return False
        with self.locked(_QUICK_WAIT_S):
            if self.pull(pack_id, "health_proven") is None:
                return False
            self._make_active(pack_id)
        return True

    def failed(self, pack_id: str, code: str, message: str) -> str | None:
        """A boot failed by the pack's fault: while it is on trial, tasks start from the one before again.

        Returns a sentence about what was done, None for a pack that is not on trial. Raises SetupError, HostError.
        """
        if self.view().of(pack_id).state != "trial":
            return None
        with self.locked(_QUICK_WAIT_S):
            if self.pull(pack_id, "health_failed", code, message) is None:
                return None
            now = self._leave_failed(self.view())
            self.catch_up_locked()
        return f"pack {pack_id} failed its trial ({code}); " + (
            f"tasks start from {now} again" if now else "there is no other pack to start from"
        )

    def roll_back(self, words: str | None = None) -> tuple[str, str]:
        """Tasks start from the previous pack again: (its id, the id of the one left).

        Raises SetupError pack.missing (no previous one), pack.rollback (below the security floor), pack.corrupt.
        """
        with self.locked(self._lock_wait_s):
            self.catch_up_locked()
            slots = self.slots()
            if slots.previous is None:
                raise SetupError("pack.missing", "there is no previous pack to go back to")
            target = self.store.check(slots.previous, full=True)
            floor = read_floors(self._paths.security_floor).get(target.manifest.platform, 0)
            check_way_back(target.manifest, floor, words)
            left = slots.active or ""
            self._swap_back(left, target.pack_id, f"rolled back by hand{': ' + words if words else ''}")
        return target.pack_id, left

    def raise_security_floor(self, version: int) -> int:
        """Packs of this platform below `version` need words of insistence from now on; returns the floor that holds.

        A floor is never lowered. Raises SetupError pack.in_use, pack.corrupt; HostError.
        """
        with self.locked(self._lock_wait_s), mapped_os_errors("raising the security floor"):
            return raise_floor(self._ops, self._paths, self._app.platform, version)

    def remove(self, pack_id: str, *, force: bool = False) -> None:
        """See InstalledPacks.remove."""
        self.store.remove(pack_id, force=force)
        with self.locked(self._lock_wait_s):
            self.catch_up_locked()

    def clean(self) -> Cleaned:
        """Removes what no slot names and no task uses. Raises SetupError pack.in_use, HostError."""
        trouble: list[str] = []
        with self.locked(self._lock_wait_s), mapped_os_errors(f"cleaning {self._paths.pack_dir}"):
            before = self.store.disk_use_bytes()
            removed = list(clean_staging(self._ops, self._paths))
            self.catch_up_locked()
            removed += remove_unused(self._ops, self._paths, trouble)
            self.catch_up_locked()
        return Cleaned(tuple(removed), before - self.store.disk_use_bytes(), tuple(trouble))

    def way_back(self, pack_id: str) -> InstalledPack | None:
        """See ports.PackTrial."""
        previous = self.slots().previous
        if previous in (None, pack_id) or self.view().of(pack_id).state != "trial":
            return None
        try:
            return self.store.check(str(previous), full=False)
        except SetupError:
            return None

    def mark_unclean(self) -> None:
        """Something died: the next launch hashes every byte of the active pack. Raises HostError."""
        if not self._paths.pack_dir.is_dir():
            return
        with mapped_os_errors(f"writing {self._paths.check_due}"), opened_folder(self._paths.pack_dir) as at:
            fd = self._ops.open_append(self._paths.check_due.name, at)
            with open(fd, "rb"):  # noqa: PTH123 - closes the descriptor, whatever happens
                self._ops.sync(at)

    def recover(self) -> tuple[str, ...]:
        """At a start: completes or undoes what somebody who died had begun; a sentence for each act.

        Does nothing while another pui changes packs. Raises HostError.
        """
        if not self._needs_recovery():
            return ()
        try:
            with self.locked(0.0), mapped_os_errors(f"recovering {self._paths.pack_dir}"):
                left = clean_staging(self._ops, self._paths)
                said = [f"removed what an interrupted install had left: {name}" for name in left]
                if left:
                    self.mark_unclean()
                return (*said, *self.catch_up_locked())
        except SetupError as error:
            if error.code != "pack.in_use":
                raise
            return ()  # its owner lives and will clean up itself

    # under the installer's lock

    @contextmanager
    def locked(self, wait_s: float) -> Iterator[None]:
        """The right to change the store. Raises SetupError pack.in_use, pack.missing when there is no store."""
        if not self._paths.staging_dir.is_dir():
            raise SetupError("pack.missing", "no runtime pack is installed")
        lock = self._paths.install_lock
        with mapped_os_errors(f"locking {lock}"), installer_lock(lock, wait_s):
            yield

    def pull(self, pack_id: str, trigger: str, code: str = "", reason: str = "") -> PackView | None:
        """One trigger on the pack's chart, written down durably; None when its state does not know it."""
        view = self.view()
        pack = view.of(pack_id)
        if pack.state in GONE:  # a new life begins
            machine = ChartMachine.restore(self._chart, GUARDS["pack"], self._chart.initial, pack.scope)
        else:
            machine = ChartMachine.restore(self._chart, GUARDS["pack"], pack.state, pack.scope)
        step = machine.handle(Triggered(trigger), guard_facts(pack, self.slots()))
        if step.outcome != "moved":
            return None
        fields: dict[str, JsonValue] = {
            "pack": pack_id,
            "from": step.source,
            "to": step.target,
            "trigger": trigger,
            "guard": step.guard,
            "scope": machine.scope,
            "code": code,
            "reason": reason,
        }
        return fold_store_one(view, self._write(view, "transition", fields)).of(pack_id)

    def catch_up_locked(self) -> list[str]:
        """Brings slots and journal together again; a sentence for each act."""
        said: list[str] = []
        if self._paths.pack_journal.exists() and set_aside(self._ops, self._paths.pack_journal):
            said.append(f"{self._paths.pack_journal} could not be read and was set aside")
        said += self._mend_slots()
        for _ in range(_ROUNDS):
            pulls = catch_up(self.view(), self.slots())
            if not pulls:
                break
            for pull in pulls:
                moved = self.pull(pull.pack_id, pull.trigger, reason=pull.why)
                if moved is not None:
                    said.append(f"pack {pull.pack_id}: {moved.state}, {pull.why}")
        return said

    def slots(self) -> Slots:
        """What is on disk; a slot that cannot be read names nothing."""
        packs = self._paths.packs_dir
        folders = frozenset(path.name for path in packs.iterdir()) if packs.is_dir() else frozenset()
        return Slots(
            _slot(self._paths.active_pack), _slot(self._paths.previous_pack), frozenset(filter(is_pack_id, folders))
        )

    def note_checked(self, pack_id: str) -> None:
        """Every byte of it was hashed just now and is the signed one."""
        view = self.view()
        if view.of(pack_id).state == "corrupt":  # somebody else mended it
            self.pull(pack_id, "repaired", reason="found sound again")
            view = self.view()
        self._write(view, "fact", {"pack": pack_id, "fact": "checked"})
        if self._paths.check_due.exists() and pack_id == _slot(self._paths.active_pack):
            with opened_folder(self._paths.pack_dir) as at:
                self._ops.remove_file(self._paths.check_due.name, at)

    def _write(self, view: StoreView, kind: str, fields: dict[str, JsonValue]) -> Record:
        """`cause` is the record before: the journal has one writer at a time."""
        record = Record(view.last_seq + 1, self._clock.now_ns(), kind, view.last_seq or None, fields)
        append_record(self._ops, self._paths.pack_journal, record)
        return record

    def _mend_slots(self) -> list[str]:
        """Ends a fall-back or a swap that was interrupted, and removes a pack that was put in place but never used."""
        said: list[str] = []
        view, slots = self.view(), self.slots()
        if slots.active is not None and view.of(slots.active).state == "failed":
            now = self._leave_failed(view)
            said.append(f"pack {slots.active} had failed its trial; tasks start from {now or 'no pack'}")
        elif slots.active is not None and slots.active == slots.previous:
            heir = heir_of_previous(view, slots)
            write_slots(self._ops, self._paths, {self._paths.previous_pack: heir})
            said.append(f"a swap of packs was interrupted; the previous pack is {heir or 'none'}")
        for pack_id in sorted(slots.folders - {slots.active, slots.previous}):
            if view.of(pack_id).state == "installing":
                remove_pack(self._ops, self._paths, pack_id)
                said.append(f"removed pack {pack_id}, whose installation was interrupted")
        return said

    def _leave_failed(self, view: StoreView) -> str | None:
        """Tasks start from the previous pack, if it is sound; returns its id."""
        target = self.slots().previous
        if target is not None and view.of(target).state != "failed":
            try:
                self.store.check(target, full=True)
            except SetupError as error:
                self.pull(target, "damage_found", error.code, error.message)
                target = None
        else:
            target = None
        with mapped_os_errors("falling back to the previous pack"):
            active, previous = self._paths.active_pack, self._paths.previous_pack
            write_slots(self._ops, self._paths, {active: target, previous: None} if target else {active: None})
        if target is not None:
            self.pull(target, "activated", reason="the pack after it failed its trial")
        return target

    def _make_active(self, pack_id: str) -> None:
        """For a pack that had failed and was proven after all; one on trial is in the slot already."""
        before = self.slots().active
        if before == pack_id:
            return
        slots: dict[Path, str | None] = {self._paths.active_pack: pack_id}
        if before is not None:
            slots[self._paths.previous_pack] = before
        with mapped_os_errors(f"making {pack_id} active"):
            write_slots(self._ops, self._paths, slots)
        self.catch_up_locked()

    def _swap_back(self, left: str, target: str, why: str) -> None:
        is_trial = self.view().of(left).state == "trial"
        keep = None if is_trial or not left else left
        with mapped_os_errors("going back to the previous pack"):
            slots = {self._paths.active_pack: target, self._paths.previous_pack: keep}
            write_slots(self._ops, self._paths, slots)
        self.pull(left, "rolled_back" if is_trial else "superseded", reason=why)
        self.pull(target, "activated", reason=why)
        self.catch_up_locked()

    # at launch

    def _checked(self, pack_id: str, known: PackView) -> InstalledPack:
        is_full = full_check_is_due(known, self._clock.now_ns(), was_unclean=self._paths.check_due.exists())
        try:
            pack = self.store.check(pack_id, full=is_full)
        except SetupError as error:
            if error.code == "pack.corrupt":
                self._note_quietly(pack_id, error)
            raise
        if is_full:
            self._note_quietly(pack_id, None)
        return pack

    def _note_quietly(self, pack_id: str, damage: SetupError | None) -> None:
        """What a look at the bytes has told. A store that cannot be written, or that another pui is changing, is no
        reason to refuse a launch: the same look comes again at the next one."""
        try:
            with self.locked(0.0), mapped_os_errors("writing down what was found"):
                if damage is not None:
                    self.pull(pack_id, "damage_found", damage.code, damage.message)
                    return
                self.catch_up_locked()
                self.store.renew_record(pack_id)
                self.note_checked(pack_id)
        except (SetupError, HostError):
            return

    def _needs_recovery(self) -> bool:
        paths = self._paths
        with mapped_os_errors(f"looking at {paths.pack_dir}"):
            if not paths.staging_dir.is_dir():
                return False
            if any(paths.staging_dir.iterdir()):
                return True
            view, slots = self.view(), self.slots()
        is_torn = slots.active is not None and slots.active == slots.previous
        is_left = slots.active is not None and view.of(slots.active).state == "failed"
        unreadable = view.last_seq == 0 and paths.pack_journal.exists()
        stray = any(view.of(pack_id).state == "installing" for pack_id in slots.folders)
        return is_torn or is_left or unreadable or stray or bool(catch_up(view, slots))


class _Witness(InstallWitness):
    """Writes an install down."""

    def __init__(self, life: PackLife) -> None:
        self._life = life

    def opened(self) -> None:
        self._life.catch_up_locked()

    def begins(self, pack_id: str, *, is_new: bool) -> None:
        life, state = self._life, self._life.view().of(pack_id).state
        if state in GONE:
            life.pull(pack_id, "install")
        elif state in ("failed", "retired"):
            life.pull(pack_id, "activated", reason="installed again")
        if is_new and state not in GONE:
            life.pull(pack_id, "damage_found", "pack.corrupt", "it was not sound when it was installed again")

    def refused(self, pack_id: str, error: BaseException) -> None:
        code = error.code if isinstance(error, PuiError) else "interrupted"
        self._quietly(pack_id, "refused", code, str(error))

    def swapped(self, pack_id: str) -> None:
        trigger = "repaired" if self._life.view().of(pack_id).state == "corrupt" else "installed"
        self._quietly(pack_id, trigger)

    def closes(self) -> None:
        self._quietly()

    def may_be_previous(self, pack_id: str) -> bool:
        """A pack that was never proven is a way back only when there is no other."""
        state, other = self._life.view().of(pack_id).state, self._life.slots().previous
        return state == "active" or (state == "trial" and other is None)

    def _quietly(self, pack_id: str = "", trigger: str = "", code: str = "", reason: str = "") -> None:
        """The slots have the last word: what cannot be written down here, the next start catches up on."""
        try:
            if trigger:
                self._life.pull(pack_id, trigger, code, reason[:2000])
            self._life.catch_up_locked()
        except (HostError, OSError):
            return


def _slot(path: Path) -> str | None:
    try:
        return read_slot(path)
    except SetupError:
        return None  # active() tells


def _nothing_to_start(view: StoreView) -> SetupError:
    failed = view.latest_failed()
    if failed is None:
        return SetupError("pack.missing", "no runtime pack is installed")
    return SetupError(
        "pack.unhealthy", f"pack {failed.pack_id} failed its trial: {failed.reason_code}: {failed.reason}".strip(": ")
    )
