"""Other people's processes and our own orphans, named so that a reused pid is never hit.

In: identities from a journal. Out: alive or not; a kill through a pidfd. Never: a signal to a bare pid.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from pui.adapters.process import start_ticks_of
from pui.ports import ProcessIdentity

_STATE = 0  # field 3 of proc_pid_stat(5), counted from the field after the command's name
_START_TIME = 19
_DELETED = " (deleted)"


def own_identity() -> ProcessIdentity:
    """This very app, as a task's journal names its owner."""
    pid = os.getpid()
    return ProcessIdentity(pid, start_ticks_of(pid), str(Path("/proc/self/exe").readlink()))


class LinuxProcessTable:
    """ports.ProcessTable by /proc and pidfd_send_signal(2)."""

    def is_alive(self, identity: ProcessIdentity) -> bool:
        """A zombie does not count: it holds nothing any more."""
        try:
            fields = Path(f"/proc/{identity.pid}/stat").read_bytes().rpartition(b")")[2].split()
        except OSError:
            return False
        if fields[_STATE] in (b"Z", b"X") or int(fields[_START_TIME]) != identity.start_ticks:
            return False
        return _runs_the_same_program(identity)

    def kill(self, identity: ProcessIdentity) -> bool:
        """The pidfd is opened first and compared afterwards: from then on the pid cannot become somebody else's."""
        try:
            pidfd = os.pidfd_open(identity.pid)
        except OSError:
            return False
        try:
            if not self.is_alive(identity):
                return False
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                return True
            return False
        finally:
            os.close(pidfd)


def _runs_the_same_program(identity: ProcessIdentity) -> bool:
    """Start ticks begin anew at each boot, so the program is compared as well, where it can be read."""
    try:
        found = str(Path(f"/proc/{identity.pid}/exe").readlink())
    except OSError:
        return True
    return found.removesuffix(_DELETED) == identity.executable.removesuffix(_DELETED)
