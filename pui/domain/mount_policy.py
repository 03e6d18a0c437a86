"""Which folders of the host may be shared with a guest.

In: facts about a folder and about the folders to protect, gathered and resolved by an adapter.
Out: Allow (with warnings) or Deny with a reason. Never: a look at the file system.

The rule: walk from the folder up to the root; the *nearest* protected folder decides. So a project in the home is fine
even where homes lie below /var, and `.ssh` in that home is not. A folder that contains a protected one is refused too.
Folders are compared by (device, inode), so that no symbolic link, bind mount or other spelling gets around it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath, PureWindowsPath
from typing import Literal

from pui.domain.errors import CODES
from pui.domain.facts import OsName

Protection = Literal["root", "home", "app", "secret", "system", "open"]
FileSystemKind = Literal["local", "network", "removable", "unknown"]
MissingRight = Literal["", "read", "write"]

SECRET_NAMES = (
    ".ssh",
    ".gnupg",
    ".aws",
    ".azure",
    ".config",
    ".kube",
    ".docker",
    ".password-store",
    ".mozilla",
    ".thunderbird",
    ".local/share/keyrings",
    ".local/share/kwalletd",
    ".pi",
)
"""Folders of a home that hold keys or configuration that programs of the host act on."""
_SECRET_NAMES_MACOS = ("Library",)
_SECRET_NAMES_WINDOWS = ("AppData",)

_SYSTEM_LINUX = (
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/run", "/sbin", "/sys"),
    *("/usr", "/var", "/lost+found", "/snap"),
)
_SYSTEM_MACOS = (
    *("/bin", "/cores", "/dev", "/etc", "/private", "/sbin", "/usr", "/var", "/tmp"),  # noqa: S108 — a name to refuse
    *("/Applications", "/Library", "/System", "/Network"),
)
_SYSTEM_WINDOWS = (
    *(r"C:\Windows", r"C:\Program Files", r"C:\Program Files (x86)", r"C:\ProgramData", r"C:\Recovery"),
    r"C:\System Volume Information",
)
# Places below a system folder where a person's own files lie: removable disks and temporary folders.
_OPEN_LINUX = ("/run/media", "/var/tmp")  # noqa: S108 — a name to compare, nothing is written there
_OPEN_MACOS = ("/private/tmp", "/private/var/folders")


@dataclass(frozen=True)
class FileIdentity:
    """st_dev and st_ino: the same pair is the same folder."""

    device: int
    inode: int


@dataclass(frozen=True)
class ResolvedFolder:
    """A folder after realpath. `lineage` holds the identity of the folder, its parent, … up to the root; empty if the
    folder does not exist."""

    path: PurePath
    lineage: tuple[FileIdentity, ...]

    @property
    def identity(self) -> FileIdentity | None:
        return self.lineage[0] if self.lineage else None


@dataclass(frozen=True)
class FolderFacts:
    """The folder that a person chose. `requested` is the text as given; `file_system` is what it lies on,
    `missing_right` what the person may not do in it."""

    requested: str
    folder: ResolvedFolder
    is_directory: bool
    read_only: bool
    file_system: FileSystemKind = "local"
    missing_right: MissingRight = ""


@dataclass(frozen=True)
class ProtectedFolder:
    """A folder that is not given to guests, and why. "home" and "root" protect themselves and what contains them,
    "app", "secret" and "system" also everything below, "open" takes its own tree out of a protected one."""

    folder: ResolvedFolder
    protection: Protection


@dataclass(frozen=True)
class RunningMount:
    """A folder that a running task has."""

    folder: ResolvedFolder
    read_only: bool
    task_id: str


@dataclass(frozen=True)
class MountContext:
    """Everything to compare with. An adapter resolves what protected_paths and the app's own paths name."""

    protected: tuple[ProtectedFolder, ...]
    running: tuple[RunningMount, ...] = ()


@dataclass(frozen=True)
class Allow:
    """The folder may be mounted; `warnings` are shown first."""

    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Deny:
    """The folder may not be mounted. `code` is a key of errors.CODES."""

    reason: str
    code: str = "mount.refused"

    @property
    def hint(self) -> str:
        return CODES[self.code].hint


def protected_paths(os: OsName, home: PurePath) -> tuple[tuple[PurePath, Protection], ...]:
    """The names to resolve on this system, beside the app's own folders ("app"). Many of them do not exist."""
    names = {
        "linux": SECRET_NAMES,
        "macos": SECRET_NAMES + _SECRET_NAMES_MACOS,
        "windows": SECRET_NAMES + _SECRET_NAMES_WINDOWS,
    }[os]
    system = {"linux": _SYSTEM_LINUX, "macos": _SYSTEM_MACOS, "windows": _SYSTEM_WINDOWS}[os]
    opened = {"linux": _OPEN_LINUX, "macos": _OPEN_MACOS, "windows": ()}[os]
    flavour = type(home)
    listed: list[tuple[PurePath, Protection]] = [(flavour(home.anchor), "root"), (home, "home")]
    listed += [(home / name, "secret") for name in names]
    listed += [(flavour(path), "system") for path in system]
    listed += [(flavour(path), "open") for path in opened]
    return tuple(listed)


def decide_mount(facts: FolderFacts, context: MountContext) -> Allow | Deny:
    """The verdict on one folder."""
    reason = (
        _name_fault(facts)
        or _kind_fault(facts)
        or _protection_fault(facts.folder, context.protected)
        or _right_fault(facts)
        or _running_fault(facts.folder, context.running)
    )
    return Deny(reason) if reason else Allow(tuple(_warnings(facts, context)))


def _name_fault(facts: FolderFacts) -> str:
    for text in (facts.requested, str(facts.folder.path)):
        if any(_is_unshowable(char) for char in text):
            return f"the name {ascii(text)} has control characters or is not valid Unicode"
    return ""


def _is_unshowable(char: str) -> bool:
    """Control, line and paragraph separators, lone surrogates, and marks that turn the reading direction."""
    return unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") or unicodedata.bidirectional(char) in (
        "LRE",
        "RLE",
        "LRO",
        "RLO",
        "PDF",
        "LRI",
        "RLI",
        "FSI",
        "PDI",
    )


def _kind_fault(facts: FolderFacts) -> str:
    path = facts.folder.path
    if not facts.folder.lineage:
        return f"{path} does not exist"
    if not facts.is_directory:
        return f"{path} is not a folder"
    if isinstance(path, PureWindowsPath) and path.drive.lower().startswith(("\\\\wsl$", "\\\\wsl.localhost")):
        return f"{path} is a folder of another system (WSL)"
    return ""


def _right_fault(facts: FolderFacts) -> str:
    """A machine that starts and then cannot reach its folder would tell less."""
    if facts.missing_right == "read":
        return f"you may not read {facts.folder.path}"
    return f"you may not write to {facts.folder.path}: choose it read-only" if facts.missing_right else ""


_WORDS: dict[Protection, str] = {
    "root": "the root of the file system",
    "home": "your home",
    "app": "pui's own folder",
    "secret": "a folder that holds secrets",
    "system": "a folder of the system",
}
_DEEP = frozenset({"app", "secret", "system"})


def _protection_fault(folder: ResolvedFolder, protected: tuple[ProtectedFolder, ...]) -> str:
    return _nearest_fault(folder, protected) or _containment_fault(folder, protected)


def _nearest_fault(folder: ResolvedFolder, protected: tuple[ProtectedFolder, ...]) -> str:
    """The word of the nearest protected folder; one folder may be protected for several reasons (a home that is /)."""
    for distance, identity in enumerate(folder.lineage):
        here = [item for item in protected if item.folder.identity == identity]
        if here:
            return next((fault for item in here if (fault := _fault_at(folder, item, distance))), "")
    return ""


def _fault_at(folder: ResolvedFolder, item: ProtectedFolder, distance: int) -> str:
    word = _WORDS.get(item.protection)
    if word is None:
        return ""
    if distance == 0:
        return f"{folder.path} is {word}"
    return f"{folder.path} lies in {word} ({item.folder.path})" if item.protection in _DEEP else ""


def _containment_fault(folder: ResolvedFolder, protected: tuple[ProtectedFolder, ...]) -> str:
    for item in protected:
        if item.protection in _WORDS and folder.identity in item.folder.lineage[1:]:
            return f"{folder.path} contains {_WORDS[item.protection]} ({item.folder.path})"
    return ""


def _running_fault(folder: ResolvedFolder, running: tuple[RunningMount, ...]) -> str:
    for mount in running:
        if not mount.read_only and _overlaps(folder, mount.folder):
            return f"{folder.path} overlaps {mount.folder.path}, which task {mount.task_id} is changing"
    return ""


def _overlaps(one: ResolvedFolder, other: ResolvedFolder) -> bool:
    return one.identity in other.lineage or other.identity in one.lineage


def _warnings(facts: FolderFacts, context: MountContext) -> Iterator[str]:
    path = facts.folder.path
    if facts.file_system != "local":
        words = {"network": "a network share", "removable": "a removable disk", "unknown": "an unknown file system"}
        yield f"{path} lies on {words[facts.file_system]}: it may be slow or go away while the task runs"
    for mount in context.running:
        if not facts.read_only and mount.read_only and _overlaps(facts.folder, mount.folder):
            yield f"task {mount.task_id} reads {mount.folder.path} and will see what this task changes"
