"""The pack's SBOM: every input and what the builder made itself, as CycloneDX 1.6 JSON.

In: the lock, licences, sizes. Out: bytes, the same for the same inputs. Never: a random serial number, the clock.
Build tools are listed with scope "excluded": their bytes are not in the pack.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.spdx import fixup_id
from packageurl import PackageURL

from pui.domain.sbom import INSTALLED_PROPERTY, PARTS_PROPERTY
from pui.packbuild import recipe
from pui.packbuild.lock import Lock, LockedInput, deb_name

_NAMESPACE = UUID("7075692d-7362-4f6d-8000-000000000001")


@dataclass(frozen=True)
class MadePart:
    """Something that the builder made: `name`, `version`, where it lies, licence names, bytes in the image."""

    name: str
    version: str
    part: str
    licences: tuple[str, ...]
    installed_bytes: int


def render_sbom(
    platform: str,
    lock: Lock,
    fingerprint: str,
    licences: Mapping[str, Sequence[str]],
    installed: Mapping[str, int],
    made: Sequence[MadePart],
) -> bytes:
    """`licences` and `installed` (bytes inside the image) are by the names of the lock's inputs."""
    whole = Component(
        name=f"pui-runtime-{platform}", version=fingerprint[:12], type=ComponentType.OPERATING_SYSTEM, bom_ref="pack"
    )
    inside = [item for item in lock.inputs if not item.is_build_only]
    inputs = [_component(item, licences.get(item.name, ()), installed.get(item.name)) for item in inside]
    inputs += [_component(item, (), None) for item in lock.inputs if item.is_build_only]
    components = [*inputs, *map(_made_component, made)]
    bom = Bom(
        components=components,
        serial_number=uuid5(_NAMESPACE, fingerprint),
        metadata=BomMetaData(component=whole, timestamp=datetime.fromisoformat(lock.created)),
    )
    bom.register_dependency(whole, components)
    text = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=1)
    return text.encode() + b"\n"


def _component(item: LockedInput, licences: Sequence[str], installed_bytes: int | None) -> Component:
    return Component(
        name=item.name,
        version=item.version,
        type=ComponentType.LIBRARY,
        bom_ref=f"{item.kind}/{item.path}",
        purl=_purl(item),
        scope=ComponentScope.EXCLUDED if item.is_build_only else ComponentScope.REQUIRED,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=item.sha256)],
        licenses=[_licence(name) for name in licences],
        properties=_properties(item.parts, installed_bytes),
    )


def _made_component(made: MadePart) -> Component:
    return Component(
        name=made.name,
        version=made.version,
        type=ComponentType.FILE,
        bom_ref=f"made/{made.name}",
        scope=ComponentScope.REQUIRED,
        licenses=[_licence(name) for name in made.licences],
        properties=_properties((made.part,), made.installed_bytes),
    )


def _properties(parts: Sequence[str], installed_bytes: int | None) -> list[Property]:
    size = [] if installed_bytes is None else [Property(name=INSTALLED_PROPERTY, value=str(installed_bytes))]
    return [Property(name=PARTS_PROPERTY, value=",".join(parts)), *size]


def _licence(name: str) -> DisjunctiveLicense:
    spdx = fixup_id(name)
    return DisjunctiveLicense(id=spdx) if spdx else DisjunctiveLicense(name=name)


def _purl(item: LockedInput) -> PackageURL:
    """Source: package-url specification, types deb, npm and pypi."""
    if item.kind.startswith("debian"):
        qualifiers = {"arch": item.architecture, "distro": recipe.SUITE}
        return PackageURL("deb", "debian", deb_name(item), item.version, qualifiers)
    namespace, _, name = item.name.rpartition("/")
    return PackageURL(item.kind, namespace or None, name, item.version)
