"""Documents of a channel, and the one file of a computer without a network.

In: any bytes; keys made from numbers, so that a finding can be run again. Out: silence, or a finding.
Never: a network.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import json
import shutil
import tarfile
import tempfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from securesystemslib.exceptions import FormatError
from securesystemslib.formats import encode_canonical
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet
from tuf.ngclient.config import EnvelopeType

from pui.adapters.channel.bundle import BundleSource
from pui.adapters.channel.tuf_client import advance_root, mapped_index_errors
from pui.domain.channel import (
    Newest,
    parse_newest,
    parse_state,
    parse_time,
    release_keys,
    render_newest,
    render_state,
    render_time,
    root_issued,
    root_version,
)
from pui.domain.errors import PuiError
from pui.domain.trust import TrustedKey
from tests.fuzz.pack_targets import BUILT, MANIFEST, TAR
from tests.fuzz.target import Target, in_pieces, split_first
from tests.support.pack_simulator import SimKey, compress

EXPIRES = datetime(2100, 1, 1, tzinfo=UTC)
PLATFORM = "linux-x86_64"
ROLES = ("timestamp", "snapshot", "targets")


def signer(number: int) -> CryptoSigner:
    return CryptoSigner(SimKey(number).private)


@cache
def root(version: int = 1, online: int = 3) -> bytes:
    """A root of two of the keys 1 and 2; the other roles have the key `online`."""
    made = Metadata(Root(version=version, expires=EXPIRES, consistent_snapshot=True))
    for number in (1, 2):
        made.signed.add_key(signer(number).public_key, "root")
    made.signed.roles["root"].threshold = 2
    for role in ROLES:
        made.signed.add_key(signer(online).public_key, role)
    made.signed.unrecognized_fields["x-pui-issued"] = "2026-01-02T03:04:05Z"
    for number in (1, 2):
        made.sign(signer(number), append=True)
    return made.to_bytes()


@cache
def documents() -> dict[str, bytes]:
    """Targets, snapshot and timestamp that fit together."""
    pointer = render_newest(Newest(PLATFORM, 1, f"{BUILT.name}.envelope.json"))
    listed = {
        path: TargetFile.from_data(path, data, ["sha256"]) for path, data in [(f"newest-{PLATFORM}.json", pointer)]
    }
    targets = _signed(Metadata(Targets(version=1, expires=EXPIRES, targets=listed)))
    snapshot_meta = {"targets.json": MetaFile.from_data(1, targets, ["sha256"])}
    snapshot = _signed(Metadata(Snapshot(version=1, expires=EXPIRES, meta=snapshot_meta)))
    timestamp = Timestamp(version=1, expires=EXPIRES, snapshot_meta=MetaFile.from_data(1, snapshot, ["sha256"]))
    return {"timestamp": _signed(Metadata(timestamp)), "snapshot": snapshot, "targets": targets}


def _signed(role: Metadata[Any]) -> bytes:
    role.sign(signer(3))
    return role.to_bytes()


def channel_document(data: bytes) -> None:
    how, text = split_first(data)
    with contextlib.suppress(PuiError):
        [_root, _newest, _state, _time][how % 4](text)


def _root(text: bytes) -> None:
    root_version(text)
    root_issued(text)
    group = release_keys(text)
    assert 1 <= group.threshold <= len(group.keys)
    assert all(isinstance(key, TrustedKey) and len(key.public_key) == 32 for key in group.keys)


def _newest(text: bytes) -> None:
    found = parse_newest(text, PLATFORM)
    assert parse_newest(render_newest(found), PLATFORM) == found
    assert "/" not in found.envelope


def _state(text: bytes) -> None:
    found = parse_state(text)
    assert parse_state(render_state(found)) == found


def _time(text: bytes) -> None:
    found = parse_time(text.decode("latin-1"))
    assert parse_time(render_time(found)) == found


def root_chain(data: bytes) -> None:
    """Roots one after the other, each ended by a line of its own."""
    try:
        newest = advance_root(root(), data.split(b"\n--\n"))
    except PuiError:
        return
    assert newest in (root(), root(2, 4)) or json.loads(newest)["signed"] == json.loads(root(2, 4))["signed"], (
        "only a root that the keys before signed"
    )


def index(data: bytes) -> None:
    """A document of any shape under the good signature of a thief of the online keys."""
    how, text = split_first(data)
    try:
        value = json.loads(text)
        document = json.dumps({"signed": value, "signatures": [_signature(value)]}).encode()
    except (ValueError, RecursionError):
        document = text
    with contextlib.suppress(PuiError), mapped_index_errors(lambda: "a document"):
        trusted = TrustedMetadataSet(root(), EnvelopeType.METADATA)
        known = documents()
        if how % 3 >= 1:
            trusted.update_timestamp(known["timestamp"])
        if how % 3 == 2:
            trusted.update_snapshot(known["snapshot"], trusted=True)
        update = (trusted.update_timestamp, trusted.update_snapshot, trusted.update_targets)[how % 3]
        update(document)


def _signature(value: Any) -> Any:
    """Of some other value when this one cannot be signed: fractions have no canonical form."""
    try:
        signed = encode_canonical(value).encode()
    except (FormatError, UnicodeEncodeError):
        signed = b"{}"
    return signer(3).sign(signed).to_dict()


@cache
def _bundle_path() -> Path:
    folder = tempfile.mkdtemp(prefix="pui-fuzz-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder) / "x.pui-bundle"


def bundle(data: bytes) -> None:
    path = _bundle_path()
    path.write_bytes(data)
    source = BundleSource(path)
    with contextlib.suppress(PuiError):
        roots, sealed = source.roots(), source.read_envelope()
        assert len(roots) >= 1 and sealed
        with source.open_archive(MANIFEST.payload) as chunks:
            assert sum(map(len, chunks)) == MANIFEST.payload.size_bytes


def _bundles() -> list[bytes]:
    small = {
        "roots/1.root.json": root(),
        f"pack/{BUILT.name}.envelope.json": BUILT.envelope,
        f"pack/{BUILT.name}.tar.zst": BUILT.archive,
    }
    entries = [{"name": name, "size": len(data)} for name, data in small.items()]
    first = json.dumps({"schema": "pui-bundle-1", "entries": entries}).encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in {"bundle.json": first, **small}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return [out.getvalue(), next(in_pieces(out.getvalue(), 1024)), TAR, compress(TAR)]


def _documents() -> list[bytes]:
    state = render_state(parse_state(b'{"schema":"pui-channel-state-1","seen":{"linux-x86_64":3},"seen_under":["a"]}'))
    pointer = render_newest(Newest(PLATFORM, 7, "x.envelope.json"))
    return [b"\0" + root(), b"\1" + pointer, b"\2" + state, b"\3" + b"2026-01-02T03:04:05Z"]


def _signed_parts() -> list[bytes]:
    known = documents()
    return [bytes([n]) + json.dumps(json.loads(known[role])["signed"]).encode() for n, role in enumerate(ROLES)]


TARGETS = (
    Target("channel-document", channel_document, _documents, is_json=True),
    Target("root-chain", root_chain, lambda: [root(2, 4), root() + b"\n--\n" + root(2, 4), root()], is_json=True),
    Target("index", index, _signed_parts, is_json=True),
    Target("bundle", bundle, _bundles, limit_bytes=16_384),
)
