"""Proves a pack by making it again from the lock that it carries.

In: a pack's manifest and its own lock. Out: the manifest of the second build. Never: an installed or published file.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from pui.domain.errors import PuiError
from pui.domain.manifest import Manifest
from pui.domain.sbom import BUILD_TOOLS, LOCK_SUM, RECIPE_SUM, ZSTD_LEVEL
from pui.packbuild.build import GUEST_SOURCES, BuildOptions, build_pack
from pui.packbuild.fingerprint import build_tools, lock_sum, recipe_sum
from pui.packbuild.lock import parse_lock
from pui.packbuild.progress import Report


def rebuild_pack(manifest: Manifest, lock_bytes: bytes, cache_dir: Path, report: Report) -> Manifest:
    """The manifest of a pack built now from `lock_bytes`. Its signature is left out: only the builder's key makes it.

    Raises PuiError("pack.build") when this recipe cannot make that pack, and says why; DownloadError fetch.*.
    """
    check_same_recipe(manifest, lock_bytes)
    with tempfile.TemporaryDirectory(prefix="pui-rebuild-") as name:
        folder = Path(name)
        lock_path = folder / "versions.lock"
        lock_path.write_bytes(lock_bytes)
        options = BuildOptions(
            out_dir=folder / "out",
            cache_dir=cache_dir,
            key_path=folder / "throw-away.pem",
            frozen=True,
            level=int(manifest.components[ZSTD_LEVEL]),
            lock_path=lock_path,
            platform=manifest.platform,
        )
        return build_pack(options, report).manifest


def check_same_recipe(manifest: Manifest, lock_bytes: bytes) -> None:
    """Raises PuiError("pack.build") naming what of recipe, lock or tools differs from what the manifest records."""
    recorded = manifest.components
    for name in (RECIPE_SUM, LOCK_SUM, ZSTD_LEVEL, BUILD_TOOLS):
        if name not in recorded:
            raise PuiError(
                "pack.build",
                f"the pack does not record its {name}: it is older than the proof by rebuilding",
                hint="Build a new pack with `pui pack build`.",
            )
    found = {RECIPE_SUM: recipe_sum(GUEST_SOURCES), LOCK_SUM: lock_sum(parse_lock(lock_bytes))}
    found[BUILD_TOOLS] = build_tools()
    what = {RECIPE_SUM: "the recipe", LOCK_SUM: "the pack's lock file", BUILD_TOOLS: "the builder's libraries"}
    for name, value in found.items():
        if recorded[name] != value:
            raise PuiError(
                "pack.build",
                f"{what[name]}: the pack was built with {recorded[name][:64]}, here is {value[:64]}",
                hint="Rebuild with the version of pui (and its libraries) that built the pack.",
            )
