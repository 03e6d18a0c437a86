"""`pui pack update` to a real pack from a loopback server, with its health boot on a real machine (threat C10).

In: the person's pack, published with higher versions: one that boots, one whose guest has no file system,
one whose kernel finds no initial one.
Out: the new pack active after pi's answer; the pack before it active again, with the reason kept.
Never: the person's own folders.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pui.adapters.channel.publish import Publisher
from pui.adapters.channel.signing_keys import ALL_NAMES, SigningKeys, make_keys
from pui.adapters.channel.trust_root import install_root
from pui.adapters.packs.keys import TrustFolder
from pui.domain.channel_root import fingerprint
from pui.domain.manifest import Manifest, ManifestFile, Payload, render_manifest
from pui.domain.pack_layout import BASE_IMAGE, INITRD, LICENCES, QEMU_IMG, QEMU_LIB_DIR, QEMU_LOADER
from pui.packbuild.archive import PackFile, write_archive
from pui.ports import InstalledPack
from tests.support.app_process import ROOT, processes_of
from tests.support.channel_rig import StaticFolder
from tests.support.pack_server import pack_server
from tests.support.pack_simulator import KEY, envelope
from tests.support.real_machine import RealApp

pytestmark = [pytest.mark.vm, pytest.mark.slow, pytest.mark.timeout(1800)]


class RealChannel:
    """A channel of the real pack's files; the computer that follows it has folders below `folder`."""

    def __init__(self, folder: Path, pack: InstalledPack) -> None:
        self.folder = folder
        self.pack = pack
        self.computer = RealApp(folder / "c")
        make_keys(folder / "keys", ALL_NAMES, None)
        trust = TrustFolder((KEY.trusted(),), ())
        self._publisher = Publisher(folder / "www", SigningKeys(folder / "keys"), trust)

    def publish(self, version: int, **changed: bytes) -> None:
        """The pack's files as `version`; `licences`, `image` and `initrd` replace one."""
        names = {LICENCES: "licences", BASE_IMAGE: "image", INITRD: "initrd"}
        files = [
            PackFile(file.path, changed.get(names.get(file.path, ""), self.pack.root / file.path), file.mode == 0o755)
            for file in self.pack.manifest.files
        ]
        archive = self.folder / f"pui-runtime-{self.pack.manifest.platform}-{version}.tar.zst"
        written = write_archive(files, archive, 1, lambda step: None)
        listed = tuple(ManifestFile(file.path, file.size_bytes(), file.sha256(), file.mode) for file in files)
        manifest = render_manifest(
            self._manifest(version, listed, Payload(archive.name, written.size_bytes, written.sha256))
        )
        signed = envelope(manifest, [KEY.signature(manifest)])
        archive.with_name(archive.name.replace(".tar.zst", ".envelope.json")).write_bytes(signed)
        self._publisher.publish([archive])
        archive.unlink()

    def _manifest(self, version: int, files: tuple[ManifestFile, ...], payload: Payload) -> Manifest:
        total = sum(file.size_bytes for file in files)
        return replace(self.pack.manifest, pack_version=version, files=files, total_size_bytes=total, payload=payload)

    def empty_image(self) -> bytes:
        """A disk of the right kind and size on which there is nothing."""
        image, plan_bytes = self.folder / "empty.qcow2", 8 << 30
        loader = [str(self.pack.root / QEMU_LOADER), "--library-path", str(self.pack.root / QEMU_LIB_DIR)]
        command = [*loader, str(self.pack.root / QEMU_IMG), "create", "-q", "-f", "qcow2", str(image), str(plan_bytes)]
        subprocess.run(command, check=True)
        return image.read_bytes()

    def trust(self) -> None:
        root = (self.folder / "www/metadata/1.root.json").read_bytes()
        install_root(self.computer.paths, root, fingerprint(root))

    def pui(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pui", "pack", *arguments]
        return subprocess.run(command, cwd=ROOT, env=self.computer.env, capture_output=True, text=True, check=False)

    def states(self) -> dict[int, tuple[str, str, str]]:
        """Slot, state and reason of each installed pack, by version."""
        packs = json.loads(self.pui("list", "--json").stdout)["packs"]
        return {pack["version"]: (pack["slot"], pack["state"], pack["reason"]["code"]) for pack in packs}


@pytest.fixture
def channel(real: RealApp) -> Iterator[RealChannel]:
    folder = Path(tempfile.mkdtemp(prefix="pui-vm-"))
    try:
        with real.composed() as app:
            made = RealChannel(folder, app.packs.active())
        yield made
        assert processes_of(folder) == {}
    finally:
        shutil.rmtree(folder)


def test_c10_an_update_that_boots_and_one_that_does_not(channel: RealChannel) -> None:
    first = channel.pack.manifest.pack_version
    good, bad, worse = first + 1, first + 2, first + 3
    channel.publish(first)
    channel.trust()
    with pack_server(StaticFolder(lambda: channel.folder / "www", {})) as (address, seen):
        done = channel.pui("update", "--channel", address)
        assert done.returncode == 0, done.stdout + done.stderr
        assert channel.states() == {first: ("active", "active", "")}, done.stderr

        channel.publish(good, licences=b"other licences\n" * 9000)
        before = len(seen)
        done = channel.pui("update", "--channel", address)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "0.0 MiB to download" in done.stderr, "by parts"
        assert not [line for line in seen[before:] if ".tar.zst" in line]
        assert channel.states() == {good: ("active", "active", ""), first: ("previous", "previous", "")}

        channel.publish(bad, image=channel.empty_image())
        done = channel.pui("update", "--channel", address)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "pack.unhealthy" in done.stderr
        states = channel.states()
        assert states[good] == ("active", "active", "")
        assert states[bad][:2] == ("", "failed")
        assert states[bad][2].startswith(("guest.", "launch.")), "the reason is kept"
        again = channel.pui("update", "--channel", address)
        assert "nothing newer" in again.stdout, "it is not tried again by itself"

        channel.publish(worse, initrd=b"no initial file system" * 99)
        done = channel.pui("update", "--channel", address)
        assert done.returncode == 1, "not even a probe machine runs: " + done.stdout + done.stderr
        states = channel.states()
        assert states[good] == ("active", "active", "")
        assert states[worse] == ("", "failed", "accel.broken")
