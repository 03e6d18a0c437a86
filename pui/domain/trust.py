"""Which pack may be installed: signature, platform, app version, version floor.

In: the bytes of an envelope, trusted keys, this app's facts. Out: a VerifiedManifest, or a SetupError by name.
Never: I/O, a private key, a look at the payload. Nothing of a manifest is parsed before a signature holds.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pui.domain.errors import SetupError
from pui.domain.events import JsonValue
from pui.domain.manifest import MAX_MANIFEST_BYTES, Manifest, parse_manifest, version_tuple
from pui.domain.strict_json import StrictJsonError, decode_base64, dump_canonical, load_object

PAYLOAD_TYPE = "application/vnd.pui.pack-manifest.v1+json"
KEY_SCHEMA = "pui-trusted-key-1"
MAX_ENVELOPE_BYTES = MAX_MANIFEST_BYTES * 4 // 3 + 64 * 1024
MAX_SIGNATURES = 16
MAX_KEY_FILE_BYTES = 16 * 1024
MAX_LABEL = 200


@dataclass(frozen=True)
class TrustedKey:
    """A public key this person trusts: raw 32 bytes of Ed25519. A revoked one stays known, so that it can be named."""

    keyid: str
    public_key: bytes
    label: str
    revoked: bool = False


@dataclass(frozen=True)
class KeyGroup:
    """Keys of which `threshold` different ones must sign together."""

    keys: tuple[TrustedKey, ...]
    threshold: int = 1


@dataclass(frozen=True)
class AppFacts:
    """What a pack must fit: platform such as "linux-x86_64", version of pui, number of the guest protocol."""

    platform: str
    app_version: str
    guest_protocol: int


@dataclass(frozen=True)
class VerifiedManifest:
    """A manifest under a trusted signature. `signed_by` joins the labels of the keys; `manifest_bytes` were signed."""

    manifest: Manifest
    manifest_bytes: bytes
    signed_by: str
    keyids: tuple[str, ...]

    @property
    def pack_id(self) -> str:
        """Folder name of the installed pack: platform, version, first 12 hex digits of the manifest's SHA-256."""
        digest = hashlib.sha256(self.manifest_bytes).hexdigest()
        return f"{self.manifest.platform}-{self.manifest.pack_version}-{digest[:12]}"


def pae(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed: DSSE v1 pre-authentication encoding (github.com/secure-systems-lab/dsse)."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def key_id(public_key: bytes) -> str:
    """Hex SHA-256 of the raw public key."""
    return hashlib.sha256(public_key).hexdigest()


def render_envelope(manifest_bytes: bytes, signatures: Mapping[str, bytes]) -> bytes:
    """The envelope around `manifest_bytes`; `signatures` maps a key id to 64 raw bytes over pae(PAYLOAD_TYPE, ...)."""
    return dump_canonical(
        {
            "payloadType": PAYLOAD_TYPE,
            "payload": _base64(manifest_bytes),
            "signatures": [{"keyid": keyid, "sig": _base64(sig)} for keyid, sig in sorted(signatures.items())],
        }
    )


def verify_envelope(envelope: bytes, keys: Iterable[TrustedKey], *, threshold: int = 1) -> VerifiedManifest:
    """The manifest in `envelope`, if `threshold` different trusted keys signed its exact bytes.

    Raises SetupError pack.untrusted (no such signatures, or another document type), pack.malformed, pack.bad_path.
    """
    if threshold < 1:
        raise ValueError("a threshold below 1 would trust everybody")
    payload_type, payload, signatures = _parse_envelope(envelope)
    if payload_type != PAYLOAD_TYPE:
        raise _untrusted(f"the envelope holds a document of type {ascii(payload_type)[:80]}, not a pack manifest")
    known = {key.keyid: key for key in keys}
    signers = _signers(pae(payload_type, payload), signatures, known)
    if len(signers) < threshold:
        raise _untrusted(_why_untrusted(signatures, known, len(signers), threshold))
    return VerifiedManifest(
        manifest=parse_manifest(payload),
        manifest_bytes=payload,
        signed_by=", ".join(key.label for key in signers),
        keyids=tuple(key.keyid for key in signers),
    )


def verify_by_groups(envelope: bytes, groups: Sequence[KeyGroup]) -> VerifiedManifest:
    """The manifest in `envelope`, if one of `groups` signed it with as many of its keys as it asks for. Signatures of
    different groups never add up.

    Raises SetupError as verify_envelope does.
    """
    shortfall: SetupError | None = None
    for group in groups:
        try:
            return verify_envelope(envelope, group.keys, threshold=group.threshold)
        except SetupError as error:
            if error.code != "pack.untrusted":
                raise
            shortfall = error
    everybody = [key for group in groups for key in group.keys]
    verify_envelope(envelope, everybody)  # usually raises with the better words: no signature, a stranger, revoked
    raise shortfall or _untrusted("nobody is trusted")


def check_compatibility(manifest: Manifest, app: AppFacts) -> None:
    """Raises SetupError pack.incompatible when this app cannot run the pack."""
    if manifest.platform != app.platform:
        raise _incompatible(f"the pack is for {manifest.platform}, this computer is {app.platform}")
    needed = manifest.compatibility.app_min
    if version_tuple(needed) > version_tuple(app.app_version):
        raise _incompatible(f"the pack needs pui {needed} or newer, this is {app.app_version}")
    spoken = manifest.compatibility.guest_protocol
    if spoken != app.guest_protocol:
        raise _incompatible(f"the pack speaks guest protocol {spoken}, this pui speaks {app.guest_protocol}")


def check_version_floor(manifest: Manifest, floor: int | None) -> None:
    """Raises SetupError pack.rollback when the pack is older than `floor` (highest version once installed)."""
    if floor is not None and manifest.pack_version < floor:
        raise SetupError(
            "pack.rollback",
            f"pack version {manifest.pack_version} is older than {floor}, which was installed before",
            hint="Install a newer pack, or insist with `pui pack install --allow-older`.",
        )


def parse_trusted_key(data: bytes) -> TrustedKey:
    """A file of the trust folder. Raises SetupError pack.malformed; the key id must be that of the key."""
    try:
        table = load_object(data, MAX_KEY_FILE_BYTES)
        if table.get("schema") != KEY_SCHEMA:
            raise StrictJsonError(f"the schema is not {KEY_SCHEMA!r}")
        raw = decode_base64(_text(table, "public_key"), "public_key")
        key = TrustedKey(_text(table, "keyid"), raw, _label(table), table.get("revoked", False) is not False)
        if len(raw) != 32 or key_id(raw) != key.keyid:
            raise StrictJsonError("keyid is not the SHA-256 of a 32-byte public_key")
    except StrictJsonError as error:
        raise SetupError("pack.malformed", f"a file of the trust folder is refused: {error}") from error
    return key


def render_trusted_key(key: TrustedKey) -> bytes:
    """The bytes of a file of the trust folder."""
    table: dict[str, JsonValue] = {
        "schema": KEY_SCHEMA,
        "keyid": key.keyid,
        "public_key": _base64(key.public_key),
        "label": key.label,
    }
    if key.revoked:
        table["revoked"] = True
    return dump_canonical(table)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _untrusted(message: str) -> SetupError:
    return SetupError("pack.untrusted", message)


def _incompatible(message: str) -> SetupError:
    return SetupError("pack.incompatible", message)


def _text(table: Mapping[str, JsonValue], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str):
        raise StrictJsonError(f"{key} is missing or not a text")
    return value


def _label(table: Mapping[str, JsonValue]) -> str:
    label = _text(table, "label")
    if not (0 < len(label) <= MAX_LABEL and label.isprintable()):
        raise StrictJsonError(f"label is not 1 to {MAX_LABEL} printable characters")
    return label


def _parse_envelope(envelope: bytes) -> tuple[str, bytes, Sequence[tuple[str, bytes]]]:
    try:
        table = load_object(envelope, MAX_ENVELOPE_BYTES)
        payload = decode_base64(_text(table, "payload"), "payload")
        if len(payload) > MAX_MANIFEST_BYTES:
            raise StrictJsonError(f"the manifest has {len(payload)} bytes, more than {MAX_MANIFEST_BYTES}")
        return _text(table, "payloadType"), payload, _parse_signatures(table.get("signatures"))
    except StrictJsonError as error:
        raise SetupError("pack.malformed", f"the envelope is refused: {error}") from error


def _parse_signatures(value: JsonValue) -> Sequence[tuple[str, bytes]]:
    if not isinstance(value, list) or len(value) > MAX_SIGNATURES:
        raise StrictJsonError(f"signatures is not a list of at most {MAX_SIGNATURES}")
    pairs: list[tuple[str, bytes]] = []
    for index, entry in enumerate(value):
        if not isinstance(entry, dict):
            raise StrictJsonError(f"signatures[{index}] is not an object")
        pairs.append((_text(entry, "keyid"), decode_base64(_text(entry, "sig"), f"signatures[{index}].sig")))
    return pairs


def _signers(
    signed: bytes, signatures: Sequence[tuple[str, bytes]], known: Mapping[str, TrustedKey]
) -> list[TrustedKey]:
    """The different, unrevoked keys with a good signature, in order of key id."""
    found: dict[str, TrustedKey] = {}
    for keyid, signature in signatures:
        key = known.get(keyid)
        if key is not None and not key.revoked and _holds(key, signature, signed):
            found[keyid] = key
    return [found[keyid] for keyid in sorted(found)]


def _holds(key: TrustedKey, signature: bytes, signed: bytes) -> bool:
    # A key under a wrong id could count twice for a threshold.
    if key_id(key.public_key) != key.keyid:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature, signed)
    except (InvalidSignature, ValueError):  # ValueError: not a key of 32 bytes
        return False
    return True


def _why_untrusted(
    signatures: Sequence[tuple[str, bytes]], known: Mapping[str, TrustedKey], found: int, threshold: int
) -> str:
    if not signatures:
        return "the pack carries no signature"
    if not known:
        return "the trust folder holds no key, so no pack can be trusted"
    named = [keyid for keyid, _ in signatures]
    revoked = [known[keyid].label for keyid in named if keyid in known and known[keyid].revoked]
    if revoked:
        return f"the pack is signed by a revoked key ({revoked[0]})"
    strangers = [keyid for keyid in named if keyid not in known]
    if len(strangers) == len(named):
        return f"the pack is signed by a key that is not trusted ({ascii(strangers[0])[:18]}...)"
    return f"{found} good signatures of different trusted keys, {threshold} needed"
