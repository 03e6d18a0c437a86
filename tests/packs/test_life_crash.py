"""Threats C3 to C5 and C10 under SIGKILL at every write, fsync and rename, with what was not durable torn away.

In: installs, promotions, fall-backs, roll-backs and collections that die, and recoveries that die. Out: the state
before or the state after, the slots and the journal agreeing. Never: a mixture, a reason that is lost.
"""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pui.domain.errors import PuiError
from tests.packs.test_install_crash import failing_ops
from tests.support.faulty_ops import CountingOps
from tests.support.life_crash_driver import WAYS, prepare, state_of
from tests.support.pack_shop import PackShop

KEYS = ("active", "previous", "states", "folders")
IDS = {"install": "C1-C2", "collect": "C3", "roll-back": "C4", "fall-back": "C10", "first-fails": "C10"}


def crashes(folder: Path, way: str, how: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "tests.support.life_crash_driver", str(folder), way, how]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, check=True, capture_output=True, timeout=280, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


CASES = [(way, "torn") for way in WAYS if way != "repair"] + [("fall-back", "plain"), ("roll-back", "plain")]


@pytest.mark.parametrize(
    ("way", "how"), [pytest.param(way, how, id=f"{IDS.get(way, 'C5')}-{way}-{how}") for way, how in CASES]
)
def test_killed_at_every_step(tmp_path: Path, way: str, how: str) -> None:
    found = crashes(tmp_path, way, how)
    before, after = ends(found, tmp_path)

    assert [line["lived"] for line in found] == [False] * (len(found) - 1) + [True]
    assert len(found) > 2
    for line in found:
        state = {key: line[key] for key in KEYS}
        assert state in allowed(way, before, after), line
        assert (line["behind"], line["staging"], line["said_again"]) == (0, 0, 0), line
        assert set(line["reasons"].values()) <= {"guest.boot_timeout", ""}, line
        if way in ("fall-back", "first-fails"):
            assert ("3" in line["reasons"]) == (line["active"] != 3), "who falls back says why"
        assert line["at_once"] in (before["active"], after["active"]), line


@pytest.mark.parametrize("how", [pytest.param(how, id=f"C1-C2-C5-repair-{how}") for how in ("plain", "torn")])
def test_a_repair_killed_at_every_step(tmp_path: Path, how: str) -> None:
    found = crashes(tmp_path, "repair", how)

    assert [line["lived"] for line in found] == [False] * (len(found) - 1) + [True]
    assert len(found) > 30
    for line in found:
        assert line["at_once"] in (3, "pack.corrupt"), line
        assert line["active"] in (3, "pack.corrupt"), "less broken, and refused until it is whole"
        assert (line["folders"], line["previous"], line["sound"]) == ([2, 3], 2, 3), line
        assert (line["behind"], line["staging"], line["said_again"]) == (0, 0, 0), line
    assert {"pack.corrupt", 3} == {line["active"] for line in found}


def ends(found: list[dict[str, Any]], folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    whole = PackShop(folder / "prepared")
    return json.loads(json.dumps({key: state_of(whole)[key] for key in KEYS})), {key: found[-1][key] for key in KEYS}


def allowed(way: str, before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, Any]]:
    """Before, after; and between them only packs that nobody needs and that have not been collected yet."""
    states = [before, after]
    if way == "install":
        uncollected = {**after["states"], "1": "retired"}
        states.append({**after, "folders": [1, 2, 3], "states": uncollected})
    if way == "collect":
        for left in ([1, 2], [2, 3], [1, 2, 3]):
            kept = {name: state for name, state in before["states"].items() if int(name) in left}
            states.append({**before, "folders": left, "states": kept})
    if way == "boots-after-all":
        states.append({**before, "states": {"2": "active", "3": "retired"}})
        states.append({**after, "previous": None, "states": {"2": "retired", "3": "active"}})
    if way.startswith("roll-back"):  # the way forward may be lost to the crash, never the pack that runs
        states.append({**after, "previous": None, "states": {"2": "active", "3": "retired"}})
    return states


READ_ONLY = OSError(errno.EROFS, "Read-only file system")
FULL = OSError(errno.ENOSPC, "No space left")
IO_ONCE = OSError(errno.EIO, "Input/output error")
FAULTS = [
    pytest.param("install", FULL, True, id="C7-install-full"),
    pytest.param("fall-back", READ_ONLY, True, id="C6-fall-back-read-only"),
    pytest.param("fall-back", IO_ONCE, False, id="C7-fall-back-io-once"),
    pytest.param("roll-back", FULL, True, id="C7-roll-back-full"),
    pytest.param("roll-back", IO_ONCE, False, id="C7-roll-back-io-once"),
    pytest.param("collect", IO_ONCE, False, id="C7-collect-io-once"),
]


@pytest.mark.parametrize(("way", "error", "lasting"), FAULTS)
def test_fails_at_every_step(tmp_path: Path, way: str, error: OSError, *, lasting: bool) -> None:
    packs, act = WAYS[way]
    prepare(tmp_path / "prepared", packs)
    for step in range(200):
        base = tmp_path / str(step)
        shutil.copytree(tmp_path / "prepared", base)
        shop = PackShop(base)
        before = state_of(shop)["active"]
        ops = failing_ops(error, step, lasting=lasting)
        refusal = ""
        try:
            act(shop, shop.life(ops))
        except PuiError as fault:
            refusal = fault.code
        assert refusal in ("", "host.permission", "host.disk_full"), (step, refusal)
        assert state_of(shop)["active"] in (before, 2, 3), step
        shop.life().recover()
        found = state_of(shop)
        assert (found["behind"], found["staging"]) == (0, 0), (step, found)
        assert isinstance(found["active"], int), step
        if len(ops.steps) <= step:
            return
    pytest.fail("the act has no end")


def test_the_number_of_steps_is_not_zero(shop: PackShop) -> None:
    """A driver whose operations are not counted would prove nothing."""
    ops = CountingOps(lambda step, name: None)
    prepare(shop.base, ("1", "2"))
    WAYS["roll-back"][1](shop, shop.life(ops))
    assert {"write", "sync", "rename", "open_append", "open_new"} <= set(ops.steps)
