"""Looks at the folders that a person chose and at those to protect; the verdict is domain/mount_policy.py.

In: mount requests, the app's folders, the user's homes. Out: chosen folders with their identity, or a refusal.
Never: a name compared as text where an inode can be, a look into a folder.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping, Sequence
from pathlib import Path

from pui.adapters.paths import AppPaths
from pui.domain.errors import CallerError
from pui.domain.mount_policy import (
    Deny,
    FileIdentity,
    FileSystemKind,
    FolderFacts,
    MissingRight,
    MountContext,
    ProtectedFolder,
    Protection,
    ResolvedFolder,
    RunningMount,
    decide_mount,
    protected_paths,
)
from pui.domain.platforms import Platform
from pui.domain.task import MountRequest
from pui.ports import BusyFolder, ChosenFolder

_NETWORK_TYPES = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "glusterfs", "9p", "fuse.sshfs", "fuse.rclone", "davfs"}
)
_REMOVABLE_ROOTS = ("/media/", "/run/media/")
_NOWHERE = FileIdentity(-1, -1)


class HostFolders:
    """ports.Folders."""

    def __init__(self, paths: AppPaths, platform: Platform, env: Mapping[str, str] | None = None) -> None:
        self._paths = paths
        self._os = platform.os
        self._env = os.environ if env is None else env

    def decide(self, mounts: Sequence[MountRequest], busy: Sequence[BusyFolder]) -> tuple[ChosenFolder, ...]:
        running = tuple(RunningMount(resolve_folder(item.path), item.read_only, item.task_id) for item in busy)
        context = MountContext(self._protected(), running)
        all_facts = [folder_facts(mount) for mount in mounts]
        chosen = tuple(_choose(facts, context) for facts in all_facts)
        _refuse_back_doors(all_facts)
        return chosen

    def _protected(self) -> tuple[ProtectedFolder, ...]:
        own = (self._paths.data, self._paths.cache, self._paths.runtime)
        listed: list[tuple[Path, Protection]] = [(path, "app") for path in own]
        for home in _homes(self._env):
            listed += [(Path(path), protection) for path, protection in protected_paths(self._os, home)]
        return tuple(ProtectedFolder(resolve_folder(path, must_exist=False), word) for path, word in listed)


def folder_facts(mount: MountRequest) -> FolderFacts:
    """Facts about one folder as it is now. A folder that cannot be looked at counts as absent."""
    folder = resolve_folder(Path(mount.folder))
    path = Path(folder.path)
    is_directory = bool(folder.lineage) and path.is_dir()
    kind = _file_system_kind(path)
    return FolderFacts(str(mount.folder), folder, is_directory, mount.read_only, kind, _missing_right(path, mount))


def _missing_right(path: Path, mount: MountRequest) -> MissingRight:
    """access(2). The mount server has no right that the person does not have."""
    if not os.access(path, os.R_OK | os.X_OK):
        return "read"
    return "" if mount.read_only or os.access(path, os.W_OK) else "write"


def resolve_folder(path: Path, *, must_exist: bool = True) -> ResolvedFolder:
    """Links followed, then the identities up to the root.

    A folder to protect may be absent (`must_exist` False): its place is known all the same, by the nearest ancestor
    that exists, so that the folder in which it would be made is protected too.
    """
    try:
        resolved = path.resolve(strict=must_exist)
        return ResolvedFolder(resolved, _lineage(resolved, must_exist))
    except (OSError, RuntimeError):  # RuntimeError: a loop of links (CPython before 3.13)
        return ResolvedFolder(path, ())


def _lineage(path: Path, must_exist: bool) -> tuple[FileIdentity, ...]:
    found = []
    for place in (path, *path.parents):
        try:
            status = place.stat()
        except OSError:
            if must_exist:
                raise
            found.append(_NOWHERE)
        else:
            found.append(FileIdentity(status.st_dev, status.st_ino))
    return tuple(found)


def _choose(facts: FolderFacts, context: MountContext) -> ChosenFolder:
    verdict = decide_mount(facts, context)
    if isinstance(verdict, Deny):
        raise CallerError(verdict.code, verdict.reason, hint=verdict.hint)
    identity = facts.folder.lineage[0]
    path = Path(facts.folder.path)
    return ChosenFolder(path, facts.read_only, identity.device, identity.inode, verdict.warnings)


def _refuse_back_doors(all_facts: Sequence[FolderFacts]) -> None:
    """A read-only folder inside a writable one of the same task would be writable by the other way."""
    for closed in (facts for facts in all_facts if facts.read_only):
        for opened in (facts for facts in all_facts if not facts.read_only):
            if opened.folder.identity in closed.folder.lineage:
                message = f"{closed.folder.path} shall be read-only but lies in {opened.folder.path}, which is writable"
                raise CallerError("mount.refused", message, hint="Mount one of the two, or both read-only.")


def _homes(env: Mapping[str, str]) -> set[Path]:
    """The home that programs use and the one that the system knows; they may differ (sudo, HOME unset)."""
    homes = {Path(env["HOME"])} if env.get("HOME", "").startswith("/") else set()
    try:
        homes.add(Path(pwd.getpwuid(os.geteuid()).pw_dir))
    except KeyError:
        if not homes:
            homes.add(Path("/"))
    return homes


def _file_system_kind(path: Path) -> FileSystemKind:
    """By the mount that holds the path (proc_pid_mountinfo(5)); the last one on the longest mount point wins."""
    best, kind = -1, ""
    try:
        lines = Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return "unknown"
    for line in lines:
        before, _, after = line.partition(" - ")
        point = _unescape(before.split()[4])
        if len(point) >= best and (str(path) + "/").startswith(point.rstrip("/") + "/"):
            best, kind = len(point), after.split()[0]
    if kind in _NETWORK_TYPES:
        return "network"
    return "removable" if str(path).startswith(_REMOVABLE_ROOTS) else "local"


def _unescape(text: str) -> str:
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, char)
    return text
