"""Who works in the data folder, by flock: many apps at one time, or one that moves the folder.

In: the app's folders. Out: context managers; named refusals. Never: a wait, a pid file that could grow stale.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from pui.adapters.packs.file_ops import mapped_os_errors
from pui.adapters.paths import AppPaths, own_dir
from pui.domain.errors import HostError, SetupError


class DataLease:
    """The right of one running app to work in the data folder, held until `close`."""

    def __init__(self, paths: AppPaths, *, may_be_moved: bool = False) -> None:
        """`may_be_moved`: for whoever ends an interrupted move of the folder.

        Raises SetupError data.moved, HostError host.busy while somebody moves the folder, host.permission.
        """
        own_dir(paths.data)
        with mapped_os_errors(f"opening {paths.data_lock}"):
            self._fd = os.open(paths.data_lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        self._paths = paths
        try:
            if not self._take(fcntl.LOCK_SH):
                raise HostError("host.busy", f"{paths.data} is being moved", hint="Wait until the move is through.")
            if not may_be_moved:
                check_not_moved(paths)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No other app works in the folder meanwhile, and none starts to. Raises HostError host.busy."""
        if not self._take(fcntl.LOCK_EX):
            self._take(fcntl.LOCK_SH)  # a refused change of a lock may have lost the old one (flock(2))
            raise HostError("host.busy", "another pui is running", hint="Close its window, or wait for its command.")
        try:
            yield
        finally:
            self._take(fcntl.LOCK_SH)

    def close(self) -> None:
        """Idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _take(self, kind: int) -> bool:
        try:
            fcntl.flock(self._fd, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@contextmanager
def data_in_use(paths: AppPaths) -> Iterator[None]:
    """For one act that writes below the data folder. Raises as DataLease does."""
    lease = DataLease(paths)
    try:
        yield
    finally:
        lease.close()


def check_not_moved(paths: AppPaths) -> None:
    """Raises SetupError data.moved when this process still knows the folder's old place."""
    if paths.moved_to.exists():
        raise SetupError("data.moved", f"{paths.data} was moved to another place")
