"""The look before a task: what keeping it on the disk costs beside the look itself, and what reading it back costs.

In: a folder with 100,000 small texts, made here. Out: milliseconds, ratios. Never: a folder of the person's.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from pui.adapters.compressed_lines import read_compressed, write_compressed
from pui.adapters.folder_scan import ScanLimits, scan_folder
from pui.domain.folder_baseline import (
    FILE_LIMIT_BYTES,
    LINE_LIMIT_BYTES,
    BaselineFault,
    parse_baseline,
    render_baseline,
)
from pui.domain.folder_diff import FolderSnapshot
from tests.benchmarks.report import Table, middle

FILES = 100_000
TEXT = "def work(value: int) -> int:\n    return value + {number}\n"


def measure(_pack: Path, rounds: int) -> list[Table]:
    """Medians. The limit of names is raised to the number of files; as it is, a look ends at 20,000."""
    with tempfile.TemporaryDirectory(prefix="pui-look-") as name:
        folder = Path(name)
        _fill(folder / "tree")
        rows = [_row(folder, limits, rounds) for limits in (ScanLimits(), replace(ScanLimits(), entry_limit=FILES))]
    columns = ("names", "look ms", "keep ms", "keep / look", "read back ms", "read back / look", "file KiB")
    return [Table("look", columns, rows)]


def _fill(tree: Path) -> None:
    for number in range(FILES):
        path = tree / f"package{number // 1000}" / f"part{number // 50 % 20}" / f"module{number}.py"
        if number % 50 == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(TEXT.format(number=number))


def _row(folder: Path, limits: ScanLimits, rounds: int) -> tuple[str, ...]:
    tree, file = folder / "tree", folder / "baseline.zst"
    look = scan_folder(tree, limits)
    look_ms = _median_ms(lambda: scan_folder(tree, limits), rounds)
    keep_ms = _median_ms(lambda: _keep(file, look), rounds)
    read_ms = _median_ms(lambda: _read(file), rounds)
    ratios = (f"{keep_ms / look_ms:.2f}", f"{read_ms:.0f}", f"{read_ms / look_ms:.2f}")
    size_kib = f"{file.stat().st_size / 1024:.0f}"
    return str(len(look.entries)), f"{look_ms:.0f}", f"{keep_ms:.0f}", *ratios, size_kib


def _keep(file: Path, look: FolderSnapshot) -> None:
    write_compressed(file, render_baseline({"/tree": look}))


def _read(file: Path) -> None:
    with closing(read_compressed(file, FILE_LIMIT_BYTES, LINE_LIMIT_BYTES)) as lines:
        if isinstance(parse_baseline(lines), BaselineFault):
            raise RuntimeError("it cannot be read back")


def _median_ms(work: Callable[[], object], rounds: int) -> float:
    took_ms = []
    for _ in range(rounds):
        before_s = time.perf_counter()
        work()
        took_ms.append((time.perf_counter() - before_s) * 1000)
    return middle(took_ms)
