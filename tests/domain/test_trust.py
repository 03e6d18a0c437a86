"""In: envelopes and keys. Out: the verdict, by name. Never: a file."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from pui.domain.errors import SetupError
from pui.domain.trust import (
    PAYLOAD_TYPE,
    AppFacts,
    TrustedKey,
    check_compatibility,
    check_version_floor,
    pae,
    parse_trusted_key,
    render_envelope,
    render_trusted_key,
    verify_envelope,
)
from tests.support.pack_simulator import APP, KEY, PackSim, SimKey, canonical, envelope

OTHER, THIRD = SimKey(2), SimKey(3)
MANIFEST = PackSim().build().manifest
TRUSTED = [KEY.trusted("one"), OTHER.trusted("two")]


def signed_by(*keys: SimKey) -> bytes:
    return envelope(MANIFEST, [key.signature(MANIFEST) for key in keys])


def refused(
    data: bytes, code: str, words: str = "pack", *, keys: list[TrustedKey] | None = None, threshold: int = 1
) -> None:
    with pytest.raises(SetupError, match=words) as caught:
        verify_envelope(data, TRUSTED if keys is None else keys, threshold=threshold)
    assert caught.value.code == code
    assert caught.value.message.isprintable()


def test_pae_of_the_dsse_specification() -> None:
    """The example of the DSSE protocol text."""
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_one_good_signature_is_enough() -> None:
    verified = verify_envelope(signed_by(THIRD, OTHER), TRUSTED)

    assert (verified.signed_by, verified.keyids) == ("two", (OTHER.keyid,))
    assert verified.manifest_bytes == MANIFEST
    assert verified.pack_id == PackSim().build().pack_id


def test_what_we_render_verifies() -> None:
    signature = KEY.private.sign(pae(PAYLOAD_TYPE, MANIFEST))

    data = render_envelope(MANIFEST, {KEY.keyid: signature})

    assert verify_envelope(data, TRUSTED).manifest_bytes == MANIFEST
    assert data == signed_by(KEY)


def test_a28_threshold_counts_different_keys() -> None:
    assert verify_envelope(signed_by(KEY, OTHER), TRUSTED, threshold=2).signed_by in ("one, two", "two, one")
    refused(signed_by(KEY, KEY), "pack.untrusted", "1 good signatures .* 2 needed", threshold=2)
    refused(signed_by(KEY, THIRD), "pack.untrusted", "1 good signatures", threshold=2)


def test_a28_one_key_under_two_ids_counts_once() -> None:
    alias = TrustedKey("ab" * 32, KEY.raw, "alias")
    twice = envelope(MANIFEST, [KEY.signature(MANIFEST), KEY.signature(MANIFEST) | {"keyid": alias.keyid}])

    refused(twice, "pack.untrusted", keys=[KEY.trusted(), alias], threshold=2)


def test_a_threshold_of_nobody_is_a_bug() -> None:
    with pytest.raises(ValueError, match="everybody"):
        verify_envelope(signed_by(KEY), TRUSTED, threshold=0)


def test_a26_a27_a30_untrusted() -> None:
    refused(signed_by(), "pack.untrusted", "carries no signature")
    refused(signed_by(THIRD), "pack.untrusted", "not trusted")
    refused(signed_by(KEY), "pack.untrusted", "no key", keys=[])
    refused(signed_by(KEY), "pack.untrusted", "revoked key .old", keys=[KEY.trusted("old", revoked=True)])


def test_every_flipped_bit_of_a_signature_is_found() -> None:
    good = KEY.signature(MANIFEST)
    raw = base64.b64decode(good["sig"])
    for place in range(len(raw)):
        bad = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        refused(envelope(MANIFEST, [good | {"sig": base64.b64encode(bad).decode()}]), "pack.untrusted")


def test_a29_other_document_types() -> None:
    other = "application/vnd.pui.pack-index.v1+json"
    refused(envelope(MANIFEST, [KEY.signature(MANIFEST, other)], other), "pack.untrusted", "not a pack manifest")
    refused(envelope(MANIFEST, [KEY.signature(MANIFEST, other)]), "pack.untrusted", "0 good signatures")


def test_an_unsigned_manifest_is_not_even_parsed() -> None:
    refused(envelope(b"not json", [THIRD.signature(b"not json")]), "pack.untrusted")
    refused(envelope(b"not json", [KEY.signature(b"not json")]), "pack.malformed")


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.pop("payload"),
        lambda t: t.update(payload=7),
        lambda t: t.update(payload=t["payload"] + "\n"),
        lambda t: t.update(payload=t["payload"].rstrip("=") + "!"),
        lambda t: t.update(payload="é"),
        lambda t: t.pop("payloadType"),
        lambda t: t.update(signatures={}),
        lambda t: t.update(signatures=[7]),
        lambda t: t.update(signatures=[{"keyid": KEY.keyid}]),
        lambda t: t.update(signatures=t["signatures"] * 17),
        lambda t: t["signatures"][0].update(sig="?"),
    ],
)
def test_malformed_envelopes(change: Callable[[dict[str, Any]], object]) -> None:
    table = json.loads(signed_by(KEY))
    change(table)
    refused(canonical(table), "pack.malformed", "the envelope is refused")


@pytest.mark.parametrize(
    "sig", ["", "AAAA", base64.b64encode(bytes(63)).decode(), base64.b64encode(bytes(65)).decode()]
)
def test_signatures_of_a_wrong_length(sig: str) -> None:
    refused(envelope(MANIFEST, [{"keyid": KEY.keyid, "sig": sig}]), "pack.untrusted")


def test_a31_a32_compatibility() -> None:
    manifest = verify_envelope(signed_by(KEY), TRUSTED).manifest
    check_compatibility(manifest, APP)
    check_compatibility(manifest, AppFacts("linux-x86_64", "0.10.0", 1))
    for app, words in [
        (AppFacts("linux-aarch64", "0.1.0", 1), "for linux-x86_64, this computer is linux-aarch64"),
        (AppFacts("linux-x86_64", "0.0.9", 1), "needs pui 0.1.0 or newer, this is 0.0.9"),
        (AppFacts("linux-x86_64", "0.1.0", 2), "speaks guest protocol 1, this pui speaks 2"),
    ]:
        with pytest.raises(SetupError, match=words) as caught:
            check_compatibility(manifest, app)
        assert caught.value.code == "pack.incompatible"


def test_a33_version_floor() -> None:
    manifest = verify_envelope(signed_by(KEY), TRUSTED).manifest
    check_version_floor(manifest, None)
    check_version_floor(manifest, 1)
    with pytest.raises(SetupError, match=r"pack\.rollback: pack version 1 is older than 2"):
        check_version_floor(manifest, 2)


def test_key_files() -> None:
    for key in (KEY.trusted("label"), KEY.trusted("label", revoked=True)):
        assert parse_trusted_key(render_trusted_key(key)) == key


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "x"},
        {"keyid": "00" * 32},
        {"public_key": "AAAA"},
        {"public_key": 7},
        {"label": ""},
        {"label": "a\u202eb"},
        {"label": "x" * 201},
    ],
)
def test_malformed_key_files(change: dict[str, object]) -> None:
    table = json.loads(render_trusted_key(KEY.trusted("label"))) | change

    with pytest.raises(SetupError, match=r"pack\.malformed"):
        parse_trusted_key(canonical(table))
