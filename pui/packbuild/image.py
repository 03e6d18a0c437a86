"""The root file system as a qcow2 image.

In: a `Tree`. Out: `base.qcow2`. Never: a mount, root rights, the clock.
Source: mke2fs(8) (`-d TAR` needs e2fsprogs 1.47.1 and libarchive), ext4(5), SOURCE_DATE_EPOCH.
"""

from __future__ import annotations

from pathlib import Path

from pui.packbuild import recipe
from pui.packbuild.run import run
from pui.packbuild.tools import Tools
from pui.packbuild.tree import Tree

FEATURES = "^has_journal,^resize_inode,^metadata_csum,^orphan_file,^dir_nlink,extent,flex_bg,sparse_super2,64bit"
"""No journal: an overlay lives as long as its task. No checksums: they would only cost time at boot."""


def write_image(tree: Tree, tools: Tools, qemu_img: list[str], work: Path, created_s: int) -> Path:
    """Make the image below `work`; `qemu_img` is the start of the command line of the pack's own qemu-img."""
    archive, raw, target = work / "rootfs.tar", work / "rootfs.ext4", work / "base.qcow2"
    with archive.open("wb") as file:
        tree.write_tar(file, created_s)
    with raw.open("wb") as file:
        file.truncate(recipe.IMAGE_SIZE_BYTES)
    _make_file_system(tools, archive, raw, created_s)
    archive.unlink()
    run([*qemu_img, "convert", "-f", "raw", "-O", "qcow2", str(raw), str(target)], purpose="making the qcow2 image")
    raw.unlink()
    return target


def _make_file_system(tools: Tools, archive: Path, raw: Path, created_s: int) -> None:
    extended = f"hash_seed={recipe.IMAGE_HASH_SEED},root_owner=0:0,lazy_itable_init=1,nodiscard,no_copy_xattrs"
    arguments = [
        "-q", "-F", "-t", "ext4", "-b", "4096", "-I", "256", "-m", "0", "-L", "pui", "-U", recipe.IMAGE_UUID,
        "-O", FEATURES, "-E", extended, "-d", str(archive), str(raw),
    ]  # fmt: skip
    env = {"SOURCE_DATE_EPOCH": str(created_s), "MKE2FS_CONFIG": "/dev/null", "MKE2FS_DETERMINISTIC": "1"}
    tools.run("mke2fs", arguments, purpose="making the root file system", env=env)
