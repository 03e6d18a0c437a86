"""The list of what pi's start reads: bounded, and no line of it can stop the boot.

In: pui/guest/prefetch.c through tests/guest/driver.c. Out: bytes asked for. Never: a VM (test_machine.py has one).
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.vm

LIMIT_BYTES = 256 << 20


def _read(driver: Path, folder: Path, *lines: str) -> int:
    """Bytes that the list of `lines` asks for."""
    listing = folder / "list"
    listing.write_text("".join(f"{line}\n" for line in lines))
    argv = [str(driver), "prefetch", str(listing)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a file"
    path.write_bytes(b"x" * 3_000_000)
    return path


def test_whole_files_and_beginnings_are_read(driver: Path, tmp_path: Path, file: Path) -> None:
    assert _read(driver, tmp_path, f"0 {file}") == 3_000_000
    assert _read(driver, tmp_path, f"2000000 {file}", f"10 {file}") == 2_000_010
    assert _read(driver, tmp_path, f"9000000 {file}") == 3_000_000


def test_what_is_no_line_or_no_regular_file_is_passed_over(driver: Path, tmp_path: Path, file: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(file)
    bad = ["", "0", str(file), "x /etc/passwd", "0 relative", f"0  {file}", "0 /" + "a" * 2000]
    missing = [f"0 {tmp_path}", f"0 {pipe}", f"0 {link}", f"0 {tmp_path}/none"]
    assert _read(driver, tmp_path, *bad, *missing, f"7 {file}") == 7


def test_the_sum_is_bounded(driver: Path, tmp_path: Path) -> None:
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(LIMIT_BYTES - 5)
    assert _read(driver, tmp_path, f"0 {big}", f"0 {big}", f"0 {big}") == LIMIT_BYTES
    assert _read(driver, tmp_path, f"{1 << 63} {big}", f"18446744073709551616 {big}") == LIMIT_BYTES


def test_without_a_list_nothing_is_read(driver: Path, tmp_path: Path) -> None:
    argv = [str(driver), "prefetch", str(tmp_path / "none")]
    assert subprocess.run(argv, capture_output=True, text=True, check=True, timeout=20).stdout == "0\n"
