"""What a pack says about its own origin: the list of its components (CycloneDX), how it was built.

In: bytes of the pack's SBOM, components of its manifest. Out: values to show and compare.
Never: I/O, the making of an SBOM (that is the builder's part), trust (the manifest's signature covers the bytes).
Source: CycloneDX 1.6, JSON representation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pui.domain.errors import SetupError
from pui.domain.events import JsonValue
from pui.domain.strict_json import StrictJsonError, load_object

MAX_SBOM_BYTES = 8 * 1024 * 1024

PARTS_PROPERTY = "pui:parts"
INSTALLED_PROPERTY = "pui:installed-bytes"

FINGERPRINT = "pui/fingerprint"
"""Manifest component: SHA-256 over platform, lock and recipe. Equal fingerprints mean equal content."""
LOCK_SUM = "pui/lock"
"""Manifest component: SHA-256 of the pack's own lock file."""
RECIPE_SUM = "pui/recipe"
"""Manifest component: SHA-256 over the sources of the builder and of the guest program."""
ZSTD_LEVEL = "pui/zstd-level"
BUILD_TOOLS = "pui/tools"
"""Manifest component: the builder's libraries that shape bytes, with their versions."""


@dataclass(frozen=True, order=True)
class SbomComponent:
    """One component. `parts`: the parts of the pack that it went into. `installed_bytes`: what it takes up inside the
    root file system, None when not measured. `licences`: SPDX ids or names, as the component itself states them."""

    name: str
    version: str
    purl: str
    parts: tuple[str, ...]
    licences: tuple[str, ...]
    installed_bytes: int | None = None


def read_sbom(data: bytes) -> tuple[SbomComponent, ...]:
    """The components, sorted by name. Raises SetupError("pack.malformed")."""
    try:
        top = load_object(data, MAX_SBOM_BYTES)
    except StrictJsonError as error:
        raise SetupError("pack.malformed", f"the pack's SBOM is refused: {error}") from error
    if top.get("bomFormat") != "CycloneDX":
        raise SetupError("pack.malformed", "the pack's SBOM is not a CycloneDX document")
    return tuple(sorted(_component(entry) for entry in _list(top.get("components"))))


def _component(entry: JsonValue) -> SbomComponent:
    table = _table(entry)
    properties = {_text(item, "name"): _text(item, "value") for item in map(_table, _list(table.get("properties")))}
    installed = properties.get(INSTALLED_PROPERTY, "")
    return SbomComponent(
        name=_text(table, "name"),
        version=_text(table, "version"),
        purl=str(table.get("purl") or ""),
        parts=tuple(filter(None, properties.get(PARTS_PROPERTY, "").split(","))),
        licences=tuple(_licence(item) for item in map(_table, _list(table.get("licenses")))),
        installed_bytes=int(installed) if installed.isascii() and installed.isdigit() else None,
    )


def _licence(item: Mapping[str, JsonValue]) -> str:
    if "expression" in item:
        return _text(item, "expression")
    table = _table(item.get("license"))
    return _text(table, "id" if "id" in table else "name")


def _table(value: JsonValue) -> Mapping[str, JsonValue]:
    if not isinstance(value, dict):
        raise SetupError("pack.malformed", "the pack's SBOM has a value where an object must be")
    return value


def _list(value: JsonValue) -> Sequence[JsonValue]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise SetupError("pack.malformed", "the pack's SBOM has a value where a list must be")
    return value


def _text(table: Mapping[str, JsonValue], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str):
        raise SetupError("pack.malformed", f"the pack's SBOM has an entry without {key}")
    return value
