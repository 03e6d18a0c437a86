"""Kills a publication, a download or an update at each of its steps and tells what was left. A program that forks.

In: argv: a folder, an act, "plain" or "torn". Out: one JSON line per step on stdout.
Never: a verdict; the test that starts it judges.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pui.adapters.channel.download import Downloader
from pui.adapters.channel.signing_keys import SigningKeys
from pui.adapters.channel.updater import ChannelUpdater
from pui.adapters.packs.file_ops import FileOps
from pui.adapters.packs.web import Web
from pui.domain.errors import PuiError
from tests.support.channel_rig import PATIENT, ChannelRig, StaticFolder
from tests.support.faulty_ops import PowerCutOps
from tests.support.pack_server import pack_server
from tests.support.pack_simulator import APP, FILES, PackSim

OLD, NEW = 1, 2
NOISE = random.Random(7).randbytes(80_000)
"""Bytes that do not compress: long enough for a part that is a difference."""


def sim(version: int) -> PackSim:
    """Two versions that differ by a piece of the image and by the whole kernel."""
    image = NOISE[:30_000] + b"version %d" % version + NOISE[30_000:]
    changed = {"guest/base.qcow2": (image, 0o644), "kernel/vmlinux": (b"kernel %d " % version * 2000, 0o644)}
    return PackSim(files={**FILES, **changed}, version=version)


class Scene:
    """One computer, one channel; `address` is where a server of another process serves `rig.folder`."""

    def __init__(self, base: Path, address: str) -> None:
        self.rig = ChannelRig(base)
        self.address = address

    def updater(self, ops: FileOps | None = None) -> ChannelUpdater:
        web = Web(PATIENT)
        downloader = Downloader(web, ops=ops, pause=lambda seconds: None)
        return ChannelUpdater(self.rig.shop.paths, APP, self.address, web=web, downloader=downloader, ops=ops)

    def publish(self, ops: FileOps | None = None) -> int:
        return len(self.rig.publish_packs(sim(NEW), ops=ops).cleaned)

    def renew(self, ops: FileOps | None = None) -> int:
        return len(self.rig.publish(ops=ops).cleaned)

    def rotate(self, ops: FileOps | None = None) -> int:
        """The same new keys each time; whoever comes again after the new root was put in place signs with them."""
        fresh = self.rig.base / "fresh"
        keys = SigningKeys(fresh) if fresh.exists() else self.rig.new_keys("fresh")
        if self.rig.metadata("2.root.json").exists():
            self.rig.keys = keys
            return len(self.rig.publish(ops=ops).cleaned)
        return len(self.rig.publish(rotate_to=keys, ops=ops).cleaned)

    def update(self, ops: FileOps | None = None, *, by_parts: bool = True) -> int:
        """Check, download, install, forget the download; nothing when the offer is not newer, as `pui pack update`."""
        updater = self.updater(ops)
        offer = updater.check()
        if not offer.is_newer:
            updater.forget_download(offer)
            return len(offer.cleaned)
        if by_parts and active(self) == OLD and not offer.parts:
            raise RuntimeError("the channel offers no parts")
        if not by_parts and offer.parts:
            offer = replace(offer, parts=(), delta_bytes=None)
        source = updater.download(offer)
        self.rig.shop.installer(ops).install(source, updater.release_trust())
        updater.forget_download(offer)
        return len(offer.cleaned)

    def update_whole(self, ops: FileOps | None = None) -> int:
        """The whole archive, as without parts."""
        return self.update(ops, by_parts=False)

    def repair(self, ops: FileOps | None = None) -> int:
        """Of the active pack, over the channel: only what is broken is fetched."""
        [pack_id] = [path.name for path in self.rig.shop.paths.packs_dir.iterdir() if f"-{NEW}-" in path.name]
        updater = self.updater(ops)
        self.rig.shop.life(ops).repair(updater.installed_pack(pack_id), updater.release_trust())
        updater.forget_pack(pack_id)
        return 0


def prepare_published(scene: Scene) -> None:
    scene.rig.publish_packs(sim(OLD))
    scene.rig.trust()
    scene.update_whole()


def prepare_nothing(scene: Scene) -> None:
    """Only keys."""


def prepare_offered(scene: Scene) -> None:
    prepare_published(scene)
    scene.rig.publish_packs(sim(NEW))


def prepare_rotated(scene: Scene) -> None:
    """An update that also brings a new root."""
    prepare_offered(scene)
    fresh = scene.rig.new_keys("fresh")
    scene.rig.publish(rotate_to=fresh)


def prepare_damaged(scene: Scene) -> None:
    prepare_offered(scene)
    scene.update()
    [root] = [path for path in scene.rig.shop.paths.packs_dir.iterdir() if f"-{NEW}-" in path.name]
    for name in ("guest/base.qcow2", "kernel/vmlinux"):
        with (root / name).open("r+b") as file:
            file.write(b"!")
    (root / "qemu/lib/ld.so").unlink()


Act = Callable[[Scene, FileOps | None], int]
WAYS: Mapping[str, tuple[Callable[[Scene], None], Act]] = {
    "publish": (prepare_published, Scene.publish),
    "first-publish": (prepare_nothing, Scene.publish),
    "renew": (prepare_published, Scene.renew),
    "rotate": (prepare_published, Scene.rotate),
    "update": (prepare_offered, Scene.update),
    "update-whole": (prepare_offered, Scene.update_whole),
    "update-rotated": (prepare_rotated, Scene.update),
    "repair": (prepare_damaged, Scene.repair),
}


def offered(scene: Scene, way: str) -> int | str:
    """What another computer, which trusts the channel's first root, is offered; an update does not change it."""
    if way.startswith(("update", "repair")):
        return NEW
    fresh = scene.rig.base / "other-computer"
    shutil.rmtree(fresh, ignore_errors=True)
    other = ChannelRig(scene.rig.base, computer="other-computer")
    if not other.metadata("1.root.json").exists():
        return "nothing"
    other.trust()
    try:
        return other.check(scene.address, PATIENT).verified.manifest.pack_version
    except PuiError as error:
        return error.code


def active(scene: Scene) -> int | str:
    try:
        return scene.rig.shop.store.verify().manifest.pack_version
    except PuiError as error:
        return error.code


def rubbish(scene: Scene) -> list[str]:
    base = scene.rig.base
    kept = [path for folder in ("www", "computer/data") for path in (base / folder).rglob("*.draft")]
    staging = base / "computer" / "data" / "runtime" / "staging"
    kept += staging.iterdir() if staging.exists() else []
    packs = [folder for folder in (base / "computer" / "cache").rglob("packs") if folder.is_dir()]
    kept += [path for folder in packs for path in folder.iterdir()]
    return sorted(str(path.relative_to(base)) for path in kept)


def in_child(act: Callable[[], object]) -> bool:
    """True if the child lived to the end."""
    pid = os.fork()
    if pid == 0:
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - a child of fork must never go on as its parent
            print(f"{error!r}", file=sys.stderr)
            os._exit(1)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    if status not in (0, signal.SIGKILL):
        raise RuntimeError(f"the child ended by {status} and not as it was told")
    return status == 0


def one_crash(prepared: Path, base: Path, step: int, way: str, address: str, *, tear: bool) -> dict[str, object]:
    shutil.rmtree(base, ignore_errors=True)
    shutil.copytree(prepared, base, symlinks=True)
    scene, act = Scene(base, address), WAYS[way][1]
    lived = in_child(lambda: act(scene, PowerCutOps(step, tear=tear)))
    found: dict[str, object] = {"step": step, "lived": lived, "offered": offered(scene, way), "active": active(scene)}
    drafts = sum(name.endswith(".draft") for name in rubbish(scene))
    in_child(lambda: act(scene, PowerCutOps(step % 13, tear=tear)))  # whoever comes next dies as well
    found["active_again"], found["offered_again"] = active(scene), offered(scene, way)
    cleaned = act(scene, None)
    scene.rig.shop.store.clean()
    then = {"then_offered": offered(scene, way), "then_active": active(scene), "rubbish": rubbish(scene)}
    return {**found, "drafts": drafts, "cleaned": cleaned, **then}


@contextmanager
def server(base: Path) -> Iterator[str]:
    """Serves base/www from a process of its own, so that nobody forks beside its threads."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        with pack_server(StaticFolder(lambda: base / "www", {})) as (address, _):
            os.write(writing, address.encode())
            os.close(writing)
            signal.pause()
    os.close(writing)
    try:
        yield os.read(reading, 100).decode()
    finally:
        os.close(reading)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def main() -> None:
    folder, way, tear = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "torn"
    run = folder / "run"
    with server(run) as address:
        WAYS[way][0](Scene(run, address))
        run.rename(folder / "prepared")
        for step in itertools.count():
            found = one_crash(folder / "prepared", run, step, way, address, tear=tear)
            print(json.dumps(found), flush=True)
            if found["lived"]:
                break


if __name__ == "__main__":
    main()
