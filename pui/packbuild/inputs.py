"""Gets every input of the lock into the download cache, or resolves anew what the mirrors no longer have.

In: a lock file, the cache. Out: the lock whose inputs are all in the cache. Never: the network when all is cached.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from pui.domain.errors import PuiError
from pui.packbuild.downloads import DownloadCache, GoneError
from pui.packbuild.lock import Lock, LockedInput, changes_between, parse_lock, render_lock
from pui.packbuild.mirrors import choose_debian_mirror, debian_address, npm_registry, read_apt_sources
from pui.packbuild.progress import Progress, Report
from pui.packbuild.pypi import download_wheel
from pui.packbuild.resolve import resolve_lock

PACKAGED_LOCK = Path(__file__).with_name("versions.lock")


def obtain_inputs(
    cache: DownloadCache,
    lock_path: Path,
    cache_dir: Path,
    suffixes: frozenset[str],
    *,
    frozen: bool,
    update_lock: bool,
    report: Report,
) -> Lock:
    """The lock of one platform (`suffixes`: see Lock.narrowed) to build from, all its inputs verified in the cache.

    `update_lock` resolves everything anew and rewrites `lock_path`. Without it an input that its mirror lost is
    resolved anew into the cache folder, with a note for every change; `frozen` refuses instead.
    Raises PuiError("pack.build"), DownloadError fetch.*.
    """
    if update_lock:
        return _updated(cache, lock_path, suffixes, report)
    own_lock = _own_lock(lock_path, cache_dir)
    if own_lock.exists() and not frozen:
        report(Progress("resolve", note=f"using the lock resolved earlier on this machine ({own_lock})"))
    lock = lock_in_use(lock_path, cache_dir, frozen=frozen)
    lost = _fetch_all(cache, lock.narrowed(suffixes), report)
    if lost:
        _refuse_if_frozen(lost, frozen=frozen)
        lock = _resolved_anew(cache, lock, lost, own_lock, suffixes, report)
    return lock.narrowed(suffixes)


def lock_in_use(lock_path: Path, cache_dir: Path, *, frozen: bool) -> Lock:
    """`lock_path`, or what was resolved earlier on this machine in its stead. Raises PuiError("pack.build")."""
    own_lock = _own_lock(lock_path, cache_dir)
    return parse_lock((own_lock if own_lock.exists() and not frozen else lock_path).read_bytes())


def _own_lock(lock_path: Path, cache_dir: Path) -> Path:
    return cache_dir / "locks" / f"{_short_sum(lock_path)}.lock"


def _updated(cache: DownloadCache, lock_path: Path, suffixes: frozenset[str], report: Report) -> Lock:
    if not os.access(lock_path if lock_path.exists() else lock_path.parent, os.W_OK):
        raise PuiError("pack.build", f"the lock {lock_path} cannot be written", hint="Use --update-lock in a checkout.")
    before = parse_lock(lock_path.read_bytes()) if lock_path.exists() else None
    lock = resolve_lock(cache, report)
    if before is not None:
        _note_changes(before, lock, report)
    _fetch_all(cache, lock.narrowed(suffixes), report)
    _write(lock_path, lock)
    return lock.narrowed(suffixes)


def _resolved_anew(
    cache: DownloadCache,
    lock: Lock,
    lost: list[LockedInput],
    own_lock: Path,
    suffixes: frozenset[str],
    report: Report,
) -> Lock:
    names = ", ".join(item.name for item in lost)
    report(Progress("resolve", note=f"the mirror no longer has: {names}; resolving its kind anew"))
    fresh = resolve_lock(cache, report, kept=lock, lost=frozenset(item.kind.split("-")[0] for item in lost))
    _note_changes(lock, fresh, report)
    still_lost = _fetch_all(cache, fresh.narrowed(suffixes), report)
    if still_lost:
        raise PuiError(
            "pack.build", f"the mirror names {still_lost[0].name} {still_lost[0].version}, but does not have it"
        )
    own_lock.parent.mkdir(parents=True, exist_ok=True)
    _write(own_lock, fresh)
    return fresh


def _note_changes(before: Lock, after: Lock, report: Report) -> None:
    for line in changes_between(before, after):
        report(Progress("resolve", note=line))


def _refuse_if_frozen(lost: list[LockedInput], *, frozen: bool) -> None:
    if frozen:
        names = ", ".join(f"{item.name} {item.version}" for item in lost)
        raise PuiError(
            "pack.build",
            f"the mirror no longer has {names}, and --frozen forbids other versions",
            hint="Build without --frozen, or run `pui pack build --update-lock`.",
        )


def _write(path: Path, lock: Lock) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(render_lock(lock))
    partial.replace(path)


def _short_sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _fetch_all(cache: DownloadCache, lock: Lock, report: Report) -> list[LockedInput]:
    """Fetch what is not cached; returns the inputs that their mirrors no longer have."""
    report(Progress("verify", note=f"comparing {len(lock.inputs)} cached inputs with the lock"))
    missing = [item for item in lock.inputs if not cache.has(item.sha256, item.size_bytes)]
    files = [item for item in missing if item.kind != "pypi"]
    if files:
        total_bytes = sum(item.size_bytes for item in files)
        report(Progress("download", 0, total_bytes, f"fetching {len(files)} inputs, {total_bytes >> 20} MiB"))
        with cache.session(total_bytes):
            lost = _fetch_files(cache, files)
    else:
        lost = []
    return [*lost, *_fetch_wheels(cache, missing, report)]


def _fetch_files(cache: DownloadCache, missing: Iterable[LockedInput]) -> list[LockedInput]:
    lost = []
    address_of: dict[str, Callable[[LockedInput], str]] = {}
    for item in missing:
        kind = item.kind.split("-")[0]
        if kind not in address_of:
            address_of[kind] = _address_rule(kind)
        try:
            cache.fetch(address_of[kind](item), item.sha256, item.size_bytes, f"{item.name} {item.version}")
        except GoneError:
            lost.append(item)
    return lost


def _address_rule(kind: str) -> Callable[[LockedInput], str]:
    if kind == "debian":
        mirror = choose_debian_mirror(read_apt_sources())
        return lambda item: debian_address(mirror, item)
    registry = npm_registry()
    return lambda item: f"{registry}/{item.path}"


def _fetch_wheels(cache: DownloadCache, missing: Iterable[LockedInput], report: Report) -> list[LockedInput]:
    lost = []
    for item in missing:
        if item.kind == "pypi":
            try:
                _, _, sha256 = download_wheel(cache, item.version, report)
            except GoneError:
                lost.append(item)
                continue
            if sha256 != item.sha256:
                raise PuiError("fetch.checksum", f"{item.name} {item.version}: the index's bytes differ from the lock")
    return lost
