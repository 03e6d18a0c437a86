"""What the supervisor needs from the outside world, as small interfaces.

In: domain values. Out: domain values, or a PuiError mapped at the adapter's edge.
Never: an implementation. Contract tests in tests/contract run against every implementation, the fakes included.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pui.domain.facts import HostFacts
from pui.domain.folder_diff import FolderSnapshot
from pui.domain.folder_grants import FolderGrant
from pui.domain.launch_plan import LaunchPlan, ShareInput
from pui.domain.manifest import Manifest
from pui.domain.model_policy import ModelChoice
from pui.domain.notifications import Notification
from pui.domain.settings import ModelName
from pui.domain.task import MountRequest


@dataclass(frozen=True)
class ProcessIdentity:
    """A process named safely: a pid alone may be reused. `start_ticks` is field 22 of /proc/PID/stat on Linux."""

    pid: int
    start_ticks: int
    executable: str


@dataclass(frozen=True)
class InstalledPack:
    """A verified, installed runtime pack. `root` is absolute; `signed_by` is the label of the trusted key."""

    pack_id: str
    root: Path
    manifest: Manifest
    signed_by: str


@dataclass(frozen=True)
class SocketEndpoint:
    """A socket that pui listens on and hands to a child: `listener_fd` is inherited, `path` is for our own connect."""

    path: Path
    listener_fd: int


@dataclass(frozen=True)
class ChosenFolder:
    """A folder that may be mounted: resolved, with the identity that a launch compares again; warnings are shown."""

    path: Path
    read_only: bool
    device: int
    inode: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class BusyFolder:
    """A folder that a task of this user has mounted at this moment."""

    path: Path
    read_only: bool
    task_id: str


class Process(Protocol):
    """A running child. It dies with the app, however the app dies."""

    @property
    def identity(self) -> ProcessIdentity: ...

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""

    async def wait(self) -> int:
        """Exit code, negative signal number when killed. May be awaited by many."""

    async def stop(self, grace_s: float) -> int:
        """SIGTERM, then SIGKILL after `grace_s`; returns the exit code. Idempotent."""

    def log_tail(self, limit_bytes: int = 4096) -> str:
        """The last bytes of its log file, scrubbed of control characters."""


class ByteChannel(Protocol):
    """A framed-by-others byte stream to a virtio-serial port or to the monitor."""

    async def read(self) -> bytes:
        """Some bytes (at most 64 KiB), or b"" when the other side closed."""

    async def write(self, data: bytes) -> None:
        """All of `data`, with back-pressure. Raises OutcomeUnknownError when it broke midway."""

    async def close(self) -> None:
        """Idempotent."""


class ProcessStarter(Protocol):
    async def start(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        log_path: Path,
        pass_fds: Sequence[int] = (),
        cwd: Path | None = None,
        as_guest_user: bool = False,
    ) -> Process:
        """Start a child with exactly this environment, own session, parent-death signal, stdout+stderr in `log_path`.

        `as_guest_user` runs it in a user namespace where this user's uid and gid appear as 1000, when they differ.
        Raises LaunchError("launch.qemu_exit") or SetupError("qemu.missing") when it cannot be executed.
        """


class Transport(Protocol):
    def listen(self, directory: Path, name: str) -> SocketEndpoint:
        """Bind and listen on `directory/name.sock`, 0600. Raises HostError("host.path_too_long")."""

    def unlisten(self, endpoint: SocketEndpoint) -> None:
        """Close our copy of the listener (after the child has it) without removing the path. Idempotent."""

    async def connect(self, endpoint: SocketEndpoint, timeout_s: float) -> ByteChannel:
        """Raises LaunchError("launch.timeout")."""


class VirtualMachine(Protocol):
    """A QEMU whose monitor has answered."""

    @property
    def identity(self) -> ProcessIdentity: ...

    async def wait(self) -> int:
        """Exit code of QEMU. May be awaited by many."""

    async def trouble(self) -> str:
        """Returns a reason once QEMU reports one by itself (guest panicked, internal error, disk full); else waits."""

    async def quit(self, grace_s: float) -> None:
        """QMP `quit`, then SIGTERM, then SIGKILL, each after `grace_s`. Idempotent; fine on a dead QEMU."""

    def log_tail(self, limit_bytes: int = 4096) -> str: ...


class Hypervisor(Protocol):
    async def start(self, plan: LaunchPlan, *, qmp: SocketEndpoint, log_path: Path) -> VirtualMachine:
        """Start QEMU with exactly the plan's argv and greet its monitor. On any failure nothing is left running.

        Raises LaunchError("launch.qemu_exit", "launch.timeout"), SetupError("qemu.missing").
        """


class MountServers(Protocol):
    async def start(self, pack: InstalledPack, share: ShareInput, log_path: Path) -> Process:
        """Start the mount server (virtiofsd) of one share on the listener of `share.socket`.

        Raises LaunchError("launch.mount_server").
        """


class HostProbe(Protocol):
    async def probe(self, pack: InstalledPack, *, refresh: bool = False) -> HostFacts:
        """Facts about this computer; boots a probe machine per accelerator unless a cached verdict still holds.

        `refresh` ignores the cache. Leaves no process and no file behind but its cache.
        """


class PackStore(Protocol):
    def active(self) -> InstalledPack:
        """The active pack after the launch-time check (signature, size, mode, extra and missing files; SHA-256 of
        the files in pack_layout.ALWAYS_HASHED). Raises SetupError pack.missing, .corrupt, .untrusted, .incompatible."""


class PackTrial(Protocol):
    """What a boot says about the pack it was made with. A new pack is on trial until a machine has reached pi."""

    def proven(self, pack_id: str) -> bool:
        """A machine of the pack has reached pi's answer. False when nothing changed by it.

        Raises SetupError("pack.in_use"), HostError.
        """

    def failed(self, pack_id: str, code: str, message: str) -> str | None:
        """A boot failed by the pack's fault; a sentence about what was done, None when it was not on trial.

        Raises SetupError("pack.in_use"), HostError.
        """

    def way_back(self, pack_id: str) -> InstalledPack | None:
        """The sound pack that tasks would start from if this one, which is on trial, failed; None without a trial."""

    def mark_unclean(self) -> None:
        """Something died: every byte of the pack is to be hashed before the next launch. Raises HostError."""


class DiskImages(Protocol):
    async def create_overlay(self, pack: InstalledPack, overlay: Path) -> None:
        """A fresh qcow2 at `overlay` with the pack's base image as backing file (explicit formats).

        Raises LaunchError("launch.overlay"), HostError("host.disk_full").
        """


@dataclass(frozen=True)
class CacheVolume:
    """The second disk of a task, which outlives it: a qcow2 without a backing file. `path` is None when the task has
    none; `note` says in words which one it is, or why there is none."""

    path: Path | None
    note: str


class CacheVolumes(Protocol):
    """One volume a workspace folder, for one task at a time."""

    def hold(self, pack: InstalledPack, workspace: Path) -> AbstractContextManager[CacheVolume]:
        """The folder's volume, made from the pack's template when it is absent or not ours.

        Raises HostError("host.disk_full", "host.permission"). Blocks while the template is copied (about 1 MiB).
        """

    def drop(self, volume: CacheVolume) -> None:
        """Remove a held volume that turned out damaged. Idempotent."""


class ModelGateway(Protocol):
    """Answers the guest's HTTP requests to a model; holds the key, if any. One per task."""

    @property
    def label(self) -> str:
        """What a person is shown, e.g. "demo model (scripted)" or "anthropic at api.example"."""

    @property
    def is_demo(self) -> bool: ...

    async def serve(self, channel: ByteChannel) -> None:
        """Until the channel closes. Raises ProtocolError on a broken frame."""

    async def close(self) -> None:
        """Ends open requests and upstream connections. Idempotent."""


class JournalFile(Protocol):
    def append(self, record: Mapping[str, object], *, durable: bool) -> None:
        """One JSON line, flushed; fsync when `durable`. Raises HostError("host.disk_full")."""

    def close(self) -> None: ...


class Clock(Protocol):
    def now_ns(self) -> int:
        """Unix time."""

    def monotonic_s(self) -> float:
        """Time that stands still while the computer sleeps."""

    def slept_s(self) -> float:
        """How long the computer has slept since it was started; always 0.0 where the system does not tell."""

    async def sleep(self, delay_s: float) -> None: ...


class TaskFiles(Protocol):
    """The folders of tasks: one journal, one transcript, logs, an overlay, a runtime folder for sockets."""

    def create(self, task_id: str) -> None: ...

    def journal(self, task_id: str) -> JournalFile: ...

    def hold_journal(self, task_id: str) -> AbstractContextManager[bool]:
        """To write to the journal of a task that no app runs: True while no other app does the same, False when one
        does at this moment. Read the journal within. The system ends it with its process."""

    def transcript(self, task_id: str) -> JournalFile: ...

    def session(self, task_id: str) -> JournalFile:
        """What is kept of pi's own session, one entry a line."""

    def read_journal(self, task_id: str) -> bytes: ...

    def write(self, task_id: str, name: str, data: bytes) -> None:
        """A file of the task's folder, whole or not at all, 0600. Raises HostError host.disk_full, host.permission."""

    def read(self, task_id: str, name: str, limit_bytes: int) -> bytes:
        """A file of the task's folder. Raises HostError("host.permission"): absent, larger, not readable."""

    def write_lines(self, task_id: str, name: str, lines: Iterable[bytes]) -> int:
        """A compressed file of the task's folder, whole or not at all, 0600; it is on the disk itself when this returns
        its size in bytes. Blocks. Raises HostError host.disk_full, host.permission."""

    def read_lines(
        self, task_id: str, name: str, limit_bytes: int, line_limit_bytes: int
    ) -> Generator[bytes, None, None]:
        """The lines of such a file without their LF; limits count what is decompressed. A generator: close it. Blocks.
        Raises HostError("host.permission"): absent, damaged, larger."""

    def remove_file(self, task_id: str, name: str) -> None:
        """Absent is fine. Raises HostError("host.permission")."""

    def transcript_lines(self, task_id: str) -> Generator[bytes, None, None]:
        """Lines of the transcript without their end, newest first; none when there is no transcript. A generator:
        close it. Blocks. Raises HostError("host.permission")."""

    def disk_use_bytes(self, task_id: str) -> int:
        """What the task's folder takes up on the disk. Blocks. 0 when it is gone."""

    def task_ids(self) -> Sequence[str]: ...

    def task_ids_with(self, name: str) -> Sequence[str]:
        """The tasks that have a file of this name."""

    def task_stamps(self) -> Mapping[str, tuple[int, ...]]:
        """Of every task what differs once its journal or its transcript was written to. Blocks."""

    def path(self, task_id: str, name: str) -> Path: ...

    def runtime_dir(self, task_id: str) -> Path:
        """Creates a 0700 folder with a short path for sockets."""

    def remove_runtime_dir(self, task_id: str) -> None: ...

    def remove_work_files(self, task_id: str) -> Sequence[str]:
        """Removes the overlay and the like, keeps journal, transcript and logs; returns what was removed."""

    def remove_task(self, task_id: str) -> None: ...


class TaskLogs(Protocol):
    """The ends of what programs have written beside a task's journal, and of the app's own log. All of it blocks."""

    def tail(self, task_id: str, name: str, limit_bytes: int) -> bytes:
        """The last bytes of a file of the task's folder; b"" when there is none. Raises HostError host.permission."""

    def sizes(self, task_id: str) -> Sequence[tuple[str, int]]:
        """Name and size in bytes of each file, sorted. Raises HostError("host.permission")."""

    def app_log_tail(self, limit_bytes: int) -> bytes: ...

    def write_bundle(self, path: Path, members: Mapping[str, str]) -> None:
        """A zip file with these texts, whole or not at all, 0600. Raises HostError host.disk_full, host.permission."""


class ProcessTable(Protocol):
    def is_alive(self, identity: ProcessIdentity) -> bool:
        """True only if pid *and* start time match."""

    def kill(self, identity: ProcessIdentity) -> bool:
        """SIGKILL through a pidfd after the start time was compared. False when it was not there."""


class Folders(Protocol):
    def decide(self, mounts: Sequence[MountRequest], busy: Sequence[BusyFolder]) -> tuple[ChosenFolder, ...]:
        """Each folder resolved and allowed, in order; `busy` is what other tasks have mounted.

        Raises CallerError("mount.refused") for the first that is not allowed.
        """


class FolderScanner(Protocol):
    """Looks into a folder that a guest may be writing to. Follows no link, opens no special file, runs nothing."""

    def scan(self, folder: Path, known: FolderSnapshot | None = None) -> FolderSnapshot:
        """Names and texts below `folder`, up to limits. Blocks. Raises HostError("host.permission").

        A file whose stamp is that in `known` is not read again: for counts, not for what a person is shown."""

    def names(self, folder: Path) -> Sequence[str]:
        """Names below `folder`, relative, with "/", without what tools keep for themselves. Blocks. Raises the same."""


class PackLock(Protocol):
    def hold(self, pack_id: str) -> AbstractContextManager[None]:
        """While held nobody can remove the pack. Raises SetupError("pack.in_use")."""


class Dialogs(Protocol):
    """Questions that only the person at this computer can answer, outside of the page. None: nothing was chosen.

    Every text may quote a stranger and is scrubbed by the caller. At most one dialog is open; the others wait.
    Raises HostError("host.no_dialog") where nobody can be asked.
    """

    async def choose_folder(self, title: str) -> Path | None: ...

    async def choose_file(self, title: str, suffixes: Sequence[str]) -> Path | None:
        """An existing file; `suffixes` like ".pui-bundle", empty for any."""

    async def save_file(self, title: str, name: str) -> Path | None:
        """Where to write; `name` is a plain file name. An existing file was confirmed by the person."""

    async def confirm(self, title: str, lines: Sequence[str], yes: str) -> bool:
        """True only for an explicit yes; `yes` says what happens then ("Mount the folder")."""

    async def ask_text(self, title: str, lines: Sequence[str], initial: str = "") -> str | None:
        """One line of text."""


class ModelChoices(Protocol):
    """Which models this person can use: the one place that joins a provider with its address and its key."""

    def default(self) -> ModelName:
        """What a task gets that names no model: the person's choice, else what the environment says, else the demo."""

    def choice(self, provider: str, model: str) -> ModelChoice:
        """With address and key as they are at this moment: for one launch, never written down. "" is the default model.

        Raises ModelError("model.no_key"), CallerError("caller.bad_request"), HostError("host.permission").
        """


class GrantFile(Protocol):
    """Keeps the folders that the person has let pui use."""

    def load(self) -> tuple[FolderGrant, ...]:
        """Nothing if there is no file or a damaged one (which is set aside). Raises HostError("host.permission")."""

    def save(self, grants: Sequence[FolderGrant]) -> None:
        """Durable, as a whole. Raises HostError host.disk_full, host.permission."""


class Desktop(Protocol):
    """The person's desktop. The methods block: call them on a worker thread."""

    def open_link(self, url: str) -> bool:
        """Open an http(s) address in the person's browser; False when there is none."""

    def save_file(self, path: Path, data: bytes) -> None:
        """Write a file that the person named in a native dialog (0600). Raises HostError."""


class Notifier(Protocol):
    """Tells the person something on their desktop; one notification a task, the newer takes the older's place.

    `on_click` is called on the loop with the id of the task whose notification was clicked.
    """

    on_click: Callable[[str], None]

    async def problem(self) -> str:
        """Why it is not possible here and now, in words for the settings; "" when it is."""

    async def show(self, notification: Notification) -> None:
        """Raises HostError("host.no_notifications")."""

    async def withdraw(self) -> None:
        """Takes away what is still shown. Raises HostError("host.no_notifications")."""

    async def close(self) -> None:
        """Withdraws and hangs up; never raises. Idempotent."""
