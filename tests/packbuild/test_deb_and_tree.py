"""Reading packages without dpkg, composing trees, writing tars that repeat."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from pui.domain.errors import PuiError
from pui.packbuild.deb import read_deb, unpack_deb
from pui.packbuild.tree import Entry, Kind, Tree, join
from tests.packbuild.packages import make_deb, make_tar, tar_entry

DATA = make_tar(
    [
        tar_entry("./", tarfile.DIRTYPE, mode=0o755),
        tar_entry("./usr/bin/", tarfile.DIRTYPE, mode=0o755),
        tar_entry("./usr/bin/tool", mode=0o4755),
        tar_entry("./usr/bin/same", tarfile.LNKTYPE, link="./usr/bin/tool"),
        tar_entry("./usr/bin/t", tarfile.SYMTYPE, link="tool"),
        tar_entry("./usr/share/doc/tool/README"),
    ],
    {"./usr/bin/tool": b"#!/bin/sh\n", "./usr/share/doc/tool/README": b"text"},
)


@pytest.mark.parametrize("compression", ["xz", "zst", ""])
def test_a_package_is_read_in_every_compression(tmp_path: Path, compression: str) -> None:
    deb = make_deb(tmp_path / "x.deb", DATA, compression)
    found = dict(read_deb(deb, lambda path: "doc" not in path))
    assert found["usr/bin/tool"] == Entry(Kind.FILE, 0o4755, content=b"#!/bin/sh\n")
    assert found["usr/bin/same"].target == "usr/bin/tool"
    assert found["usr/bin/t"].target == "tool"
    assert not any("doc" in path for path in found)


@pytest.mark.parametrize("cut", [0, 4, 70, 200, -40])
def test_a_damaged_package_is_a_named_error(tmp_path: Path, cut: int) -> None:
    deb = make_deb(tmp_path / "x.deb", DATA)
    deb.write_bytes(deb.read_bytes()[:cut])
    with pytest.raises(PuiError, match=r"x\.deb is not a readable Debian package"):
        unpack_deb(deb, Tree(), lambda path: True)


def test_a_device_in_a_package_is_refused(tmp_path: Path) -> None:
    deb = make_deb(tmp_path / "x.deb", make_tar([tar_entry("./dev/sda", tarfile.BLKTYPE)], {}))
    with pytest.raises(PuiError, match="neither file, folder nor link"):
        unpack_deb(deb, Tree(), lambda path: True)


def test_a_folder_of_a_package_does_not_replace_a_merged_one() -> None:
    tree = Tree()
    tree.symlink("lib", "usr/lib")
    tree.folder("lib")
    tree.file("lib/a.so", b"x")
    assert tree.content("usr/lib/a.so") == b"x"
    assert [path for path, _ in tree.items()] == ["lib", "usr", "usr/lib", "usr/lib/a.so"]


@pytest.mark.parametrize(
    ("link", "target", "meant"),
    [("a/b/l", "../c", "a/c"), ("a/l", "/x/y", "x/y"), ("l", "../../x", "x"), ("a/l", "./b//c", "a/b/c")],
)
def test_links_stay_below_the_root(link: str, target: str, meant: str) -> None:
    assert join(link, target) == meant


def test_a_loop_of_links_is_a_named_error() -> None:
    tree = Tree()
    tree.symlink("a", "b")
    tree.symlink("b", "a")
    with pytest.raises(PuiError, match="too many links"):
        tree.content("a")


def test_a_missing_file_is_a_named_error() -> None:
    with pytest.raises(PuiError, match="no file usr/bin/qemu"):
        Tree().content("usr/bin/qemu")


def _tar_of(order: list[str]) -> bytes:
    tree = Tree()
    for name in order:
        tree.file(f"z/{name}", name.encode(), mode=0o755, uid=1000)
    tree.put("a-link", Entry(Kind.HARD_LINK, target="z/b"))
    buffer = io.BytesIO()
    tree.write_tar(buffer, 12345)
    return buffer.getvalue()


def test_the_tar_does_not_depend_on_the_order_of_adding() -> None:
    assert _tar_of(["a", "b", "c"]) == _tar_of(["c", "b", "a"])


def test_the_tar_has_our_owners_and_its_hard_links_come_last() -> None:
    with tarfile.open(fileobj=io.BytesIO(_tar_of(["a", "b"]))) as archive:
        members = archive.getmembers()
    assert members[-1].islnk()
    assert {(info.uid, info.gid) for info in members if info.isreg()} == {(1000, 1000)}
    assert {info.mtime for info in members} == {12345}
