"""Where the time of a boot went: from the order to start QEMU to pi's first answer, stage by stage.

In: a task's journal. Out: stages in order, each with its start and its duration. Never: a clock, trust in the guest:
its marks are only used where they fit between two moments of the host's own clock.

The host knows when QEMU was ordered, when its monitor answered, when the guest said hello and when pi answered. The
guest's marks (protocol.md: `mark`) count from the start of its kernel; its hello follows the mark `ports` at once, so
that mark ties the two clocks together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pui.domain.events import JsonValue
from pui.domain.journal import Record

HELLO_MARK = "ports"
MARK_ORDER = ("init", "modules", "root", "pid1", "ports", "configured", "spawn")
"""Other marks of a guest (a later version's) are passed over."""
STAGES = ("qemu", "firmware", *MARK_ORDER, "answer", "kernel", "hello")
"""Every stage there is; `kernel` and `hello` stand for all inside when its marks do not fit. The page has the words."""


@dataclass(frozen=True)
class BootStage:
    """`stage` is one of STAGES. `spent_ns` is None for a stage that never ended: the boot failed or goes on in it."""

    stage: str
    at_ns: int
    spent_ns: int | None


@dataclass(frozen=True)
class _Moments:
    """The host's own moments; 0 for what has not happened."""

    ordered_ns: int = 0
    monitor_ns: int = 0
    hello_ns: int = 0
    answer_ns: int = 0


def boot_timeline(records: Sequence[Record]) -> tuple[BootStage, ...]:
    """The stages of the newest boot; nothing before QEMU was ordered."""
    last = max((i for i, record in enumerate(records) if _enters(record, "qemu-launch")), default=None)
    if last is None:
        return ()
    boot = records[last:]
    moments = _moments(boot)
    ends = [("qemu", moments.monitor_ns), *_guest_ends(moments, _marks(boot)), ("answer", moments.answer_ns)]
    stages: list[BootStage] = []
    at_ns = moments.ordered_ns
    for stage, end_ns in ends:
        if not end_ns:
            has_left = any(_enters(record, "teardown") for record in boot)
            return (*stages, BootStage(stage, at_ns, _spent(boot, at_ns) if has_left else None))
        end_ns = max(end_ns, at_ns)  # the clock of the system may be set back
        stages.append(BootStage(stage, at_ns, end_ns - at_ns))
        at_ns = end_ns
    return tuple(stages)


def _enters(record: Record, state: str) -> bool:
    return record.type == "transition" and record.fields.get("to") == state


def _spent(boot: Sequence[Record], at_ns: int) -> int:
    """A stage in which the boot ended lasted until the task left its state."""
    left_ns = next(record.at_ns for record in boot if _enters(record, "teardown"))
    return max(0, left_ns - at_ns)


def _moments(boot: Sequence[Record]) -> _Moments:
    monitor_ns = hello_ns = answer_ns = 0
    for record in boot:
        facts = record.fields.get("facts")
        known = facts if record.type == "fact" and isinstance(facts, dict) else {}
        if record.type == "acquired" and record.fields.get("name") == "qemu":
            monitor_ns = record.at_ns
        elif "guest_kernel" in known:
            hello_ns = record.at_ns
        elif "boot_marks_ms" in known:
            answer_ns = record.at_ns
    return _Moments(boot[0].at_ns, monitor_ns, hello_ns, answer_ns)


def _marks(boot: Sequence[Record]) -> dict[str, int]:
    """stage -> ms since the start of the kernel, only those of MARK_ORDER that grow in that order."""
    told: JsonValue = None
    for record in boot:
        facts = record.fields.get("facts")
        if isinstance(facts, dict):
            told = facts.get("boot_marks_ms", told)
    marks: dict[str, int] = {}
    for stage in MARK_ORDER:
        value = told.get(stage) if isinstance(told, dict) else None
        if type(value) is int and value >= max(marks.values(), default=0):
            marks[stage] = value
    return marks


def _guest_ends(moments: _Moments, marks: Mapping[str, int]) -> list[tuple[str, int]]:
    """(stage, its end) of what happened inside; one stage for all of it when the marks do not fit the host's clock."""
    if not moments.monitor_ns or not moments.hello_ns:
        return [("hello", 0)]
    kernel_ns = moments.hello_ns - marks.get(HELLO_MARK, 0) * 1_000_000
    last_ns = kernel_ns + max(marks.values(), default=0) * 1_000_000
    if HELLO_MARK not in marks or kernel_ns < moments.monitor_ns or last_ns > moments.answer_ns:
        return [("kernel", moments.hello_ns)]
    return [("firmware", kernel_ns), *((stage, kernel_ns + ms * 1_000_000) for stage, ms in marks.items())]
