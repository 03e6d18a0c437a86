"""Every fuzz target for a moment, without the fuzzer: its seeds, and changes of them that are always the same.

In: seeds and a seeded generator. Out: silence, or the finding with the bytes that made it. Never: a clock.
"""

from __future__ import annotations

import random

import pytest

from tests.fuzz.mutation import mutated
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS

RUNS = 800


@pytest.mark.parametrize("target", [pytest.param(target, id=name) for name, target in TARGETS.items()])
def test_seeds_and_changes_of_them(target: Target) -> None:
    rng = random.Random(target.name)
    seeds = list(target.seeds())
    for seed in [*seeds, b""]:
        target.run(seed)
    for number in range(RUNS // target.cost):
        data = mutated(rng, rng.choice(seeds), target.limit_bytes, is_json=target.is_json)
        try:
            target.run(data)
        except Exception as error:
            pytest.fail(f"change {number} of {target.name}: {error!r} for {data!r}")
