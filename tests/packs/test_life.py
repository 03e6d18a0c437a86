"""The life of packs: trial, promotion, fall-back (C10), the way back (C4), cleaning, and what is written down of it.

In: a store with real packs. Out: slots, states and reasons. Never: a state that no code of the app has caused.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from pui.domain.errors import PuiError
from pui.domain.pack_life import words_of_insistence
from tests.packs.test_store import BASE, QEMU, change_byte
from tests.support.pack_shop import PackShop
from tests.support.pack_simulator import PackSim, sha256

WEEK_S = 7 * 24 * 3600


def states(shop: PackShop) -> dict[int, str]:
    """Version to state of every pack that the journal knows."""
    return {int(pack_id.split("-")[2]): pack.state for pack_id, pack in shop.life().view().packs.items()}


def settled(shop: PackShop, version: int) -> str:
    """Installs a version and proves it; its id."""
    pack_id = shop.install_living(PackSim(version=version)).pack.pack_id
    assert shop.life().proven(pack_id)
    return pack_id


def active_version(shop: PackShop) -> int:
    return shop.life().active().manifest.pack_version


def test_a_new_pack_is_on_trial_until_a_machine_has_answered(shop: PackShop) -> None:
    pack_id = shop.install_living(PackSim()).pack.pack_id
    assert states(shop) == {1: "trial"}
    assert active_version(shop) == 1, "tasks start from it: one of them proves it"

    assert shop.life().proven(pack_id)
    assert not shop.life().proven(pack_id), "once is enough"
    assert states(shop) == {1: "active"}
    assert shop.life().view().of(pack_id).is_proven


def test_c10_a_failed_trial_falls_back_with_the_reason(shop: PackShop) -> None:
    one = settled(shop, 1)
    two = shop.install_living(PackSim(version=2)).pack.pack_id
    assert states(shop) == {1: "previous", 2: "trial"}

    said = shop.life().failed(two, "guest.handshake_timeout", "pi did not answer in time")

    assert said == f"pack {two} failed its trial (guest.handshake_timeout); tasks start from {one} again"
    assert active_version(shop) == 1
    assert not shop.paths.previous_pack.exists()
    assert states(shop) == {1: "active", 2: "failed"}
    kept = shop.life().view().of(two)
    assert (kept.reason_code, kept.reason) == ("guest.handshake_timeout", "pi did not answer in time")
    assert shop.life().failed(one, "guest.handshake_timeout", "x") is None, "a proven pack is not on trial"
    assert active_version(shop) == 1


def test_c10_the_first_pack_fails(shop: PackShop) -> None:
    pack_id = shop.install_living(PackSim()).pack.pack_id

    said = shop.life().failed(pack_id, "launch.qemu_exit", "QEMU ended with 1")

    assert said is not None
    assert said.endswith("there is no other pack to start from")
    with pytest.raises(PuiError, match=r"pack\.unhealthy: .* failed its trial: launch\.qemu_exit: QEMU ended with 1"):
        shop.life().active()
    assert [pack.pack_id for pack in shop.store.list()] == [pack_id], "it stays listed"
    again = shop.install_living(PackSim())
    assert again.was_there
    assert states(shop) == {1: "trial"}
    assert active_version(shop) == 1


def test_c10_a_failed_pack_that_boots_after_all_is_active_again(shop: PackShop) -> None:
    settled(shop, 1)
    two = shop.install_living(PackSim(version=2)).pack.pack_id
    shop.life().failed(two, "guest.boot_timeout", "x")

    assert shop.life().proven(two)

    assert (active_version(shop), states(shop)) == (2, {1: "previous", 2: "active"})


def test_c10_a_damaged_previous_pack_is_not_fallen_back_to(shop: PackShop) -> None:
    settled(shop, 1)
    change_byte(next(shop.paths.packs_dir.iterdir()) / QEMU)
    two = shop.install_living(PackSim(version=2)).pack.pack_id

    shop.life().failed(two, "guest.boot_timeout", "x")

    with pytest.raises(PuiError, match=r"pack\.unhealthy"):
        shop.life().active()
    assert states(shop) == {1: "corrupt", 2: "failed"}, "it can be repaired, then gone back to"


def test_a_pack_on_trial_is_no_way_back_while_there_is_a_proven_one(shop: PackShop) -> None:
    settled(shop, 1)
    shop.install_living(PackSim(version=2))
    three = shop.install_living(PackSim(version=3)).pack.pack_id

    assert states(shop) == {1: "previous", 2: "removed", 3: "trial"}
    shop.life().failed(three, "guest.boot_timeout", "x")
    assert active_version(shop) == 1


def test_a_pack_from_before_the_journal_is_adopted(shop: PackShop) -> None:
    one, two = shop.install(PackSim()).pack.pack_id, shop.install(PackSim(version=2)).pack.pack_id
    assert not shop.paths.pack_journal.exists()

    said = shop.life().recover()

    assert {line.split(": ")[0] for line in said} == {f"pack {one}", f"pack {two}"}
    assert states(shop) == {1: "previous", 2: "trial"}
    assert shop.life().recover() == ()


def test_c4_back_and_forth(shop: PackShop) -> None:
    one, two = settled(shop, 1), settled(shop, 2)

    assert shop.life().roll_back() == (one, two)
    assert (active_version(shop), states(shop)) == (1, {1: "active", 2: "previous"})
    assert shop.life().roll_back() == (two, one)
    assert (active_version(shop), states(shop)) == (2, {1: "previous", 2: "active"})


def test_c4_back_from_a_trial_leaves_no_way_forward(shop: PackShop) -> None:
    settled(shop, 1)
    two = shop.install_living(PackSim(version=2)).pack.pack_id

    shop.life().roll_back()

    assert states(shop) == {1: "active", 2: "failed"}
    assert shop.life().view().of(two).reason == "rolled back by hand"
    with pytest.raises(PuiError, match=r"pack\.missing: there is no previous pack"):
        shop.life().roll_back()


def test_the_way_back_of_a_pack_on_trial(shop: PackShop) -> None:
    life = shop.life()
    first = shop.install_living(PackSim(version=1)).pack
    assert life.way_back(first.pack_id) is None, "there is no other"
    life.proven(first.pack_id)
    second = shop.install_living(PackSim(version=2)).pack
    assert life.way_back(second.pack_id) == first
    (first.root / "kernel/vmlinux").write_bytes(b"damaged")
    assert life.way_back(second.pack_id) is None, "a damaged pack is no way back"
    life.proven(second.pack_id)
    assert life.way_back(second.pack_id) is None, "its trial is over"


def test_c4_below_the_security_floor_only_in_words(shop: PackShop) -> None:
    settled(shop, 1)
    settled(shop, 2)
    assert shop.life().raise_security_floor(2) == 2
    assert shop.life().raise_security_floor(1) == 2, "never lowered"
    before = shop.snapshot()

    for words in (None, "yes", words_of_insistence(2)):
        with pytest.raises(PuiError, match=r"pack\.rollback: .*below the security floor 2") as refused:
            shop.life().roll_back(words)
        assert words_of_insistence(1) in refused.value.hint
    assert shop.snapshot() == before
    shop.life().roll_back(words_of_insistence(1))
    assert active_version(shop) == 1
    assert words_of_insistence(1) in shop.paths.pack_journal.read_text()


def test_c4_a_damaged_way_back_is_refused(shop: PackShop) -> None:
    one = settled(shop, 1)
    settled(shop, 2)
    change_byte(shop.paths.packs_dir / one / BASE)

    with pytest.raises(PuiError, match=r"pack\.corrupt: .*base\.qcow2"):
        shop.life().roll_back()
    assert active_version(shop) == 2


def test_a_task_keeps_the_pack_it_started_with(shop: PackShop) -> None:
    one, two = settled(shop, 1), settled(shop, 2)
    shop.life().roll_back()
    with shop.life().hold(two):
        settled(shop, 3)
        assert states(shop) == {1: "previous", 2: "retired", 3: "active"}
        cleaned = shop.life().clean()
        assert cleaned.removed == ()
        assert cleaned.trouble == (f"pack {two} is in use",)
        assert (shop.paths.packs_dir / two).is_dir()
    cleaned = shop.life().clean()
    assert cleaned.removed == (two,)
    assert cleaned.freed_bytes > 200_000
    assert states(shop) == {1: "previous", 2: "removed", 3: "active"}
    assert shop.life().view().of(one).state == "previous"


def test_clean_removes_a_failed_pack_and_no_other(shop: PackShop) -> None:
    settled(shop, 1)
    settled(shop, 2)
    three = shop.install_living(PackSim(version=3)).pack.pack_id
    shop.life().failed(three, "guest.boot_timeout", "x")
    before = shop.store.disk_use_bytes()

    assert shop.life().clean().removed == (three,)

    assert shop.store.disk_use_bytes() < before
    assert states(shop) == {1: "removed", 2: "active", 3: "removed"}


def test_a_refused_install_is_written_down_and_changes_nothing(shop: PackShop) -> None:
    settled(shop, 1)
    bad = PackSim(version=2, archive=lambda tar: tar).build()

    with pytest.raises(PuiError, match=r"pack\.malformed"):
        shop.install_living(bad)

    assert states(shop) == {1: "active", 2: "absent"}
    assert shop.life().view().of(bad.pack_id).reason_code == "pack.malformed"
    assert active_version(shop) == 1


def test_every_record_names_its_cause_and_the_journal_can_be_read_line_by_line(shop: PackShop) -> None:
    settled(shop, 1)
    shop.life().failed(shop.install_living(PackSim(version=2)).pack.pack_id, "guest.boot_timeout", "x")

    records = [json.loads(line) for line in shop.paths.pack_journal.read_text().splitlines()]

    assert [record["seq"] for record in records] == list(range(1, len(records) + 1))
    assert [record["cause"] for record in records] == [None, *range(1, len(records))]
    moves = [(r["from"], r["trigger"], r["to"]) for r in records]
    assert moves == [
        ("absent", "install", "installing"),
        ("installing", "installed", "trial"),
        ("trial", "health_proven", "active"),
        ("absent", "install", "installing"),
        ("installing", "installed", "trial"),
        ("active", "superseded", "previous"),
        ("trial", "health_failed", "failed"),
        ("previous", "activated", "active"),
    ]


@pytest.mark.parametrize("bytes_", [b"{", b"\xff\n", b'{"seq":7}\n', b"[1]\n[2]\n"])
def test_a_journal_that_cannot_be_read_costs_no_pack(shop: PackShop, bytes_: bytes) -> None:
    settled(shop, 1)
    shop.paths.pack_journal.write_bytes(bytes_)

    assert active_version(shop) == 1
    shop.life().recover()
    assert states(shop) == {1: "trial"}
    settled(shop, 2)
    assert states(shop) == {1: "previous", 2: "active"}


def test_a_torn_last_line_is_cut_off(shop: PackShop) -> None:
    settled(shop, 1)
    with shop.paths.pack_journal.open("ab") as file:
        file.write(b'{"seq":4,"at')

    assert states(shop) == {1: "active"}
    settled(shop, 2)
    assert states(shop) == {1: "previous", 2: "active"}


def test_every_byte_is_hashed_once_a_week_and_after_an_unclean_end(shop: PackShop) -> None:
    """The last byte of a file that is not hashed at each launch rots without a change of any time."""
    pack = shop.install_living(PackSim()).pack
    shop.life().proven(pack.pack_id)
    rot(shop, pack.root / BASE)
    shop.life().active()

    asyncio.run(shop.clock.advance(WEEK_S - 1))
    shop.life().active()
    asyncio.run(shop.clock.advance(1))
    refused(shop)
    mend(shop, pack.root / BASE)
    assert shop.life().active() == pack
    assert states(shop) == {1: "trial"}, "found sound again, and tried again"

    rot(shop, pack.root / BASE)
    shop.life().active()
    shop.life().mark_unclean()
    refused(shop)
    assert shop.paths.check_due.exists()
    mend(shop, pack.root / BASE)
    shop.life().active()
    assert not shop.paths.check_due.exists()


def test_a_clock_that_went_back_makes_a_check_due(shop: PackShop) -> None:
    pack = shop.install_living(PackSim()).pack
    rot(shop, pack.root / BASE)
    asyncio.run(shop.clock.advance(-500))
    refused(shop)


def test_an_install_that_died_makes_a_check_due(shop: PackShop) -> None:
    shop.install_living(PackSim())
    (shop.paths.staging_dir / "left").mkdir()

    assert shop.life().recover() == ("removed what an interrupted install had left: left",)
    assert shop.paths.check_due.exists()


def refused(shop: PackShop) -> None:
    with pytest.raises(PuiError, match=r"pack\.corrupt: .*base\.qcow2"):
        shop.life().active()
    assert states(shop) == {1: "corrupt"}


def rot(shop: PackShop, path: Path) -> None:
    """Changes a byte and makes the record agree, as bits that rot on the disk change no stat."""
    data = path.read_bytes()
    path.write_bytes(data[:-1] + b"?")
    shop.store.renew_record(path.parents[1].name)


def mend(shop: PackShop, path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-1] + PackSim().files[BASE][0][-1:])
    assert sha256(path.read_bytes()) == sha256(PackSim().files[BASE][0])
