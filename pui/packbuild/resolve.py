"""Makes a lock anew from the recipe and the machine's mirrors.

In: the recipe, the download cache. Out: a `Lock`. Never: bytes of the pack.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pui.packbuild import recipe
from pui.packbuild.apt import PrivateApt
from pui.packbuild.downloads import DownloadCache
from pui.packbuild.lock import Lock, LockedInput
from pui.packbuild.mirrors import choose_debian_mirror, npm_registry, read_apt_sources
from pui.packbuild.npm import resolve_npm
from pui.packbuild.progress import Progress, Report
from pui.packbuild.pypi import resolve_wheel
from pui.packbuild.targets import ARCHES, BUILDER_ARCH, buildable


def resolve_lock(
    cache: DownloadCache, report: Report, kept: Lock | None = None, lost: frozenset[str] = frozenset()
) -> Lock:
    """A fresh lock. With `kept`, only the kinds in `lost` ("debian", "npm", "pypi") are resolved, the rest stays.

    Raises PuiError("pack.build") or DownloadError.
    """
    wanted = lost if kept is not None else frozenset({"debian", "npm", "pypi"})
    inputs = [item for item in kept.inputs if item.kind.split("-")[0] not in wanted] if kept is not None else []
    if "debian" in wanted:
        report(Progress("resolve", note="asking apt for the Debian packages and their dependencies"))
        inputs += _resolve_debian()
    if "npm" in wanted:
        report(Progress("resolve", note="asking the npm registry"))
        registry = npm_registry()
        inputs += [
            resolve_npm(cache, registry, name, version, part) for name, (version, part) in recipe.NPM_PACKAGES.items()
        ]
        inputs += _resolve_node(cache, registry)
    if "pypi" in wanted:
        inputs.append(resolve_wheel(cache, report))
    created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Lock(created, tuple(sorted(inputs)))


def _resolve_node(cache: DownloadCache, registry: str) -> list[LockedInput]:
    """The newest version for the first processor, and the same one for the others."""
    version, found = recipe.NPM_NODE_VERSION, []
    for name, arch in ARCHES.items():
        found.append(resolve_npm(cache, registry, arch.npm_node, version, f"node@{name}"))
        version = found[0].version
    return found


def _resolve_debian() -> list[LockedInput]:
    mirror = choose_debian_mirror(read_apt_sources())
    found: list[LockedInput] = []
    for name, arch in ARCHES.items():
        with tempfile.TemporaryDirectory(prefix="pui-apt-") as folder:
            apt = PrivateApt(Path(folder), mirror, arch.debian)
            apt.update()
            for part, packages in debian_wishes(name).items():
                found += _without_dropped(apt.pin(apt.closure(packages), part), part.partition("@")[0])
            found.append(_resolve_kernel(apt, arch.kernel, f"kernel@{name}"))
    return merge_parts(found)


def debian_wishes(arch: str) -> dict[str, tuple[str, ...]]:
    """What apt is asked for, for one processor: part of the lock to packages."""
    wishes = {f"rootfs@{arch}": recipe.DEBIAN_PACKAGES["rootfs"]}
    wishes |= {f"qemu@{target.platform}": target.host_packages for target in buildable() if target.guest == arch}
    if arch == BUILDER_ARCH:
        foreign = [target.guest for target in buildable() if target.is_foreign]
        wishes["tools"] = recipe.DEBIAN_PACKAGES["tools"]
        wishes |= {f"cross@{guest}": recipe.DEBIAN_PACKAGES["cross"] for guest in foreign}
    return wishes


def _resolve_kernel(apt: PrivateApt, metapackage: str, part: str) -> LockedInput:
    addresses = apt.closure([metapackage])
    kernels = [address for address in addresses if "/linux-image-6" in address or "/linux-image-7" in address]
    (kernel,) = apt.pin(kernels, part)
    return replace(kernel, name="linux-image")


def _without_dropped(inputs: Iterable[LockedInput], part: str) -> list[LockedInput]:
    dropped = recipe.DROPPED_PACKAGES - recipe.KEPT_IN_PART.get(part, frozenset())
    return [item for item in inputs if item.name not in dropped]


def merge_parts(inputs: Iterable[LockedInput]) -> list[LockedInput]:
    """One entry a file: the parts of equal inputs are joined."""
    merged: dict[tuple[str, str], LockedInput] = {}
    for item in inputs:
        before = merged.get((item.kind, item.path))
        parts = item.parts if before is None else tuple(sorted({*before.parts, *item.parts}))
        merged[item.kind, item.path] = replace(item, parts=parts)
    return list(merged.values())
