"""Publishing, keys, and one file for a computer without a network.

In: channels and bundles, honest or not. Out: an installed pack, or a named refusal. Never: the network.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tuf.api.metadata import Root

from pui.adapters.channel.bundle import BundleSource, bundle_trust, write_bundle
from pui.adapters.channel.publish import Publisher
from pui.adapters.channel.signing_keys import ALL_NAMES, SigningKeys, make_keys
from pui.adapters.channel.trust_root import trusted_root
from pui.adapters.packs.install import InstallResult
from pui.adapters.paths import own_dir
from pui.domain.errors import PuiError
from tests.support.channel_forger import forge_root, signer_of, stranger
from tests.support.channel_rig import ChannelRig
from tests.support.pack_simulator import PackSim, SimKey, honest_tar

Members = list[tuple[tarfile.TarInfo, bytes]]


def bundled(rig: ChannelRig) -> Path:
    path = rig.base / "out.pui-bundle"
    write_bundle(path, rig.folder, "linux-x86_64")
    return path


def install(rig: ChannelRig, path: Path, *, allow_older: bool = False) -> InstallResult:
    source = BundleSource(path)
    trust = bundle_trust(rig.shop.paths, source)
    return rig.shop.installer().install(source, trust, allow_older=allow_older)


def refused(rig: ChannelRig, path: Path, code: str) -> None:
    for folder in (rig.shop.paths.pack_dir, rig.shop.paths.packs_dir, rig.shop.paths.staging_dir):
        own_dir(folder)  # empty folders are no trace
    before, root = rig.shop.snapshot(), trusted_root(rig.shop.paths)
    with pytest.raises(PuiError) as caught:
        install(rig, path)
    assert caught.value.code == code, caught.value
    assert rig.shop.snapshot() == before
    assert trusted_root(rig.shop.paths) == root


def members(path: Path) -> Members:
    with tarfile.open(path) as tar:
        return [(info, tar.extractfile(info).read()) for info in tar]  # type: ignore[union-attr]


def rewritten(path: Path, change: Callable[[Members], Members], *, index: bool = True) -> Path:
    """The bundle with other members; with `index` its own list of them fits."""
    found = change(members(path))
    if index:
        entries = [{"name": info.name, "size": len(data)} for info, data in found[1:]]
        found[0] = (found[0][0], json.dumps({"schema": "pui-bundle-1", "entries": entries}).encode())
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for info, data in found:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    path.write_bytes(out.getvalue())
    return path


def test_an_air_gapped_computer_follows_the_roots(rig: ChannelRig) -> None:
    fresh = rig.new_keys("fresh")
    rig.publish(rotate_to=fresh)
    rig.keys = fresh
    rig.publish(3)
    result = install(rig, bundled(rig))
    assert result.pack.manifest.pack_version == 3
    assert "root 2" in result.pack.signed_by
    assert rig.shop.store.active().manifest.pack_version == 3
    assert trusted_root(rig.shop.paths) == rig.metadata("2.root.json").read_bytes()


def test_an_expired_index_does_not_matter_offline(rig: ChannelRig) -> None:
    rig.publish(2, days=-1)
    assert install(rig, bundled(rig)).pack.manifest.pack_version == 2


def test_the_floor_holds_offline(rig: ChannelRig) -> None:
    old = bundled(rig).rename(rig.base / "old.pui-bundle")
    rig.publish(2)
    install(rig, bundled(rig))
    refused(rig, old, "pack.rollback")
    assert install(rig, old, allow_older=True).pack.manifest.pack_version == 1


def test_a_bundle_is_the_same_bytes_each_time(rig: ChannelRig) -> None:
    assert bundled(rig).read_bytes() == bundled(rig).read_bytes()


def test_nobody_is_trusted_by_a_bundle_itself(rig: ChannelRig) -> None:
    path = bundled(rig)
    rig.shop.paths.trust_root.unlink()
    with pytest.raises(PuiError, match=r"index\.untrusted"):
        install(rig, path)


def _taken_over(root: Root) -> None:
    for keyid in list(root.roles["root"].keyids):
        root.revoke_key(keyid, "root")
    root.add_key(stranger().public_key, "root")
    root.roles["root"].threshold = 1


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda rig: forge_root(rig, 2, signer_of(rig, "root-1"), stranger()), id="one-old-key"),
        pytest.param(lambda rig: forge_root(rig, 2, stranger(), edit=_taken_over), id="signed-by-itself-only"),
    ],
)
def test_a_chain_that_the_trusted_root_did_not_begin(rig: ChannelRig, forge: Callable[[ChannelRig], bytes]) -> None:
    forged = forge(rig)
    rig.metadata("2.root.json").write_bytes(forged)
    with pytest.raises(PuiError, match=r"index\.untrusted"):
        bundled(rig)
    rig.metadata("2.root.json").unlink()

    def with_forged(found: Members) -> Members:
        return [*found[:2], (tarfile.TarInfo("roots/2.root.json"), forged), *found[2:]]

    refused(rig, rewritten(bundled(rig), with_forged), "index.untrusted")


def test_a_gap_in_the_chain(rig: ChannelRig) -> None:
    for name in ("second", "third"):
        rig.publish(rotate_to=rig.new_keys(name, "timestamp"))
    path = rewritten(bundled(rig), lambda found: [entry for entry in found if entry[0].name != "roots/2.root.json"])
    refused(rig, path, "index.untrusted")


def _swap_envelope(found: Members) -> Members:
    envelope = PackSim(version=9).build().envelope
    return [*found[:-2], (found[-2][0], envelope), found[-1]]


def _flip_archive(found: Members) -> Members:
    data = bytearray(found[-1][1])
    data[len(data) // 2] ^= 1
    return [*found[:-1], (found[-1][0], bytes(data))]


def _add(name: str) -> Callable[[Members], Members]:
    return lambda found: [*found[:2], (tarfile.TarInfo(name), b"x"), *found[2:]]


CHANGES: list[tuple[str, Callable[[Members], Members], str]] = [
    ("envelope-of-a-developer", _swap_envelope, "pack.untrusted"),
    ("flipped-byte", _flip_archive, "pack.checksum"),
    ("traversal", _add("roots/../../x"), "pack.malformed"),
    ("absolute", _add("/etc/x"), "pack.malformed"),
    ("root-that-is-none", _add("roots/9.root.json"), "fetch.not_an_index"),
    (
        "another-archive",
        lambda found: [*found[:-1], (tarfile.TarInfo("pack/x.tar.zst"), found[-1][1])],
        "pack.checksum",
    ),
    ("no-roots", lambda found: [found[0], *found[2:]], "pack.malformed"),
    ("no-pack", lambda found: found[:-1], "pack.malformed"),
    ("two-archives", lambda found: [*found, found[-1]], "pack.malformed"),
]


@pytest.mark.parametrize(("change", "code"), [pytest.param(*case[1:], id=case[0]) for case in CHANGES])
def test_a_changed_bundle(rig: ChannelRig, change: Callable[[Members], Members], code: str) -> None:
    refused(rig, rewritten(bundled(rig), change), code)


def test_a_new_root_is_kept_only_with_a_pack_that_it_vouches_for(rig: ChannelRig) -> None:
    rig.publish(rotate_to=rig.new_keys("fresh", "timestamp"))
    refused(rig, rewritten(bundled(rig), _swap_envelope), "pack.untrusted")


def _link(found: Members) -> Members:
    link = tarfile.TarInfo("roots/1.root.json")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return [found[0], (link, b""), *found[2:]]


@pytest.mark.parametrize(
    ("change", "code"),
    [(_link, "pack.bad_type"), (lambda found: found[:-1], "pack.checksum"), (_add("extra"), "pack.checksum")],
)
def test_an_index_that_lies(rig: ChannelRig, change: Callable[[Members], Members], code: str) -> None:
    refused(rig, rewritten(bundled(rig), change, index=False), code)


INDEX = b'{"schema":"pui-bundle-1","entries":[{"name":"roots/1.root.json","size":99999999999},1,2]}'


@pytest.mark.parametrize("data", [b"", b"x" * 600, bytes(2000), INDEX])
def test_a_file_that_is_no_bundle(rig: ChannelRig, data: bytes) -> None:
    path = rig.base / "odd.pui-bundle"
    if data == INDEX:
        path = rewritten(bundled(rig), lambda found: [(found[0][0], data), *found[1:]], index=False)
    else:
        path.write_bytes(data)
    refused(rig, path, "pack.malformed")


@pytest.mark.parametrize("tenths", range(11))
def test_a_bundle_that_is_cut(rig: ChannelRig, tenths: int) -> None:
    data = (path := bundled(rig)).read_bytes()
    path.write_bytes(data[: len(data.rstrip(b"\0")) * tenths // 10])
    with pytest.raises(PuiError, match=r"pack\.(malformed|checksum)"):
        install(rig, path)
    assert not (rig.shop.paths.pack_dir / "active").exists()


def test_only_what_is_newer_or_the_same_is_published(rig: ChannelRig) -> None:
    rig.publish(3)
    timestamp = rig.metadata("timestamp.json").read_bytes()
    with pytest.raises(PuiError, match=r"caller\.rejected: the channel offers version 3"):
        rig.publish(2)
    assert rig.metadata("timestamp.json").read_bytes() == timestamp
    assert rig.publish(3).versions["targets"] == 3


def test_a_pack_that_the_publisher_does_not_trust_is_not_signed(rig: ChannelRig) -> None:
    path = PackSim(version=5, keys=(SimKey(9),)).build().write(rig.base / "stranger")
    with pytest.raises(PuiError, match=r"pack\.untrusted"):
        Publisher(rig.folder, rig.keys, rig.release).publish([path])
    hostile = PackSim(version=5, tar=honest_tar({"evil": (b"x", 0o644)})).build().write(rig.base / "hostile")
    with pytest.raises(PuiError, match=r"pack\.checksum"):  # its sum is the signed one, its content is not
        Publisher(rig.folder, rig.keys, rig.release).publish([hostile])
    damaged = PackSim(version=5).build().write(rig.base / "damaged")
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    with pytest.raises(PuiError, match=r"pack\."):
        Publisher(rig.folder, rig.keys, rig.release).publish([damaged])


def test_freshness_needs_the_online_keys_only(rig: ChannelRig, tmp_path: Path) -> None:
    online = tmp_path / "online"
    online.mkdir(mode=0o700)
    for name in ("snapshot", "timestamp"):
        (tmp_path / "keys" / f"{name}.pem").rename(online / f"{name}.pem")
    rig.keys = SigningKeys(online)
    assert rig.publish().versions == {"root": 1, "targets": 1, "snapshot": 2, "timestamp": 2}
    with pytest.raises(PuiError, match=r"caller\.bad_request: the key .*targets\.pem is needed"):
        rig.publish(2)


def test_a_root_needs_two_of_the_old_keys(rig: ChannelRig, tmp_path: Path) -> None:
    fresh = rig.new_keys("fresh")
    for name in ("root-1", "root-2"):
        (tmp_path / "keys" / f"{name}.pem").unlink()
    with pytest.raises(PuiError, match=r"caller\.bad_request: a root needs 2"):
        rig.publish(rotate_to=fresh)
    assert not rig.metadata("2.root.json").exists()


def test_keys_of_before_a_rotation_sign_nothing(rig: ChannelRig) -> None:
    fresh = rig.new_keys("fresh")
    rig.publish(rotate_to=fresh)
    before = rig.metadata("timestamp.json").read_bytes()
    for packs in ((), (2,)):
        with pytest.raises(PuiError, match=r"caller\.bad_request: the keys at hand are not those that root 2 names"):
            rig.publish(*packs)
    with pytest.raises(PuiError, match=r"root 2 names for root"):
        rig.publish(rotate_to=rig.new_keys("other"))
    assert rig.metadata("timestamp.json").read_bytes() == before
    assert not rig.metadata("3.root.json").exists()


def test_keys_are_private_encrypted_and_never_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "k"
    paths = make_keys(folder, ALL_NAMES, b"open sesame")
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(b"ENCRYPTED" in path.read_bytes() for path in paths)
    SigningKeys(folder, b"open sesame").signer("targets")
    for wrong in (None, b"wrong"):
        with pytest.raises(PuiError, match=r"caller\.bad_request: .*cannot be opened"):
            SigningKeys(folder, wrong).signer("targets")
    with pytest.raises(PuiError, match=r"caller\.rejected: .*holds"):
        make_keys(folder, ["targets"], None)
    paths[0].chmod(0o644)
    with pytest.raises(PuiError, match=r"host\.permission"):
        SigningKeys(folder, b"open sesame").signer("root-1")


def test_keys_are_not_made_inside_a_checkout(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    with pytest.raises(PuiError, match=r"caller\.rejected: .*git checkout"):
        make_keys(tmp_path / "deep" / "keys", ALL_NAMES, None)
    assert not (tmp_path / "deep").exists()
