"""From QEMU's process start to pi's answer, stage by stage, against two floors of the same run.

In: the pack, a number of rounds. Out: medians and minima. Never: a threshold (the machine may be busy).
Floors: "probe" is the same QEMU and kernel to the first process of a trivial initrd; "node" is Node with an empty
script, started in an equal machine at the point where pi would start.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from pathlib import Path

from pui.domain.launch_plan import ListenPath, ProbeInputs, plan_probe
from pui.domain.qemu_args import qemu_argv, qemu_env
from tests.benchmarks.machine import PLATFORM, Timed, cpu_seconds, running, shared_folder
from tests.benchmarks.report import Table, middle

STAGES = (
    ("kernel", "QEMU starts, firmware, kernel's entry"),
    ("init", "kernel to its first process"),
    ("modules", "6 kernel modules"),
    ("root", "root file system mounted"),
    ("pid1", "PID 1 runs from it"),
    ("ports", "virtio ports open"),
    ("hello", "hello at the host"),
    ("configured", "workspace mounted, files, environment"),
    ("spawn", "pi's process started"),
    ("answer", "get_state answered: Node and pi"),
)
NODE = ("/usr/bin/node", "-e", "0")


def measure(pack: Path, rounds: int) -> list[Table]:
    """Interleaved, so that a busy minute meets all of them."""
    pi, node, probe, ends = [], [], [], []
    for _ in range(rounds):
        probe.append(_probe(pack))
        node.append(_node(pack))
        timed, end_s = _pi(pack)
        pi.append(timed)
        ends.append(end_s)
    return [_stage_table(pi), _floor_table(pi, node, probe), _end_table(ends)]


def _pi(pack: Path) -> tuple[Timed, float]:
    with shared_folder() as folder, running(pack, folder) as machine:
        machine.hello()
        machine.configure("9p", None)
        machine.ask_pi()
        marks = machine.guest_marks()
        machine.timed.wall_s |= {stage: at for stage, at in marks.items() if stage not in ("configured", "hello")}
        return machine.timed, machine.power_off()


def _node(pack: Path) -> tuple[float, float]:
    """Wall and CPU seconds of an empty script, cold as pi's start is."""
    with shared_folder() as folder, running(pack, folder) as machine:
        machine.hello()
        script = ("/bin/sh", "-c", f"{' '.join(NODE)}; echo done")
        machine.configure("9p", script)
        machine.output_of_agent()
        timed = machine.timed
        return (
            timed.wall_s["exited"] - timed.wall_s["configured"],
            timed.cpu_s["exited"] - timed.cpu_s["configured"],
        )


def _probe(pack: Path) -> tuple[float, float]:
    """Wall and CPU seconds from QEMU's start to the first process."""
    with tempfile.TemporaryDirectory() as folder:
        log, qmp = Path(folder) / "serial.log", ListenPath(Path(folder) / "qmp.sock")
        plan = plan_probe(ProbeInputs(pack_root=pack, platform=PLATFORM, accelerator="tcg", qmp=qmp, serial_log=log))
        started_s, cpu_s = time.monotonic(), 0.0
        process = subprocess.Popen(list(qemu_argv(plan)), env=dict(qemu_env(plan)))
        while not (log.exists() and re.search(rb"pui-probe: ok", log.read_bytes())):
            if process.poll() is not None:
                raise RuntimeError("the probe machine ended without a word")
            cpu_s = cpu_seconds(process.pid)
            time.sleep(0.005)
        took_s = time.monotonic() - started_s
        process.kill()
        process.wait()
    return took_s, cpu_s


def _stage_table(runs: list[Timed]) -> Table:
    rows, before_s = [], 0.0
    for stage, meaning in STAGES:
        at_s = middle([run.wall_s[stage] for run in runs])
        cpu = [run.cpu_s[stage] for run in runs if stage in run.cpu_s]
        rows.append((stage, meaning, f"{at_s:.2f}", f"{at_s - before_s:.2f}", f"{middle(cpu):.2f}" if cpu else ""))
        before_s = at_s
    return Table("boot_stages", ("stage", "reached when", "at s", "step s", "QEMU's CPU s"), rows)


def _floor_table(pi: list[Timed], node: list[tuple[float, float]], probe: list[tuple[float, float]]) -> Table:
    answers = [(run.wall_s["answer"], run.cpu_s["answer"]) for run in pi]
    floors = [(a[0] + b[0], a[1] + b[1]) for a, b in zip(node, probe, strict=True)]
    agents = [(run.wall_s["answer"] - run.wall_s["configured"], 0.0) for run in pi]
    rows = [
        _floor_row("floor: kernel to the first process", probe, probe),
        _floor_row("boot until hello", [(run.wall_s["hello"], run.cpu_s["hello"]) for run in pi], probe),
        _floor_row("floor: node -e 0 in the machine", node, node),
        _floor_row("pi, from its start to the answer", agents, node),
        _floor_row("QEMU start to pi's answer", answers, floors),
    ]
    return Table("boot_floors", ("what", "median s", "least s", "CPU s", "x floor (medians)", "x floor (least)"), rows)


def _floor_row(what: str, runs: list[tuple[float, float]], floor: list[tuple[float, float]]) -> tuple[str, ...]:
    walls, floors = [wall for wall, _ in runs], [wall for wall, _ in floor]
    cpu = middle([cpu for _, cpu in runs])
    ratios = (middle(walls) / middle(floors), min(walls) / min(floors))
    return what, f"{middle(walls):.2f}", f"{min(walls):.2f}", f"{cpu:.2f}" if cpu else "", *(f"{r:.2f}" for r in ratios)


def _end_table(ends_s: list[float]) -> Table:
    row = ("poweroff order to the end of QEMU", f"{middle(ends_s) * 1000:.0f}", f"{min(ends_s) * 1000:.0f}")
    return Table("end", ("what", "median ms", "least ms"), [row])
