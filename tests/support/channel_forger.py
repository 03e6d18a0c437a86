"""What a thief of some keys can publish, and documents of wrong shapes under good signatures.

In: a rig, the keys that the thief has. Out: changed files in the served folder. Never: the publisher under test.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from securesystemslib.formats import encode_canonical
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from pui.domain.channel import Newest, newest_path, render_newest
from pui.domain.trust import PAYLOAD_TYPE, pae, render_envelope
from tests.support.channel_rig import ChannelRig
from tests.support.pack_simulator import PackSim, SimKey

STRANGER = SimKey(66)


def signer_of(rig: ChannelRig, name: str) -> CryptoSigner:
    return rig.keys.signer(name)


def stranger() -> CryptoSigner:
    return CryptoSigner(STRANGER.private)


class Forger:
    """Works on the newest documents of `rig`; `save` signs with what it is given and puts them in place."""

    def __init__(self, rig: ChannelRig) -> None:
        self.rig = rig
        self.timestamp: Metadata[Timestamp] = Metadata.from_file(str(rig.metadata("timestamp.json")))
        version = self.timestamp.signed.snapshot_meta.version
        self.snapshot: Metadata[Snapshot] = Metadata.from_file(str(rig.metadata(f"{version}.snapshot.json")))
        version = self.snapshot.signed.meta["targets.json"].version
        self.targets: Metadata[Targets] = Metadata.from_file(str(rig.metadata(f"{version}.targets.json")))

    def offer(self, version: int, key: SimKey | None = None) -> None:
        """Lists a pack whose envelope `key` signed, or the real release key."""
        built = PackSim(version=version).build()
        if key is not None:
            signature = key.private.sign(pae(PAYLOAD_TYPE, built.manifest))
            envelope = render_envelope(built.manifest, {key.keyid: signature})
        else:
            keyid, signature = self.rig.keys.sign_manifest("targets", PAYLOAD_TYPE, built.manifest)
            envelope = render_envelope(built.manifest, {keyid: signature})
        name = f"{built.name}.envelope.json"
        pointer = render_newest(Newest("linux-x86_64", version, name))
        for path, data in (
            (f"{built.name}.tar.zst", built.archive),
            (name, envelope),
            (newest_path("linux-x86_64"), pointer),
        ):
            self.put(path, data)

    def put(self, path: str, data: bytes) -> None:
        listed = TargetFile.from_data(path, data, ["sha256"])
        self.targets.signed.targets[path] = listed
        (self.rig.folder / "targets" / f"{listed.hashes['sha256']}.{path}").write_bytes(data)

    def save(self, targets: CryptoSigner | None, *, snapshot: CryptoSigner | None = None, step: int = 1) -> None:
        """`targets` None keeps that document; versions grow by `step`."""
        if targets is not None:
            self.targets.signed.version += step
            self.targets.sign(targets)
            self._write(self.targets)
            meta = MetaFile.from_data(self.targets.signed.version, self.targets.to_bytes(), ["sha256"])
            self.snapshot.signed.meta["targets.json"] = meta
        self.snapshot.signed.version += step
        self.snapshot.sign(snapshot or signer_of(self.rig, "snapshot"))
        self._write(self.snapshot)
        meta = MetaFile.from_data(self.snapshot.signed.version, self.snapshot.to_bytes(), ["sha256"])
        self.timestamp.signed.snapshot_meta = meta
        self.timestamp.signed.version += step
        self.timestamp.sign(signer_of(self.rig, "timestamp"))
        self._write(self.timestamp)

    def _write(self, role: Metadata[Any]) -> None:
        kind = role.signed.type
        name = "timestamp.json" if kind == "timestamp" else f"{role.signed.version}.{kind}.json"
        self.rig.metadata(name).write_bytes(role.to_bytes())


def forge_root(
    rig: ChannelRig, version: int, *signers: CryptoSigner, edit: Callable[[Root], None] | None = None
) -> bytes:
    """A root of `version` like version 1, signed by `signers`."""
    root: Metadata[Root] = Metadata.from_file(str(rig.metadata("1.root.json")))
    root.signed.version = version
    if edit is not None:
        edit(root.signed)
    root.signatures.clear()
    for signer in signers:
        root.sign(signer, append=True)
    return root.to_bytes()


def signed_shape(signed: Any, signer: CryptoSigner) -> bytes:
    """Any JSON value under a good signature."""
    from json import dumps

    signature = signer.sign(encode_canonical(signed).encode())
    return dumps({"signed": signed, "signatures": [signature.to_dict()]}).encode()
