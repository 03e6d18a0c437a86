"""Kills a publication with parts, and an update by parts, at each of their steps. A program that forks.

In: argv as of channel_crash_driver, acts below. Out: its JSON lines. Never: a verdict; the test that starts it judges.
"""

from __future__ import annotations

import random

from pui.adapters.packs.file_ops import FileOps
from tests.support import channel_crash_driver as driver
from tests.support.channel_crash_driver import NEW, OLD, Scene
from tests.support.pack_simulator import PackSim

IMAGE = random.Random(3).randbytes(70_000)
SMALL = {"kernel/vmlinux": (b"kernel " * 3000, 0o644)}
PACKS = {
    OLD: PackSim(version=OLD, files=SMALL | {"guest/base.qcow2": (IMAGE, 0o644)}),
    NEW: PackSim(version=NEW, files=SMALL | {"guest/base.qcow2": (b"more" + IMAGE, 0o644)}),
}


def prepare_published(scene: Scene) -> None:
    scene.rig.publish_packs(PACKS[OLD])
    scene.rig.trust()
    scene.update()


def prepare_offered(scene: Scene) -> None:
    prepare_published(scene)
    scene.rig.publish_packs(PACKS[NEW])


def publish(scene: Scene, ops: FileOps | None = None) -> int:
    return len(scene.rig.publish_packs(PACKS[NEW], ops=ops).cleaned)


if __name__ == "__main__":
    driver.WAYS = {"publish": (prepare_published, publish), "update": (prepare_offered, Scene.update)}
    driver.main()
