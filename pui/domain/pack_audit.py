"""What differs between two packs.

In: two manifests, their components. Out: an Audit, its lines for a person. Never: I/O, a verdict on which is better.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pui.domain.manifest import Manifest, ManifestFile
from pui.domain.sbom import SbomComponent

OWN_PREFIX = "pui/"
"""Manifest components with this prefix say how a pack was built, not what is in it."""


@dataclass(frozen=True)
class Change:
    """One thing in both, one or the other; `before` is "" for a new one, `after` "" for one that is gone."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class FileChange:
    """A file; sizes are bytes, None where the file does not exist. Equal sizes: only the content or mode differs."""

    path: str
    before_bytes: int | None
    after_bytes: int | None


@dataclass(frozen=True)
class Audit:
    """All differences, sorted by name. `built` are differences of how the packs were made."""

    components: tuple[Change, ...]
    built: tuple[Change, ...]
    files: tuple[FileChange, ...]


def component_versions(manifest: Manifest, sbom: tuple[SbomComponent, ...] | None) -> dict[str, str]:
    """Name to version, from the SBOM, else (a pack from before SBOMs) from the manifest's own list."""
    if sbom is not None:
        return {item.name: item.version for item in sbom}
    named = {name: text for name, text in manifest.components.items() if not name.startswith(OWN_PREFIX)}
    return {name.partition("/")[2]: text for name, text in named.items() if "/" in name} or named


def audit_packs(before: tuple[Manifest, Mapping[str, str]], after: tuple[Manifest, Mapping[str, str]]) -> Audit:
    """`before` and `after` are a manifest and its component_versions."""
    return Audit(
        components=_changes(before[1], after[1]),
        built=_changes(_built(before[0]), _built(after[0])),
        files=_file_changes(before[0], after[0]),
    )


def _built(manifest: Manifest) -> dict[str, str]:
    own = {name: text for name, text in manifest.components.items() if name.startswith(OWN_PREFIX)}
    return own | {"platform": manifest.platform, "version": str(manifest.pack_version), "created": manifest.created}


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Change, ...]:
    names = sorted(before.keys() | after.keys())
    pairs = [Change(name, before.get(name, ""), after.get(name, "")) for name in names]
    return tuple(change for change in pairs if change.before != change.after)


def _file_changes(before: Manifest, after: Manifest) -> tuple[FileChange, ...]:
    old = {file.path: file for file in before.files}
    new = {file.path: file for file in after.files}
    paths = [path for path in sorted(old.keys() | new.keys()) if old.get(path) != new.get(path)]
    return tuple(FileChange(path, _size(old.get(path)), _size(new.get(path))) for path in paths)


def _size(file: ManifestFile | None) -> int | None:
    return None if file is None else file.size_bytes


def audit_lines(audit: Audit) -> list[str]:
    """Sentences for a person; one line when nothing differs."""
    lines = _section("how they were built", [_change_line(change) for change in audit.built])
    lines += _section("components", [_change_line(change) for change in audit.components])
    lines += _section("files", [_file_line(change) for change in audit.files])
    return lines or ["the two packs are the same"]


def _section(title: str, lines: list[str]) -> list[str]:
    return [f"{title}: {len(lines)} differ", *(f"  {line}" for line in lines)] if lines else []


def _change_line(change: Change) -> str:
    if not change.before:
        return f"+ {change.name} {change.after}"
    if not change.after:
        return f"- {change.name} {change.before}"
    return f"  {change.name} {change.before} -> {change.after}"


def _file_line(change: FileChange) -> str:
    if change.before_bytes is None:
        return f"+ {change.path} {change.after_bytes} bytes"
    if change.after_bytes is None:
        return f"- {change.path} {change.before_bytes} bytes"
    grown = change.after_bytes - change.before_bytes
    return f"  {change.path} {change.before_bytes} -> {change.after_bytes} bytes ({grown:+d})"
