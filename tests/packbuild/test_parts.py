"""The parts of the pack on small trees: root file system, QEMU, Node's cache, pi."""

from __future__ import annotations

import io
import struct
import tarfile
import zlib
from pathlib import Path

import pytest

from pui.domain.errors import PuiError
from pui.packbuild import compile_cache, guest_program, licences, pi_part, qemu_part, recipe, rootfs, run
from pui.packbuild.apt import parse_stanzas
from pui.packbuild.node_part import read_tarball
from pui.packbuild.targets import find_target
from pui.packbuild.tree import Kind, Tree
from tests.packbuild.packages import make_library, make_tar, tar_entry

TARGET = find_target("linux-x86_64")
LIB = f"usr/lib/{TARGET.arch.multiarch}"


def _base() -> Tree:
    tree = Tree()
    for folder in rootfs.MERGED_FOLDERS:
        tree.folder(f"usr/{folder}")
        tree.symlink(folder, f"usr/{folder}")
    for name in set(rootfs.ALTERNATIVES.values()):
        tree.file(f"usr/bin/{name}", b"#!", mode=0o755)
    tree.file("usr/share/base-files/profile", "export PATH\n")
    tree.file("usr/share/ca-certificates/mozilla/B.crt", "BBB")
    tree.file("usr/share/ca-certificates/mozilla/A.crt", "AAA\n")
    return tree


def test_the_finished_root_has_user_bundle_and_links() -> None:
    tree = _base()
    assert rootfs.finish(tree) == b"AAA\nBBB\n"
    entries = dict(tree.items())
    assert entries["usr/bin/fd"].target == "fdfind"
    assert entries["workspace"].uid == recipe.GUEST_ID
    assert entries["tmp"].mode == 0o1777
    assert entries["etc/shadow"].mode == 0o600
    assert b"agent:x:1000:1000:" in tree.content("etc/passwd")
    assert b"ID=pui\n" in tree.content("etc/os-release")


def test_a_missing_alternative_is_a_named_error() -> None:
    tree = _base()
    tree.remove("usr/bin/mawk")
    with pytest.raises(PuiError, match="mawk"):
        rootfs.finish(tree)


def test_the_check_names_what_a_dropped_package_broke() -> None:
    tree = _base()
    tree.file("usr/bin/curl", make_library(["libcurl.so.4", "libc.so.6"]), mode=0o755)
    tree.file(f"{LIB}/libc.so.6", make_library([]))
    tree.symlink(f"{LIB}/libcurl.so.4", "libcurl.so.4.8")
    with pytest.raises(PuiError, match=r"usr/bin/curl needs libcurl\.so\.4"):
        rootfs.check_complete(tree)
    tree.file(f"{LIB}/libcurl.so.4.8", make_library([]))
    rootfs.check_complete(tree)
    tree.symlink("usr/bin/nothing", "gone")
    with pytest.raises(PuiError, match="points to gone"):
        rootfs.check_complete(tree)


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("usr/share/doc/x/copyright", True),
        ("usr/share/doc/x/changelog.gz", False),
        ("usr/share/docs", True),
        ("usr/lib/python3.13/test/x.py", False),
        ("usr/lib/python3.13/unittest/x.py", True),
        ("usr/bin/git", True),
        ("usr/share/zoneinfo/Europe/Vienna", True),
    ],
)
def test_what_the_root_leaves_out(path: str, wanted: bool) -> None:
    assert rootfs.is_wanted(path) is wanted


def _qemu_tree() -> Tree:
    tree = Tree()
    for source in qemu_part.programs(TARGET):
        tree.file(source, make_library(["liba.so.1", "libc.so.6"]), mode=0o755)
    tree.file(f"{LIB}/liba.so.1.0", make_library(["libc.so.6"]))
    tree.symlink(f"{LIB}/liba.so.1", "liba.so.1.0")
    tree.file(f"{LIB}/libc.so.6", make_library([TARGET.arch.loader]))
    tree.file(qemu_part.loader_path(TARGET.arch), make_library([]), mode=0o755)
    tree.file(f"{LIB}/libunused.so", make_library([]))
    for source in recipe.FIRMWARE:
        tree.file(source, b"firmware")
    return tree


def test_the_qemu_part_has_programs_closure_loader_and_firmware() -> None:
    files = {file.path: file for file in qemu_part.qemu_files(_qemu_tree(), TARGET)}
    assert {path for path in files if path.startswith("qemu/lib/")} == {
        "qemu/lib/ld.so",
        "qemu/lib/liba.so.1",
        "qemu/lib/libc.so.6",
    }
    assert {path for path, file in files.items() if file.executable} == {
        "qemu/lib/ld.so",
        "qemu/bin/qemu-system",
        "qemu/bin/qemu-img",
        "qemu/bin/virtiofsd",
    }
    assert "qemu/share/OVMF_CODE.fd" in files


def test_a_qemu_without_a_library_is_a_named_error() -> None:
    tree = _qemu_tree()
    tree.remove(f"{LIB}/liba.so.1.0")
    with pytest.raises(PuiError, match=r"needs liba\.so\.1"):
        qemu_part.qemu_files(tree, TARGET)


def test_the_licence_of_a_linked_folder_is_found() -> None:
    tree = Tree()
    tree.file("usr/share/doc/gcc/copyright", "GPL\n\n")
    tree.symlink("usr/share/doc/libgcc", "gcc")
    texts = licences.debian_texts(tree, {"libgcc": "14.2", "gcc": "14.2"})
    assert texts == {"libgcc 14.2": b"GPL\n\n", "gcc 14.2": b"GPL\n\n"}


def _cache_file(body: bytes) -> bytes:
    return struct.pack("<IIIII", 0x8ADFDBB2, 7, len(body), 1, zlib.crc32(body)) + body


def test_the_flag_hash_is_replaced_and_the_sum_follows() -> None:
    body = bytes(range(64))
    patched = compile_cache.with_flag_hash(_cache_file(body), b"WXYZ")
    assert patched == _cache_file(body[:12] + b"WXYZ" + body[16:])


@pytest.mark.parametrize("raw", [b"", bytes(40), _cache_file(bytes(64))[:-1], _cache_file(bytes(64)) + b"x"])
def test_an_unknown_cache_format_is_refused(raw: bytes) -> None:
    with pytest.raises(PuiError, match="compile cache"):
        compile_cache.with_flag_hash(raw, b"WXYZ")


def test_a_cache_with_other_bytes_or_another_length_is_refused() -> None:
    right = _cache_file(bytes(64))
    changed = right[:-1] + b"x"
    head, body = right[:8] + struct.pack("<I", 63) + right[12:20], right[20:]
    for raw in (changed, head + body):
        with pytest.raises(PuiError, match="format"):
            compile_cache.with_flag_hash(raw, b"WXYZ")


def _tarball(path: Path, files: dict[str, bytes]) -> Path:
    raw = make_tar([tar_entry(f"package/{name}") for name in files], {f"package/{k}": v for k, v in files.items()})
    with tarfile.open(path, "w:gz") as archive, tarfile.open(fileobj=io.BytesIO(raw)) as source:
        for info in source:
            archive.addfile(info, source.extractfile(info))
    return path


def test_pi_is_pruned_and_has_its_externals(tmp_path: Path) -> None:
    pi = _tarball(
        tmp_path / "pi",
        {"package.json": b"{}", "dist/bundle/cli.js": b"1", "dist/bundle/cli.js.map": b"m", "dist/cli.js": b"2",
         "docs/rpc.md": b"d", "docs/x.png": b"p", "examples/a.ts": b"e"},
    )  # fmt: skip
    jiti = _tarball(tmp_path / "jiti", {"package.json": b"{}", "lib/jiti.mjs": b"j", "README.md": b"r"})
    tree = Tree()
    pi_part.add_package(tree, recipe.NPM_PI, pi)
    pi_part.add_package(tree, "jiti", jiti)
    found = {path.removeprefix("opt/pui/pi/") for path, entry in tree.items() if entry.kind is Kind.FILE}
    assert found == {
        "package.json", "dist/bundle/cli.js", "docs/rpc.md", "node_modules/jiti/package.json",
        "node_modules/jiti/lib/jiti.mjs",
    }  # fmt: skip


def test_a_pi_without_its_bundle_is_refused() -> None:
    with pytest.raises(PuiError, match=r"dist/bundle/cli\.js"):
        pi_part.check_pi(Tree(), "24.0.0")


def test_a_damaged_tarball_is_a_named_error(tmp_path: Path) -> None:
    (tmp_path / "x.tgz").write_bytes(b"no gzip")
    with pytest.raises(PuiError, match="not a readable npm tarball"):
        read_tarball(tmp_path / "x.tgz", lambda name: True)


def test_engines_are_compared_as_numbers() -> None:
    wish = b'{"engines": {"node": ">=22.19.0"}}'
    pi_part.check_engines(wish, "22.19.0")
    pi_part.check_engines(wish, "24.2.0")
    with pytest.raises(PuiError, match=r"needs Node 22\.19\.0"):
        pi_part.check_engines(wish, "22.9.9")


def test_no_guest_sources_is_a_named_error(tmp_path: Path) -> None:
    with pytest.raises(PuiError, match="no C sources"):
        guest_program.find_sources(tmp_path)


def test_index_entries_are_parsed() -> None:
    text = "Package: a\nVersion: 1\nTag: x::y,\n z\n\nPackage: b\nVersion: 2:3\n\n"
    assert [(entry["Package"], entry["Version"]) for entry in parse_stanzas(text)] == [("a", "1"), ("b", "2:3")]


def test_a_failing_program_is_named_with_its_last_words() -> None:
    with pytest.raises(PuiError, match="making tea: sh ended with code 3: no water") as caught:
        run.run(["/bin/sh", "-c", "echo first >&2; echo no water >&2; exit 3"], purpose="making tea")
    assert "first" in caught.value.detail


def test_a_missing_program_is_named() -> None:
    with pytest.raises(PuiError, match="making tea"):
        run.run(["/nonexistent/kettle"], purpose="making tea")


def test_a_program_sees_nothing_of_the_builders_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD_HINT", "mine")
    assert b"LD_PRELOAD_HINT" not in run.run(["/usr/bin/env"], purpose="listing")
