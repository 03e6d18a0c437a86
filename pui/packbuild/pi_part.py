"""pi for the guest, pruned to what it loads.

In: the locked npm tarballs of pi and its two real externals. Out: files below `/opt/pui/pi`. Never: `npm install`.
"""

from __future__ import annotations

import json
from pathlib import Path

from pui.domain.errors import PuiError
from pui.packbuild import recipe
from pui.packbuild.node_part import read_tarball
from pui.packbuild.tree import Tree

ENTRY = f"{recipe.GUEST_PI}/dist/bundle/cli.js"


def is_wanted(name: str) -> bool:
    """Files of pi itself: the bundle, the export templates, what its system prompt tells the model to read."""
    if name.endswith((".map", ".d.ts")):
        return False
    if name in {"package.json", "README.md", "LICENSE"} or name.startswith(("dist/bundle/", "dist/core/export-html/")):
        return True
    return name.startswith("docs/") and name.endswith(".md")


def _is_wanted_of_dependency(name: str) -> bool:
    return not name.endswith((".map", ".d.ts", ".md", ".d.mts", ".d.cts"))


def add_package(tree: Tree, name: str, tarball: Path) -> None:
    """pi itself, or one of the packages that its bundle loads at run time."""
    is_pi = name == recipe.NPM_PI
    folder = recipe.GUEST_PI if is_pi else f"{recipe.GUEST_PI}/node_modules/{name}"
    for file, raw in read_tarball(tarball, is_wanted if is_pi else _is_wanted_of_dependency).items():
        tree.file(f"{folder}/{file}", raw)


def check_pi(tree: Tree, node_version: str) -> None:
    """Raises PuiError("pack.build") when pi's entry is missing or Node too old for it."""
    if ENTRY not in tree:
        raise PuiError("pack.build", f"pi's package has no {ENTRY.removeprefix(recipe.GUEST_PI + '/')}")
    check_engines(tree.content(f"{recipe.GUEST_PI}/package.json"), node_version)


def check_engines(package_json: bytes, node_version: str) -> None:
    """Refuse a Node that is older than pi's `engines.node` (`>=X.Y.Z`). Raises PuiError("pack.build")."""
    wanted = str(json.loads(package_json).get("engines", {}).get("node", ">=0.0.0")).removeprefix(">=").strip()
    if _numbers(node_version) < _numbers(wanted):
        raise PuiError("pack.build", f"pi needs Node {wanted} or newer, the lock has {node_version}")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
