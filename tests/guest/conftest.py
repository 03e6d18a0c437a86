"""The guest's C modules, compiled for this computer with the undefined-behaviour sanitizer, one at a time drivable.

In: pui/guest, tests/guest/driver.c, a zig compiler. Out: paths of programs. Never: a skip (`-m "not vm"` deselects).
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from pui.adapters.paths import app_paths

ROOT = Path(__file__).parents[2]
GUEST = ROOT / "pui" / "guest"
DRIVER = Path(__file__).with_name("driver.c")
NOT_DRIVABLE = {"main.c", "boot.c", "init.c", "verbs.c", "machine.c", "power.c", "agent.c", "shares.c", "settings.c"}
WARNINGS = ("-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Wno-sign-conversion", "-Werror")


def _cached_compilers() -> list[Path]:
    return sorted(app_paths().cache.glob("compiler/*/ziglang/zig"))


def _find_zig() -> list[str]:
    """PUI_ZIG (a command), else an importable `ziglang`, else what a pack build left in the cache."""
    if "PUI_ZIG" in os.environ:
        return shlex.split(os.environ["PUI_ZIG"])
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang"]
    if cached := _cached_compilers():
        return [str(cached[-1])]
    pytest.fail("no zig: set PUI_ZIG, or `pui pack build` once (its compiler is cached), or deselect by -m 'not vm'")


@pytest.fixture(scope="session")
def zig() -> list[str]:
    return _find_zig()


@pytest.fixture(scope="session")
def driver(zig: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """tests/guest/driver.c with every module that is safe on a host; undefined behaviour ends it with a signal."""
    sources = [str(path) for path in sorted(GUEST.glob("*.c")) if path.name not in NOT_DRIVABLE]
    program = tmp_path_factory.mktemp("guest") / "driver"
    flags = ("-target", "x86_64-linux-musl", "-static", "-std=gnu11", "-O1", "-g", "-fsanitize=undefined", *WARNINGS)
    argv = [*zig, "cc", *flags, f"-I{GUEST}", "-o", str(program), str(DRIVER), *sources]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return program
