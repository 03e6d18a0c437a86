"""In: what a person asks about packs. Out: versions, sizes, differences, in words and JSON. Never: a change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pui.adapters.packs.install import PackInstaller
from pui.adapters.packs.keys import add_trusted_key, load_trust
from pui.adapters.packs.source import FileSource
from pui.adapters.packs.this_app import this_app
from pui.adapters.paths import app_paths
from pui.cli import pack_provenance
from pui.domain.sbom import BUILD_TOOLS, FINGERPRINT, LOCK_SUM, RECIPE_SUM, ZSTD_LEVEL
from pui.packbuild.fingerprint import build_tools, lock_sum, recipe_sum
from pui.packbuild.inputs import PACKAGED_LOCK
from pui.packbuild.lock import parse_lock
from tests.cli.test_pack import run
from tests.support.pack_simulator import FILES, KEY, PackSim


def sbom(**versions: str) -> bytes:
    entries = [
        {
            "name": name,
            "version": version,
            "licenses": [{"license": {"id": "MIT"}}],
            "properties": [
                {"name": "pui:parts", "value": "rootfs"},
                {"name": "pui:installed-bytes", "value": "1048576"},
            ],
        }
        for name, version in versions.items()
    ]
    return json.dumps({"bomFormat": "CycloneDX", "components": entries}).encode()


def pack(
    folder: Path, extra: Mapping[str, bytes], version: int = 1, components: Mapping[str, str] | None = None
) -> str:
    def edit(table: dict[str, Any]) -> None:
        table["components"] |= dict(components or {})

    files = {**FILES, **{path: (data, 0o644) for path, data in extra.items()}}
    return str(PackSim(files=files, version=version, edit=edit).build().write(folder))


def install(archive: str) -> None:
    """Without the command's health boot, which these packs would fail."""
    paths = app_paths()
    PackInstaller(paths, this_app()).install(FileSource(Path(archive)), load_trust(paths.trust_dir))


@pytest.fixture
def trusted(data_dir: Path) -> None:
    add_trusted_key(data_dir / "trust", KEY.trusted("my key"))


def test_show_names_versions_licences_and_signer(
    trusted: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = pack(tmp_path, {"sbom.cdx.json": sbom(curl="8.1"), "LICENCES.txt": b"==== curl ===="})
    assert run("show", given) == 0
    shown = capsys.readouterr().out
    assert "signed by my key" in shown
    assert "  pi           1.5.2" in shown
    assert "1 components" in shown
    assert "  curl 8.1 (rootfs; MIT)" in shown
    assert run("show", given, "--licences") == 0
    assert capsys.readouterr().out == "==== curl ====\n"


def test_an_installed_pack_and_its_file_say_the_same(
    trusted: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = pack(tmp_path, {"sbom.cdx.json": sbom(curl="8.1")})
    assert run("show", given, "--sizes", "--json") == 0
    of_file = json.loads(capsys.readouterr().out)
    install(given)
    assert run("show", "--sizes", "--json") == 0
    assert json.loads(capsys.readouterr().out) == of_file
    assert of_file["sizes"]["kernel"]["bytes"] == len(FILES["kernel/vmlinux"][0])
    assert 0 < of_file["sizes"]["kernel"]["compressed_bytes"] < len(FILES["kernel/vmlinux"][0])
    assert sum(size["bytes"] for size in of_file["sizes"].values()) == of_file["size_bytes"]
    assert of_file["sbom"][0]["installed_bytes"] == 1048576


def test_the_table_of_sizes(trusted: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = pack(tmp_path, {"sbom.cdx.json": sbom(small="1", curl="8.1")})
    assert run("show", given, "--sizes") == 0
    shown = capsys.readouterr().out
    assert "| root file system | 0.2 |" in shown
    assert "| curl | 8.1 | 1.00 |" in shown


def test_a_pack_from_before_sboms_says_so(trusted: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = pack(tmp_path, {})
    assert run("show", given) == 0
    assert "carries no SBOM" in capsys.readouterr().out
    assert run("show", given, "--licences") == 1
    assert run("verify", given, "--rebuild") == 1
    assert "does not carry its lock" in capsys.readouterr().err


def test_a_changed_byte_of_an_installed_pack_is_not_shown(
    trusted: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(pack(tmp_path, {"sbom.cdx.json": sbom(curl="8.1")}))
    (folder,) = app_paths().packs_dir.iterdir()
    target = folder / "sbom.cdx.json"
    target.chmod(0o644)
    target.write_bytes(sbom(curl="8.2"))
    assert run("show") == 1
    assert "sbom.cdx.json is not the signed file" in capsys.readouterr().err


def test_audit_names_components_and_files(trusted: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = pack(tmp_path / "a", {"sbom.cdx.json": sbom(curl="8.1", gone="1"), "a": b"1"})
    new = pack(tmp_path / "b", {"sbom.cdx.json": sbom(curl="8.2", born="2"), "b": b"22"}, 2, {"pui/lock": "x"})
    assert run("audit", old, new) == 0
    shown = capsys.readouterr().out
    for line in (
        "    curl 8.1 -> 8.2", "  + born 2", "  - gone 1", "  - a 1 bytes", "  + b 2 bytes", "  + pui/lock x",
        "    version 1 -> 2",
    ):  # fmt: skip
        assert line in shown.splitlines()
    assert run("audit", old, new, "--json") == 0
    value = json.loads(capsys.readouterr().out)
    assert {"name": "curl", "before": "8.1", "after": "8.2"} in value["components"]
    assert run("audit", old, old) == 0
    assert "the two packs are the same" in capsys.readouterr().out


def _recorded(**other: str) -> dict[str, str]:
    """What a pack of this very checkout records; keyword arguments replace one."""
    lock = parse_lock(PACKAGED_LOCK.read_bytes())
    guest = Path(pack_provenance.__file__).parents[1] / "guest"
    own = {RECIPE_SUM: recipe_sum(guest), LOCK_SUM: lock_sum(lock), ZSTD_LEVEL: "1", BUILD_TOOLS: build_tools()}
    return {**own, **{name.replace("_", "/"): value for name, value in other.items()}}


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"pui_recipe": "0" * 64}, "the recipe: the pack was built with 0000"),
        ({"pui_lock": "0" * 64}, "the pack's lock file"),
        ({"pui_tools": "zstd 0.1"}, "the builder's libraries: the pack was built with zstd 0.1, here is zstd 1."),
    ],
)
def test_another_recipe_cannot_prove_a_pack(
    trusted: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], other: dict[str, str], words: str
) -> None:
    given = pack(tmp_path, {"versions.lock": PACKAGED_LOCK.read_bytes()}, components=_recorded(**other))
    assert run("verify", given, "--rebuild") == 1
    assert words in capsys.readouterr().err


def test_the_fingerprint_of_this_checkout(trusted: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("build", "--print-fingerprint") == 0
    first = capsys.readouterr().out.strip()
    assert len(first) == 64
    given = pack(tmp_path, {}, components={FINGERPRINT: first})
    install(given)
    assert run("list", "--json") == 0
    assert json.loads(capsys.readouterr().out)["packs"][0]["fingerprint"] == first


@pytest.mark.parametrize("part", ["show", "audit"])
def test_help_teaches_by_an_example(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(part, "--help")
    assert f"example:\n  pui pack {part}" in capsys.readouterr().out


def test_what_is_no_pack_is_named(trusted: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show") == 1
    assert "pack.missing" in capsys.readouterr().err
    assert run("show", "../../etc") == 1
    assert "neither the id of a pack nor a pack file" in capsys.readouterr().err


def test_a_platform_without_inputs_is_refused_and_nothing_is_made(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    assert run("build", "--platform", "macos-arm64", "--out", out) == 1
    shown = capsys.readouterr().err
    assert "error pack.build: no pack for macos-arm64 can be built, an input is missing: QEMU for macOS" in shown
    assert run("build", "--platform", "linux-aarch64", "--install", "--out", out) == 1
    assert "a pack for linux-aarch64 cannot be installed on this computer" in capsys.readouterr().err
    assert run("build", "--platform", "linux-aarch64", "--print-fingerprint") == 0
    arm = capsys.readouterr().out
    assert run("build", "--print-fingerprint") == 0
    assert capsys.readouterr().out != arm
    assert not (tmp_path / "out").exists()
