"""apt as the resolver, in a private root: it picks versions, checks the archive's signatures, and installs nothing.

In: mirror addresses, package names. Out: `LockedInput`s. Never: the machine's own package state, root rights.
Source: apt.conf(5), sources.list(5), apt-get(8) `--print-uris`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from pui.domain.errors import PuiError
from pui.packbuild import recipe
from pui.packbuild.lock import LockedInput
from pui.packbuild.mirrors import DebianMirror
from pui.packbuild.run import find_program, run

_URI_LINE = re.compile(r"'([^']+)' (\S+) (\d+)")
_KEPT_SETTINGS = (
    "Acquire::http",
    "Acquire::https",
    "Acquire::Check-Valid-Until",
    "Acquire::Check-Date",
    "Acquire::Retries",
)
"""Settings of the machine that say how to reach a mirror (proxy, CA) or how strict to be with its clock."""


class PrivateApt:
    """An apt with its own lists, state and sources below `folder`; needs apt-get and Debian's archive keyring."""

    def __init__(self, folder: Path, mirror: DebianMirror, architecture: str) -> None:
        self._mirror = mirror
        self._apt_get = _needed_program("apt-get")
        self._apt_cache = _needed_program("apt-cache")
        if not Path(recipe.DEBIAN_KEYRING).is_file():
            raise PuiError(
                "pack.build",
                f"Debian's archive keys are missing ({recipe.DEBIAN_KEYRING})",
                hint="Install the package debian-archive-keyring.",
            )
        _lay_out(folder, mirror, architecture)
        self._env = {**os.environ, "APT_CONFIG": str(folder / "apt.conf"), "LC_ALL": "C.UTF-8"}

    def update(self) -> None:
        """Fetch and verify the package lists (about 10 MB)."""
        run([self._apt_get, "update", "-qq"], purpose="reading the Debian package lists", env=self._env)

    def closure(self, packages: Sequence[str]) -> list[str]:
        """Addresses of `packages` and everything they depend on."""
        argv = [self._apt_get, "install", "--yes", "-qq", "--no-install-recommends", "--print-uris", *packages]
        text = run(argv, purpose=f"resolving {', '.join(packages)}", env=self._env).decode()
        return [match[1] for match in map(_URI_LINE.match, text.splitlines()) if match]

    def stanzas(self, names: Iterable[str]) -> list[Mapping[str, str]]:
        """The index entries of all versions of `names`."""
        argv = [self._apt_cache, "show", *sorted(set(names))]
        return parse_stanzas(run(argv, purpose="reading package entries", env=self._env).decode())

    def pin(self, addresses: Iterable[str], part: str) -> list[LockedInput]:
        """Addresses to inputs with size and SHA-256 from the signed index."""
        places = [self._place(address) for address in addresses]
        stanzas = {entry["Filename"]: entry for entry in self.stanzas(_name_of(path) for _, path in places)}
        return [_input(kind, path, stanzas[path], part) for kind, path in places]

    def _place(self, address: str) -> tuple[str, str]:
        plain = unquote(address)
        security = self._mirror.security
        if security is not None and plain.startswith(unquote(security) + "/"):
            return "debian-security", plain.removeprefix(unquote(security) + "/")
        return "debian", plain.removeprefix(unquote(self._mirror.archive) + "/")


def _needed_program(name: str) -> str:
    found = find_program(name)
    if found is None:
        raise PuiError(
            "pack.build",
            f"{name} is not installed: resolving Debian packages needs apt",
            hint="Build on Debian or Ubuntu, or build with an unchanged lock whose inputs the mirror still has.",
        )
    return found


def _lay_out(folder: Path, mirror: DebianMirror, architecture: str) -> None:
    for name in ("lists/partial", "cache/archives/partial", "etc/preferences.d", "etc/apt.conf.d", "state"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "status").touch()
    (folder / "sources.list").write_text(_sources_text(mirror), encoding="utf-8")
    (folder / "apt.conf").write_text(_config_text(folder, architecture) + _machine_settings(), encoding="utf-8")


def _sources_text(mirror: DebianMirror) -> str:
    option = f"[signed-by={recipe.DEBIAN_KEYRING}]"
    lines = [f"deb {option} {mirror.archive} {suite} main" for suite in (recipe.SUITE, f"{recipe.SUITE}-updates")]
    if mirror.security is not None:
        lines.append(f"deb {option} {mirror.security} {recipe.SUITE}-security main")
    return "\n".join(lines) + "\n"


def _config_text(folder: Path, architecture: str) -> str:
    return "\n".join([
        f'Dir "{folder}";',
        f'Dir::State "{folder}/state";',
        f'Dir::State::lists "{folder}/lists";',
        f'Dir::State::status "{folder}/status";',
        f'Dir::Cache "{folder}/cache";',
        f'Dir::Etc "{folder}/etc";',
        f'Dir::Etc::sourcelist "{folder}/sources.list";',
        'Dir::Etc::sourceparts "-";',
        f'APT::Architecture "{architecture}";',
        f'APT::Architectures {{ "{architecture}"; }};',
        'APT::Install-Recommends "false";',
        'APT::Sandbox::User "";',
        'Acquire::Languages "none";',
        "",
    ])  # fmt: skip


def _machine_settings() -> str:
    apt_config = find_program("apt-config")
    if apt_config is None:
        return ""
    text = run([apt_config, "dump", "Acquire"], purpose="reading apt's settings", env=os.environ).decode()
    return "".join(f"{line}\n" for line in text.splitlines() if line.startswith(_KEPT_SETTINGS))


def parse_stanzas(text: str) -> list[Mapping[str, str]]:
    """Entries of a package index (deb-control(5)); continuation lines are left out."""
    return [
        dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line and not line[:1].isspace())
        for stanza in text.split("\n\n")
        if stanza.strip()
    ]


def _name_of(path: str) -> str:
    return path.rsplit("/", 1)[-1].split("_", 1)[0]


def _input(kind: str, path: str, entry: Mapping[str, str], part: str) -> LockedInput:
    return LockedInput(kind, entry["Package"], entry["Version"], path, int(entry["Size"]), entry["SHA256"], (part,))
