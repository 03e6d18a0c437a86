"""Where a pack's bytes come from: licences, SBOM, fingerprint."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from pui.domain import pack_layout
from pui.domain.errors import PuiError, SetupError
from pui.domain.sbom import FINGERPRINT, LOCK_SUM, RECIPE_SUM, SbomComponent, read_sbom
from pui.packbuild import fingerprint, licences
from pui.packbuild.lock import Lock, LockedInput, parse_lock
from pui.packbuild.provenance import Provenance
from pui.packbuild.tree import Tree

CURL = LockedInput("debian", "curl", "8.1-1", "pool/main/c/curl/curl_8.1-1_amd64.deb", 100, "a" * 64, ("rootfs",))
PI = LockedInput("npm", "@scope/pi", "1.5.2", "@scope/pi/-/pi-1.5.2.tgz", 200, "b" * 64, ("pi",))
ZIG = LockedInput("pypi", "zig", "0.17.1", "zig-0.17.1.whl", 200, "c" * 64, ("compiler",))
LOCK = Lock("2026-01-02T03:04:05Z", (CURL, PI, ZIG))
COPYRIGHT = (
    b"Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: curl\n\n"
    b"Files: x\nLicense: Expat\n text\n\nLicense: Expat\n"
)


def _tarball(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, raw in files.items():
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(raw)
            archive.addfile(info, io.BytesIO(raw))
    return path


def _files(tmp_path: Path, fingerprint_value: str = "f" * 64) -> dict[str, bytes]:
    provenance, tree = Provenance(LOCK), Tree()
    tree.file("usr/share/doc/curl/copyright", COPYRIGHT)
    provenance.add_debian(tree, "rootfs")
    package = {"package.json": b'{"license": "Apache-2.0"}', "LICENSE.md": b"the apache text"}
    provenance.add_npm(PI, _tarball(tmp_path / "pi.tgz", package))
    with provenance.measured(tree, "curl"):
        tree.file("usr/bin/curl", b"12345")
    with provenance.made(tree, "compile-cache", "1.5.2", ("MIT",)):
        tree.file("cache", b"123")
    files = provenance.files("linux-x86_64", fingerprint_value)
    return {file.path: file.content for file in files if isinstance(file.content, bytes)}


def test_the_sbom_lists_every_input_and_what_was_made(tmp_path: Path) -> None:
    assert read_sbom(_files(tmp_path)[pack_layout.SBOM]) == (
        SbomComponent("@scope/pi", "1.5.2", "pkg:npm/%40scope/pi@1.5.2", ("pi",), ("Apache-2.0",)),
        SbomComponent("compile-cache", "1.5.2", "", ("rootfs",), ("MIT",), 3),
        SbomComponent(
            "curl", "8.1-1", "pkg:deb/debian/curl@8.1-1?arch=amd64&distro=trixie", ("rootfs",), ("curl", "Expat"), 5
        ),
        SbomComponent("zig", "0.17.1", "pkg:pypi/zig@0.17.1", ("compiler",), ()),
    )


def test_the_sbom_is_valid_repeats_and_has_no_chance_in_it(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = _files(tmp_path / "a"), _files(tmp_path / "b")
    assert first == second
    raw = first[pack_layout.SBOM]
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(raw.decode()) is None
    document = json.loads(raw)
    assert document["metadata"]["timestamp"].startswith("2026-01-02T03:04:05")
    assert document["serialNumber"] != json.loads(_files(tmp_path, "e" * 64)[pack_layout.SBOM])["serialNumber"]
    scopes = {item["name"]: item["scope"] for item in document["components"]}
    assert scopes == {"@scope/pi": "required", "compile-cache": "required", "curl": "required", "zig": "excluded"}


def test_the_pack_carries_its_licences_and_its_own_lock(tmp_path: Path) -> None:
    files = _files(tmp_path)
    assert b"==== @scope/pi 1.5.2 ====\n\nthe apache text" in files[pack_layout.LICENCES]
    assert b"==== curl 8.1-1 ====\n\nFormat:" in files[pack_layout.LICENCES]
    assert parse_lock(files[pack_layout.LOCK]) == LOCK


def test_a_missing_licence_stops_the_build(tmp_path: Path) -> None:
    with pytest.raises(PuiError, match="curl has no copyright file"):
        Provenance(LOCK).add_debian(Tree(), "rootfs")
    with pytest.raises(PuiError, match=r"@scope/pi has no licence text \(it names GPL-3\.0\)"):
        Provenance(LOCK).add_npm(PI, _tarball(tmp_path / "x", {"package.json": b'{"license": "GPL-3.0"}'}))


def test_an_mit_package_without_text_gets_it_and_says_so(tmp_path: Path) -> None:
    text, name = licences.npm_text(_tarball(tmp_path / "x", {"package.json": b'{"license":"MIT","author":"Ann"}'}), "x")
    assert name == "MIT"
    assert text.startswith(b"The package has no licence text; its package.json says: license MIT, author Ann.")
    assert licences.MIT_TEXT in text


def test_licence_names_come_from_the_machine_readable_format_only() -> None:
    assert licences.licence_names(COPYRIGHT) == ("Expat", "curl")
    assert licences.licence_names(b"License: none of that\n") == ("see LICENCES.txt",)


def test_equal_texts_share_a_section() -> None:
    assert licences.render_licences({"b 1": b"GPL\n", "a 1": b"GPL\n\n", "c 2": b"MIT"}) == (
        b"==== a 1 ====\n==== b 1 ====\n\nGPL\n\n==== c 2 ====\n\nMIT\n\n"
    )


def _guest(folder: Path) -> Path:
    folder.mkdir()
    (folder / "main.c").write_text("int main;")
    (folder / "main.h").write_text("")
    (folder / "notes.md").write_text("x")
    return folder


def test_the_fingerprint_follows_lock_recipe_and_platform(tmp_path: Path) -> None:
    guest = _guest(tmp_path / "one")
    recipe = fingerprint.recipe_sum(guest)
    whole = fingerprint.fingerprint("linux-x86_64", LOCK, recipe)
    assert fingerprint.recipe_sum(_guest(tmp_path / "two")) == recipe
    (guest / "notes.md").write_text("y")
    assert fingerprint.recipe_sum(guest) == recipe
    (guest / "main.h").write_text("//")
    others = {
        fingerprint.fingerprint("linux-x86_64", LOCK, fingerprint.recipe_sum(guest)),
        fingerprint.fingerprint("linux-aarch64", LOCK, recipe),
        fingerprint.fingerprint("linux-x86_64", replace(LOCK, created="2026-01-02T03:04:06Z"), recipe),
    }
    assert len(others | {whole}) == 4


def test_the_manifest_says_how_the_pack_was_built() -> None:
    own = fingerprint.own_components("linux-x86_64", LOCK, "e" * 64, 10)
    assert own[RECIPE_SUM] == "e" * 64
    assert own[FINGERPRINT] == fingerprint.fingerprint("linux-x86_64", LOCK, "e" * 64)
    assert own[LOCK_SUM] == fingerprint.lock_sum(LOCK)
    assert own["pui/zstd-level"] == "10"
    assert own["pui/tools"].startswith("zstd 1.")


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"{}", b'{"bomFormat":"CycloneDX","components":{}}', b'{"bomFormat":"CycloneDX","components":[1]}',
     b'{"bomFormat":"CycloneDX","components":[{"name":"a"}]}',
     b'{"bomFormat":"CycloneDX","components":[{"name":"a","version":"1","licenses":[{}]}]}'],
)  # fmt: skip
def test_another_document_is_no_sbom(raw: bytes) -> None:
    with pytest.raises(SetupError, match="SBOM"):
        read_sbom(raw)
