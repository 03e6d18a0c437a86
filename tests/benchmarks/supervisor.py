"""What pui itself adds to a task: the whole life of one with programs in QEMU's place that answer at once.

In: the fake pack of the tests. Out: milliseconds a task, by stage. Never: a real QEMU.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks.report import Table, middle
from tests.support.app_process import Base, real_services, supervisor_of
from tests.support.machines import short_folder


def measure(_pack: Path, rounds: int) -> list[Table]:
    """Two empty Python programs are the floor: the fakes of qemu-img and QEMU are such programs."""
    with short_folder() as folder:
        base = Base(folder).prepare()
        tasks = [asyncio.run(_task(base)) for _ in range(rounds)]
    floor = [_two_empty_programs() for _ in range(rounds)]
    rows = [
        ("floor: two empty Python programs", f"{middle(floor) * 1000:.0f}", f"{min(floor) * 1000:.0f}"),
        ("a whole task over fakes", f"{middle(tasks) * 1000:.0f}", f"{min(tasks) * 1000:.0f}"),
    ]
    return [Table("supervisor", ("what", "median ms", "least ms"), rows)]


async def _task(base: Base) -> float:
    supervisor = supervisor_of(real_services(base))
    before_s = time.monotonic()
    task_id = supervisor.create(base.spec)
    supervisor.trigger(task_id, "start")
    view = await supervisor.wait(task_id)
    took_s = time.monotonic() - before_s
    await supervisor.shutdown()
    if view.outcome is None or view.outcome.result != "completed":
        raise RuntimeError(f"the task did not complete: {view.outcome}")
    return took_s


def _two_empty_programs() -> float:
    before_s = time.monotonic()
    for _ in range(2):
        subprocess.run([sys.executable, "-IS", "-c", "pass"], check=True)
    return time.monotonic() - before_s
