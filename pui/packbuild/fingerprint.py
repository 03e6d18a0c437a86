"""What decides a pack's bytes, as sums: the lock, the recipe, both together.

In: a lock, the sources of the builder and the guest program. Out: hex SHA-256 values for the manifest.
Never: a time, a path of this machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import zstandard

from pui.domain import manifest, pack_layout
from pui.domain.sbom import BUILD_TOOLS, FINGERPRINT, LOCK_SUM, RECIPE_SUM, ZSTD_LEVEL
from pui.packbuild.lock import Lock, render_lock

_BUILDER = Path(__file__).parent
_SHAPING_MODULES = (pack_layout.__file__, manifest.__file__)


def recipe_sum(guest_sources: Path) -> str:
    """Over the builder's modules, the C sources, and the modules of the domain that lay out a pack: every change of
    one counts, also one that leaves the bytes as they were."""
    groups = {
        "builder": _BUILDER.glob("*.py"),
        "domain": (Path(name) for name in _SHAPING_MODULES),
        "guest": (path for path in guest_sources.iterdir() if path.suffix in {".c", ".h"}),
    }
    digest = hashlib.sha256()
    for name, paths in groups.items():
        for line in _lines(name, paths):
            digest.update(line)
    return digest.hexdigest()


def _lines(group: str, paths: Iterable[Path]) -> list[bytes]:
    return [
        f"{group}/{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode()
        for path in sorted(paths, key=lambda path: path.name)
    ]


def fingerprint(platform: str, lock: Lock, recipe: str) -> str:
    """Equal for two builds whose content must be equal; `recipe` is recipe_sum()."""
    return hashlib.sha256(f"{platform}\n{lock_sum(lock)}\n{recipe}\n".encode()).hexdigest()


def lock_sum(lock: Lock) -> str:
    return hashlib.sha256(render_lock(lock)).hexdigest()


def build_tools() -> str:
    """The libraries of the builder whose version can change bytes."""
    zstd = ".".join(str(part) for part in zstandard.ZSTD_VERSION)
    return f"zstd {zstd}, cyclonedx-python-lib {version('cyclonedx-python-lib')}"


def own_components(platform: str, lock: Lock, recipe: str, level: int) -> dict[str, str]:
    """The manifest's entries about the build itself."""
    return {
        FINGERPRINT: fingerprint(platform, lock, recipe),
        LOCK_SUM: lock_sum(lock),
        RECIPE_SUM: recipe,
        ZSTD_LEVEL: str(level),
        BUILD_TOOLS: build_tools(),
    }
