"""A compressed file of lines is whole and durable, or it is not there; reading it is bounded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import zstandard

from pui.adapters.compressed_lines import read_compressed, write_compressed
from pui.domain.errors import HostError

LINES = [b"one", b"", b"three \xff" * 1000, b"four"]


def read(path: Path, limit_bytes: int = 1 << 20, line_limit_bytes: int = 1 << 20) -> list[bytes]:
    return list(read_compressed(path, limit_bytes, line_limit_bytes))


def test_lines_come_back_and_the_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "x.zst"
    path.write_bytes(b"older")
    size_bytes = write_compressed(path, LINES)
    assert read(path) == LINES
    assert (path.stat().st_size, path.stat().st_mode & 0o777) == (size_bytes, 0o600)
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.zst"]


def test_what_ends_the_lines_leaves_the_older_file(tmp_path: Path) -> None:
    path = tmp_path / "x.zst"
    write_compressed(path, LINES)
    with pytest.raises(HostError, match="cannot write") as caught:
        write_compressed(path, ((tmp_path / name).read_bytes() for name in ("x.zst", "absent")))
    assert caught.value.code == "host.permission"
    assert read(path) == LINES
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.zst"]


def test_it_is_on_the_disk_when_the_call_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced, sync = [], os.fsync

    def fsync(fd: int) -> None:
        synced.append(Path(f"/proc/self/fd/{fd}").readlink().name)
        sync(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    write_compressed(tmp_path / "x.zst", LINES)
    assert synced == ["x.zst.new", tmp_path.name]


@pytest.mark.parametrize("at", [0, 12, 40, -3])
@pytest.mark.threat("J1")
def test_a_damaged_or_cut_file_is_refused_or_ends_early(tmp_path: Path, at: int) -> None:
    path = tmp_path / "x.zst"
    write_compressed(path, [os.urandom(1000).replace(b"\n", b"")])
    whole = path.read_bytes()
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at:][1:])
    with pytest.raises(HostError, match="damaged|larger"):
        read(path)
    path.write_bytes(whole[:at])
    try:
        assert len(b"".join(read(path))) < 1000, "a cut file ends early; its reader knows by the end mark"
    except HostError as error:
        assert "damaged" in error.message


def test_limits_links_and_absence(tmp_path: Path) -> None:
    path = tmp_path / "x.zst"
    write_compressed(path, [b"x" * 300_000, b"y"])
    assert len(read(path)) == 2
    with pytest.raises(HostError, match="larger"):
        read(path, limit_bytes=200_000)
    with pytest.raises(HostError, match="larger"):
        read(path, line_limit_bytes=200_000)
    (tmp_path / "link").symlink_to(path)
    for name in ("link", "absent"):
        with pytest.raises(HostError, match="cannot read"):
            read(tmp_path / name)
    wide = zstandard.ZstdCompressionParameters.from_level(19, window_log=27)
    path.write_bytes(zstandard.ZstdCompressor(compression_params=wide).compress(bytes(64 << 20)))
    with pytest.raises(HostError, match="damaged"):
        read(path, limit_bytes=1 << 30)
