"""Threats A34 to A36, and what the store does for a person: list, verify, remove, hold, clean.

In: an installed pack that somebody changes. Out: pack.corrupt with the file named. Never: a crash, a silent repair.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pui.adapters.packs.check import scan_tree
from pui.domain.errors import PuiError
from pui.domain.pack_check import render_stats
from tests.support.pack_shop import PackShop
from tests.support.pack_simulator import FILES, KEY, PackSim, SimKey

QEMU, BASE = "qemu/bin/qemu-system", "guest/base.qcow2"


def change_byte(path: Path, *, keep_times: bool = False) -> None:
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(5)
        file.write(b"!")
    if keep_times:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


DAMAGES: list[tuple[str, str, Callable[[Path], object]]] = [
    ("A34-byte", QEMU, lambda root: change_byte(root / QEMU)),
    ("A34-byte-times-kept", QEMU, lambda root: change_byte(root / QEMU, keep_times=True)),
    ("A34-D6-byte-not-always-hashed", BASE, lambda root: change_byte(root / BASE)),
    ("A34-byte-not-always-hashed-times-kept", BASE, lambda root: change_byte(root / BASE, keep_times=True)),
    ("A34-longer", BASE, lambda root: (root / BASE).write_bytes(FILES[BASE][0] + b"x")),
    ("A34-empty", BASE, lambda root: (root / BASE).write_bytes(b"")),
    ("A34-D8-missing", BASE, lambda root: (root / BASE).unlink()),
    ("A34-mode", QEMU, lambda root: (root / QEMU).chmod(0o644)),
    ("A34-setuid", QEMU, lambda root: (root / QEMU).chmod(0o4755)),
    ("A34-link", QEMU, lambda root: replace(root / QEMU, lambda path: path.symlink_to("/bin/true"))),
    ("A34-fifo", BASE, lambda root: replace(root / BASE, os.mkfifo)),
    ("A34-folder", BASE, lambda root: replace(root / BASE, Path.mkdir)),
    ("A34-folder-is-link", "kernel", lambda root: move_and_link(root / "kernel")),
    ("A34-folder-is-file", "kernel", lambda root: file_for_folder(root / "kernel")),
    ("A34-envelope", "envelope.json", lambda root: change_byte(root / ".pui/envelope.json")),
    ("A34-envelope-cut", "envelope.json", lambda root: os.truncate(root / ".pui/envelope.json", 100)),
    ("A34-envelope-missing", "envelope.json", lambda root: (root / ".pui/envelope.json").unlink()),
    ("A34-envelope-fifo", "envelope.json", lambda root: replace(root / ".pui/envelope.json", os.mkfifo)),
    ("A35-file", "evil", lambda root: (root / "evil").write_text("x")),
    ("A35-file-inside", "qemu/lib/evil.so", lambda root: (root / "qemu/lib/evil.so").write_text("x")),
    ("A35-file-in-reserved", ".pui/evil", lambda root: (root / ".pui/evil").write_text("x")),
    ("A35-folder", "evil", lambda root: (root / "evil").mkdir()),
    ("A35-link", "evil", lambda root: (root / "evil").symlink_to("/")),
    ("A35-odd-name", "evil", lambda root: (root / os.fsdecode(b"evil\xff\n\x1b[2J")).write_text("x")),
    ("A36-folder-writable", "qemu/lib", lambda root: (root / "qemu/lib").chmod(0o777)),
    ("A36-file-writable", BASE, lambda root: (root / BASE).chmod(0o666)),
    ("A36-root-writable", "the folder itself", lambda root: root.chmod(0o775)),
    ("A36-packs-writable", "packs", lambda root: root.parent.chmod(0o777)),
    ("A36-data-writable", "data", lambda root: root.parents[2].chmod(0o777)),
]


def file_for_folder(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("x")


def move_and_link(folder: Path) -> None:
    moved = folder.rename(folder.parents[3] / "moved")
    folder.symlink_to(moved)


@pytest.mark.parametrize(("named", "damage"), [pytest.param(*case[1:], id=case[0]) for case in DAMAGES])
def test_a_damaged_pack_is_refused_by_name(shop: PackShop, named: str, damage: Callable[[Path], object]) -> None:
    pack = shop.install(PackSim()).pack
    assert shop.store.active() == pack
    damage(pack.root)

    for look in (shop.store.active, shop.store.verify):
        with pytest.raises(PuiError) as caught:
            look()
        assert caught.value.code == "pack.corrupt"
        assert named in caught.value.message
        assert caught.value.message.isprintable()
    assert isinstance(shop.store.list(), tuple)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a36_other_owner(shop: PackShop) -> None:
    pack = shop.install(PackSim()).pack
    os.chown(pack.root / QEMU, 4711, 4711)

    with pytest.raises(PuiError, match=r"pack\.corrupt: .*user id 4711"):
        shop.store.active()


@pytest.mark.parametrize("recorded", [None, b"", b"{}", b"[", b'{"schema":"pui-pack-stat-1","files":{"a":[1]}}'])
def test_a_lost_record_costs_time_but_no_trust(shop: PackShop, recorded: bytes | None) -> None:
    pack = shop.install(PackSim()).pack
    record = pack.root / ".pui/stat.json"
    if recorded is None:
        record.unlink()
    else:
        record.write_bytes(recorded)
    assert shop.store.active() == pack

    change_byte(pack.root / BASE)
    with pytest.raises(PuiError, match=r"pack\.corrupt: .*base\.qcow2"):
        shop.store.active()


def test_what_runs_on_the_host_is_hashed_whatever_the_record_says(shop: PackShop) -> None:
    """A disk that loses bits changes no stat. The rest of the pack is hashed by verify()."""
    pack = shop.install(PackSim()).pack
    for path in (BASE, QEMU):
        change_byte(pack.root / path)
        (pack.root / ".pui/stat.json").write_bytes(render_stats(scan_tree(pack.root)))
        look = shop.store.active if path == QEMU else shop.store.verify
        with pytest.raises(PuiError, match=rf"pack\.corrupt: .*{path}"):
            look()


def test_a_copied_home_folder_works_and_verify_renews_the_record(shop: PackShop) -> None:
    pack = shop.install(PackSim()).pack
    original = pack.root.rename(shop.base / "original")
    shutil.copytree(original, pack.root, symlinks=True)
    before = (pack.root / ".pui/stat.json").read_bytes()

    assert shop.store.active() == pack
    assert (pack.root / ".pui/stat.json").read_bytes() == before, "a launch writes nothing"
    assert shop.store.verify() == pack
    after = (pack.root / ".pui/stat.json").read_bytes()
    assert after != before
    inode = json.loads(after)["files"][BASE][4]
    assert inode == (pack.root / BASE).stat().st_ino


def test_a_damaged_pack_is_replaced_by_installing_it_again(shop: PackShop) -> None:
    pack = shop.install(PackSim()).pack
    change_byte(pack.root / BASE)

    again = shop.install(PackSim())

    assert not again.was_there
    assert shop.store.verify() == pack
    assert shop.install(PackSim()).was_there


def test_nothing_installed(shop: PackShop) -> None:
    for look in (shop.store.active, shop.store.verify):
        with pytest.raises(PuiError, match=r"pack\.missing"):
            look()
    assert shop.store.list() == ()
    assert shop.store.clean() == ()


def test_the_active_pack_was_deleted_by_hand(shop: PackShop) -> None:
    shutil.rmtree(shop.install(PackSim()).pack.root)

    with pytest.raises(PuiError, match=r"pack\.missing: the folder of pack"):
        shop.store.active()


@pytest.mark.parametrize("text", [b"", b"../../etc\n", b"x" * 100_000, b"\xff\xfe", b"linux-x86_64-1-0123456789ab\n\n"])
def test_a_bent_slot_file(shop: PackShop, text: bytes) -> None:
    shop.install(PackSim())
    shop.paths.active_pack.write_bytes(text)

    with pytest.raises(PuiError) as caught:
        shop.store.active()
    assert caught.value.code == "pack.corrupt"
    assert shop.install(PackSim()).was_there
    assert shop.store.active().manifest.pack_version == 1


def test_a_pack_of_another_name(shop: PackShop) -> None:
    pack = shop.install(PackSim()).pack
    other = f"{pack.pack_id[:-12]}{'0' * 12}"
    pack.root.rename(pack.root.with_name(other))
    shop.paths.active_pack.write_text(f"{other}\n")

    with pytest.raises(PuiError, match=r"pack\.corrupt: .*its manifest is the one of"):
        shop.store.active()


def test_trust_is_asked_at_each_launch(shop: PackShop) -> None:
    shop.install(PackSim())
    (shop.paths.trust_dir / f"{KEY.keyid}.json").unlink()

    with pytest.raises(PuiError, match=r"pack\.untrusted: .*holds no key"):
        shop.store.active()


def test_a_pack_signed_by_somebody_else_after_install(shop: PackShop) -> None:
    pack = shop.install(PackSim()).pack
    (pack.root / ".pui/envelope.json").write_bytes(PackSim(keys=[SimKey(2)]).build().envelope)

    with pytest.raises(PuiError, match=r"pack\.untrusted"):
        shop.store.active()


def test_list_shows_slots_and_problems(shop: PackShop) -> None:
    shop.install(PackSim(version=1))
    two, three = shop.install(PackSim(version=2)).pack, shop.install(PackSim(version=3)).pack
    (two.root / ".pui/envelope.json").unlink()

    found = {pack.pack_id: pack for pack in shop.store.list()}

    assert found.keys() == {two.pack_id, three.pack_id}, "the pack before the previous one is gone"
    assert found[three.pack_id].slot == "active"
    assert found[three.pack_id].signed_by == "test key"
    assert found[two.pack_id].slot == "previous"
    problem = found[two.pack_id].problem
    assert problem is not None
    assert problem.code == "pack.corrupt"


def test_remove(shop: PackShop) -> None:
    one, two = shop.install(PackSim(version=1)).pack, shop.install(PackSim(version=2)).pack

    with pytest.raises(PuiError, match=r"caller\.rejected: .*is the active pack"):
        shop.store.remove(two.pack_id)
    with pytest.raises(PuiError, match=r"caller\.bad_request"):
        shop.store.remove("../../etc")
    with pytest.raises(PuiError, match=r"pack\.missing"):
        shop.store.remove("linux-x86_64-9-0123456789ab")
    shop.store.remove(one.pack_id)
    assert not one.root.exists()
    assert not shop.paths.previous_pack.exists()
    shop.store.remove(two.pack_id, force=True)
    with pytest.raises(PuiError, match=r"pack\.missing"):
        shop.store.active()
    assert list(shop.paths.staging_dir.iterdir()) == []


def test_a_pack_in_use_stays(shop: PackShop) -> None:
    one = shop.install(PackSim(version=1)).pack
    with shop.store.hold(one.pack_id), shop.store.hold(one.pack_id):
        with pytest.raises(PuiError, match=r"pack\.in_use"):
            shop.store.remove(one.pack_id, force=True)
        shop.install(PackSim(version=2))
        third = shop.install(PackSim(version=3))
        assert one.root.exists(), "a pack in use survives the cleaning as well"
        assert third.trouble
    shop.install(PackSim(version=4))

    assert not one.root.exists()


def test_a_damaged_pack_in_use_is_not_replaced(shop: PackShop) -> None:
    pack = shop.install(PackSim()).pack
    change_byte(pack.root / BASE)
    before = shop.snapshot()

    with shop.store.hold(pack.pack_id), pytest.raises(PuiError, match=r"pack\.in_use"):
        shop.install(PackSim())

    assert shop.snapshot() == before


def test_a_hold_ends_with_its_process(shop: PackShop) -> None:
    pack = shop.install(PackSim()).pack
    code = "import fcntl,os,sys,time; fcntl.flock(os.open(sys.argv[1], 0), 1); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, pack.root], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with pytest.raises(PuiError, match=r"pack\.in_use"):
            shop.store.remove(pack.pack_id, force=True)
        child.kill()
    shop.store.remove(pack.pack_id, force=True)


def test_a_held_pack_that_is_gone(shop: PackShop) -> None:
    with pytest.raises(PuiError, match=r"pack\.missing"), shop.store.hold("linux-x86_64-1-0123456789ab"):
        pass


@pytest.mark.parametrize("text", [b"{}", b"[", b'{"schema":"pui-pack-floor-1","floors":{"linux-x86_64":true}}'])
def test_an_unreadable_floor_is_refused_until_the_person_insists(shop: PackShop, text: bytes) -> None:
    shop.install(PackSim())
    shop.paths.version_floor.write_bytes(text)
    before = shop.snapshot()

    with pytest.raises(PuiError, match=r"pack\.corrupt: .*floor\.json"):
        shop.install(PackSim(version=2))
    assert shop.snapshot() == before
    shop.install(PackSim(version=2), allow_older=True)
    assert json.loads(shop.paths.version_floor.read_bytes())["floors"] == {"linux-x86_64": 2}


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o077])
def test_the_umask_has_no_say(shop: PackShop, umask: int) -> None:
    before = os.umask(umask)
    try:
        pack = shop.install(PackSim()).pack
        assert shop.store.verify() == pack
    finally:
        os.umask(before)
    assert (pack.root / QEMU).stat().st_mode & 0o7777 == 0o755
    assert (pack.root / BASE).stat().st_mode & 0o7777 == 0o644
    assert (pack.root / "qemu/lib").stat().st_mode & 0o7777 == 0o755
    assert shop.paths.data.stat().st_mode & 0o7777 == 0o700
