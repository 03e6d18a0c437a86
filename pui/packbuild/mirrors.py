"""Where this machine gets packages from, read from its own configuration.

In: apt's source files, npm's and pip's settings, two environment variables. Out: base addresses.
Never: an address of our own: pui names no mirror and no registry.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pui.domain.errors import PuiError
from pui.packbuild.lock import LockedInput
from pui.packbuild.run import find_program, run

MIRROR_VARIABLE = "PUI_DEBIAN_MIRROR"
SECURITY_MIRROR_VARIABLE = "PUI_DEBIAN_SECURITY_MIRROR"
APT_DIRECTORY = Path("/etc/apt")


@dataclass(frozen=True)
class AptSource:
    """One archive of the machine: base address and one suite."""

    base: str
    suite: str
    signed_by: str


@dataclass(frozen=True)
class DebianMirror:
    """Base addresses without a final slash; without a `security` archive only the main one is used."""

    archive: str
    security: str | None


def parse_one_line_sources(text: str) -> list[AptSource]:
    """`deb [options] URI SUITE COMPONENT…` lines (sources.list(5)); others are skipped."""
    found: list[AptSource] = []
    for raw in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)", raw)
        if match:
            options = dict(part.split("=", 1) for part in (match[1] or "").split() if "=" in part)
            found.append(AptSource(match[2].rstrip("/"), match[3], options.get("signed-by", "")))
    return found


def parse_deb822_sources(text: str) -> list[AptSource]:
    """Stanzas of a `.sources` file (deb822); disabled stanzas and source-only ones are skipped."""
    found: list[AptSource] = []
    for stanza in re.split(r"\n\s*\n", text):
        fields = _stanza_fields(stanza)
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in {"no", "false"}:
            continue
        found.extend(
            AptSource(uri.rstrip("/"), suite, fields.get("signed-by", ""))
            for uri in fields.get("uris", "").split()
            for suite in fields.get("suites", "").split()
        )
    return found


def _stanza_fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1].isspace() and name:
            fields[name] += " " + line.strip()
        elif ":" in line:
            name, value = line.split(":", 1)
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields


def read_apt_sources(directory: Path = APT_DIRECTORY) -> list[AptSource]:
    """All sources of the machine in apt's order. Missing files are no error: the list is then empty."""
    files = [directory / "sources.list", *sorted((directory / "sources.list.d").glob("*"))]
    found: list[AptSource] = []
    for path in files:
        if path.suffix == ".list" and path.is_file():
            found.extend(parse_one_line_sources(path.read_text(encoding="utf-8", errors="replace")))
        elif path.suffix == ".sources" and path.is_file():
            found.extend(parse_deb822_sources(path.read_text(encoding="utf-8", errors="replace")))
    return found


def choose_debian_mirror(sources: Iterable[AptSource], environment: dict[str, str] | None = None) -> DebianMirror:
    """The Debian archive among the sources. PUI_DEBIAN_MIRROR wins. Raises PuiError("pack.build") when there is none.

    A Debian archive is recognised by its path `…/debian` and its security archive by `…-security` or `…/security`.
    """
    environment = dict(os.environ) if environment is None else environment
    wanted = environment.get(MIRROR_VARIABLE)
    if wanted:
        return DebianMirror(wanted.rstrip("/"), (environment.get(SECURITY_MIRROR_VARIABLE) or "").rstrip("/") or None)
    bases = [source.base for source in sources if source.base.startswith(("http://", "https://", "file:/"))]
    archive = next((base for base in bases if base.endswith("/debian")), None)
    if archive is None:
        raise PuiError(
            "pack.build",
            "no Debian archive is configured for apt on this machine",
            hint=f"Set {MIRROR_VARIABLE} to the base address of a Debian archive (its folder `debian`).",
        )
    security = next((base for base in bases if base.endswith(("-security", "/security"))), None)
    return DebianMirror(archive, security)


def npm_registry(environment: dict[str, str] | None = None) -> str:
    """Base address of the npm registry without a final slash: npm's own answer, else NPM_CONFIG_REGISTRY."""
    environment = dict(os.environ) if environment is None else environment
    npm = find_program("npm")
    answer = environment.get("NPM_CONFIG_REGISTRY") or environment.get("npm_config_registry") or ""
    if npm is not None:
        answer = run(
            [npm, "config", "get", "registry"], purpose="asking npm for its registry", env=environment
        ).decode()
    answer = answer.strip().rstrip("/")
    if not answer.startswith(("http://", "https://")):
        raise PuiError(
            "pack.build",
            "no npm registry is configured on this machine",
            hint="Install npm or set NPM_CONFIG_REGISTRY.",
        )
    return answer


def debian_address(mirror: DebianMirror, item: LockedInput) -> str:
    """Full address of a locked Debian package. Raises PuiError("pack.build") if its archive is not configured."""
    base = mirror.archive if item.kind == "debian" else mirror.security
    if base is None:
        raise PuiError("pack.build", f"{item.name} is locked in the security archive, and none is configured")
    return f"{base}/{quote(item.path, safe='/%:~+')}"
