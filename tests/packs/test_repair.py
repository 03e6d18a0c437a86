"""Threats A34 to A36, repaired: only what is broken is written anew, whatever it is; and a repair that dies (C5).

In: every damage of test_store.py, a source of it. Out: the pack as it was signed. Never: another file touched.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pui.adapters.packs.keys import load_trust
from pui.adapters.packs.repair import RepairResult
from pui.domain.errors import PuiError
from tests.packs.test_install_crash import failing_ops
from tests.packs.test_store import BASE, DAMAGES, QEMU, change_byte
from tests.support.faulty_ops import CountingOps
from tests.support.pack_shop import PackShop
from tests.support.pack_simulator import PackSim, SimKey

INSIDE = [case for case in DAMAGES if case[0] not in ("A36-packs-writable", "A36-data-writable")]


def repair(shop: PackShop, sim: PackSim | None = None, ops: CountingOps | None = None) -> RepairResult:
    source = shop.source((sim or PackSim()).build())
    return shop.life(ops).repair(source, load_trust(shop.paths.trust_dir))


@pytest.mark.parametrize("damage", [pytest.param(case[2], id=case[0]) for case in INSIDE])
def test_every_damage_is_mended(shop: PackShop, damage: Callable[[Path], object]) -> None:
    pack = shop.install_living(PackSim()).pack
    inodes = {path: path.stat().st_ino for path in pack.root.rglob("*") if path.is_file()}
    damage(pack.root)

    result = repair(shop)

    assert shop.life().active() == pack
    assert shop.store.verify() == pack
    assert shop.life().view().of(pack.pack_id).state == "trial"
    mended = {pack.root / path for path in result.mended}
    own = {pack.root / ".pui/envelope.json", pack.root / ".pui/stat.json"}
    kept = inodes.keys() - mended - own
    assert {path: path.stat().st_ino for path in kept} == {path: inodes[path] for path in kept}
    assert len(mended) <= 2, "only what is broken"
    assert list(shop.paths.staging_dir.iterdir()) == []
    assert shop.canary.read_bytes() == b"untouched"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a36_a_file_of_another_owner(shop: PackShop) -> None:
    pack = shop.install_living(PackSim()).pack
    os.chown(pack.root / QEMU, 4711, 4711)

    assert repair(shop).mended == (QEMU,)
    assert shop.store.verify() == pack


def test_nothing_broken_opens_no_archive(shop: PackShop) -> None:
    shop.install_living(PackSim())
    source = shop.source(PackSim().build())
    next((shop.base / "source").glob("*.tar.zst")).unlink()

    result = shop.life().repair(source, load_trust(shop.paths.trust_dir))

    assert (result.mended, result.removed, result.written_bytes) == ((), (), 0)


@pytest.mark.parametrize(
    ("sim", "code"),
    [
        (PackSim(version=2), "pack.missing"),
        (PackSim(keys=[SimKey(2)]), "pack.untrusted"),
        (PackSim(archive=lambda tar: b"junk", sums_of_archive=False), "pack.checksum"),
    ],
    ids=["another-pack", "another-signer", "another-archive"],
)
def test_a_wrong_source_changes_nothing(shop: PackShop, sim: PackSim, code: str) -> None:
    pack = shop.install_living(PackSim()).pack
    change_byte(pack.root / BASE)
    before = (pack.root / BASE).read_bytes()

    with pytest.raises(PuiError) as caught:
        repair(shop, sim)

    assert caught.value.code == code
    assert (pack.root / BASE).read_bytes() == before
    assert list(shop.paths.staging_dir.iterdir()) == []


def test_a_pack_in_use_is_not_repaired(shop: PackShop) -> None:
    pack = shop.install_living(PackSim()).pack
    change_byte(pack.root / BASE)
    with shop.life().hold(pack.pack_id), pytest.raises(PuiError, match=r"pack\.in_use"):
        repair(shop)


def test_a_full_disk_is_told_before_anything_is_written(shop: PackShop) -> None:
    pack = shop.install_living(PackSim()).pack
    change_byte(pack.root / BASE)

    class FullDisk(CountingOps):
        def free_bytes(self, path: Path) -> int:
            return 1 << 20

    ops = FullDisk(lambda number, name: None)
    with pytest.raises(PuiError, match=r"host\.disk_full: the repair needs 4 MiB"):
        repair(shop, ops=ops)
    assert "write" not in ops.steps


def test_c5_a_repair_that_fails_at_every_step_can_be_repeated(tmp_path: Path) -> None:
    refused = 0
    for step in range(60):
        shop = PackShop(tmp_path / str(step))
        pack = shop.install_living(PackSim()).pack
        change_byte(pack.root / BASE)
        (pack.root / QEMU).unlink()
        ops = failing_ops(OSError(errno.EIO, "Input/output error"), step, lasting=False)
        try:
            repair(shop, ops=ops)
        except PuiError as error:
            refused += 1
            assert error.code == "host.permission", step
        shop.life().recover()
        repair(shop)
        assert shop.store.verify() == pack, step
        if len(ops.steps) <= step:
            break
    assert refused > 10
