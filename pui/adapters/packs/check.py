"""Looks at an installed pack, hashes what must be hashed, and says whether it may run.

In: the pack's folder, trusted keys, this app's facts. Out: an InstalledPack or a SetupError that names the file.
Never: a write, a link followed, an exception that is not a PuiError for a damaged pack.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pui.adapters.packs.file_ops import mapped_os_errors, opened_folder, read_file
from pui.adapters.packs.keys import TrustFolder
from pui.domain.errors import SetupError
from pui.domain.manifest import MAX_FILES, Manifest, ManifestFile
from pui.domain.pack_check import (
    ENVELOPE,
    MAX_STATS_BYTES,
    RECORDED_STATS,
    WRITABLE_BY_OTHERS,
    Found,
    Kind,
    check_tree,
    parse_stats,
)
from pui.domain.pack_layout import ALWAYS_HASHED
from pui.domain.pack_path import MAX_PARTS
from pui.domain.trust import MAX_ENVELOPE_BYTES, AppFacts, VerifiedManifest, check_compatibility
from pui.ports import InstalledPack

HASH_THREADS = 2
_HASH_CHUNK_BYTES = 1024 * 1024
_MAX_ENTRIES = 3 * MAX_FILES
_MAX_SHOWN = 50


def check_pack(root: Path, trust: TrustFolder, app: AppFacts, *, full: bool) -> InstalledPack:
    """The pack in `root` if it is the one a trusted key signed; `full` hashes every file, else ALWAYS_HASHED and
    the files whose stats are not the recorded ones.

    Raises SetupError pack.missing, .corrupt (names the file), .untrusted, .incompatible.
    """
    verified = read_verified(root, trust)
    check_compatibility(verified.manifest, app)
    faults = find_faults(root, verified.manifest, full=full)
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise SetupError("pack.corrupt", f"pack {root.name}: {faults[0]}{more}", detail="\n".join(faults[:_MAX_SHOWN]))
    return InstalledPack(root.name, root, verified.manifest, verified.signed_by)


def read_verified(root: Path, trust: TrustFolder) -> VerifiedManifest:
    """The manifest of the pack in `root`, under a trusted signature.

    Raises SetupError pack.missing (no such folder), pack.corrupt (envelope gone or damaged), pack.untrusted.
    """
    if not root.is_dir():
        raise SetupError("pack.missing", f"the folder of pack {root.name} is gone")
    try:
        envelope = read_file(root / ENVELOPE, MAX_ENVELOPE_BYTES)
    except OSError as error:
        raise _corrupt(root, f"{ENVELOPE!r} cannot be read: {error.strerror}") from error
    verified = _verify(root, envelope, trust)
    if verified.pack_id != root.name:
        raise _corrupt(root, f"its manifest is the one of {verified.pack_id}")
    return verified


def find_faults(root: Path, manifest: Manifest, *, full: bool) -> tuple[str, ...]:
    """Sentences that name files; empty when all is well. Raises SetupError pack.corrupt when it cannot be read."""
    try:
        found = scan_tree(root)
        recorded = _recorded(root)
    except OSError as error:
        raise _corrupt(root, f"its folder cannot be read: {error.strerror} ({error.filename})") from error
    verdict = check_tree(manifest, found, recorded, os.geteuid())
    if verdict.faults:
        return verdict.faults
    chosen = [file for file in manifest.files if full or file.path in ALWAYS_HASHED or file.path in verdict.unproven]
    return wrong_sums(root, chosen)


def wrong_sums(root: Path, files: Iterable[ManifestFile]) -> tuple[str, ...]:
    """Files whose SHA-256 is not the manifest's, or that cannot be read. The largest go first: hashlib lets threads
    run beside each other."""
    ordered = sorted(files, key=lambda file: -file.size_bytes)
    with ThreadPoolExecutor(HASH_THREADS, thread_name_prefix="pui-hash") as pool:
        return tuple(fault for fault in pool.map(lambda file: _sum_fault(root, file), ordered) if fault is not None)


def has_wrong_sum(root: Path, file: ManifestFile) -> bool:
    """The file's SHA-256 is not the manifest's, or it cannot be read."""
    return _sum_fault(root, file) is not None


def scan_tree(root: Path) -> Mapping[str, Found]:
    """Every entry below `root` by relative path, and "" for itself; no link is followed. Raises OSError."""
    found: dict[str, Found] = {}
    with opened_folder(root) as fd:
        found[""] = _found(os.fstat(fd))
        _scan(fd, "", found, MAX_PARTS)
    return found


def check_ancestors(folders: Iterable[Path]) -> None:
    """Raises SetupError pack.corrupt when another user could exchange a pack as a whole."""
    for folder in folders:
        with mapped_os_errors(f"looking at {folder}"):
            found = folder.stat()
        if found.st_uid != os.geteuid() or found.st_mode & WRITABLE_BY_OTHERS:
            raise SetupError("pack.corrupt", f"others may write to {folder}", hint=f"Run: chmod go-w '{folder}'")


def _verify(root: Path, envelope: bytes, trust: TrustFolder) -> VerifiedManifest:
    try:
        return trust.verify_installed(envelope)
    except SetupError as error:
        if error.code == "pack.untrusted":
            detail = "\n".join(trust.faults)
            raise SetupError(error.code, f"pack {root.name}: {error.message}", detail=detail) from error
        raise _corrupt(root, f"{ENVELOPE!r}: {error.message}") from error


def _corrupt(root: Path, message: str) -> SetupError:
    return SetupError("pack.corrupt", f"pack {root.name}: {message}")


def _recorded(root: Path) -> Mapping[str, Found]:
    try:
        return parse_stats(read_file(root / RECORDED_STATS, MAX_STATS_BYTES))
    except FileNotFoundError:
        return {}


def _scan(fd: int, prefix: str, found: dict[str, Found], depth_left: int) -> None:
    with os.scandir(fd) as entries:
        for entry in entries:
            path = prefix + os.fsencode(entry.name).decode("utf-8", "replace")
            found[path] = _found(entry.stat(follow_symlinks=False))
            if len(found) > _MAX_ENTRIES or depth_left == 0:
                raise OSError(0, "it holds far more than a pack", path)
            if found[path].kind is Kind.FOLDER:
                _scan_folder(fd, entry.name, f"{path}/", found, depth_left - 1)


def _scan_folder(at: int, name: str, prefix: str, found: dict[str, Found], depth_left: int) -> None:
    fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
    try:
        _scan(fd, prefix, found, depth_left)
    finally:
        os.close(fd)


def _found(entry: os.stat_result) -> Found:
    kind = Kind.OTHER
    if stat.S_ISREG(entry.st_mode):
        kind = Kind.FILE
    elif stat.S_ISDIR(entry.st_mode):
        kind = Kind.FOLDER
    mode = stat.S_IMODE(entry.st_mode)
    return Found(kind, entry.st_size, mode, entry.st_mtime_ns, entry.st_ctime_ns, entry.st_ino, entry.st_uid)


def _sum_fault(root: Path, file: ManifestFile) -> str | None:
    try:
        fd = os.open(root / file.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            digest = _digest(fd)
        finally:
            os.close(fd)
    except OSError as error:
        return f"{file.path!r} cannot be read: {error.strerror}"
    return None if digest == file.sha256 else f"{file.path!r} was changed: its SHA-256 is not the signed one"


def _digest(fd: int) -> str:
    digest, buffer = hashlib.sha256(), memoryview(bytearray(_HASH_CHUNK_BYTES))
    while count := os.readv(fd, [buffer]):
        digest.update(buffer[:count])
    return digest.hexdigest()
