"""Versions and sums from the npm registry that this machine is configured for.

In: the registry's base address, a package name, a wanted version. Out: a `LockedInput` after its bytes were fetched and
their published integrity (sha512) compared. Never: an install, a script of a package.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from urllib.parse import quote

from pui.domain.errors import PuiError
from pui.packbuild.downloads import DownloadCache
from pui.packbuild.lock import LockedInput


def choose_version(published: Mapping[str, object], wanted: str) -> str:
    """`wanted` itself when it is published, else the newest of its major line. Raises PuiError("pack.build")."""
    if wanted in published:
        return wanted
    major = wanted.split(".")[0]
    line = [version for version in published if re.fullmatch(rf"{re.escape(major)}\.\d+\.\d+", version)]
    if not line:
        raise PuiError("pack.build", f"the registry has no version of the line {major}")
    return max(line, key=lambda version: tuple(int(part) for part in version.split(".")))


def resolve_npm(cache: DownloadCache, registry: str, name: str, wanted: str, part: str) -> LockedInput:
    """Ask the registry, fetch the tarball into the cache, compare its integrity, pin it."""
    document = cache.fetch_json(f"{registry}/{quote(name, safe='@')}", what=name)
    published = document.get("versions")
    if not isinstance(published, dict):
        raise PuiError("pack.build", f"the registry's answer about {name} has no versions")
    version = choose_version(published, wanted)
    distribution = published[version]["dist"]
    path = tarball_path(name, version)
    raw = cache.fetch_unpinned(f"{registry}/{path}", what=f"{name} {version}")
    _check_integrity(raw, str(distribution["integrity"]), name)
    return LockedInput("npm", name, version, path, len(raw), cache.store(raw), (part,))


def tarball_path(name: str, version: str) -> str:
    """Path of a tarball below the registry, by npm's fixed layout `NAME/-/BASENAME-VERSION.tgz`."""
    return f"{name}/-/{name.rsplit('/', 1)[-1]}-{version}.tgz"


def _check_integrity(raw: bytes, integrity: str, name: str) -> None:
    sums = {part.split("-", 1)[0]: part.split("-", 1)[1] for part in integrity.split() if "-" in part}
    if sums.get("sha512") != base64.b64encode(hashlib.sha512(raw).digest()).decode():
        raise PuiError("fetch.checksum", f"{name}: the tarball differs from the registry's integrity value")
