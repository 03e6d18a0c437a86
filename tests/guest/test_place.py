"""Files written by PID 1 where a hostile process may have put something else: no link is followed, nothing blocks.

In: pui/guest/place.c through tests/guest/driver.c. Out: verdicts. Never: a VM.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.vm


def _write(driver: Path, path: str, data: bytes = b"new", mode: str = "640", append: bool = False) -> str:
    """ "" or the error code."""
    argv = [str(driver), "file", path, mode, str(int(append))]
    done = subprocess.run(argv, input=data, capture_output=True, check=False, timeout=20)
    assert done.returncode in (0, 1), (done.returncode, done.stderr)
    return done.stdout.decode().strip()


def test_a_file_is_made_with_its_folders_and_mode(driver: Path, tmp_path: Path) -> None:
    target = tmp_path / "a" / "b c" / "file"
    assert _write(driver, str(target), b"one") == ""
    assert target.read_bytes() == b"one"
    assert target.stat().st_mode & 0o7777 == 0o640
    assert target.parent.stat().st_mode & 0o7777 == 0o755


def test_it_is_replaced_or_appended_to(driver: Path, tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"a longer old text")
    assert _write(driver, str(target), b"one") == ""
    assert _write(driver, str(target), b"two", append=True) == ""
    assert target.read_bytes() == b"onetwo"


def test_a_link_in_place_of_the_file_is_refused(driver: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"old")
    (tmp_path / "link").symlink_to(victim)
    assert _write(driver, str(tmp_path / "link")) == "ELOOP"
    assert victim.read_bytes() == b"old"


def test_a_link_in_place_of_a_folder_is_refused(driver: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert _write(driver, str(tmp_path / "link" / "file")) == "ENOTDIR"
    assert not list((tmp_path / "real").iterdir())


def test_a_fifo_does_not_block(driver: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert _write(driver, str(tmp_path / "fifo")) == "ENXIO"


@pytest.mark.parametrize("path", ["relative", "", "/tmp/../x", "/tmp/", "/"])
def test_a_path_that_is_none_is_refused(driver: Path, path: str) -> None:
    assert _write(driver, path) == "EINVAL"


def test_a_name_that_is_too_long_is_refused(driver: Path, tmp_path: Path) -> None:
    assert _write(driver, str(tmp_path / ("x" * 300) / "file")) == "ENAMETOOLONG"
