"""The machine's own mirrors: both forms of apt's source files, variables, refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from pui.domain.errors import PuiError
from pui.packbuild.lock import LockedInput
from pui.packbuild.mirrors import (
    AptSource,
    DebianMirror,
    choose_debian_mirror,
    debian_address,
    npm_registry,
    parse_deb822_sources,
    parse_one_line_sources,
    read_apt_sources,
)

ONE_LINE = """
# deb http://off.example/debian trixie main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian/ bookworm main contrib
deb-src http://mirror.example/debian bookworm main
  deb https://mirror.example/debian-security bookworm-security main # why
"""

DEB822 = """Types: deb deb-src
# a comment inside
URIs: http://a.example/debian/
 http://b.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /k.gpg

Types: deb
Enabled: no
URIs: http://off.example/debian
Suites: sid

Types: deb-src
URIs: http://source.example/debian
Suites: sid
"""


def test_one_line_form() -> None:
    assert parse_one_line_sources(ONE_LINE) == [
        AptSource("http://mirror.example/debian", "bookworm", "/k.gpg"),
        AptSource("https://mirror.example/debian-security", "bookworm-security", ""),
    ]


def test_deb822_form_skips_disabled_and_source_stanzas() -> None:
    found = parse_deb822_sources(DEB822)
    assert {source.base for source in found} == {"http://a.example/debian", "http://b.example/debian"}
    assert len(found) == 4
    assert all(source.signed_by == "/k.gpg" for source in found)


def test_both_forms_are_read_and_other_files_are_not(tmp_path: Path) -> None:
    folder = tmp_path / "sources.list.d"
    folder.mkdir()
    (tmp_path / "sources.list").write_text(ONE_LINE)
    (folder / "a.sources").write_text(DEB822)
    (folder / "b.sources.off").write_text(DEB822)
    assert len(read_apt_sources(tmp_path)) == 6


def test_no_source_files_at_all(tmp_path: Path) -> None:
    assert read_apt_sources(tmp_path) == []


def test_the_debian_archive_is_found_among_others() -> None:
    sources = [AptSource("http://x.example/notdebian", "s", ""), *parse_one_line_sources(ONE_LINE)]
    mirror = choose_debian_mirror(sources, {})
    assert mirror == DebianMirror("http://mirror.example/debian", "https://mirror.example/debian-security")


def test_the_variable_wins() -> None:
    environment = {"PUI_DEBIAN_MIRROR": "http://m.example/debian/"}
    assert choose_debian_mirror(parse_one_line_sources(ONE_LINE), environment) == DebianMirror(
        "http://m.example/debian", None
    )


def test_no_debian_archive_is_a_named_error_with_advice() -> None:
    with pytest.raises(PuiError) as caught:
        choose_debian_mirror([AptSource("http://x.example/ubuntu", "noble", "")], {})
    assert caught.value.code == "pack.build"
    assert "PUI_DEBIAN_MIRROR" in caught.value.hint


def test_addresses_keep_what_is_special_in_versions() -> None:
    item = LockedInput("debian", "x", "1", "pool/x_1+b2~rc_all.deb", 1, "a" * 64, ("tools",))
    mirror = DebianMirror("http://m.example/debian", None)
    assert debian_address(mirror, item) == "http://m.example/debian/pool/x_1+b2~rc_all.deb"


def test_a_security_input_without_a_security_archive_is_refused() -> None:
    item = LockedInput("debian-security", "x", "1", "pool/x_1_all.deb", 1, "a" * 64, ("tools",))
    with pytest.raises(PuiError, match="security archive"):
        debian_address(DebianMirror("http://m.example/debian", None), item)


def test_the_registry_of_the_environment_is_used_without_npm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pui.packbuild.mirrors.find_program", lambda name: None)
    assert npm_registry({"NPM_CONFIG_REGISTRY": "https://n.example/npm/"}) == "https://n.example/npm"
    with pytest.raises(PuiError, match="no npm registry"):
        npm_registry({})
