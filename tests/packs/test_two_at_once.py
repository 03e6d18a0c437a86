"""Threats C8 and C9 with real processes: several installers start together, and one of them is killed.

In: installers of different versions. Out: one after the other; the newest is active and sound. Never: a mixture.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.crash_driver import sim
from tests.support.pack_shop import PackShop

ROOT = Path(__file__).parents[2]


@contextmanager
def installers(shop: PackShop, *versions: int) -> Iterator[list[subprocess.Popen[str]]]:
    """Ready to start, all at the same point."""
    with ExitStack() as stack:
        started = []
        for version in versions:
            command = [sys.executable, "-m", "tests.support.racing_installer", str(shop.base), str(version)]
            child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            stack.enter_context(child)
            stack.callback(child.kill)
            started.append(child)
        for child in started:
            assert child.stdout is not None and child.stdout.readline() == "ready\n"
        yield started


def go(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.write("\n")
    child.stdin.flush()


def end_of(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def test_c8_four_installers_at_once(shop: PackShop) -> None:
    shop.install(sim(1))
    with installers(shop, 2, 3, 4, 5) as started:
        for child in started:
            go(child)
        codes = [end_of(child) for child in started]

    assert codes[-1] == "", "the newest is never too old"
    assert set(codes) <= {"", "pack.rollback"}, "one waits for the other, and an older one that comes late is refused"
    assert shop.store.verify().manifest.pack_version == 5
    assert shop.store.clean() == ()


def test_c8_c9_an_installer_that_dies_lets_the_other_one_in(shop: PackShop) -> None:
    shop.install(sim(1))
    with installers(shop, 2, 3) as (first, second):
        os.kill(first.pid, signal.SIGSTOP)
        go(first)
        go(second)
        os.kill(first.pid, signal.SIGCONT)
        os.kill(first.pid, signal.SIGKILL)
        assert end_of(second) == ""

    assert shop.store.verify().manifest.pack_version == 3
    shop.store.clean()
    assert list(shop.paths.staging_dir.iterdir()) == []


def test_c9_the_number_of_a_dead_installer_in_use_again_means_nothing(shop: PackShop) -> None:
    """No lock of pui's is a number in a file: what somebody wrote into the lock file is never read."""
    shop.install(sim(1))
    for text in (str(os.getpid()), "1", "999999999", "\0garbage"):
        shop.paths.install_lock.write_text(text)
        assert shop.install(sim(2)).pack.manifest.pack_version == 2
