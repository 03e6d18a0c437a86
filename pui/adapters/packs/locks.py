"""Who may change packs and who is using one, by flock: the kernel frees a lock with its process, whatever killed it.

In: paths of a lock file or of a pack's folder. Out: context managers. Never: a pid file that could grow stale.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pui.domain.errors import SetupError

_POLL_S = 0.1


@contextmanager
def installer_lock(path: Path, wait_s: float) -> Iterator[None]:
    """The right to change the store. Raises SetupError pack.in_use after `wait_s`, OSError if it cannot be opened."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        if not _take(fd, fcntl.LOCK_EX, wait_s):
            raise SetupError("pack.in_use", "another pui is installing or removing a pack")
        yield
    finally:
        os.close(fd)


@contextmanager
def pack_use(root: Path) -> Iterator[None]:
    """The pack in `root` is being used: it cannot be removed meanwhile, by any process.

    The lock is on the pack's folder itself, so nothing is written. Raises SetupError pack.missing, pack.in_use.
    """
    with _folder_lock(root, fcntl.LOCK_SH):
        yield


@contextmanager
def pack_removal(root: Path) -> Iterator[None]:
    """Nobody uses the pack in `root`. Raises SetupError pack.in_use, pack.missing."""
    with _folder_lock(root, fcntl.LOCK_EX):
        yield


@contextmanager
def _folder_lock(root: Path, kind: int) -> Iterator[None]:
    try:
        fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise SetupError("pack.missing", f"pack {root.name} is not installed ({error.strerror})") from error
    try:
        if not _take(fd, kind, 0.0):
            raise SetupError("pack.in_use", f"pack {root.name} is in use")
        if not _is_still(fd, root):
            raise SetupError("pack.missing", f"pack {root.name} was removed a moment ago")
        yield
    finally:
        os.close(fd)


def _take(fd: int, kind: int, wait_s: float) -> bool:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(fd, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_S)
        else:
            return True


def _is_still(fd: int, path: Path) -> bool:
    """The folder may have been renamed away between open and lock."""
    try:
        return os.path.samestat(os.fstat(fd), path.lstat())
    except FileNotFoundError:
        return False
