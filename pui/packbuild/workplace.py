"""The folder in which one build works, and the rule that only one build works in a cache at a time.

In: the cache folder. Out: an empty work folder, removed at the end. Never: leftovers of a killed build.
"""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pui.packbuild.progress import Progress, Report

LOCK_NAME = "build.lock"
WORK_PREFIX = "pui-build-"


@contextmanager
def open_workplace(cache_dir: Path, report: Report) -> Iterator[Path]:
    """Waits for another build of the same cache, sweeps what killed builds left, yields a fresh folder.

    The lock is one of the kernel (flock): it ends with its process, however that ends.
    """
    cache_dir.mkdir(parents=True, exist_ok=True)
    with (cache_dir / LOCK_NAME).open("w") as lock:
        _take(lock, report)
        for leftover in cache_dir.glob(f"{WORK_PREFIX}*"):
            shutil.rmtree(leftover)
        with tempfile.TemporaryDirectory(prefix=WORK_PREFIX, dir=cache_dir) as name:
            work = Path(name)
            work.chmod(0o755)  # programs of the guest run below it as another user
            yield work


def _take(lock: IO[str], report: Report) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        report(Progress("wait", note="another build uses this cache; waiting for it to end"))
        fcntl.flock(lock, fcntl.LOCK_EX)
