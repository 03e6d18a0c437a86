"""Installing the real pack against what nobody can beat: `zstd -d | sha256sum`, and a plain copy of the files.

In: the active pack. Out: seconds, peak memory. Never: the person's own folders (an archive of the same files, signed
by a key of its own, is installed beside).
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.report import Table, middle
from tests.support.pack_shop import PackShop
from tests.support.pack_simulator import PackSim

ROOT = Path(__file__).parents[2]


def measure(pack: Path, rounds: int) -> list[Table]:
    """Interleaved; the archive is in the host's page cache for all of them."""
    with tempfile.TemporaryDirectory(prefix="pui-bench") as name:
        base = Path(name)
        archive = _archive(pack, base / "shop")
        runs = [_round(base, archive, pack) for _ in range(rounds)]
    names = list(runs[0])
    floor = middle([run["zstd -d into sha256sum"][0] for run in runs])
    rows = [_row(what, [run[what] for run in runs], floor) for what in names]
    return [Table("install", ("what", "median s", "x floor", "peak MiB"), rows)]


def _archive(pack: Path, base: Path) -> Path:
    """The files of the active pack as a pack that the shop's own key has signed."""
    names = [path for path in pack.rglob("*") if path.is_file() and ".pui" not in path.parts]
    files = {str(path.relative_to(pack)): (path.read_bytes(), path.stat().st_mode & 0o777) for path in names}
    built = PackSim(files=files).build()
    return built.write(PackShop(base).base / "source")


def _round(base: Path, archive: Path, pack: Path) -> dict[str, tuple[float, float]]:
    return {
        "zstd -d into sha256sum": (_timed(lambda: _pipe(archive)), 0.0),
        "copy of the unpacked files": (_timed(lambda: _copy(pack, base / "copy")), 0.0),
        "pui pack install": _install(base / "shop"),
    }


def _timed(work: Callable[[], None]) -> float:
    before_s = time.monotonic()
    work()
    return time.monotonic() - before_s


def _pipe(archive: Path) -> None:
    with subprocess.Popen(["zstd", "-dcq", str(archive)], stdout=subprocess.PIPE) as source:
        subprocess.run(["sha256sum"], stdin=source.stdout, check=True, stdout=subprocess.DEVNULL)


def _copy(pack: Path, target: Path) -> None:
    shutil.copytree(pack, target)
    shutil.rmtree(target)


def _install(shop: Path) -> tuple[float, float]:
    """In a process of its own, so that its memory can be told; the start of Python is part of the time."""
    shutil.rmtree(shop / "data" / "runtime", ignore_errors=True)
    command = [sys.executable, "-m", "tests.support.memory_child", str(shop)]
    before_s = time.monotonic()
    child = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    took_s, found = time.monotonic() - before_s, json.loads(child.stdout)
    if found["code"] != "installed":
        raise RuntimeError(f"the installer refused the pack: {found}")
    return took_s, found["peak_kib"] / 1024


def _row(what: str, runs: list[tuple[float, float]], floor_s: float) -> tuple[str, ...]:
    took_s, peak_mib = middle([took for took, _ in runs]), max(peak for _, peak in runs)
    return what, f"{took_s:.2f}", f"{took_s / floor_s:.2f}", f"{peak_mib:.0f}" if peak_mib else ""
