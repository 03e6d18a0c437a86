"""Repair from a channel: only what is broken is fetched, while the channel still has the very pack that is installed.

In: an installed pack with one damage or another, a channel. Out: the pack as it was signed. Never: another version.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pui.adapters.packs.repair import RepairResult
from pui.domain.errors import PuiError
from tests.channel.test_parts import BASE, CHANGED, LIBRARY, NEW, OLD, VMLINUX, fetched, files, flip
from tests.support.channel_forger import Forger, signer_of
from tests.support.channel_rig import ChannelRig
from tests.support.pack_server import not_found
from tests.support.pack_simulator import PackSim


@pytest.fixture
def installed(rig: ChannelRig) -> ChannelRig:
    """OLD is installed and written down; the channel offers NEW, and OLD still."""
    rig.publish_packs(OLD)
    with rig.served() as (address, _):
        updater = rig.updater(address)
        rig.shop.life().install(updater.download(updater.check()), updater.release_trust())
    rig.publish_packs(NEW)
    return rig


def root_of(rig: ChannelRig) -> Path:
    return rig.shop.paths.packs_dir / rig.shop.paths.active_pack.read_text().strip()


def repair(rig: ChannelRig, address: str) -> RepairResult:
    updater, pack_id = rig.updater(address), root_of(rig).name
    result = rig.shop.life().repair(updater.installed_pack(pack_id), updater.release_trust())
    updater.forget_pack(pack_id)
    return result


KERNEL = ["kernel/initrd.img", VMLINUX]
DAMAGES: list[tuple[str, Callable[[Path], object], list[str], int]] = [
    ("A34-flipped-byte", lambda root: flip(root / BASE), [BASE], 1),
    ("A34-missing", lambda root: (root / LIBRARY).unlink(), [LIBRARY], 1),
    ("A34-mode", lambda root: (root / LIBRARY).chmod(0o600), [LIBRARY], 0),
    ("A34-two", lambda root: (flip(root / BASE), flip(root / VMLINUX)), [BASE, VMLINUX], 2),
    ("A35-folder-gone", lambda root: shutil.rmtree(root / "kernel"), KERNEL, 1),
    ("A34-envelope-too", lambda root: (flip(root / BASE), (root / ".pui/envelope.json").write_bytes(b"?")), [BASE], 1),
]
"""How many parts: an empty file and one whose bytes are right need none."""


@pytest.mark.parametrize(("harm", "broken", "parts"), [pytest.param(*case[1:], id=case[0]) for case in DAMAGES])
def test_only_what_is_broken_is_fetched(
    installed: ChannelRig, harm: Callable[[Path], object], broken: list[str], parts: int
) -> None:
    harm(root_of(installed))
    with installed.served() as (address, seen):
        result = repair(installed, address)
        assert list(result.mended) == broken
        assert len(fetched(seen)) == parts
        assert all(name.startswith("/targets/parts/") for name in fetched(seen))
    assert installed.shop.store.verify().manifest.pack_version == 2
    assert not list(installed.shop.paths.channel_cache.rglob("*.part"))
    assert not list(installed.shop.paths.staging_dir.iterdir())


def test_nothing_is_fetched_for_a_sound_pack(installed: ChannelRig) -> None:
    with installed.served() as (address, seen):
        assert repair(installed, address).mended == ()
        assert not fetched(seen)


def test_another_installed_pack_has_the_same_file(installed: ChannelRig) -> None:
    with installed.served() as (address, seen):
        updater = installed.updater(address)
        installed.shop.life().install(updater.download(updater.check()), updater.release_trust())
        before = len(fetched(seen))
        flip(root_of(installed) / LIBRARY)
        assert repair(installed, address).mended == (LIBRARY,)
        assert len(fetched(seen)) == before, "the previous pack has it"
    assert installed.shop.store.verify().manifest.pack_version == 3


def test_without_the_part_the_whole_archive_helps(installed: ChannelRig) -> None:
    flip(root_of(installed) / BASE)
    for path in (installed.folder / "targets/parts").iterdir():
        installed.overrides[f"/targets/parts/{path.name}"] = not_found
    with installed.served() as (address, seen):
        assert repair(installed, address).mended == (BASE,)
        assert fetched(seen)[-1].endswith("-2.tar.zst")
    assert "fetching all of it" in installed.told[0]
    assert installed.shop.store.verify().manifest.pack_version == 2


def refused(rig: ChannelRig, code: str) -> PuiError:
    before = rig.shop.snapshot()
    with rig.served() as (address, _), pytest.raises(PuiError) as caught:
        repair(rig, address)
    assert caught.value.code == code
    assert rig.shop.snapshot() == before
    return caught.value


def test_a_channel_that_no_longer_has_the_pack(installed: ChannelRig) -> None:
    flip(root_of(installed) / BASE)
    forger = Forger(installed)
    for name in [name for name in forger.targets.signed.targets if "-2." in name]:
        del forger.targets.signed.targets[name]
    forger.save(signer_of(installed, "targets"))
    error = refused(installed, "index.mismatch")
    assert "does not have pack linux-x86_64-2-" in error.message
    assert "pui pack update" in error.hint


def test_another_pack_of_the_same_version_is_no_help(installed: ChannelRig) -> None:
    """A pack that was built here and has the version of one in the channel."""
    installed.shop.install_living(PackSim(files=files(image=CHANGED + b"built here"), version=3))
    flip(root_of(installed) / BASE)
    refused(installed, "index.mismatch")


def test_a_stranger_in_the_channel_repairs_nothing(installed: ChannelRig) -> None:
    """The part is another one; so is the archive: what is broken stays, and is told."""
    flip(root_of(installed) / BASE)
    for path in (installed.folder / "targets").rglob("*"):
        if path.suffix in (".part", ".zst"):
            flip(path)
    error = refused(installed, "fetch.checksum")
    assert "not the file that was signed" in error.message
