"""The payload's form, the manifest over it, the signature."""

from __future__ import annotations

import io
import stat
import tarfile
from pathlib import Path

import pytest
import zstandard
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from pui.domain.errors import PuiError
from pui.domain.trust import TrustedKey, key_id, verify_envelope
from pui.packbuild import build, recipe, sign
from pui.packbuild.archive import PackFile, tar_size_bytes, write_archive
from pui.packbuild.downloads import DownloadCache
from pui.packbuild.inputs import PACKAGED_LOCK
from pui.packbuild.lock import parse_lock
from pui.packbuild.progress import Progress
from pui.packbuild.provenance import Provenance
from pui.packbuild.targets import find_target


def _files(tmp_path: Path) -> list[PackFile]:
    large = tmp_path / "large"
    large.write_bytes(bytes(range(256)) * 5000)
    large.chmod(0o600)
    return [PackFile("z/large", large), PackFile("a/run", b"program", executable=True), PackFile("a/empty", b"")]


def test_the_payload_is_strict_and_does_not_depend_on_order(tmp_path: Path) -> None:
    files = _files(tmp_path)
    seen: list[Progress] = []
    first = write_archive(files, tmp_path / "1", 3, seen.append)
    second = write_archive(list(reversed(files)), tmp_path / "2", 3, lambda progress: None)
    assert first == second
    assert (seen[-1].done, seen[-1].total) == (tar_size_bytes(files), tar_size_bytes(files))
    raw = (tmp_path / "1").read_bytes()
    frame = zstandard.get_frame_parameters(raw)
    assert frame.content_size == tar_size_bytes(files)
    assert frame.has_checksum
    with tarfile.open(fileobj=io.BytesIO(zstandard.ZstdDecompressor().decompress(raw))) as archive:
        members = archive.getmembers()
    assert [info.name for info in members] == ["a/empty", "a/run", "z/large"]
    assert [info.mode for info in members] == [0o644, 0o755, 0o644]
    assert all(info.isreg() and (info.uid, info.gid, info.mtime) == (0, 0, 0) for info in members)


def test_a_path_beyond_ustar_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="name is too long"):
        write_archive([PackFile("d/" + "x" * 200, b"")], tmp_path / "out", 3, lambda progress: None)


def test_the_key_is_made_once_and_only_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "dev-key" / "ed25519.pem"
    key = sign.load_or_make_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert sign.public_bytes(sign.load_or_make_key(path)) == sign.public_bytes(key)


def test_a_file_that_is_no_key_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text("something of mine")
    with pytest.raises(PuiError, match="no readable private key"):
        sign.load_or_make_key(path)
    assert path.read_text() == "something of mine"


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    pem = generate_private_key(SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(pem)
    with pytest.raises(PuiError, match="not an Ed25519 key"):
        sign.load_or_make_key(path)


def _silent(progress: Progress) -> None:
    """No report."""


def test_an_assembled_pack_verifies_with_its_key(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "out").mkdir()
    options = build.BuildOptions(tmp_path / "out", tmp_path, tmp_path / "key.pem", level=1)
    target = find_target("linux-x86_64")
    lock = parse_lock(PACKAGED_LOCK.read_bytes()).narrowed(target.lock_suffixes)
    cache = DownloadCache(tmp_path, _silent)
    stage = build._Stage(options, target, cache, lock, tmp_path / "work", _silent, Provenance(lock))
    built = build._assemble(stage, _files(tmp_path), {"pui/fingerprint": "f" * 64})
    public = sign.public_bytes(sign.load_or_make_key(options.key_path))
    verified = verify_envelope(built.envelope.read_bytes(), [TrustedKey(key_id(public), public, "development key")])
    assert verified.manifest == built.manifest
    assert built.manifest.payload.size_bytes == built.archive.stat().st_size
    assert built.manifest.components["pi"] == lock.one("@earendil-works/pi-coding-agent").version
    assert built.manifest.components["pui/fingerprint"] == "f" * 64
    assert sorted(path.name for path in options.out_dir.iterdir()) == [built.envelope.name, built.archive.name]


def test_the_pack_version_grows_with_the_lock() -> None:
    assert build.pack_version("2026-01-02T03:04:05Z") == 2026010200 + recipe.RECIPE_REVISION
    assert build.pack_version("2026-01-03T00:00:00Z") > build.pack_version("2026-01-02T23:59:59Z")
