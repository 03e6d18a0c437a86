"""What a person is shown of a channel's root before and after it is trusted, and the comparison of its fingerprint.

In: a root document whose signatures others check, what the operator told. Out: facts, sentences, or a named refusal.
Never: I/O, trust (adapters/channel/trust_root.py), an id that the root gives itself: keys are known by their bytes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pui.domain.channel import MAX_ROOT_BYTES, parse_time, release_keys, root_version
from pui.domain.errors import CallerError, SetupError
from pui.domain.events import JsonValue
from pui.domain.strict_json import StrictJsonError, dump_canonical, load_object
from pui.domain.trust import MAX_SIGNATURES, KeyGroup, key_id

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_SHOWN_ID_CHARS = 16


def fingerprint(root: bytes) -> str:
    """SHA-256 of the file, in hex: what a person compares."""
    return hashlib.sha256(root).hexdigest()


def check_fingerprint(root: bytes, told: str) -> None:
    """`told` is what the operator said, with any colons and spaces.

    Raises CallerError caller.bad_request (it is no fingerprint), caller.rejected (it is another file's).
    """
    wanted = re.sub(r"[\s:]", "", told.lower())
    if _FINGERPRINT.fullmatch(wanted) is None:
        raise CallerError("caller.bad_request", "a fingerprint is 64 hex digits (SHA-256 of the root's file)")
    if fingerprint(root) != wanted:
        raise CallerError(
            "caller.rejected",
            f"the file's fingerprint is {fingerprint(root)}, not the one you gave",
            hint="Do not use this file. Get root and fingerprint again, each by its own way.",
        )


@dataclass(frozen=True)
class RootFacts:
    """`release` signs packs; `threshold` of the keys `signers` (by their bytes, in hex) sign the next root."""

    fingerprint: str
    version: int
    expires: datetime
    release: KeyGroup
    signers: tuple[str, ...]
    threshold: int

    def shares_a_signer(self, other: RootFacts) -> bool:
        """Whether both can be roots of one channel: somebody who signs the one signs the other."""
        return not set(self.signers).isdisjoint(other.signers)


@dataclass(frozen=True)
class ChannelTrust:
    """The root that is trusted now. `is_shipped`: it came with pui, or shares a signer with the one that did.
    `problem` says why there is one that cannot be used; then nothing else is known of it."""

    fingerprint: str = ""
    version: int = 0
    expires: datetime | None = None
    is_shipped: bool = False
    problem: str = ""


@dataclass(frozen=True)
class OfferedRoot:
    """A root that a person chose, signed by its own keys, not trusted yet; `before` is the one trusted now."""

    data: bytes
    facts: RootFacts
    before: RootFacts | None = None


def describe_root(root: bytes) -> RootFacts:
    """Raises SetupError index.malformed. The root's own signatures are not looked at."""
    release, version = release_keys(root), root_version(root)
    try:
        signed = _table(load_object(root, MAX_ROOT_BYTES), "signed")
        role, known = _table(_table(signed, "roles"), "root"), _table(signed, "keys")
        listed, threshold = role.get("keyids"), role.get("threshold")
        if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_SIGNATURES:
            raise StrictJsonError(f"the role root has not 1 to {MAX_SIGNATURES} keys")
        if isinstance(threshold, bool) or not isinstance(threshold, int):
            raise StrictJsonError("the role root has no threshold")
        signers = tuple(dict.fromkeys(_identity(known, name) for name in listed))
    except StrictJsonError as error:
        raise SetupError("index.malformed", f"the root is refused: {error}") from error
    return RootFacts(fingerprint(root), version, parse_time(signed.get("expires")), release, signers, threshold)


def root_sentences(offered: OfferedRoot, now: datetime) -> Sequence[str]:
    """What stands in the question whether to trust a root; `now` in UTC."""
    facts, before = offered.facts, offered.before
    over = " (it is past: the channel must have a newer root, signed by the same keys)" if facts.expires < now else ""
    lines = [
        f"Fingerprint: {facts.fingerprint}",
        f"Root version {facts.version}, valid until {facts.expires:%Y-%m-%d}{over}.",
        f"Packs have to be signed by {facts.release.threshold} of: {_short([k.keyid for k in facts.release.keys])}.",
        f"A later root has to be signed by {facts.threshold} of: {_short(facts.signers)}.",
        "Whoever holds these keys can put programs into the machines of your tasks.",
    ]
    if before is not None and before.fingerprint != facts.fingerprint:
        lines.append(
            f"It takes the place of the root {before.fingerprint[:_SHOWN_ID_CHARS]}… (version {before.version})."
        )
    return lines


def _short(ids: Sequence[str]) -> str:
    return ", ".join(name[:_SHOWN_ID_CHARS] for name in ids)


def _table(table: Mapping[str, JsonValue], key: str) -> Mapping[str, JsonValue]:
    value = table.get(key)
    if not isinstance(value, dict):
        raise StrictJsonError(f"{key} is missing or not an object")
    return value


def _identity(known: Mapping[str, JsonValue], name: JsonValue) -> str:
    """As packs name their signers where it is an Ed25519 key, else the hash of the key's value."""
    key = known.get(name) if isinstance(name, str) else None
    if not isinstance(key, dict):
        raise StrictJsonError("the role root names a key that is not listed")
    value = _table(key, "keyval")
    public = value.get("public")
    if key.get("keytype") == "ed25519" and isinstance(public, str) and re.fullmatch(r"[0-9a-f]{64}", public):
        return key_id(bytes.fromhex(public))
    return hashlib.sha256(dump_canonical(value)).hexdigest()
