"""The root file system and the empty cache volume as qcow2 images.

In: a `Tree`. Out: `base.qcow2`, `cache.qcow2`. Never: a mount, root rights, the clock.
Source: mke2fs(8) (`-d TAR` needs e2fsprogs 1.47.1 and libarchive), ext4(5), SOURCE_DATE_EPOCH.
"""

from __future__ import annotations

from pathlib import Path

from pui.domain import pack_layout
from pui.packbuild import recipe
from pui.packbuild.run import run
from pui.packbuild.tools import Tools
from pui.packbuild.tree import Tree

FEATURES = "^has_journal,^resize_inode,^metadata_csum,^orphan_file,^dir_nlink,extent,flex_bg,sparse_super2,64bit"
"""No journal: an overlay lives as long as its task. No checksums: they would only cost time at boot."""
CACHE_FEATURES = FEATURES.replace("^has_journal", "has_journal").replace("^metadata_csum", "metadata_csum")
"""A cache volume outlives its task: a machine that is killed must leave it usable, or at least noticeably broken."""


def write_image(tree: Tree, tools: Tools, qemu_img: list[str], work: Path, created_s: int) -> Path:
    """Make the image below `work`; `qemu_img` is the start of the command line of the pack's own qemu-img."""
    archive = work / "rootfs.tar"
    with archive.open("wb") as file:
        tree.write_tar(file, created_s)
    options = [*_identity("pui", recipe.IMAGE_UUID), "-O", FEATURES]
    options += ["-E", f"{_EXTENDED},root_owner=0:0,no_copy_xattrs", "-d", str(archive)]
    image = _make_image(tools, qemu_img, work / "base.qcow2", recipe.IMAGE_SIZE_BYTES, options, created_s)
    archive.unlink()
    return image


def write_cache_template(tools: Tools, qemu_img: list[str], work: Path, created_s: int) -> Path:
    """An empty file system that belongs to the guest's user: a cache volume begins as a copy of it."""
    owner = f"root_owner={recipe.GUEST_ID}:{recipe.GUEST_ID}"
    options = [*_identity("pui-cache", recipe.CACHE_UUID), "-O", CACHE_FEATURES, "-J", "size=16"]
    options += ["-E", f"{_EXTENDED},lazy_journal_init=1,{owner}"]
    return _make_image(tools, qemu_img, work / "cache.qcow2", pack_layout.CACHE_VOLUME_BYTES, options, created_s)


_EXTENDED = f"hash_seed={recipe.IMAGE_HASH_SEED},lazy_itable_init=1,nodiscard"


def _identity(label: str, uuid: str) -> list[str]:
    return ["-L", label, "-U", uuid]


def _make_image(
    tools: Tools, qemu_img: list[str], target: Path, size_bytes: int, options: list[str], created_s: int
) -> Path:
    raw = target.with_suffix(".ext4")
    with raw.open("wb") as file:
        file.truncate(size_bytes)
    arguments = ["-q", "-F", "-t", "ext4", "-b", "4096", "-I", "256", "-m", "0", *options, str(raw)]
    env = {"SOURCE_DATE_EPOCH": str(created_s), "MKE2FS_CONFIG": "/dev/null", "MKE2FS_DETERMINISTIC": "1"}
    tools.run("mke2fs", arguments, purpose=f"making the file system of {target.name}", env=env)
    run([*qemu_img, "convert", "-f", "raw", "-O", "qcow2", str(raw), str(target)], purpose=f"making {target.name}")
    raw.unlink()
    return target
