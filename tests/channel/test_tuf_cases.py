"""What python-tuf's own repository simulator tries at its client, here at pui's check with its own codes.

In: documents that are well signed by wrong keys, out of date, of other versions, lengths or hashes, at every role.
Out: an offer, or a named refusal and nothing changed. Never: the network.
Source: python-tuf, tests/test_updater_{top_level_update,key_rotations,consistent_snapshot,fetch_target}.py.
"""

from __future__ import annotations

import datetime as real_datetime
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import DelegatedRole, Delegations, Metadata, MetaFile, Root, TargetFile
from tuf.ngclient._internal import trusted_metadata_set

from pui.adapters.channel.trust_root import trusted_root
from pui.adapters.channel.tuf_client import MAX_ROOT_ROTATIONS
from pui.domain.channel import root_version
from pui.domain.errors import PuiError
from tests.channel.test_index import refused
from tests.support.channel_forger import Forger, forge_root, signer_of, stranger
from tests.support.channel_rig import ChannelRig

ROLES = ("targets", "snapshot", "timestamp")
PAST = datetime(2026, 1, 1, tzinfo=UTC)
Edit = Callable[[Any], None]


class Repository(Forger):
    """Publishes all three documents anew, each edited before it is signed; `swap` exchanges a file's bytes after it was
    referred to."""

    def publish(
        self,
        edits: Mapping[str, Edit] | None = None,
        *,
        signers: Mapping[str, CryptoSigner | None] | None = None,
        swap: Mapping[str, Callable[[bytes], bytes]] | None = None,
    ) -> None:
        documents: dict[str, Metadata[Any]] = {name: getattr(self, name) for name in ROLES}
        for name, document in documents.items():
            document.signed.version += 1
            (edits or {}).get(name, lambda signed: None)(document.signed)
            document.signatures.clear()
            signer = (signers or {}).get(name, signer_of(self.rig, name))
            if signer is not None:
                document.sign(signer)
            self._refer(name, document)
            version = "" if name == "timestamp" else f"{self._named[name]}."
            data = (swap or {}).get(name, lambda data: data)(document.to_bytes())
            self.rig.metadata(f"{version}{name}.json").write_bytes(data)

    _named: dict[str, int]

    def _refer(self, name: str, document: Metadata[Any]) -> None:
        if not hasattr(self, "_named"):
            self._named = {}
        self._named[name] = document.signed.version
        if name == "targets":
            self.snapshot.signed.meta["targets.json"] = _meta(document)
        elif name == "snapshot":
            self.timestamp.signed.snapshot_meta = _meta(document)


def _meta(document: Metadata[Any]) -> MetaFile:
    return MetaFile.from_data(document.signed.version, document.to_bytes(), ["sha256"])


def expired(signed: Any) -> None:
    signed.expires = PAST


def padded(data: bytes) -> bytes:
    return data + b" " * 100


def of_another_version(data: bytes) -> bytes:
    table = json.loads(data)
    table["signed"]["version"] += 1
    return json.dumps(table).encode()


@pytest.mark.parametrize("role", ROLES)
def test_b2_expired_at_each_role(rig: ChannelRig, role: str) -> None:
    with rig.served() as (address, _):
        rig.check(address)
        Repository(rig).publish({role: expired})
        refused(rig, address, "index.expired")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("by", ["nobody", "a-stranger", "another-role"])
def test_b9_each_role_signed_by_others(rig: ChannelRig, role: str, by: str) -> None:
    other = {"targets": "snapshot", "snapshot": "timestamp", "timestamp": "snapshot"}[role]
    signer = {"nobody": None, "a-stranger": stranger(), "another-role": signer_of(rig, other)}[by]
    Repository(rig).publish(signers={role: signer})
    with rig.served() as (address, _):
        refused(rig, address, "index.untrusted")


@pytest.mark.parametrize("role", ["targets", "snapshot"])
@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param(padded, "fetch.too_long", id="longer"),
        pytest.param(lambda data: data[:-40], "index.mismatch", id="shorter"),
        pytest.param(lambda data: data[:-9] + b"xxxxxxxxx", "index.mismatch", id="other-hash"),
        pytest.param(of_another_version, None, id="other-version"),
    ],
)
def test_b3_another_document_than_the_one_referred_to(
    rig: ChannelRig, role: str, change: Callable[[bytes], bytes], code: str | None
) -> None:
    Repository(rig).publish(swap={role: change})
    with rig.served() as (address, _), pytest.raises(PuiError) as caught:
        rig.check(address)
    assert caught.value.code in ((code,) if code else ("index.mismatch", "fetch.too_long"))
    assert not rig.shop.paths.channel_state.exists()


@pytest.mark.parametrize("role", ["targets", "snapshot"])
def test_b3_a_version_that_is_not_the_one_referred_to(rig: ChannelRig, role: str) -> None:
    """Well signed, right hash, only its version is another one than its referrer says."""
    repository = Repository(rig)

    def lie(signed: Any) -> None:
        meta = signed.snapshot_meta if role == "snapshot" else signed.meta["targets.json"]
        meta.version += 1
        repository._named[role] += 1
        name = f"{meta.version}.{role}.json"
        rig.metadata(name).write_bytes(rig.metadata(f"{meta.version - 1}.{role}.json").read_bytes())

    repository.publish({"timestamp" if role == "snapshot" else "snapshot": lie})
    with rig.served() as (address, _), pytest.raises(PuiError) as caught:
        rig.check(address)
    assert caught.value.code in ("index.mismatch", "index.rollback")


def test_b1_a_timestamp_that_goes_back(rig: ChannelRig) -> None:
    with rig.served() as (address, _):
        Repository(rig).publish()
        rig.check(address)
        Repository(rig).publish({"timestamp": lambda signed: setattr(signed, "version", 1)})
        refused(rig, address, "index.rollback")


def test_b1_a_newer_timestamp_with_an_older_snapshot(rig: ChannelRig) -> None:
    with rig.served() as (address, _):
        Repository(rig).publish()
        rig.check(address)
        Repository(rig).publish({"snapshot": lambda signed: setattr(signed, "version", 1)})
        refused(rig, address, "index.rollback")


def test_b1_a_newer_snapshot_with_older_targets(rig: ChannelRig) -> None:
    with rig.served() as (address, _):
        Repository(rig).publish()
        rig.check(address)
        Repository(rig).publish({"targets": lambda signed: setattr(signed, "version", 1)})
        refused(rig, address, "index.rollback")


def test_b3_a_snapshot_without_the_targets(rig: ChannelRig) -> None:
    with rig.served() as (address, _):
        rig.check(address)
        Repository(rig).publish({"snapshot": lambda signed: signed.meta.clear()})
        with pytest.raises(PuiError) as caught:
            rig.check(address)
    assert caught.value.code.startswith("index.")


def test_b1_an_expired_timestamp_still_guards_against_an_older_one(
    rig: ChannelRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    Repository(rig).publish({"timestamp": lambda signed: setattr(signed, "expires", soon)})
    with rig.served() as (address, _):
        rig.check(address)
        later = SimpleNamespace(now=lambda zone: datetime.now(zone) + timedelta(days=2))
        stub = SimpleNamespace(datetime=later, timezone=real_datetime.timezone)
        monkeypatch.setattr(trusted_metadata_set, "datetime", stub)
        Repository(rig).publish({"timestamp": lambda signed: setattr(signed, "version", 1)})
        refused(rig, address, "index.rollback")


# roots


def both(rig: ChannelRig) -> tuple[CryptoSigner, CryptoSigner]:
    return signer_of(rig, "root-1"), signer_of(rig, "root-2")


def put_root(rig: ChannelRig, version: int, *signers: CryptoSigner, edit: Edit | None = None, at: int = 0) -> None:
    data = forge_root(rig, version, *signers, edit=edit)
    rig.metadata(f"{at or version}.root.json").write_bytes(data)


def trusted_version(rig: ChannelRig) -> int:
    return root_version(trusted_root(rig.shop.paths))


def test_b2_the_last_root_is_expired(rig: ChannelRig) -> None:
    put_root(rig, 2, *both(rig), edit=expired)
    with rig.served() as (address, _):
        refused(rig, address, "index.expired")


def test_a_root_in_between_may_be_expired(rig: ChannelRig) -> None:
    put_root(rig, 2, *both(rig), edit=expired)
    put_root(rig, 3, *both(rig))
    with rig.served() as (address, _):
        rig.check(address)
    assert trusted_version(rig) == 3


def test_b11_a_root_in_between_is_badly_signed(rig: ChannelRig) -> None:
    put_root(rig, 2, signer_of(rig, "root-1"), stranger())
    put_root(rig, 3, *both(rig))
    with rig.served() as (address, _):
        refused(rig, address, "index.untrusted")
    assert trusted_version(rig) == 1


@pytest.mark.parametrize("version", [1, 3])
def test_b11_a_root_of_the_same_version_or_one_too_many(rig: ChannelRig, version: int) -> None:
    put_root(rig, version, *both(rig), at=2)
    with rig.served() as (address, _):
        refused(rig, address, "index.untrusted")


def test_b11_a_root_that_nobody_signed(rig: ChannelRig) -> None:
    put_root(rig, 2)
    with rig.served() as (address, _):
        refused(rig, address, "index.untrusted")


def fresh_root_keys(root: Root, *signers: CryptoSigner) -> None:
    for keyid in list(root.roles["root"].keyids):
        root.revoke_key(keyid, "root")
    for signer in signers:
        root.add_key(signer.public_key, "root")


@pytest.mark.parametrize("who", ["old-only", "new-only", "both"])
def test_b11_new_root_keys_need_the_old_and_the_new(rig: ChannelRig, who: str) -> None:
    keys = rig.new_keys("fresh", "root")
    new = [keys.signer(name) for name in ("root-1", "root-2")]
    signers = {"old-only": [*both(rig)], "new-only": new, "both": [*both(rig), *new]}[who]
    put_root(rig, 2, *signers, edit=lambda root: fresh_root_keys(root, *new))
    with rig.served() as (address, _):
        if who != "both":
            refused(rig, address, "index.untrusted")
        else:
            rig.check(address)
    assert trusted_version(rig) == (2 if who == "both" else 1)


def test_b11_a_higher_threshold_holds_for_the_root_itself(rig: ChannelRig) -> None:
    three = (*both(rig), signer_of(rig, "root-3"))
    put_root(rig, 2, *both(rig), edit=lambda root: setattr(root.roles["root"], "threshold", 3))
    with rig.served() as (address, _):
        refused(rig, address, "index.untrusted")
        put_root(rig, 2, *three, edit=lambda root: setattr(root.roles["root"], "threshold", 3))
        rig.check(address)
    assert trusted_version(rig) == 2


def test_no_more_roots_in_one_check_than_the_limit(rig: ChannelRig) -> None:
    """A longer chain is followed by the next check; so a server cannot keep a check busy for ever."""
    last = MAX_ROOT_ROTATIONS + 4
    for version in range(2, last + 1):
        put_root(rig, version, *both(rig))
    with rig.served() as (address, seen):
        rig.check(address)
        assert sum(".root.json" in line for line in seen) <= MAX_ROOT_ROTATIONS
        assert trusted_version(rig) == MAX_ROOT_ROTATIONS + 1
        rig.check(address)
    assert trusted_version(rig) == last


@pytest.mark.parametrize("role", ROLES)
def test_b10_a_rotated_key_signs_no_more(rig: ChannelRig, role: str) -> None:
    keys = rig.new_keys("fresh", role)

    def rotate(root: Root) -> None:
        [old] = root.roles[role].keyids
        root.revoke_key(old, role)
        root.add_key(keys.signer(role).public_key, role)

    with rig.served() as (address, _):
        rig.check(address)
        put_root(rig, 2, *both(rig), edit=rotate)
        refused(rig, address, "index.untrusted")
        assert trusted_version(rig) == 2, "the root is followed all the same"


def test_a_root_without_consistent_snapshots_finds_nothing(rig: ChannelRig) -> None:
    put_root(rig, 2, *both(rig), edit=lambda root: setattr(root, "consistent_snapshot", False))
    with rig.served() as (address, _):
        refused(rig, address, "fetch.http")


# targets


def test_delegations_are_refused(rig: ChannelRig) -> None:
    """The release keys are the root's targets keys (ADR 6): nobody else can be made to vouch for a pack."""
    role = DelegatedRole("other", [stranger().public_key.keyid], 1, False, paths=["*"])
    delegations = Delegations({stranger().public_key.keyid: stranger().public_key}, {"other": role})
    Repository(rig).publish({"targets": lambda signed: setattr(signed, "delegations", delegations)})
    with rig.served() as (address, seen):
        refused(rig, address, "index.malformed")
        assert not [line for line in seen if "other.json" in line]


def test_b4_a_target_without_sha256(rig: ChannelRig) -> None:
    def weak(signed: Any) -> None:
        for path, listed in list(signed.targets.items()):
            if path.endswith(".tar.zst"):
                signed.targets[path] = TargetFile(listed.length, {"sha512": "0" * 128}, path)

    Repository(rig).publish({"targets": weak})
    with rig.served() as (address, _):
        refused(rig, address, "index.malformed")


@pytest.mark.parametrize("kind", ["newest-linux-x86_64.json", "envelope.json", ".tar.zst"])
def test_b4_a_target_that_the_index_lists_with_another_length(rig: ChannelRig, kind: str) -> None:
    def shorter(signed: Any) -> None:
        for path, listed in signed.targets.items():
            if path.endswith(kind):
                listed.length -= 1

    Repository(rig).publish({"targets": shorter})
    with rig.served() as (address, _):
        refused(rig, address, "index.mismatch" if kind == ".tar.zst" else "fetch.too_long")


@pytest.mark.parametrize("kind", ["newest-linux-x86_64.json", "envelope.json", ".tar.zst"])
def test_b3_a_target_that_is_not_listed(rig: ChannelRig, kind: str) -> None:
    def without(signed: Any) -> None:
        for path in [path for path in signed.targets if path.endswith(kind)]:
            del signed.targets[path]

    Repository(rig).publish({"targets": without})
    with rig.served() as (address, _):
        refused(rig, address, "index.mismatch")
