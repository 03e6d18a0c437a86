"""Folders are judged by what they are, and looked into without following, opening or running anything."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from pui.adapters.folder_facts import HostFolders
from pui.adapters.folder_scan import HostFolderScanner, ScanLimits, scan_folder
from pui.adapters.paths import AppPaths
from pui.domain.errors import CallerError, HostError
from pui.domain.folder_diff import diff_snapshots
from pui.domain.task import MountRequest
from pui.ports import BusyFolder, ChosenFolder
from tests.support.machines import LINUX


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home/ann"
    for name in (".ssh", "project/sub", ".local/share"):
        (home / name).mkdir(parents=True)
    return home


def decide(home: Path, *mounts: MountRequest, busy: tuple[BusyFolder, ...] = ()) -> tuple[ChosenFolder, ...]:
    """The app's own data folder does not exist yet, as on a first start."""
    paths = AppPaths(home / ".local/share/pui", home / ".cache/pui", home.parent / "run")
    return HostFolders(paths, LINUX, {"HOME": str(home)}).decide(mounts, busy)


def test_a_project_is_chosen_with_its_identity(home: Path) -> None:
    (home / "short").symlink_to(home / "project")
    (chosen,) = decide(home, MountRequest(home / "short"))
    status = (home / "project").stat()
    assert chosen == ChosenFolder(home / "project", False, status.st_dev, status.st_ino)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        ".ssh",
        ".ssh/deep",
        "link-to-home",
        "link-to-ssh",
        ".local/share",
        ".local/share/pui",
        "absent",
        "file",
    ],
)
@pytest.mark.threat("G9")
def test_dangerous_folders_are_refused(home: Path, name: str) -> None:
    (home / ".ssh/deep").mkdir()
    (home / "link-to-home").symlink_to(home)
    (home / "link-to-ssh").symlink_to(home / ".ssh")
    (home / "file").touch()
    with pytest.raises(CallerError) as caught:
        decide(home, MountRequest(home / name))
    assert caught.value.code == "mount.refused"


@pytest.mark.parametrize("name", ["/", "/etc", "/root"])
@pytest.mark.threat("G9")
def test_folders_of_the_system_are_refused(home: Path, name: str) -> None:
    with pytest.raises(CallerError, match="mount.refused"):
        decide(home, MountRequest(Path(name)))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_rights_is_refused(home: Path) -> None:
    closed, unwritable = home / "closed", home / "unwritable"
    closed.mkdir(mode=0o300)
    unwritable.mkdir(mode=0o500)
    with pytest.raises(CallerError, match="you may not read"):
        decide(home, MountRequest(closed, True))
    with pytest.raises(CallerError, match="choose it read-only"):
        decide(home, MountRequest(unwritable))
    decide(home, MountRequest(unwritable, True))


def test_a_loop_of_links_is_refused(home: Path) -> None:
    (home / "loop").symlink_to(home / "loop")
    with pytest.raises(CallerError, match="does not exist"):
        decide(home, MountRequest(home / "loop"))


def test_read_only_inside_writable_is_refused_and_the_reverse_is_not(home: Path) -> None:
    outer, inner = home / "project", home / "project/sub"
    with pytest.raises(CallerError, match="shall be read-only"):
        decide(home, MountRequest(outer), MountRequest(inner, read_only=True))
    assert len(decide(home, MountRequest(inner), MountRequest(outer, read_only=True))) == 2


def test_a_folder_that_another_task_changes_is_refused_by_any_name(home: Path) -> None:
    (home / "short").symlink_to(home / "project")
    busy = (BusyFolder(home / "project", False, "t-9"),)
    for name in ("short", "project/sub"):
        with pytest.raises(CallerError, match="t-9"):
            decide(home, MountRequest(home / name), busy=busy)
    (chosen,) = decide(home, MountRequest(home / "short"), busy=(BusyFolder(home / "project", True, "t-9"),))
    assert "t-9" in chosen.warnings[0]


# scan


@pytest.mark.threat("G1", "G5")
def test_text_is_read_and_nothing_is_followed_or_opened(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/text").write_text("hello\n")
    (tmp_path / "binary").write_bytes(b"\0\1")
    (tmp_path / "latin").write_bytes(b"\xe9\n")
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "folder-link").symlink_to("/etc")
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "sock"))
    (tmp_path / "run").write_text("#!/bin/sh\n")
    (tmp_path / "run").chmod(0o755)
    entries = scan_folder(tmp_path).entries
    assert {name: (e.kind, e.text, e.target, e.is_executable) for name, e in entries.items()} == {
        "a/text": ("file", "hello\n", "", False),
        "binary": ("file", None, "", False),
        "latin": ("file", None, "", False),
        "link": ("link", None, "/etc/passwd", False),
        "folder-link": ("link", None, "/etc", False),
        "fifo": ("other", None, "", False),
        "sock": ("other", None, "", False),
        "run": ("file", "#!/bin/sh\n", "", True),
    }


def test_names_that_are_not_utf8_are_kept(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff\n")).write_text("x")
    assert list(scan_folder(tmp_path).entries) == ["\udcff\n"]


@pytest.mark.threat("G13")
def test_gits_own_data_is_left_out_and_its_hooks_are_not(tmp_path: Path) -> None:
    for name in ("objects/ab/cd", "hooks/pre-commit", "config", "index"):
        (tmp_path / ".git" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / ".git" / name).write_text("x")
    (tmp_path / "objects").write_text("of the project")
    assert sorted(scan_folder(tmp_path).entries) == [".git/config", ".git/hooks/pre-commit", "objects"]


@pytest.mark.parametrize(
    ("limits", "kept", "is_complete"),
    [
        (ScanLimits(entry_limit=3), 3, False),
        (ScanLimits(depth_limit=1), 5, False),
        (ScanLimits(file_limit_bytes=3), 6, True),
        (ScanLimits(total_limit_bytes=3), 6, True),
    ],
    ids=["entries", "depth", "file", "total"],
)
@pytest.mark.threat("G11")
def test_limits_are_kept(tmp_path: Path, limits: ScanLimits, kept: int, is_complete: bool) -> None:
    (tmp_path / "d/deep").mkdir(parents=True)
    for name in ("a", "b", "c", "d/e", "d/f", "d/deep/g"):
        (tmp_path / name).write_text("text")
    found = scan_folder(tmp_path, limits)
    assert (len(found.entries), found.is_complete) == (kept, is_complete)
    if min(limits.file_limit_bytes, limits.total_limit_bytes) == 3:
        assert all(entry.text is None for entry in found.entries.values())


@pytest.mark.threat("G11")
def test_a_file_of_eight_exbibytes_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    assert scan_folder(tmp_path).entries["sparse"].text is None


@pytest.mark.threat("G10")
def test_a_link_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(HostError, match="cannot look into"):
        scan_folder(tmp_path / "link")


@pytest.mark.threat("G13")
def test_two_looks_make_a_diff_and_no_hook_runs(tmp_path: Path) -> None:
    folder, canary = tmp_path / "work", tmp_path / "canary"
    (folder / ".git/hooks").mkdir(parents=True)
    before = scan_folder(folder)
    hook = folder / ".git/hooks/post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {canary}\n")
    hook.chmod(0o755)
    (folder / ".git/config").write_text(f"[core]\nfsmonitor = touch {canary}\n")
    diff = diff_snapshots(before, scan_folder(folder))
    assert [change.path for change in diff.warnings] == [".git/config", ".git/hooks/post-checkout"]
    assert not canary.exists()


def test_names_of_a_folder_without_what_tools_keep_for_themselves(tmp_path: Path) -> None:
    for name in ("src/main.py", ".git/config", "node_modules/x/index.js", "docs/a.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text")
    outside = tmp_path.with_name(f"{tmp_path.name}-outside")
    outside.mkdir()
    (outside / "secret").write_text("s")
    (tmp_path / "way-out").symlink_to(outside)
    os.mkfifo(tmp_path / "pipe")
    scanner = HostFolderScanner()
    assert sorted(scanner.names(tmp_path)) == ["docs/a.md", "pipe", "src/main.py", "way-out"]
    assert scanner.scan(tmp_path).entries["src/main.py"].text == "text"
    with pytest.raises(HostError):
        scanner.names(tmp_path / "absent")


def test_g2_a_folder_that_becomes_a_link_while_it_is_read(tmp_path: Path) -> None:
    """A guest exchanges a folder for a link to the outside, and back, as fast as it can."""
    outside, work = tmp_path / "outside", tmp_path / "work"
    outside.mkdir()
    (outside / "secret").write_text("canary of the host\n")
    work.mkdir()
    real, link, place = work / "real", work / "link", work / "place"
    real.mkdir()
    (real / "own").write_text("of the guest\n")
    link.symlink_to(outside)
    stop = threading.Event()

    def exchange() -> None:
        while not stop.is_set():
            for here in (real, link):
                here.rename(place)
                place.rename(here)

    thread = threading.Thread(target=exchange)
    thread.start()
    try:
        seen = [scan_folder(work) for _ in range(400)]
    finally:
        stop.set()
        thread.join()
    texts = [entry.text for snapshot in seen for entry in snapshot.entries.values()]
    assert "canary of the host\n" not in texts
    assert not [name for snapshot in seen for name in snapshot.entries if name.endswith("secret")]
    assert "of the guest\n" in texts, "the race was run over something"


def test_g4_two_names_that_differ_by_case_are_two(tmp_path: Path) -> None:
    for name in ("Readme", "README", "readme", "e\u0301", "\u00e9"):
        (tmp_path / name).write_text(name)
    entries = scan_folder(tmp_path).entries
    assert {name: entry.text for name, entry in entries.items()} == {name: name for name in entries}
    assert len(entries) == 5
