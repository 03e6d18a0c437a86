"""Which folders may be mounted: threats.md G9, G10, G14.

In: a small file system described by identities. Out: Allow or Deny with its reason. Never: a real folder.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Any

import pytest

from pui.domain.errors import CODES
from pui.domain.mount_policy import (
    Allow,
    Deny,
    FileIdentity,
    FolderFacts,
    MountContext,
    ProtectedFolder,
    ResolvedFolder,
    RunningMount,
    decide_mount,
    protected_paths,
)

HOME = PurePosixPath("/home/ann")


def _identity(path: PurePath) -> FileIdentity:
    return FileIdentity(1, zlib.crc32(str(path).encode("utf-8", "surrogateescape")))


def _at(path: str | PurePath, *, same_as: str = "") -> ResolvedFolder:
    """A folder that exists; with `same_as` it is that folder under another name (a bind mount)."""
    where = PurePosixPath(path) if isinstance(path, str) else path
    first = _identity(type(where)(same_as)) if same_as else _identity(where)
    return ResolvedFolder(where, (first, *(_identity(parent) for parent in where.parents)))


def _absent(path: str) -> ResolvedFolder:
    return ResolvedFolder(PurePosixPath(path), ())


def _context(home: PurePosixPath = HOME, running: Sequence[RunningMount] = ()) -> MountContext:
    protected = [ProtectedFolder(_at(path), why) for path, why in protected_paths("linux", home)]
    protected += [ProtectedFolder(_at(home / ".local/share/pui"), "app"), ProtectedFolder(_at("/tmp/pui-0"), "app")]
    protected.append(ProtectedFolder(_absent("/home/ann/.absent"), "secret"))
    return MountContext(tuple(protected), tuple(running))


def _facts(path: str, **changes: Any) -> FolderFacts:
    values: dict[str, Any] = {
        "requested": path,
        "folder": _at(path),
        "is_directory": True,
        "read_only": False,
        "file_system": "local",
    }
    return FolderFacts(**(values | changes))


ALLOWED = [
    "/home/ann/project",
    "/home/ann/deep/er/project",
    "/home/ann/.local/bin",
    "/home/ann/x, y=z",
    "/home/ann/-leading",
    "/home/ann/пример",
    "/home/bob/shared",
    "/srv/code",
    "/opt/code",
    "/mnt/disk/code",
    "/tmp/project",
    "/var/tmp/project",
    "/run/media/ann/stick",
]

REFUSED = {
    "/": "/ is the root of the file system",
    "/home": "/home contains your home (/home/ann)",
    "/home/ann": "/home/ann is your home",
    "/home/ann/.ssh": "/home/ann/.ssh is a folder that holds secrets",
    "/home/ann/.ssh/keys/old": "/home/ann/.ssh/keys/old lies in a folder that holds secrets (/home/ann/.ssh)",
    "/home/ann/.config/git": "/home/ann/.config/git lies in a folder that holds secrets (/home/ann/.config)",
    "/home/ann/.local/share/keyrings": "/home/ann/.local/share/keyrings is a folder that holds secrets",
    "/home/ann/.local/share/pui": "/home/ann/.local/share/pui is pui's own folder",
    "/home/ann/.local/share/pui/tasks": (
        "/home/ann/.local/share/pui/tasks lies in pui's own folder (/home/ann/.local/share/pui)"
    ),
    "/home/ann/.local": "/home/ann/.local contains a folder that holds secrets (/home/ann/.local/share/keyrings)",
    "/tmp": "/tmp contains pui's own folder (/tmp/pui-0)",
    "/etc": "/etc is a folder of the system",
    "/etc/ssl": "/etc/ssl lies in a folder of the system (/etc)",
    "/proc/1/root": "/proc/1/root lies in a folder of the system (/proc)",
    "/dev/shm": "/dev/shm lies in a folder of the system (/dev)",
    "/usr/local/src": "/usr/local/src lies in a folder of the system (/usr)",
    "/var/lib": "/var/lib lies in a folder of the system (/var)",
    "/run/user/1000": "/run/user/1000 lies in a folder of the system (/run)",
}


@pytest.mark.parametrize("path", ALLOWED)
def test_allowed(path: str) -> None:
    assert decide_mount(_facts(path), _context()) == Allow()


@pytest.mark.parametrize("path", REFUSED)
@pytest.mark.threat("G9")
def test_refused(path: str) -> None:
    assert decide_mount(_facts(path), _context()) == Deny(REFUSED[path])


def test_a_refusal_has_the_code_and_its_hint() -> None:
    verdict = decide_mount(_facts("/"), _context())
    assert isinstance(verdict, Deny)
    assert (verdict.code, verdict.hint) == ("mount.refused", CODES["mount.refused"].hint)


@pytest.mark.parametrize("place", ["/home/ann", "/home/ann/.ssh", "/etc", "/home/ann/.local/share/pui", "/"])
@pytest.mark.threat("G9")
def test_a_bind_mount_is_the_folder_itself(place: str) -> None:
    bound = _facts("/mnt/harmless", folder=_at("/mnt/harmless", same_as=place))
    assert isinstance(decide_mount(bound, _context()), Deny)


def test_a_folder_below_a_bind_mount_of_secrets() -> None:
    lineage = (FileIdentity(1, 5), _identity(PurePosixPath("/home/ann/.ssh")), *_at("/mnt").lineage)
    bound = ResolvedFolder(PurePosixPath("/mnt/harmless/keys"), lineage)
    assert isinstance(decide_mount(_facts("/mnt/harmless/keys", folder=bound), _context()), Deny)


def test_a_home_below_a_system_folder_is_a_home() -> None:
    context = _context(PurePosixPath("/var/home/ann"))
    assert decide_mount(_facts("/var/home/ann/project"), context) == Allow()
    assert decide_mount(_facts("/var/home/ann/.ssh/x"), context) != Allow()
    assert decide_mount(_facts("/var/home"), context) == Deny("/var/home lies in a folder of the system (/var)")
    assert decide_mount(_facts("/var/lib"), context) != Allow()


def test_a_home_that_is_the_root() -> None:
    context = _context(PurePosixPath("/"))
    assert decide_mount(_facts("/work/project"), context) == Allow()
    assert isinstance(decide_mount(_facts("/"), context), Deny)
    assert isinstance(decide_mount(_facts("/.ssh"), context), Deny)


@pytest.mark.parametrize(
    "char", ["\n", "\r", "\t", "\0", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\u202e", "\u2066"]
)
def test_names_that_cannot_be_shown(char: str) -> None:
    path = f"/home/ann/a{char}b"
    verdict = decide_mount(_facts(path), _context())
    assert isinstance(verdict, Deny)
    assert verdict.reason.isascii()
    assert verdict.reason.isprintable()
    assert isinstance(decide_mount(_facts(path, folder=_at("/home/ann/ok")), _context()), Deny)


def test_names_that_are_not_unicode() -> None:
    assert isinstance(decide_mount(_facts("/home/ann/\udcff"), _context()), Deny)


def test_what_is_not_a_folder() -> None:
    missing = _facts("/home/ann/x", folder=_absent("/home/ann/x"))
    assert decide_mount(missing, _context()) == Deny("/home/ann/x does not exist")
    assert decide_mount(_facts("/home/ann/x", is_directory=False), _context()) == Deny("/home/ann/x is not a folder")


@pytest.mark.parametrize(
    ("kind", "words"),
    [("network", "a network share"), ("removable", "a removable disk"), ("unknown", "an unknown file system")],
)
def test_slow_places_are_warned_about(kind: str, words: str) -> None:
    verdict = decide_mount(_facts("/mnt/x", file_system=kind), _context())
    assert verdict == Allow((f"/mnt/x lies on {words}: it may be slow or go away while the task runs",))


@pytest.mark.parametrize("path", ["/srv/a/b", "/srv/a", "/srv/a/b/c"])
@pytest.mark.parametrize("read_only", [True, False])
def test_another_task_changes_it(path: str, read_only: bool) -> None:
    context = _context(running=[RunningMount(_at("/srv/a/b"), False, "t1")])
    verdict = decide_mount(_facts(path, read_only=read_only), context)
    assert verdict == Deny(f"{path} overlaps /srv/a/b, which task t1 is changing")
    assert decide_mount(_facts("/srv/a/other"), context) == Allow()


def test_another_task_reads_it() -> None:
    context = _context(running=[RunningMount(_at("/srv/a/b"), True, "t1")])
    told = "task t1 reads /srv/a/b and will see what this task changes"
    assert decide_mount(_facts("/srv/a"), context) == Allow((told,))
    assert decide_mount(_facts("/srv/a", read_only=True), context) == Allow()
    assert decide_mount(_facts("/srv/b"), context) == Allow()


@pytest.mark.parametrize("root", ["\\\\wsl$\\Debian", "\\\\WSL.localhost\\Debian"])
@pytest.mark.threat("G9")
def test_windows_refuses_folders_of_wsl(root: str) -> None:
    path = PureWindowsPath(root) / "home"
    facts = FolderFacts(str(path), _at(path), is_directory=True, read_only=True)
    assert decide_mount(facts, MountContext(())) == Deny(f"{path} is a folder of another system (WSL)")
    other = PureWindowsPath("D:\\code")
    assert decide_mount(FolderFacts(str(other), _at(other), True, True), MountContext(())) == Allow()


def test_each_system_protects_its_own_places() -> None:
    linux = dict(protected_paths("linux", HOME))
    macos = dict(protected_paths("macos", PurePosixPath("/Users/ann")))
    windows = dict(protected_paths("windows", PureWindowsPath(r"C:\Users\ann")))
    assert linux[PurePosixPath("/")] == "root"
    assert linux[HOME] == "home"
    assert macos[PurePosixPath("/Users/ann/Library")] == "secret"
    assert macos[PurePosixPath("/private/var/folders")] == "open"
    assert windows[PureWindowsPath("C:\\")] == "root"
    assert windows[PureWindowsPath(r"C:\Users\ann\AppData")] == "secret"
    assert windows[PureWindowsPath(r"C:\Windows")] == "system"
    for name in (".ssh", ".gnupg", ".aws", ".config", ".kube", ".docker", ".local/share/keyrings"):
        assert linux[HOME / name] == "secret"
        assert macos[PurePosixPath("/Users/ann") / name] == "secret"
        assert windows[PureWindowsPath(r"C:\Users\ann") / name] == "secret"


def test_a_folder_that_the_person_may_not_use_is_refused() -> None:
    unread = decide_mount(_facts("/work/project", missing_right="read"), _context())
    assert unread == Deny("you may not read /work/project")
    unwritten = decide_mount(_facts("/work/project", missing_right="write"), _context())
    assert unwritten == Deny("you may not write to /work/project: choose it read-only")
