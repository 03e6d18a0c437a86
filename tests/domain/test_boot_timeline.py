"""The boot's stages add up to the boot, and a guest's marks are believed only where they fit the host's clock.

In: journals with the moments of a boot. Out: verdicts. Never: a machine.
"""

from __future__ import annotations

from typing import Any

import pytest

from pui.domain.boot_timeline import MARK_ORDER, STAGES, BootStage, boot_timeline
from pui.domain.journal import Record

MS = 1_000_000
MARKS = {"init": 1000, "modules": 1100, "root": 1200, "pid1": 1300, "ports": 1400, "configured": 1600, "spawn": 1700}


def boot(marks: Any = None, *, until: str = "answer", hello_ms: int = 2000) -> list[Record]:
    """QEMU ordered at 0, its monitor at 300 ms, hello at 2000 ms, pi's answer at 9000 ms."""
    told: list[tuple[int, str, dict[str, Any]]] = [
        (0, "transition", {"to": "qemu-launch"}),
        (300, "acquired", {"name": "qemu"}),
        (310, "transition", {"to": "handshake"}),
        (hello_ms, "fact", {"facts": {"guest": "1", "guest_kernel": "6"}}),
        (9000, "fact", {"facts": {"boot_marks_ms": MARKS if marks is None else marks}}),
    ]
    length = {"order": 1, "monitor": 3, "hello": 4, "answer": 5}[until]
    records = [Record(1, 0, "created", None, {})]
    return records + [Record(i, at * MS, kind, None, fields) for i, (at, kind, fields) in enumerate(told[:length], 2)]


def names(stages: tuple[BootStage, ...]) -> list[str]:
    return [stage.stage for stage in stages]


def test_the_stages_of_a_whole_boot_follow_each_other_without_a_gap() -> None:
    stages = boot_timeline(boot())
    assert names(stages) == ["qemu", "firmware", *MARK_ORDER, "answer"]
    assert [(stage.spent_ns or 0) // MS for stage in stages] == [300, 300, 1000, 100, 100, 100, 100, 200, 100, 6700]
    assert all(one.at_ns + (one.spent_ns or 0) == other.at_ns for one, other in zip(stages, stages[1:], strict=False))
    assert set(names(stages)) < set(STAGES)


@pytest.mark.parametrize(
    "marks",
    [
        {},
        {"ports": 10**12},
        {"ports": 1900},
        {"ports": 100, "spawn": 10**9},
        {"ports": True, "init": "7"},
        "no object",
    ],
    ids=["none", "absurd", "before the monitor", "after the answer", "no numbers", "no object"],
)
def test_marks_that_do_not_fit_are_not_believed(marks: Any) -> None:
    stages = boot_timeline(boot(marks))
    assert names(stages) == ["qemu", "kernel", "answer"]
    assert [(stage.spent_ns or 0) // MS for stage in stages] == [300, 1700, 7000]


def test_marks_out_of_order_and_unknown_ones_are_passed_over() -> None:
    stages = boot_timeline(boot({"init": 1000, "modules": 500, "ports": 1400, "evil\x1b": 1}))
    assert names(stages) == ["qemu", "firmware", "init", "ports", "answer"]


@pytest.mark.parametrize(
    ("until", "told"),
    [("order", ["qemu"]), ("monitor", ["qemu", "hello"]), ("hello", ["qemu", "kernel", "answer"])],
)
def test_a_boot_that_goes_on_has_a_stage_without_end(until: str, told: list[str]) -> None:
    stages = boot_timeline(boot(until=until))
    assert names(stages) == told
    assert [stage.spent_ns is None for stage in stages] == [False] * (len(told) - 1) + [True]


def test_a_boot_that_failed_shows_how_long_it_waited() -> None:
    records = boot(until="monitor")
    records.append(Record(9, 60_300 * MS, "transition", None, {"to": "teardown"}))
    stages = boot_timeline(records)
    assert (stages[-1].stage, stages[-1].spent_ns) == ("hello", 60_000 * MS)


def test_only_the_newest_boot_counts_and_none_is_no_boot() -> None:
    assert boot_timeline([Record(1, 0, "created", None, {})]) == ()
    assert len(boot_timeline(boot(until="hello") + boot(until="monitor"))) == 2


def test_a_clock_that_was_set_back_makes_no_negative_stage() -> None:
    stages = boot_timeline(boot({}, hello_ms=-5000))
    assert all((stage.spent_ns or 0) >= 0 for stage in stages)
