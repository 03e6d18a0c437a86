"""The guest's root file system on disk, for programs of the guest that run while the pack is built.

In: a `Tree`. Out: a throw-away folder and the start of a command line that runs in it as the guest's user.
Never: an owner or mode of it in the pack; root rights where the builder has none.
"""

from __future__ import annotations

import os
from pathlib import Path

from pui.domain.errors import PuiError
from pui.packbuild import recipe
from pui.packbuild.run import find_program, run
from pui.packbuild.tree import Kind, Tree

_NEEDED_FILES = {"bin", "sbin", "lib", "lib64", "usr/bin/node", "etc/passwd", "etc/group", "etc/nsswitch.conf"}
_NEEDED_PREFIXES = (
    f"usr/lib/{recipe.MULTIARCH}/lib",
    f"usr/lib/{recipe.MULTIARCH}/ld-",
    "usr/lib64/",
    "usr/lib/python3",
    "usr/bin/python3",
    f"{recipe.GUEST_PI}/",
)
OPEN_FOLDERS = (recipe.GUEST_COMPILE_CACHE, "tmp")


def write_guest_root(tree: Tree, root: Path) -> None:
    """Node, Python, their libraries and pi below `root`: readable for all, owned by the builder."""
    make_folder(root)
    for path, entry in tree.items():
        target = root / path
        if entry.kind is Kind.FOLDER:
            make_folder(target)
        elif path in _NEEDED_FILES or path.startswith(_NEEDED_PREFIXES):
            if entry.kind is Kind.SYMLINK:
                target.symlink_to(entry.target)
            elif entry.kind is Kind.FILE:
                write_file(target, entry.content, entry.mode)
    for name in OPEN_FOLDERS:
        make_folder(root / name)
        (root / name).chmod(0o777)  # noqa: S103 - throw-away; the writer has another uid than the builder


def make_folder(path: Path) -> None:
    """Whatever the builder's umask is, another uid shall go through it."""
    path.mkdir(exist_ok=True)
    path.chmod(0o755)


def write_file(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write it readable for all."""
    path.write_bytes(content)
    path.chmod(mode | 0o444)


def enter(root: Path) -> list[str]:
    """The start of a command line that runs in `root` as the guest's user: chroot for root, else a user namespace.

    Raises PuiError("pack.build") when the program for it is missing.
    """
    number = recipe.GUEST_ID
    if os.geteuid() == 0:
        return [_program("chroot"), f"--userspec={number}:{number}", str(root)]
    return [_program("unshare"), "--user", f"--map-user={number}", f"--map-group={number}", f"--root={root}", "--wd=/"]


def check_can_enter(root: Path) -> None:
    """Raises PuiError("pack.build") with advice when this machine does not let us run a program of the guest."""
    try:
        run([*enter(root), "/usr/bin/node", "--version"], purpose="running the guest's Node", timeout_s=60)
    except PuiError as error:
        raise PuiError(
            "pack.build",
            f"this machine cannot run the guest's programs: {error.message}",
            hint="Allow unprivileged user namespaces (sysctl kernel.apparmor_restrict_unprivileged_userns=0, "
            "kernel.unprivileged_userns_clone=1), or build as root, for example in a container.",
            detail=error.detail,
        ) from error


def _program(name: str) -> str:
    found = find_program(name)
    if found is None:
        raise PuiError("pack.build", f"{name} is not installed on this machine")
    return found
