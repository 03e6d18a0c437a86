"""Node's compile cache for pi, made with the pack's own Node at the paths of the guest.

In: the finished tree. Out: entries below `/opt/pui/compile-cache`. Never: a run of anything but Node and pi's
own bundle.
Node refuses a cache of another version, architecture or uid: the folder is named after them (Node documentation, module
compile cache). It saves 0.8 s of a boot without hardware acceleration.
"""

from __future__ import annotations

import os
from pathlib import Path

from pui.domain.errors import PuiError
from pui.packbuild import pi_part, recipe
from pui.packbuild.run import find_program, run
from pui.packbuild.tree import Kind, Tree

_LIBRARY_PREFIXES = (f"usr/lib/{recipe.MULTIARCH}/lib", f"usr/lib/{recipe.MULTIARCH}/ld-", "usr/lib64/")
_GUEST_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/tmp",  # noqa: S108 - a path inside the new root
    "NODE_COMPILE_CACHE": f"/{recipe.GUEST_COMPILE_CACHE}",
    "PI_OFFLINE": "1",
    "PI_SKIP_VERSION_CHECK": "1",
    "PI_TELEMETRY": "0",
    "PI_CODING_AGENT_DIR": "/tmp/agent",  # noqa: S108 - as above
}


def add_compile_cache(tree: Tree, work: Path) -> None:
    """Run pi once below `work` and keep what Node cached. Raises PuiError("pack.build")."""
    root = work / "compile-root"
    _write_root(tree, root)
    argv = [*_enter(root), "/usr/bin/node", f"/{pi_part.ENTRY}", "--mode", "rpc", "--offline", "--no-session"]
    run(argv, purpose="filling Node's compile cache", env=_GUEST_ENVIRONMENT, timeout_s=120)
    files = sorted(path for path in (root / recipe.GUEST_COMPILE_CACHE).rglob("*") if path.is_file())
    if not files:
        raise PuiError("pack.build", "Node wrote no compile cache")
    for path in files:
        name = path.relative_to(root).as_posix()
        tree.file(name, path.read_bytes())


def _enter(root: Path) -> list[str]:
    """The start of a command line that runs in `root` as the guest's user: chroot for root, else a user namespace."""
    number = recipe.GUEST_ID
    if os.geteuid() == 0:
        return [_program("chroot"), f"--userspec={number}:{number}", str(root)]
    return [_program("unshare"), "--user", f"--map-user={number}", f"--map-group={number}", f"--root={root}", "--wd=/"]


def _program(name: str) -> str:
    found = find_program(name)
    if found is None:
        raise PuiError("pack.build", f"{name} is not installed on this machine")
    return found


def _write_root(tree: Tree, root: Path) -> None:
    """Node, its libraries and pi on disk: world-readable, owned by the builder."""
    root.mkdir(mode=0o755)
    for path, entry in tree.items():
        target = root / path
        if not (entry.kind is Kind.FOLDER or _is_needed(path)):
            continue
        if entry.kind is Kind.FOLDER:
            target.mkdir(parents=True, exist_ok=True, mode=0o755)
        elif entry.kind is Kind.SYMLINK:
            target.symlink_to(entry.target)
        elif entry.kind is Kind.FILE:
            target.write_bytes(entry.content)
            target.chmod(entry.mode | 0o444)
    for name in (recipe.GUEST_COMPILE_CACHE, "tmp"):
        (root / name).mkdir(parents=True, exist_ok=True)
        (root / name).chmod(0o777)  # noqa: S103 - a throw-away root; the writer has another uid than the builder


def _is_needed(path: str) -> bool:
    return path in {
        "bin",
        "sbin",
        "lib",
        "lib64",
        "usr/bin/node",
        "etc/passwd",
        "etc/group",
        "etc/nsswitch.conf",
    } or path.startswith((f"{recipe.GUEST_PI}/", *_LIBRARY_PREFIXES))
