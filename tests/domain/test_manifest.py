"""In: manifests, good and bent. Out: the model, the bytes, or the named fault with its place. Never: a file."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from pui.domain.errors import SetupError
from pui.domain.manifest import MAX_FILES, parse_manifest, render_manifest, version_tuple
from pui.domain.pack_path import clash_fault, path_fault
from tests.support.pack_simulator import PackSim, canonical, file_entry

GOOD = PackSim().build().manifest


def test_reads_and_writes_the_same_bytes() -> None:
    manifest = parse_manifest(GOOD)

    assert render_manifest(manifest) == GOOD
    assert manifest.files[0].path == "guest/base.qcow2"
    assert [file.mode for file in manifest.files] == [0o644, 0o644, 0o644, 0o755, 0o755]
    assert manifest.components == {"qemu": "10.0", "pi": "1.5.2"}


def test_nobody_signs_what_nobody_can_install() -> None:
    manifest = parse_manifest(GOOD)
    bad = dataclasses.replace(manifest.files[0], path="../x")

    with pytest.raises(SetupError, match=r"pack\.bad_path"):
        render_manifest(dataclasses.replace(manifest, files=(bad, *manifest.files[1:])))
    with pytest.raises(SetupError, match=r"pack\.malformed: total_size is 1"):
        render_manifest(dataclasses.replace(manifest, total_size_bytes=1))


@pytest.mark.parametrize("key", sorted(json.loads(GOOD)))
@pytest.mark.parametrize("value", [None, True, -1, 2**80, "", [], {}, [[]], "\u202e", {"x": {}}])
def test_wrong_type_of_any_field_is_named(key: str, value: object) -> None:
    table = json.loads(GOOD)
    table[key] = value
    if key == "components" and value == {}:
        return  # a pack may name no components

    with pytest.raises(SetupError) as caught:
        parse_manifest(canonical(table))
    assert caught.value.code == "pack.malformed"
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("key", sorted(json.loads(GOOD)))
def test_missing_field_is_named(key: str) -> None:
    table = json.loads(GOOD)
    del table[key]

    with pytest.raises(SetupError, match=f"pack.malformed.*({key}|unknown schema)"):
        parse_manifest(canonical(table))


def bent(change: Callable[[dict[str, Any]], None]) -> bytes:
    table = json.loads(GOOD)
    change(table)
    return canonical(table)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda t: t["files"][1].update(size=True), r"files\[1\]\.size"),
        (lambda t: t["files"][1].pop("sha256"), r"files\[1\]\.sha256"),
        (lambda t: t["files"][1].update(mode="0777"), r"files\[1\]\.mode"),
        (lambda t: t["files"].insert(2, 7), r"files\[2\]"),
        (lambda t: t["compatibility"].update(app_min="1.0"), r"compatibility\.app_min"),
        (lambda t: t["compatibility"].update(guest_protocol=0), r"compatibility\.guest_protocol"),
        (lambda t: t["components"].update(qemu="a\nb"), r"components\.qemu"),
        (lambda t: t["components"].update({"q\u202e": "1"}), "components has the name"),
        (lambda t: t["payload"].update(name="../x.tar.zst"), r"payload\.name"),
        (lambda t: t["payload"].update(size=0), r"payload\.size"),
        (lambda t: t.update(created="2026-02-30T00:00:00Z"), "created"),
    ],
)
def test_the_place_is_named(change: Callable[[dict[str, Any]], None], place: str) -> None:
    with pytest.raises(SetupError, match=f"pack.malformed: .*{place}"):
        parse_manifest(bent(change))


def test_the_largest_allowed_list_of_files() -> None:
    entries = [file_entry(f"f{number:06}", b"", 0o644) for number in range(MAX_FILES)]

    assert len(parse_manifest(bent(lambda t: t.update(files=entries, total_size=0))).files) == MAX_FILES


@pytest.mark.parametrize(
    "path",
    [
        "a",
        "qemu/bin/qemu-system",
        "a b/c",
        "...a",
        "a.b.c",
        "communication.txt",
        "é/ü",
        "con-x",
        "x/.hidden",
        "a" * 255,
    ],
)
def test_allowed_paths(path: str) -> None:
    assert path_fault(path) is None


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("", "empty"),
        ("/a", "absolute"),
        ("a/", "empty part"),
        ("a//b", "empty part"),
        ("..", r"'\.\.'"),
        ("a/../b", r"'\.\.'"),
        ("./a", r"'\.'"),
        ("a\\b", "forbidden character"),
        ("c:x", "forbidden character ':'"),
        ("a\x7f", r"U\+007F"),
        ("a\u2028b", r"U\+2028"),
        ("a\u200fb", r"U\+200F"),
        ("\ufeffa", r"U\+FEFF"),
        ("\ud800", r"U\+D800"),
        ("a*b", "forbidden character"),
        ("NUL", "device"),
        ("x/aux.tar.gz", "device"),
        ("com1 .txt", "device"),
        ("COM¹", "device"),
        ("x./y", "edge"),
        ("x /y", "edge"),
        (" x", "edge"),
        (".pui/stat.json", "reserved"),
        (".PUI", "reserved"),
        ("A\u030a", "NFC"),
        ("a" * 256, "longer"),
        ("é" * 128, "longer"),
        ("a/" * 32 + "a", "parts"),
    ],
)
def test_forbidden_paths(path: str, why: str) -> None:
    fault = path_fault(path)
    assert fault is not None
    assert re.search(why, fault), fault


@pytest.mark.parametrize(
    "paths",
    [["a", "a"], ["A", "a"], ["ß", "ss"], ["é", "É"], ["a", "a/b"], ["A", "a/b"], ["x/a", "X/b"], ["x/Y/a", "x/y/b"]],
)
def test_clashing_paths(paths: list[str]) -> None:
    assert clash_fault(paths) is not None
    assert clash_fault(paths[::-1]) is not None


def test_paths_that_only_look_alike_do_not_clash() -> None:
    assert clash_fault(["a", "ab", "a-b/c", "a.b/c", "b/a", "b/ab"]) is None


def test_versions_are_compared_as_numbers() -> None:
    assert version_tuple("0.10.0") > version_tuple("0.9.9")
    with pytest.raises(SetupError, match=r"pack\.malformed"):
        version_tuple("1.2.3rc1")


@pytest.mark.parametrize("count", [256, 257])
def test_a25_more_components_than_anybody_needs(count: int) -> None:
    data = bent(lambda table: table.update(components={f"part-{number}": "1" for number in range(count)}))
    if count == 256:
        assert len(parse_manifest(data).components) == count
        return
    with pytest.raises(SetupError, match=r"pack\.malformed: components has 257 entries"):
        parse_manifest(data)
