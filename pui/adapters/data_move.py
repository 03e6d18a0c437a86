"""Moves the whole data folder to another place: copy, proof, one rename, one pointer, then the old one is emptied.

In: the app's folders, a folder that a person chose. Out: the data in its new place (implements ports.upkeep.DataMover);
what an interrupted move had left, undone or finished. Never: two places that count, a byte removed before its copy is
proven and durable, a move while anything else works in the folder.

The steps, each durable before the next: (1) move.json in the old folder; (2) the copy in a folder of its own beside the
target, marked by moved-from; (3) its rename to the target; (4) the switch: moved-to in the old folder; (5) the old
content is removed, then move.json. Whoever dies before (4) leaves the old folder in force and the next start removes
the copy; after (4) the new one is in force and the next start empties the old one.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pui.adapters.data_dir import DataLease
from pui.adapters.packs.file_ops import (
    FileOps,
    mapped_os_errors,
    opened_folder,
    read_file,
    remove_tree,
    sync_folder,
    write_new_file,
)
from pui.adapters.packs.locks import installer_lock
from pui.adapters.packs.store import InstalledPacks
from pui.adapters.paths import DATA_LOCK, MOVE_PLAN, MOVED_FROM, MOVED_TO, MOVING_PREFIX, AppPaths, data_chain
from pui.adapters.tree_copy import check_copy, copy_tree, measure
from pui.domain.errors import CallerError, HostError, PuiError, SetupError
from pui.domain.pack_job import Phase, Step
from pui.domain.pack_path import RESERVED_FOLDER
from pui.domain.strict_json import StrictJsonError, dump_canonical, load_object
from pui.domain.trust import AppFacts
from pui.ports.upkeep import JobResult, MovePlan, StepReport

_DRAFTS = tuple(f".{name}.draft" for name in (MOVE_PLAN, MOVED_TO))
STAYS = frozenset({DATA_LOCK, MOVE_PLAN, MOVED_TO, MOVED_FROM, *_DRAFTS})
"""Names that belong to a place and not to the data."""
FOLDER_IN_CHOSEN = "pui"
_SPARE_BYTES = 32 * 1024 * 1024
_MAX_PLAN_BYTES = 64 * 1024
_LOCK_WAIT_S = 1.0


@dataclass(frozen=True)
class _Written:
    """The content of move.json: the copy's folder beside the target, and the mark that says the target is ours."""

    target: Path
    mark: str
    names: tuple[str, ...]

    @property
    def copy(self) -> Path:
        return self.target.parent / f"{MOVING_PREFIX}{self.mark}"


class DataMove:
    """`environ` says which folder was named: pointers that lead to this one are shortened. `is_busy`: tasks run."""

    def __init__(
        self,
        paths: AppPaths,
        app: AppFacts,
        lease: DataLease,
        environ: Mapping[str, str],
        *,
        is_busy: Callable[[], bool] = lambda: False,
        ops: FileOps | None = None,
    ) -> None:
        self._is_busy = is_busy
        self._paths = paths
        self._app = app
        self._lease = lease
        self._environ = environ
        self._ops = ops or FileOps()

    def plan(self, chosen: Path) -> MovePlan:
        """A folder that is there gets a new one named pui inside; one that is not there becomes the data folder.

        Raises CallerError caller.bad_request, HostError host.disk_full, host.permission: nothing is changed by it.
        """
        source, target = self._paths.data, chosen / FOLDER_IN_CHOSEN if chosen.exists() else chosen
        if not target.is_absolute() or not target.parent.is_dir():
            raise CallerError("caller.bad_request", f"there is no folder {target.parent}")
        if os.path.lexists(target):
            raise CallerError("caller.bad_request", f"{target} is there already", hint="Choose another folder.")
        if target.parent.resolve().is_relative_to(source.resolve()):
            raise CallerError("caller.bad_request", f"{target} lies in the folder that is to be moved")
        with mapped_os_errors(f"measuring {source}"):
            size = measure(source, STAYS)
            free = self._ops.free_bytes(target.parent)
        needed = size.disk_bytes + _SPARE_BYTES
        if free < needed:
            message = f"{needed >> 20} MiB are needed in {target.parent}, {free >> 20} MiB are free there"
            raise HostError(
                "host.disk_full", message, hint="Choose a larger disk, or remove old packs and tasks first."
            )
        return MovePlan(target, size.size_bytes, size.files)

    def move(self, plan: MovePlan, report: StepReport) -> JobResult:
        """Raises HostError host.busy (another pui, a task), .disk_full, .permission; SetupError pack.in_use; PuiError
        job.cancelled: then the old folder is in force as before and nothing is left of the copy."""
        source = self._paths.data
        with self._alone(), mapped_os_errors(f"moving {source} to {plan.target}"):
            names = tuple(sorted(path.name for path in source.iterdir() if path.name not in STAYS))
            written = _Written(plan.target, secrets.token_hex(8), names)
            try:
                self._write(source, MOVE_PLAN, _render(written))
                said = self._copy(written, plan, report)
                self._ops.rename(written.copy, written.target)
                sync_folder(self._ops, written.target.parent)
                self._write(source, MOVED_TO, os.fsencode(written.target) + b"\n")
            except BaseException:
                if not (source / MOVED_TO).exists():  # else the switch is made: the next start goes on from there
                    _undo(self._ops, source, written)
                raise
            said += self._empty_old(source, written)
        return JobResult("; ".join([f"everything is in {plan.target} now; start pui again", *said]))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other app, no install, no update."""
        with ExitStack() as stack:
            stack.enter_context(self._lease.alone())
            if self._is_busy():  # asked now that no task can begin any more
                raise HostError("host.busy", "tasks are running", hint="Wait for their end, or cancel them.")
            for lock in (self._paths.install_lock, self._paths.channel_lock):
                if lock.parent.is_dir():
                    with mapped_os_errors(f"locking {lock}"):
                        stack.enter_context(installer_lock(lock, _LOCK_WAIT_S))
            yield

    def _copy(self, written: _Written, plan: MovePlan, report: StepReport) -> list[str]:
        with opened_folder(written.target.parent) as at:
            self._ops.make_folder(written.copy.name, at, 0o700)
        report(Step("copying", 0, plan.size_bytes))
        copied = copy_tree(
            self._ops, self._paths.data, written.copy, STAYS, _Counter(report, "copying", plan.size_bytes)
        )
        check_copy(written.copy, copied, _Counter(report, "verifying", plan.size_bytes))
        said = self._renew_records(written.copy)
        self._write(written.copy, MOVED_FROM, written.mark.encode())
        sync_folder(self._ops, written.target.parent)
        return said

    def _renew_records(self, copy: Path) -> list[str]:
        """The look at each launch compares inodes: the packs are proven once more, byte by byte, and recorded anew."""
        paths = AppPaths(copy, self._paths.cache, self._paths.runtime)
        store, said = InstalledPacks(paths, self._app, ops=self._ops), list[str]()
        for listing in store.list():
            try:
                store.check(listing.pack_id, full=True)
                store.renew_record(listing.pack_id)
                sync_folder(self._ops, paths.packs_dir / listing.pack_id / RESERVED_FOLDER)
            except SetupError as error:
                said.append(f"pack {listing.pack_id} was not sound before: {error.code}")
        return said

    def _write(self, folder: Path, name: str, data: bytes) -> None:
        _write_whole(self._ops, folder, name, data)

    def _empty_old(self, source: Path, written: _Written) -> list[str]:
        """The switch is made: whatever goes wrong from here on is told, and done by the next start."""
        try:
            _finish(self._ops, source, written, self._environ)
        except OSError as error:
            return [f"the old folder could not be emptied yet ({error.strerror}); the next start goes on with it"]
        return []


def finish_moves(environ: Mapping[str, str], ops: FileOps | None = None) -> tuple[str, ...]:
    """At a start, before the data folder is used: undoes or finishes a move that was interrupted; a sentence for each.

    Does nothing in a folder where another app works. Raises SetupError data.missing, HostError.
    """
    ops, said = ops or FileOps(), list[str]()
    for folder in data_chain(environ):
        if any((folder / name).exists() for name in (MOVE_PLAN, *_DRAFTS)):
            with mapped_os_errors(f"ending an interrupted move of {folder}"):
                said += _end_interrupted(ops, folder, environ)
    return tuple(said)


def _end_interrupted(ops: FileOps, folder: Path, environ: Mapping[str, str]) -> list[str]:
    lease = _lease_of(folder)
    if lease is None:
        return []
    try:
        with lease.alone():
            if not (folder / MOVE_PLAN).exists():  # it had not begun, or was over
                _remove_plan(ops, folder)
                return []
            written = _parse(read_file(folder / MOVE_PLAN, _MAX_PLAN_BYTES))
            if (folder / MOVED_TO).exists():
                _finish(ops, folder, written, environ)
                return [f"an interrupted move was finished: {folder} is empty, everything is in {written.target}"]
            _undo(ops, folder, written)
            return [f"an interrupted move to {written.target} was undone; everything is in {folder} as before"]
    except HostError as error:
        if error.code != "host.busy":
            raise
        return []
    finally:
        lease.close()


def _lease_of(folder: Path) -> DataLease | None:
    try:
        return DataLease(AppPaths(folder, folder, folder), may_be_moved=True)
    except HostError as error:
        if error.code != "host.busy":
            raise
        return None


def _undo(ops: FileOps, source: Path, written: _Written) -> None:
    """The copy goes, wherever it got to; a target that does not bear our mark is left alone."""
    parent = written.target.parent
    if parent.is_dir():
        with opened_folder(parent) as at:
            if _mark_of(written.target) == written.mark:  # back under its old name: half removed it bears no mark
                ops.rename(written.target, written.copy)
                ops.sync(at)
            remove_tree(ops, written.copy.name, at)
            ops.sync(at)
    _remove_plan(ops, source)


def _finish(ops: FileOps, source: Path, written: _Written, environ: Mapping[str, str]) -> None:
    with opened_folder(source) as at:
        for name in written.names:
            remove_tree(ops, name, at)
        ops.sync(at)
    for folder in _leading_to(source, environ):
        _write_whole(ops, folder, MOVED_TO, os.fsencode(written.target) + b"\n")
    _remove_plan(ops, source)
    if _mark_of(written.target) == written.mark:
        with opened_folder(written.target) as at:
            ops.remove_file(MOVED_FROM, at)


def _leading_to(source: Path, environ: Mapping[str, str]) -> Sequence[Path]:
    """Folders whose pointers led to the old place: they need not go by it any more."""
    try:
        chain = data_chain(environ)
    except PuiError:
        return ()
    return chain[: chain.index(source)] if source in chain else ()


def _mark_of(target: Path) -> str:
    try:
        return read_file(target / MOVED_FROM, 64).decode("ascii", "replace")
    except OSError:
        return ""


def _remove_plan(ops: FileOps, source: Path) -> None:
    with opened_folder(source) as at:
        for name in (*_DRAFTS, MOVE_PLAN):
            remove_tree(ops, name, at)
        ops.sync(at)


def _write_whole(ops: FileOps, folder: Path, name: str, data: bytes) -> None:
    draft = f".{name}.draft"
    with opened_folder(folder) as at:
        remove_tree(ops, draft, at)
        write_new_file(ops, draft, at, data, 0o600)
        ops.rename(folder / draft, folder / name)
        ops.sync(at)


def _render(written: _Written) -> bytes:
    return dump_canonical({"target": os.fsdecode(written.target), "mark": written.mark, "names": list(written.names)})


def _parse(data: bytes) -> _Written:
    try:
        table = load_object(data, _MAX_PLAN_BYTES)
        target, mark, names = table.get("target"), table.get("mark"), table.get("names")
        if not isinstance(target, str) or not isinstance(mark, str) or not isinstance(names, list):
            raise StrictJsonError("it is no plan of a move")
        if not mark.isalnum() or not Path(target).is_absolute() or not all(_is_plain(name) for name in names):
            raise StrictJsonError("it is no plan of a move")
    except StrictJsonError as error:
        raise HostError("host.permission", f"{MOVE_PLAN} cannot be used: {error}") from error
    return _Written(Path(target), mark, tuple(str(name) for name in names))


def _is_plain(name: object) -> bool:
    return isinstance(name, str) and name not in ("", ".", "..", *STAYS) and "/" not in name


class _Counter:
    """Bytes of one phase as steps."""

    def __init__(self, report: StepReport, phase: Phase, total_bytes: int) -> None:
        self._report = report
        self._phase: Phase = phase
        self._total_bytes = total_bytes
        self._done_bytes = 0

    def __call__(self, count: int) -> None:
        self._done_bytes += count
        self._report(Step(self._phase, min(self._done_bytes, self._total_bytes), self._total_bytes))
