"""In: root documents. Out: what a person is shown of them, a fingerprint that is compared. Never: I/O."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from pui.domain.channel_root import OfferedRoot, check_fingerprint, describe_root, fingerprint, root_sentences
from pui.domain.errors import PuiError, SetupError
from tests.support.pack_simulator import KEY, SimKey

OTHER = SimKey(2)
NOW = datetime(2026, 5, 1, tzinfo=UTC)
RSA = {"keytype": "rsa", "keyval": {"public": "-----BEGIN"}}


def root_of(*signers: SimKey, **changes: Any) -> bytes:
    keys: dict[str, Any] = {
        f"id{n}": {"keytype": "ed25519", "keyval": {"public": key.raw.hex()}} for n, key in enumerate(signers)
    }
    roles = {"root": {"keyids": list(keys), "threshold": 1}, "targets": {"keyids": ["id0"], "threshold": 1}}
    signed = {"_type": "root", "version": 3, "expires": "2026-05-02T00:00:00Z", "keys": keys, "roles": roles}
    return json.dumps({"signed": signed | changes, "signatures": []}).encode()


def changed(**role: Any) -> bytes:
    roles = {"root": {"keyids": ["id0"], "threshold": 1} | role, "targets": {"keyids": ["id0"], "threshold": 1}}
    return root_of(KEY, roles=roles)


def test_a_root_in_words() -> None:
    data = root_of(KEY, OTHER)
    facts = describe_root(data)
    assert (facts.version, facts.signers, facts.threshold) == (3, (KEY.keyid, OTHER.keyid), 1)
    lines = "\n".join(root_sentences(OfferedRoot(data, facts, facts), NOW))
    assert fingerprint(data) in lines
    assert "version 3, valid until 2026-05-02." in lines
    assert f"1 of: {KEY.keyid[:16]}, {OTHER.keyid[:16]}" in lines
    assert "takes the place" not in lines
    before = describe_root(root_of(OTHER))
    later = "\n".join(root_sentences(OfferedRoot(data, facts, before), NOW.replace(year=2027)))
    assert "it is past" in later
    assert f"takes the place of the root {before.fingerprint[:16]}" in later


def test_a_key_is_known_by_its_bytes() -> None:
    same = describe_root(root_of(OTHER))
    assert same.shares_a_signer(describe_root(root_of(KEY, OTHER)))
    assert not same.shares_a_signer(describe_root(root_of(KEY))), "both call theirs id0"
    keys = {"id0": {"keytype": "ed25519", "keyval": {"public": KEY.raw.hex()}}, "r": RSA}
    roles = {"root": {"keyids": ["r"], "threshold": 1}, "targets": {"keyids": ["id0"], "threshold": 1}}
    assert len(describe_root(root_of(keys=keys, roles=roles)).signers[0]) == 64


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        root_of(KEY, expires="soon"),
        root_of(KEY, expires=None),
        changed(keyids=[]),
        changed(keyids="id0"),
        changed(keyids=["id0"] * 1000),
        changed(keyids=["nobody"]),
        changed(keyids=[7]),
        changed(threshold=True),
        changed(threshold=None),
    ],
)
def test_what_is_no_root_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(SetupError, match=r"index\.malformed"):
        describe_root(data)


def test_a_fingerprint_is_compared_as_people_write_it() -> None:
    mark = fingerprint(b"root")
    check_fingerprint(b"root", f" {mark.upper()[:20]}:{mark[20:40]} {mark[40:]}\n")
    for told, code in (("", "caller.bad_request"), (mark[:-1], "caller.bad_request"), ("0" * 64, "caller.rejected")):
        with pytest.raises(PuiError) as caught:
            check_fingerprint(b"root", told)
        assert caught.value.code == code
