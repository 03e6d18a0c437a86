"""Threats A20 to A22 by figures: memory while a bomb, or a large pack, goes through.

In: a child process that reports its own peak. Out: peaks below 64 MiB, interpreter included. Never: a time.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.packs.test_hostile_packs import forged_size, lying_bomb, wide_window
from tests.support.pack_shop import PackShop
from tests.support.pack_simulator import PackSim, compress

LIMIT_KIB = 64 * 1024


def large() -> PackSim:
    noise = random.Random(1).randbytes(1 << 20)
    return PackSim(files={f"f{number:02}": (noise * 12, 0o644) for number in range(8)})


def hidden_behind_a_lie() -> PackSim:
    """The frame announces what the manifest allows; the blocks bring 2.5 GiB."""
    return PackSim(archive=lying_bomb)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        pytest.param(hidden_behind_a_lie, "pack.checksum", id="A20-bomb"),
        pytest.param(
            lambda: PackSim(archive=lambda tar: compress(bytes(300 << 20))), "pack.too_large", id="A20-honest"
        ),
        pytest.param(lambda: PackSim(archive=wide_window), "pack.too_large", id="A21-window"),
        pytest.param(lambda: PackSim(archive=forged_size(2**40)), "pack.too_large", id="A22-announced"),
        pytest.param(large, "installed", id="A1-large"),
    ],
)
def test_peak_memory(tmp_path: Path, make: Callable[[], PackSim], code: str) -> None:
    shop = PackShop(tmp_path)
    shop.source(make().build())
    command = [sys.executable, "-m", "tests.support.memory_child", str(tmp_path)]
    child = subprocess.run(
        command, cwd=Path(__file__).parents[2], check=True, capture_output=True, timeout=280, text=True
    )
    found = json.loads(child.stdout)

    assert found["code"] == code
    assert found["peak_kib"] < LIMIT_KIB, found
