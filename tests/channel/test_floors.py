"""Clock and floors, roots that change, and what an update leaves behind (threats.md B25).

In: a channel and a clock. Out: named refusals; packs that go on running. Never: the machine's own clock changed.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pui.adapters.channel.trust_root import install_root, trusted_root
from pui.adapters.packs.keys import add_trusted_key, load_trust
from pui.adapters.packs.locks import installer_lock
from pui.domain.channel import parse_state
from pui.domain.channel_root import fingerprint
from pui.domain.errors import PuiError
from pui.domain.trust import TrustedKey
from tests.support.channel_forger import Forger, forge_root, signer_of, stranger
from tests.support.channel_rig import ChannelRig


@pytest.mark.parametrize("seen_before", [True, False])
def test_b25_ten_years_back(rig: ChannelRig, seen_before: bool) -> None:
    """Without any floor of its own the root's signing time is one: it came with the app."""
    with rig.served() as (address, seen):
        if seen_before:
            rig.check(address)
        asked = len(seen)
        rig.now -= timedelta(days=3650)
        with pytest.raises(PuiError, match=r"index\.clock"):
            rig.check(address)
        assert len(seen) == asked


def test_b25_a_clock_that_runs_ahead_leaves_no_trace(rig: ChannelRig) -> None:
    with rig.served() as (address, _):
        rig.now += timedelta(days=3650)
        rig.check(address)
        rig.now -= timedelta(days=3650)
        assert rig.check(address).verified.manifest.pack_version == 1


def test_b25_a_signature_from_the_future(rig: ChannelRig) -> None:
    """A thief of the online keys must not be able to raise the floor of the clock for ever."""
    forger = Forger(rig)
    forger.timestamp.signed.unrecognized_fields["x-pui-issued"] = "2199-01-01T00:00:00Z"
    forger.save(None)
    with rig.served() as (address, _):
        with pytest.raises(PuiError, match=r"index\.clock"):
            rig.check(address)
        rig.publish()
        assert rig.check(address).verified.manifest.pack_version == 1


def test_b25_the_floor_outlives_the_cache(rig: ChannelRig) -> None:
    with rig.served() as (address, _):
        rig.check(address)
        rig.forget_cache()
        rig.now -= timedelta(days=3)
        with pytest.raises(PuiError, match=r"index\.clock"):
            rig.check(address)


def test_a_damaged_floor_is_told_and_not_forgotten(rig: ChannelRig) -> None:
    with rig.served() as (address, _):
        rig.check(address)
        rig.shop.paths.channel_state.write_bytes(b"{}")
        with pytest.raises(PuiError, match=r"index\.malformed") as caught:
            rig.check(address)
    assert "Remove" in caught.value.hint


def test_nobody_is_trusted_at_first_use(rig: ChannelRig) -> None:
    rig.shop.paths.trust_root.unlink()
    with rig.served() as (address, seen):
        with pytest.raises(PuiError, match=r"index\.untrusted"):
            rig.check(address)
        assert not seen


def test_a_root_needs_its_fingerprint_and_its_own_signatures(rig: ChannelRig) -> None:
    root = rig.metadata("1.root.json").read_bytes()
    for wrong, code in (("0" * 64, "caller.rejected"), ("abc", "caller.bad_request"), ("", "caller.bad_request")):
        with pytest.raises(PuiError) as caught:
            install_root(rig.shop.paths, root, wrong)
        assert caught.value.code == code
    unsigned = forge_root(rig, 1, signer_of(rig, "root-1"), stranger())
    with pytest.raises(PuiError, match=r"index\.untrusted"):
        install_root(rig.shop.paths, unsigned, fingerprint(unsigned))
    other = forge_root(rig, 2, signer_of(rig, "root-1"), signer_of(rig, "root-2"))
    with pytest.raises(PuiError, match=r"caller\.rejected"):
        install_root(rig.shop.paths, other, fingerprint(other))
    assert trusted_root(rig.shop.paths) == root


def test_another_channel_begins_anew_with_its_times_and_a_later_root_of_the_same_does_not(
    rig: ChannelRig, tmp_path: Path
) -> None:
    state = rig.shop.paths.channel_state
    with rig.served() as (address, _):
        rig.check(address)
    seen = parse_state(state.read_bytes())
    assert seen.issued is not None
    rig.publish(rotate_to=rig.new_keys("fresh", "targets"))
    rig.trust(2)
    assert parse_state(state.read_bytes()) == seen, "a replay of the same channel stays one"
    other = ChannelRig(tmp_path / "other")
    other.publish(1)
    root = other.metadata("1.root.json").read_bytes()
    install_root(rig.shop.paths, root, fingerprint(root), replace=True)
    assert parse_state(state.read_bytes()) == replace(seen, issued=None)


def test_no_root_is_changed_while_a_channel_is_asked(rig: ChannelRig) -> None:
    root = rig.metadata("1.root.json").read_bytes()
    with installer_lock(rig.shop.paths.channel_lock, 0), pytest.raises(PuiError, match=r"pack\.in_use"):
        install_root(rig.shop.paths, root, fingerprint(root), replace=True)


def test_a_root_that_others_may_write_is_no_root(rig: ChannelRig) -> None:
    rig.shop.paths.trust_root.chmod(0o666)
    with rig.served() as (address, _), pytest.raises(PuiError, match=r"host\.permission"):
        rig.check(address)


def test_new_release_keys_stop_old_packs_from_installing_and_not_from_running(rig: ChannelRig) -> None:
    with rig.served() as (address, _):
        rig.update(address)
        old = rig.updater(address)
        offer = old.check()
        source = old.download(offer)
        rig.publish(rotate_to=rig.new_keys("fresh", "targets"))
        rig.check(address)
        assert rig.shop.store.active().manifest.pack_version == 1
        for trust in (old.release_trust(), load_trust(rig.shop.paths.trust_dir)):
            with pytest.raises(PuiError, match=r"pack\.untrusted"):
                rig.shop.installer().install(source, trust)
        assert rig.update(address).pack.manifest.pack_version == 1
    assert len(load_trust(rig.shop.paths.trust_dir).retired) == 1


def test_all_roots_are_followed_and_kept(rig: ChannelRig) -> None:
    for name in ("second", "third"):
        fresh = rig.new_keys(name)
        rig.publish(rotate_to=fresh)
        rig.keys = fresh
    rig.publish(2)
    with rig.served() as (address, _):
        assert rig.update(address).pack.manifest.pack_version == 2
    assert trusted_root(rig.shop.paths) == rig.metadata("3.root.json").read_bytes()


def test_a_new_root_is_kept_though_the_rest_is_refused(rig: ChannelRig) -> None:
    rig.publish(rotate_to=rig.new_keys("fresh", "timestamp"), days=-1)
    with rig.served() as (address, _), pytest.raises(PuiError, match=r"index\.expired"):
        rig.check(address)
    assert trusted_root(rig.shop.paths) == rig.metadata("2.root.json").read_bytes()


def test_a_release_key_that_the_person_revoked(rig: ChannelRig) -> None:
    with rig.served() as (address, _):
        rig.update(address)
        release = load_trust(rig.shop.paths.trust_dir).release
        assert release is not None
        key = release.keys[0]
        add_trusted_key(rig.shop.paths.trust_dir, TrustedKey(key.keyid, key.public_key, "withdrawn", revoked=True))
        with pytest.raises(PuiError, match=r"pack\.untrusted: .*revoked"):
            rig.check(address)
    with pytest.raises(PuiError, match=r"pack\.untrusted"):
        rig.shop.store.active()


def test_two_checks_at_once(rig: ChannelRig) -> None:
    rig.shop.paths.data.mkdir(exist_ok=True)
    with (
        installer_lock(rig.shop.paths.channel_lock, 0.0),
        rig.served() as (address, seen),
        pytest.raises(PuiError, match=r"pack\.in_use"),
    ):
        rig.check(address)
    assert not seen


def test_a_download_that_is_there_is_not_fetched_again_and_others_go(rig: ChannelRig) -> None:
    stop = threading.Event()
    with rig.served() as (address, seen):
        updater = rig.updater(address)
        offer = updater.check()
        stop.set()
        with pytest.raises(PuiError, match=r"fetch\.cancelled"):
            updater.download(offer, cancelled=stop.is_set)
        first = updater.download(offer)
        asked = len(seen)
        assert updater.download(offer).label == first.label
        assert len(seen) == asked
        rig.publish(2)
        updater.download(updater.check())
    names = sorted(path.name for path in rig.shop.paths.channel_cache.rglob("*.tar.zst*"))
    assert names == ["pui-runtime-linux-x86_64-2.tar.zst"]


def test_a_downloaded_file_that_was_changed_is_fetched_again(rig: ChannelRig) -> None:
    with rig.served() as (address, _):
        updater = rig.updater(address)
        offer = updater.check()
        updater.download(offer)
        path = next(rig.shop.paths.channel_cache.rglob("*.tar.zst"))
        path.write_bytes(bytes(path.stat().st_size))
        source = updater.download(offer)
        assert rig.shop.installer().install(source, updater.release_trust()).pack.manifest.pack_version == 1
        updater.forget_download(offer)
    assert not list(rig.shop.paths.channel_cache.rglob("*.tar.zst"))
