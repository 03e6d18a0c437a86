"""Builds tiny real packs, signed by real keys, with every kind of sabotage.

In: files, versions, an edit of the manifest, replaced bytes. Out: the two files of a pack, and trusted keys.
Never: code under test to make what is tested: the archive comes from tarfile or from raw headers below.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pui.domain.trust import AppFacts, TrustedKey

PAYLOAD_TYPE = "application/vnd.pui.pack-manifest.v1+json"
APP = AppFacts(platform="linux-x86_64", app_version="0.1.0", guest_protocol=1)
FILES: Mapping[str, tuple[bytes, int]] = {
    "guest/base.qcow2": (b"base image " * 20_000, 0o644),
    "kernel/initrd.img": (b"", 0o644),
    "kernel/vmlinux": (b"\x7fELF kernel " * 500, 0o644),
    "qemu/bin/qemu-system": (b"\x7fELF qemu " * 3_000, 0o755),
    "qemu/lib/ld.so": (b"\x7fELF loader", 0o755),
}


class SimKey:
    """A private key made from a number, so that a test names its actors."""

    def __init__(self, number: int) -> None:
        self.private = Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
        self.raw = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.keyid = hashlib.sha256(self.raw).hexdigest()

    def trusted(self, label: str = "test key", *, revoked: bool = False) -> TrustedKey:
        return TrustedKey(self.keyid, self.raw, label, revoked)

    def signature(self, payload: bytes, payload_type: str = PAYLOAD_TYPE) -> dict[str, str]:
        signed = b"DSSEv1 %d %s %d %s" % (len(payload_type), payload_type.encode(), len(payload), payload)
        return {"keyid": self.keyid, "sig": base64.b64encode(self.private.sign(signed)).decode()}


KEY = SimKey(1)


@dataclass
class BuiltSim:
    """The bytes of a pack."""

    name: str
    envelope: bytes
    archive: bytes
    manifest: bytes

    @property
    def pack_id(self) -> str:
        table = json.loads(self.manifest)
        digest = hashlib.sha256(self.manifest).hexdigest()[:12]
        return f"{table['platform']}-{table['pack_version']}-{digest}"

    def write(self, folder: Path) -> Path:
        """Both files into `folder`; the archive's path."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.name}.envelope.json").write_bytes(self.envelope)
        path = folder / f"{self.name}.tar.zst"
        path.write_bytes(self.archive)
        return path


@dataclass
class PackSim:
    """What to build. `tar`, `archive`, `manifest` replace the honest bytes; the sums of `archive` are signed as they
    are, unless `honest_archive_sums`; `edit` changes the manifest before it is signed."""

    files: Mapping[str, tuple[bytes, int]] = field(default_factory=lambda: dict(FILES))
    version: int = 1
    keys: Sequence[SimKey] = (KEY,)
    tar: bytes | None = None
    archive: Callable[[bytes], bytes] | None = None
    sums_of_archive: bool = True
    edit: Callable[[dict[str, Any]], None] | None = None
    manifest: bytes | None = None

    def build(self) -> BuiltSim:
        tar = honest_tar(self.files) if self.tar is None else self.tar
        honest = compress(tar)
        archive = honest if self.archive is None else self.archive(tar)
        name = f"pui-runtime-linux-x86_64-{self.version}"
        table = self.manifest_table(name, archive if self.sums_of_archive else honest)
        if self.edit is not None:
            self.edit(table)
        manifest = canonical(table) if self.manifest is None else self.manifest
        signatures = [key.signature(manifest) for key in self.keys]
        return BuiltSim(name, envelope(manifest, signatures), archive, manifest)

    def manifest_table(self, name: str, archive: bytes) -> dict[str, Any]:
        return {
            "schema": "pui-pack-manifest-1",
            "pack_version": self.version,
            "platform": "linux-x86_64",
            "created": "2026-01-02T03:04:05Z",
            "compatibility": {"app_min": "0.1.0", "guest_protocol": 1},
            "components": {"qemu": "10.0", "pi": "1.5.2"},
            "files": [file_entry(path, *self.files[path]) for path in sorted(self.files)],
            "total_size": sum(len(data) for data, _ in self.files.values()),
            "payload": {"name": f"{name}.tar.zst", "size": len(archive), "sha256": sha256(archive)},
        }


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def file_entry(path: str, data: bytes, mode: int) -> dict[str, Any]:
    return {"path": path, "size": len(data), "sha256": sha256(data), "mode": f"{mode:04o}"}


def canonical(table: Mapping[str, Any]) -> bytes:
    return json.dumps(table, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def envelope(manifest: bytes, signatures: Sequence[Mapping[str, str]], payload_type: str = PAYLOAD_TYPE) -> bytes:
    payload = base64.b64encode(manifest).decode()
    return canonical({"payloadType": payload_type, "payload": payload, "signatures": list(signatures)})


def compress(tar: bytes, *, level: int = 3, checksum: bool = True, content_size: bool = True) -> bytes:
    params = zstandard.ZstdCompressionParameters.from_level(
        level, write_checksum=checksum, write_content_size=content_size
    )
    return zstandard.ZstdCompressor(compression_params=params).compress(tar)


def honest_tar(files: Mapping[str, tuple[bytes, int]], names: Sequence[str] | None = None) -> bytes:
    """What Python's tarfile makes of the files in strict ustar, in manifest order."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted(files) if names is None else names:
            data, mode = files[name]
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), mode
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def header(
    name: bytes,
    size: int = 0,
    *,
    kind: bytes = b"0",
    mode: bytes = b"0000644\0",
    link: bytes = b"",
    magic: bytes = b"ustar\x0000",
    prefix: bytes = b"",
    size_field: bytes | None = None,
    wrong_sum: bool = False,
) -> bytes:
    """One raw tar header block with its checksum."""
    size_bytes = b"%011o\0" % size if size_field is None else size_field
    zero = b"0000000\0"
    block = name.ljust(100, b"\0") + mode + zero + zero + size_bytes + b"00000000000\0" + b" " * 8 + kind
    block += link.ljust(100, b"\0") + magic + bytes(64) + zero + zero + prefix.ljust(155, b"\0") + bytes(12)
    total = sum(block) + (1 if wrong_sum else 0)
    return block[:148] + b"%06o\0 " % total + block[156:]


def member(name: str, data: bytes, mode: int = 0o644) -> bytes:
    """A whole plain entry: header, data, padding."""
    return header(name.encode(), len(data), mode=b"%07o\0" % mode) + data + bytes(-len(data) % 512)


END = bytes(1024)
