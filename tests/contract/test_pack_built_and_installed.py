"""What the builder writes is what the installer reads: one tiny pack through both.

In: the builder's archive writer and signature. Out: an installed, sound pack. Never: the simulator's bytes.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from pui.adapters.packs.keys import load_trust, trust_development_key
from pui.adapters.packs.source import FileSource
from pui.domain.manifest import Compatibility, Manifest, ManifestFile, Payload, render_manifest
from pui.packbuild.archive import PackFile, write_archive
from pui.packbuild.sign import load_or_make_key, sign_manifest
from tests.support.pack_shop import PackShop

NOISE = random.Random(3).randbytes(700_000)
LONG = "guest/" + "long-folder-name/" * 6 + "file-with-a-name-behind-the-hundredth-byte"


@pytest.mark.parametrize("level", [1, 10, 19])
def test_round_trip(tmp_path: Path, level: int) -> None:
    on_disk = tmp_path / "base"
    on_disk.write_bytes(NOISE)
    files = [
        PackFile("guest/base.qcow2", on_disk),
        PackFile("kernel/initrd.img", b""),
        PackFile("qemu/bin/qemu-system", bytes(2_000_000), executable=True),
        PackFile(LONG, b"x" * 512),
    ]
    archive = tmp_path / "given" / "pack.tar.zst"
    archive.parent.mkdir()
    payload = write_archive(files, archive, level, lambda step: None)
    listed = tuple(
        ManifestFile(file.path, file.size_bytes(), file.sha256(), file.mode)
        for file in sorted(files, key=lambda file: file.path)
    )
    manifest = render_manifest(
        Manifest(
            pack_version=1,
            platform="linux-x86_64",
            created="2026-01-02T03:04:05Z",
            compatibility=Compatibility("0.1.0", 1),
            components={"qemu": "10"},
            files=listed,
            total_size_bytes=sum(file.size_bytes for file in listed),
            payload=Payload("pack.tar.zst", payload.size_bytes, payload.sha256),
        )
    )
    shop = PackShop(tmp_path / "home")
    key = load_or_make_key(shop.paths.dev_key)
    (archive.parent / "pack.envelope.json").write_bytes(sign_manifest(manifest, key))
    trust_development_key(shop.paths.dev_key, shop.paths.trust_dir)

    result = shop.installer().install(FileSource(archive), load_trust(shop.paths.trust_dir))

    assert result.pack.signed_by.startswith("development key of this computer")
    assert shop.store.verify() == result.pack
    assert (result.pack.root / "guest/base.qcow2").read_bytes() == NOISE
