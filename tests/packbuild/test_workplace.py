"""One build a cache at a time; nothing of a killed build stays."""

from __future__ import annotations

import fcntl
import threading
from pathlib import Path

from pui.packbuild.downloads import DownloadCache
from pui.packbuild.progress import Progress
from pui.packbuild.workplace import LOCK_NAME, open_workplace


def test_leftovers_of_killed_builds_are_swept(tmp_path: Path) -> None:
    (tmp_path / "pui-build-old" / "guest-root").mkdir(parents=True)
    (tmp_path / "downloads" / "partial-folder").mkdir(parents=True)
    (tmp_path / "downloads" / "partial-x").write_bytes(b"half")
    with open_workplace(tmp_path, lambda progress: None) as work:
        DownloadCache(tmp_path, lambda progress: None)
        assert [path.name for path in tmp_path.glob("pui-build-*")] == [work.name]
    assert sorted(path.name for path in tmp_path.rglob("*")) == [LOCK_NAME, "downloads"]


def test_a_second_build_says_that_it_waits_and_then_goes_on(tmp_path: Path) -> None:
    seen: list[Progress] = []
    waits, entered = threading.Event(), threading.Event()

    def report(progress: Progress) -> None:
        seen.append(progress)
        waits.set()

    def build() -> None:
        with open_workplace(tmp_path, report):
            entered.set()

    with (tmp_path / LOCK_NAME).open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        thread = threading.Thread(target=build)
        thread.start()
        assert waits.wait(30)
        assert not entered.wait(0.2)
    thread.join(30)
    assert entered.is_set()
    assert [progress.stage for progress in seen] == ["wait"]
