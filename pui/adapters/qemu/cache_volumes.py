"""Cache volumes: one qcow2 a workspace folder, kept from task to task.

In: the pack's empty file system, a workspace folder. Out: a volume that one task holds alone, or why there is none.
Never: an image opened by its own word (the header is checked first), two tasks on one volume, a volume shared between
folders: what a task left there can reach later tasks of the same folder only.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pui.adapters.paths import AppPaths, own_dir
from pui.domain import pack_layout
from pui.domain.errors import HostError
from pui.domain.qcow2_header import HEADER_READ_BYTES, ExpectedImage, check_qcow2_header
from pui.ports import CacheVolume, InstalledPack

IN_USE = "another task of this folder is using the cache volume, so this one has none"
NO_TEMPLATE = "this runtime pack has no cache volume"
_SUFFIX, _PARTIAL, _LOCK = ".qcow2", ".partial", ".lock"
_EXPECTED = ExpectedImage(None, pack_layout.CACHE_VOLUME_BYTES)


@dataclass(frozen=True)
class StoredVolume:
    """A cache volume on disk: its name, and the bytes that it occupies."""

    name: str
    size_bytes: int


class CacheFolder:
    """ports.CacheVolumes, below `paths.cache_volumes`."""

    def __init__(self, paths: AppPaths) -> None:
        self._folder = paths.cache_volumes

    @contextmanager
    def hold(self, pack: InstalledPack, workspace: Path) -> Iterator[CacheVolume]:
        """See ports.CacheVolumes. A volume whose header is not ours is thrown away and begins anew."""
        template = pack.root / pack_layout.CACHE_TEMPLATE
        if not template.is_file():
            yield CacheVolume(None, NO_TEMPLATE)
            return
        own_dir(self._folder)
        with _taken(self._folder / f"{_key(workspace)}{_LOCK}") as is_ours:
            yield self._open(template, _key(workspace)) if is_ours else CacheVolume(None, IN_USE)

    def drop(self, volume: CacheVolume) -> None:
        """Remove a held volume that turned out damaged. Idempotent. Raises HostError("host.permission")."""
        if volume.path is not None:
            _remove(volume.path)

    def stored(self) -> tuple[StoredVolume, ...]:
        """Every volume on disk, by name."""
        if not self._folder.is_dir():
            return ()
        files = sorted(path for path in self._folder.iterdir() if path.suffix == _SUFFIX)
        return tuple(StoredVolume(path.stem, path.lstat().st_blocks * 512) for path in files)

    def clear(self) -> tuple[tuple[StoredVolume, ...], tuple[str, ...]]:
        """Remove every volume that no task holds: (removed, names of those in use). Raises HostError."""
        removed, busy = [], []
        for volume in self.stored():
            with _taken(self._folder / f"{volume.name}{_LOCK}") as is_ours:
                if is_ours:
                    _remove(self._folder / f"{volume.name}{_SUFFIX}")
                    removed.append(volume)
                else:
                    busy.append(volume.name)
        return tuple(removed), tuple(busy)

    def _open(self, template: Path, key: str) -> CacheVolume:
        path = self._folder / f"{key}{_SUFFIX}"
        faults = _faults(path)
        if faults is None:
            _copy(template, path)
            return CacheVolume(path, "a new, empty cache volume")
        if not faults:
            return CacheVolume(path, "the cache volume that earlier tasks of this folder filled")
        _remove(path)
        _copy(template, path)
        return CacheVolume(path, f"the cache volume was damaged ({faults[0]}) and begins anew")


def _key(workspace: Path) -> str:
    """The name of a folder's volume: its path is not readable from it."""
    return hashlib.sha256(os.fsencode(workspace)).hexdigest()[:24]


def _faults(path: Path) -> tuple[str, ...] | None:
    """None when there is no volume; else what is wrong with it."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        return (f"it cannot be opened: {error.strerror}",)
    with open(fd, "rb") as file:  # noqa: PTH123 - closes the descriptor, whatever happens
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            return ("it is not a file of this user",)
        return check_qcow2_header(file.read(HEADER_READ_BYTES), found.st_size, _EXPECTED)


def _copy(template: Path, path: Path) -> None:
    """Beside the target, then a rename: a volume is whole or absent. Raises HostError("host.disk_full")."""
    partial = path.with_suffix(_PARTIAL)
    try:
        _remove(partial)
        with template.open("rb") as source, partial.open("xb") as target:
            partial.chmod(0o600)
            shutil.copyfileobj(source, target)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise HostError("host.disk_full", f"cannot make the cache volume {path}: {error.strerror}") from error


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise HostError("host.permission", f"cannot remove {path}: {error.strerror}") from error


@contextmanager
def _taken(path: Path) -> Iterator[bool]:
    """True while we hold the lock; False when somebody else does. The kernel frees it with its process."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise HostError("host.permission", f"cannot open {path}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(fd)
