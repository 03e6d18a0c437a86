"""The workspace by 9p and by virtiofs: many small questions, long reads, durable writes.

In: the pack. Out: milliseconds as the guest's own clock counts them. Never: the guest's disk, a cold host cache.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from pui.domain.facts import ShareKind
from tests.benchmarks.machine import running, shared_folder
from tests.benchmarks.report import Table, middle

FILES = 1000
READ_MIB, WRITE_MIB, SMALL_FILES = 128, 64, 100
KINDS: tuple[ShareKind, ...] = ("9p", "virtiofs")

IN_THE_GUEST = f"""
import json, os, time
def timed(work):
    before = time.monotonic(); work(); return (time.monotonic() - before) * 1000
def walk():
    count = sum(1 for at, _, names in os.walk('tree') for name in names if os.stat(at + '/' + name))
    assert count == {FILES}, count
def read():
    with open('large', 'rb', buffering=0) as file:
        while file.read(1 << 20): pass
def write():
    with open('written', 'wb', buffering=0) as file:
        for _ in range({WRITE_MIB}): file.write(bytes(1 << 20))
        os.fsync(file.fileno())
def small():
    for number in range({SMALL_FILES}):
        with open(f'small-{{number}}', 'w') as file: file.write('eleven byte')
def remove():
    for number in range({SMALL_FILES}): os.unlink(f'small-{{number}}')
print(json.dumps({{work.__name__: timed(work) for work in (walk, read, write, small, remove)}}), flush=True)
"""
COLUMNS = {
    "walk": f"find and stat {FILES} files",
    "read": f"read {READ_MIB} MiB",
    "write": f"write {WRITE_MIB} MiB, fsync",
    "small": f"make {SMALL_FILES} files of 11 B",
    "remove": "remove them",
}


def measure(pack: Path, rounds: int) -> list[Table]:
    """Interleaved rounds; medians."""
    found: dict[ShareKind, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    with shared_folder() as folder:
        _fill(folder)
        for _ in range(rounds):
            for kind in KINDS:
                found[kind].append(_one(pack, folder, kind))
                (folder / "written").unlink()
    rows = [_row(kind, found[kind]) for kind in KINDS]
    return [Table("shares_ms", ("share", *COLUMNS.values()), rows)]


def _fill(folder: Path) -> None:
    for number in range(FILES):
        path = folder / "tree" / f"d{number % 50}" / f"file{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x" * 100)
    (folder / "large").write_bytes(os.urandom(1 << 20) * READ_MIB)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)


def _one(pack: Path, folder: Path, kind: ShareKind) -> dict[str, float]:
    with running(pack, folder, kind) as machine:
        machine.hello()
        machine.configure(kind, ("/usr/bin/python3", "-c", IN_THE_GUEST))
        result: dict[str, float] = json.loads(machine.output_of_agent())
        return result


def _row(kind: str, runs: list[dict[str, float]]) -> tuple[str, ...]:
    return kind, *(f"{middle([run[work] for run in runs]):.0f}" for work in COLUMNS)
