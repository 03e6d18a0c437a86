"""The index of a channel that replays, freezes, mixes, or is signed by thieves (threats.md B1 to B12, B17).

In: a channel that is honest or not. Out: an offer, or a named refusal and nothing changed. Never: the network.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from tuf.api.metadata import Root

from pui.domain.errors import PuiError
from tests.support.channel_forger import STRANGER, Forger, forge_root, signed_shape, signer_of, stranger
from tests.support.channel_rig import PATIENT, QUICK, ChannelRig, bytes_of, page
from tests.support.pack_server import Answer, Talk
from tests.support.pack_simulator import SimKey


def refused(rig: ChannelRig, address: str, code: str) -> PuiError:
    """The check fails by this name; store and floors are as before."""
    before, floors = rig.shop.snapshot(), rig.shop.paths.channel_state
    kept = floors.read_bytes() if floors.exists() else None
    with pytest.raises(PuiError) as caught:
        rig.check(address, QUICK if code == "fetch.stalled" else PATIENT)
    assert caught.value.code == code, caught.value
    assert caught.value.message.isprintable()
    assert rig.shop.snapshot() == before
    assert (floors.read_bytes() if floors.exists() else None) == kept
    return caught.value


def test_an_honest_channel_is_followed(rig: ChannelRig) -> None:
    with rig.served() as (address, seen):
        assert rig.update(address).pack.manifest.pack_version == 1
        assert len(seen) == 7, seen
        rig.publish(2)
        assert rig.check(address).is_newer
        assert rig.update(address).pack.manifest.pack_version == 2
        assert not rig.check(address).is_newer
    assert rig.shop.store.active().manifest.pack_version == 2


@pytest.mark.parametrize("cache", ["kept", "deleted"])
def test_b1_rollback(rig: ChannelRig, cache: str) -> None:
    old = rig.snapshot_of_www("old")
    rig.publish(2)
    with rig.served() as (address, _):
        rig.check(address)
        if cache == "deleted":
            rig.forget_cache()
        rig.folder = old
        refused(rig, address, "index.rollback")


def test_b1_an_older_signing_time_without_a_cache(rig: ChannelRig) -> None:
    """The same packs, an older timestamp: only the floor outside the cache can tell."""
    forger = Forger(rig)
    forger.timestamp.signed.unrecognized_fields["x-pui-issued"] = "2026-01-01T00:00:00Z"
    old = rig.snapshot_of_www("old")
    rig.publish()
    with rig.served() as (address, _):
        rig.check(address)
        rig.folder = old
        forger.save(None)
        rig.forget_cache()
        refused(rig, address, "index.rollback")


def test_b2_freeze_stops_updates_and_not_the_pack(rig: ChannelRig) -> None:
    with rig.served() as (address, _):
        rig.update(address)
        rig.publish(2, days=-1)
        refused(rig, address, "index.expired")
    assert rig.shop.store.active().manifest.pack_version == 1


@pytest.mark.parametrize("document", ["snapshot", "targets"])
def test_b3_mix_and_match(rig: ChannelRig, document: str) -> None:
    rig.publish(2)
    rig.overrides[f"/metadata/2.{document}.json"] = bytes_of(rig.metadata(f"1.{document}.json").read_bytes())
    with rig.served() as (address, _):
        refused(rig, address, "index.mismatch")


@pytest.mark.parametrize(("change", "code"), [(b"", "index.mismatch"), (b"longer", "fetch.too_long")])
def test_b4_other_bytes_of_an_envelope(rig: ChannelRig, change: bytes, code: str) -> None:
    path = next((rig.folder / "targets").glob("*.envelope.json"))
    data = path.read_bytes()
    rig.overrides[f"/targets/{path.name}"] = bytes_of(data[:-9] + b"xxxxxxxxx" + change)
    with rig.served() as (address, _):
        refused(rig, address, code)


def endless(talk: Talk) -> None:
    talk.head(200, Connection="close")
    while not talk.stopping.is_set():
        talk.wfile.write(bytes(4096))


def drip(talk: Talk) -> None:
    talk.head(200, Connection="close")
    while not talk.stopping.wait(0.05):
        talk.wfile.write(b"{")


def elsewhere(talk: Talk) -> None:
    talk.head(302, Location="http://127.0.0.2:9/metadata/timestamp.json", Content_Length="0")


ANSWERS: list[tuple[str, Answer, str]] = [
    ("B5-endless", endless, "fetch.too_long"),
    ("B6-gzip", lambda talk: talk.reply(200, b"{}", Content_Encoding="gzip"), "fetch.http"),
    ("B7-drip", drip, "fetch.stalled"),
    ("B7-silence", lambda talk: bool(talk.stopping.wait()), "fetch.stalled"),  # type: ignore[list-item,return-value]
    ("B8-redirect", elsewhere, "fetch.redirect"),
    ("B17-page", page, "fetch.not_an_index"),
    ("B17-page-without-type", bytes_of(b"<html>log in</html>"), "fetch.not_an_index"),
    ("absent", lambda talk: talk.reply(404, b""), "fetch.http"),
    ("server-error", lambda talk: talk.reply(500, b""), "fetch.http"),
    ("deep", bytes_of(b"[" * 9000), "index.malformed"),
    ("nothing", bytes_of(b""), "fetch.not_an_index"),
    ("not-a-document", bytes_of(b"{}"), "index.malformed"),
    ("latin-1", bytes_of(b'{"signed": "\xff"}'), "fetch.not_an_index"),
]


@pytest.mark.parametrize(("answer", "code"), [pytest.param(*case[1:], id=case[0]) for case in ANSWERS])
def test_a_cheating_server(rig: ChannelRig, answer: Answer, code: str) -> None:
    rig.overrides["/metadata/timestamp.json"] = answer
    with rig.served() as (address, _):
        refused(rig, address, code)


def test_b17_a_page_instead_of_the_next_root(rig: ChannelRig) -> None:
    rig.overrides["/metadata/2.root.json"] = page
    with rig.served() as (address, _):
        refused(rig, address, "fetch.not_an_index")


@pytest.mark.parametrize("kind", ["newest-linux-x86_64.json", "envelope.json"])
def test_b17_a_page_instead_of_a_small_target(rig: ChannelRig, kind: str) -> None:
    path = next((rig.folder / "targets").glob(f"*{kind}"))
    rig.overrides[f"/targets/{path.name}"] = page
    with rig.served() as (address, _):
        refused(rig, address, "fetch.not_an_index")


def test_b9_stolen_online_keys_bring_no_pack(rig: ChannelRig) -> None:
    forger = Forger(rig)
    forger.offer(9, STRANGER)
    forger.save(stranger())
    with rig.served() as (address, _):
        refused(rig, address, "index.untrusted")


def test_b9_a_listed_pack_needs_the_release_key_in_its_envelope(rig: ChannelRig) -> None:
    """A key that this person trusts for packs from files vouches for nothing in a channel."""
    forger = Forger(rig)
    forger.offer(9, SimKey(1))
    forger.save(signer_of(rig, "targets"))
    with rig.served() as (address, _):
        refused(rig, address, "pack.untrusted")


def test_b10_fast_forward_is_recovered_by_a_new_root(rig: ChannelRig) -> None:
    with rig.served() as (address, _):
        rig.check(address)
        honest = rig.snapshot_of_www("honest")
        forger = Forger(rig)
        forger.save(None, step=2**30)
        rig.check(address)
        rig.folder = honest
        rig.publish(2)
        refused(rig, address, "index.rollback")
        rig.publish(rotate_to=rig.new_keys("fresh", "snapshot", "timestamp"))
        assert rig.check(address).verified.manifest.pack_version == 2


def test_b10_a_version_driven_up_by_a_stolen_release_key(rig: ChannelRig) -> None:
    honest = rig.snapshot_of_www("honest")
    forger = Forger(rig)
    forger.offer(2**40)
    forger.save(signer_of(rig, "targets"))
    with rig.served() as (address, _):
        assert rig.check(address).verified.manifest.pack_version == 2**40
        rig.folder = honest
        rig.publish(2)
        rig.forget_cache()
        refused(rig, address, "index.rollback")
        rig.publish(rotate_to=rig.new_keys("fresh", "targets", "snapshot", "timestamp"))
        assert rig.update(address).pack.manifest.pack_version == 2


ROOTS: list[tuple[str, Callable[[ChannelRig], bytes], str]] = [
    ("one-of-two", lambda rig: forge_root(rig, 2, signer_of(rig, "root-1")), "index.untrusted"),
    ("strangers", lambda rig: forge_root(rig, 2, stranger(), signer_of(rig, "targets")), "index.untrusted"),
    (
        "wrong-version",
        lambda rig: forge_root(rig, 3, signer_of(rig, "root-1"), signer_of(rig, "root-2")),
        "index.untrusted",
    ),
    ("other-role", lambda rig: rig.metadata("timestamp.json").read_bytes(), "index.malformed"),
]


@pytest.mark.parametrize(("forge", "code"), [pytest.param(*case[1:], id=case[0]) for case in ROOTS])
def test_b11_a_root_that_the_one_before_did_not_sign(
    rig: ChannelRig, forge: Callable[[ChannelRig], bytes], code: str
) -> None:
    before = rig.shop.paths.trust_root.read_bytes()
    rig.metadata("2.root.json").write_bytes(forge(rig))
    with rig.served() as (address, _):
        refused(rig, address, code)
    assert rig.shop.paths.trust_root.read_bytes() == before


def test_b11_the_same_signature_twice_counts_once(rig: ChannelRig) -> None:
    table = json.loads(forge_root(rig, 2, signer_of(rig, "root-1")))
    table["signatures"] *= 2
    rig.metadata("2.root.json").write_bytes(json.dumps(table).encode())
    with rig.served() as (address, _):
        refused(rig, address, "index.malformed")


def test_b11_one_key_under_two_ids_counts_once(rig: ChannelRig) -> None:
    """A root (well signed, for once) that lists the release key twice for a threshold of two."""

    def twice(root: Root) -> None:
        key = root.keys[root.roles["targets"].keyids[0]]
        root.keys["0" * 64] = type(key)("0" * 64, key.keytype, key.scheme, key.keyval)
        root.roles["targets"].keyids.append("0" * 64)
        root.roles["targets"].threshold = 2

    forged = forge_root(rig, 2, signer_of(rig, "root-1"), signer_of(rig, "root-2"), edit=twice)
    rig.metadata("2.root.json").write_bytes(forged)
    with rig.served() as (address, _):
        refused(rig, address, "index.untrusted")


def test_b11_after_a_gap_the_old_root_stays(rig: ChannelRig) -> None:
    signers = signer_of(rig, "root-1"), signer_of(rig, "root-2")
    rig.metadata("3.root.json").write_bytes(forge_root(rig, 3, *signers))
    with rig.served() as (address, _):
        rig.check(address)
    assert json.loads(rig.shop.paths.trust_root.read_bytes())["signed"]["version"] == 1


@pytest.mark.parametrize("name", ["timestamp.json", "snapshot.json", "targets.json", "root_history/1.root.json"])
def test_b12_damaged_local_metadata_heals(rig: ChannelRig, name: str) -> None:
    with rig.served() as (address, _):
        rig.check(address)
        path = next(rig.shop.paths.channel_cache.rglob(name))
        path.write_bytes(path.read_bytes()[:100])
        assert rig.check(address).verified.manifest.pack_version == 1


SHAPES = [
    {"_type": "timestamp"},
    {"_type": "timestamp", "spec_version": "1.0.31", "version": "1", "expires": "2040-01-01T00:00:00Z", "meta": {}},
    {"_type": "timestamp", "spec_version": "1.0.31", "version": 1, "expires": 7, "meta": {"snapshot.json": {}}},
    {"_type": "timestamp", "spec_version": "9.0", "version": 1, "expires": "2040-01-01T00:00:00Z", "meta": []},
    [1, 2],
    "text",
    None,
]


@pytest.mark.parametrize("signed", SHAPES)
def test_b12_wrong_types_under_a_good_signature(rig: ChannelRig, signed: object) -> None:
    rig.metadata("timestamp.json").write_bytes(signed_shape(signed, signer_of(rig, "timestamp")))
    with rig.served() as (address, _):
        refused(rig, address, "index.malformed")


NEWEST = [b"{}", b"[]", b'{"schema":"pui-channel-newest-1","platform":"linux-x86_64","pack_version":-1,"envelope":"x"}']


@pytest.mark.parametrize("data", [*NEWEST, bytes(5000)])
def test_a_pointer_of_a_wrong_shape(rig: ChannelRig, data: bytes) -> None:
    forger = Forger(rig)
    forger.put("newest-linux-x86_64.json", data)
    forger.save(signer_of(rig, "targets"))
    with rig.served() as (address, _):
        refused(rig, address, "index.malformed")
