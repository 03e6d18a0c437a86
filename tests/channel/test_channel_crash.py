"""Threats C1, C2 and C5 for what comes and goes over a channel: publications, rotations, downloads, updates.

In: every write, sync and rename of each, killed there, with what was not durable torn away; then whoever comes next,
killed as well. Out: the old offer or the new one, the old pack or the new one. Never: a mixture, a leftover.
"""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pui.domain.errors import PuiError
from tests.packs.test_install_crash import failing_ops
from tests.support.channel_crash_driver import NEW, OLD
from tests.support.channel_rig import ChannelRig

ROOT = Path(__file__).parents[2]
OFFERS = {
    "publish": [OLD, NEW],
    "first-publish": ["nothing", "fetch.http", NEW],
    "renew": [OLD],
    "rotate": [OLD],
    "update": [NEW],
    "update-whole": [NEW],
    "update-rotated": [NEW],
    "repair": [NEW],
}
"""What another computer may be offered, in this order and never back again."""
CASES = [(way, "torn") for way in OFFERS] + [("publish", "plain"), ("rotate", "plain"), ("update", "plain")]
SLOW = [("first-publish", "torn"), ("update-whole", "torn"), ("update-rotated", "torn"), ("publish", "plain")]


def crashes(folder: Path, way: str, how: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "tests.support.channel_crash_driver", str(folder), way, how]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, timeout=280, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("way", "how"),
    [
        pytest.param(
            way,
            how,
            id=f"C1-C5{'-C2' * (how == 'torn')}-{way}-{how}",
            marks=[pytest.mark.slow] if (way, how) in SLOW else [],
        )
        for way, how in CASES
    ],
)
def test_killed_at_every_step(quick_dir: Path, way: str, how: str) -> None:
    found = crashes(quick_dir, way, how)

    assert [line["lived"] for line in found] == [False] * (len(found) - 1) + [True]
    assert len(found) > 20, "the act has fewer steps than it must have"
    offers = OFFERS[way]
    for line in found:
        assert line["offered"] in offers and line["offered_again"] in offers, line
        assert offers.index(line["offered"]) <= offers.index(line["offered_again"]), line
        assert (line["then_offered"], line["rubbish"]) == (offers[-1], []), line
    if way.startswith("update"):
        ends_of_an_update(found)
    elif way == "repair":
        assert {line["active"] for line in found} == {NEW, "pack.corrupt"}, "less broken, and refused until it is whole"
        assert {line["then_active"] for line in found} == {NEW}
    else:
        assert any(line["drafts"] and line["cleaned"] for line in found), "who cleans says so"


def ends_of_an_update(found: list[dict[str, Any]]) -> None:
    for line in found:
        assert line["active"] in (OLD, NEW) and line["active_again"] in (OLD, NEW), line
        assert line["active"] <= line["active_again"], line
        assert line["then_active"] == NEW, line
    assert {line["active"] for line in found} == {OLD, NEW}


FAULTS = [
    pytest.param(OSError(errno.ENOSPC, "No space left"), "host.disk_full", True, id="C7-full"),
    pytest.param(OSError(errno.EROFS, "Read-only file system"), "host.permission", True, id="C6-read-only"),
    pytest.param(OSError(errno.EIO, "Input/output error"), "host.permission", False, id="C7-io-once"),
]


@pytest.mark.parametrize(("error", "code", "lasting"), FAULTS)
def test_a_publication_that_fails_at_every_step(rig: ChannelRig, error: OSError, code: str, *, lasting: bool) -> None:
    before, refused = without_timestamp(tree(rig.folder)), 0
    with rig.served() as (address, _):
        for step in range(100):
            ops = failing_ops(error, step, lasting=lasting)
            try:
                rig.publish(NEW, ops=ops)
            except PuiError as refusal:
                refused += 1
                assert refusal.code == code, (step, refusal)
                assert not list(rig.folder.rglob("*.draft")), step
                assert rig.check(address).verified.manifest.pack_version in (OLD, NEW), step
                assert before.items() <= tree(rig.folder).items(), "what the old offer needs stays as it was"
            if len(ops.steps) <= step:
                break
        assert rig.check(address).verified.manifest.pack_version == NEW
    assert refused > 20


@pytest.mark.parametrize(("error", "code", "lasting"), FAULTS)
def test_an_update_that_fails_at_every_step(rig: ChannelRig, error: OSError, code: str, *, lasting: bool) -> None:
    refused = 0
    with rig.served() as (address, _):
        rig.update(address)
        rig.publish(NEW)
        for step in range(60):
            ops = failing_ops(error, step, lasting=lasting)
            updater = rig.updater(address, ops=ops)
            try:
                updater.download(updater.check())
            except PuiError as refusal:
                refused += 1
                assert refusal.code == code, (step, refusal)
            assert rig.shop.store.verify().manifest.pack_version == OLD, step
            rig.forget_cache()
            if len(ops.steps) <= step:
                break
        assert rig.update(address).pack.manifest.pack_version == NEW
    assert refused > 5
    assert not list(rig.base.rglob("*.draft"))


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def without_timestamp(found: dict[str, bytes]) -> dict[str, bytes]:
    return {path: data for path, data in found.items() if not path.endswith("timestamp.json")}


def test_a_rotation_without_the_keys_before(rig: ChannelRig) -> None:
    """Only those of the root are needed; the documents then carry one signature each."""
    fresh = rig.new_keys("fresh")
    for name in ("targets", "snapshot", "timestamp"):
        (rig.base / "keys" / f"{name}.pem").unlink()
    rig.publish(rotate_to=fresh)
    with rig.served() as (address, _):
        assert rig.check(address).verified.manifest.pack_version == OLD


def test_release_keys_that_a_torn_rotation_left_behind_are_mended(rig: ChannelRig) -> None:
    """As channels of an earlier pui could be left: the new root, and envelopes that only the old keys signed."""
    fresh = rig.new_keys("fresh")
    old = tree(rig.folder)
    rig.publish(rotate_to=fresh)
    for path, data in old.items():
        Path(path).write_bytes(data)
    rig.keys = fresh
    with rig.served() as (address, _):
        with pytest.raises(PuiError, match=r"index\.untrusted"):
            rig.check(address)
        rig.publish()
        assert rig.check(address).verified.manifest.pack_version == OLD
