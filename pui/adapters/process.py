"""The only module that starts a process.

In: an argv list, an explicit environment, descriptors to pass on. Out: a Process, with identity, exit code and log.
Never: a shell, the app's own environment, a child that outlives the app, a start from another thread than the first
one (PR_SET_PDEATHSIG follows the *thread* that forked: a child of a short-lived thread dies with it).
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import resource
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from pui.adapters.log_pump import LOG_LIMIT_BYTES, LogPump
from pui.domain.errors import HostError, LaunchError, PuiError, SetupError
from pui.ports import Process, ProcessIdentity

GUEST_UID = 1000
GUEST_GID = 1000

_PR_SET_PDEATHSIG = 1  # prctl(2)
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWUSER = 0x10000000  # unshare(2)
_STAT_START_TIME = 19  # field 22 of proc_pid_stat(5), counted from the field after the command's name

# Looked up before any fork: between fork and exec nothing may be imported or loaded.
_LIBC = ctypes.CDLL(None, use_errno=True)
_prctl = _LIBC.prctl
_unshare = _LIBC.unshare


def start_ticks_of(pid: int) -> int:
    """Start time of a process in clock ticks since boot. Raises FileNotFoundError or ProcessLookupError."""
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return int(fields[_STAT_START_TIME])


class ChildProcess:
    """ports.Process: a child that this app started and will reap."""

    def __init__(self, popen: subprocess.Popen[bytes], pidfd: int, identity: ProcessIdentity, log: LogPump) -> None:
        self._popen = popen
        self._pidfd = pidfd
        self._identity = identity
        self._log = log
        self._ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(pidfd, self._reap)

    @property
    def identity(self) -> ProcessIdentity:
        return self._identity

    @property
    def exit_code(self) -> int | None:
        """None while it runs (or was not reaped yet)."""
        return self._popen.returncode

    def _reap(self) -> None:
        """The pidfd became readable: the child is a zombie, so its pid still names its process group and no other."""
        self._loop.remove_reader(self._pidfd)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._identity.pid, signal.SIGKILL)  # whatever it started and left behind
        self._popen.wait()
        os.close(self._pidfd)
        self._log.close()
        self._ended.set()

    async def wait(self) -> int:
        await self._ended.wait()
        return int(self._popen.returncode)

    def send_signal(self, number: signal.Signals) -> None:
        """Nothing happens when it has ended already."""
        if not self._ended.is_set():
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    async def stop(self, grace_s: float) -> int:
        """SIGTERM, after `grace_s` SIGKILL; a cancelled stop kills at once, so that nothing is left behind."""
        self.send_signal(signal.SIGTERM)
        try:
            await self._end_within(grace_s)
        except asyncio.CancelledError:
            self.send_signal(signal.SIGKILL)
            raise
        self.send_signal(signal.SIGKILL)
        return await self.wait()

    async def _end_within(self, grace_s: float) -> None:
        """Not by asyncio.timeout: before Python 3.11.3 it lets an earlier cancel of its task out a second time, and a
        stop in an `except CancelledError` would not wait for the end."""
        waiting = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait({waiting}, timeout=grace_s)
        finally:
            waiting.cancel()

    def log_tail(self, limit_bytes: int = 4096) -> str:
        return self._log.tail(limit_bytes)


async def run_to_end(child: Process) -> int:
    """Exit code of a child that ends on its own; when we are cancelled it is killed first."""
    try:
        return await child.wait()
    except asyncio.CancelledError:
        await child.stop(0.0)
        raise


class LinuxProcessStarter:
    """ports.ProcessStarter for Linux. Belongs to the thread that first uses it."""

    def __init__(self, log_limit_bytes: int = LOG_LIMIT_BYTES) -> None:
        self._log_limit_bytes = log_limit_bytes
        self._thread: int | None = None

    async def start(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        log_path: Path,
        pass_fds: Sequence[int] = (),
        cwd: Path | None = None,
        as_guest_user: bool = False,
    ) -> ChildProcess:
        """See ports.ProcessStarter. There is no await between fork and the returned Process: a cancel loses nothing.

        Raises also HostError host.permission when the log cannot be written or user namespaces are not allowed.
        """
        self._check_thread()
        log = LogPump(log_path, self._log_limit_bytes)
        try:
            popen = _spawn(argv, env, log.write_fd, pass_fds, cwd, _ChildSetup(as_guest_user))
        except (OSError, subprocess.SubprocessError) as error:
            log.close()
            raise _start_error(argv[0], error, log.tail()) from error
        return _adopt(popen, argv[0], log)

    def _check_thread(self) -> None:
        here = threading.get_ident()
        if self._thread is None:
            self._thread = here
        if self._thread != here:
            raise RuntimeError("a process was about to be started from a second thread")


def _adopt(popen: subprocess.Popen[bytes], program: str, log: LogPump) -> ChildProcess:
    """Until it is reaped the pid is the child's own, so nothing here can meet a stranger."""
    log.release_write_end()
    try:
        pidfd = os.pidfd_open(popen.pid)
    except OSError as error:
        popen.kill()
        popen.wait()
        log.close()
        raise LaunchError("launch.qemu_exit", f"cannot watch {program}: {error.strerror}") from error
    identity = ProcessIdentity(popen.pid, start_ticks_of(popen.pid), _executable_of(popen.pid, program))
    return ChildProcess(popen, pidfd, identity, log)


def _executable_of(pid: int, program: str) -> str:
    """What runs, by /proc; the name that was asked for when the child is already a zombie."""
    try:
        return str(Path(f"/proc/{pid}/exe").readlink())
    except OSError:
        return program


def _spawn(
    argv: Sequence[str],
    env: Mapping[str, str],
    output_fd: int,
    pass_fds: Sequence[int],
    cwd: Path | None,
    setup: Callable[[], None],
) -> subprocess.Popen[bytes]:
    with warnings.catch_warnings():
        if sys.version_info >= (3, 12):
            # Python warns of fork in a threaded program: the hook below takes no lock and loads nothing.
            warnings.simplefilter("ignore", DeprecationWarning)
        return subprocess.Popen(  # noqa: S603 - an argv list built by pui, no shell
            list(argv),
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output_fd,
            stderr=output_fd,
            pass_fds=tuple(pass_fds),
            close_fds=True,
            cwd=cwd,
            start_new_session=True,
            preexec_fn=setup,
        )


class _ChildSetup:
    """What the child does to itself between fork and exec. Everything it needs is looked up before the fork."""

    def __init__(self, as_guest_user: bool) -> None:
        uid, gid = os.geteuid(), os.getegid()
        self._parent = os.getpid()
        self._maps: tuple[tuple[bytes, bytes], ...] = ()
        if as_guest_user and (uid, gid) != (GUEST_UID, GUEST_GID):
            self._maps = (
                (b"/proc/self/setgroups", b"deny"),  # user_namespaces(7): needed before gid_map without privilege
                (b"/proc/self/uid_map", b"%d %d 1" % (GUEST_UID, uid)),
                (b"/proc/self/gid_map", b"%d %d 1" % (GUEST_GID, gid)),
            )

    def __call__(self) -> None:
        if self._maps:
            self._enter_user_namespace()
        # After the namespace: a change of credentials clears the signal (prctl(2)); an ordinary exec keeps it.
        _check(_prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0), b"prctl(PR_SET_PDEATHSIG)")
        if os.getppid() != self._parent:
            os._exit(127)  # the app died before the signal was set
        _check(_prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), b"prctl(PR_SET_NO_NEW_PRIVS)")
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold the guest's memory

    def _enter_user_namespace(self) -> None:
        _check(_unshare(_CLONE_NEWUSER), b"unshare(CLONE_NEWUSER)")
        for path, text in self._maps:
            fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(fd, text)
            finally:
                os.close(fd)


_USERNS_MARK = b"pui: no user namespace"


def _check(result: int, what: bytes) -> None:
    """Standard error is the log already: it carries the reason that Popen's exception does not."""
    if result != 0:
        mark = _USERNS_MARK if what.startswith(b"unshare") else b"pui: child set-up"
        os.write(2, mark + b": %s failed with errno %d\n" % (what, ctypes.get_errno()))
        raise OSError(ctypes.get_errno(), "child set-up failed")


def _start_error(program: str, error: Exception, tail: str) -> PuiError:
    if isinstance(error, subprocess.SubprocessError):
        if _USERNS_MARK.decode() in tail:
            return HostError(
                "host.permission",
                "this system does not let you make a user namespace, which the machine needs",
                hint="Allow unprivileged user namespaces (sysctl user.max_user_namespaces, AppArmor), "
                "or run pui as a user with uid and gid 1000.",
                detail=tail,
            )
        return LaunchError("launch.qemu_exit", f"{program} could not be started", detail=tail)
    reason = error.strerror if isinstance(error, OSError) else str(error)
    if isinstance(error, (FileNotFoundError, PermissionError)) or getattr(error, "errno", 0) == 8:  # ENOEXEC
        return SetupError("qemu.missing", f"{program} cannot be executed: {reason}")
    return LaunchError("launch.qemu_exit", f"{program} could not be started: {reason}")
