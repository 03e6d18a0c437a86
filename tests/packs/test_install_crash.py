"""Threats C1 to C3 and C5 to C9: an install that dies, fails or is interrupted at any step.

In: every step of an install. Out: the old pack or the new one, sound; staging cleaned by the next start, which says so.
Never: a state in between.
"""

from __future__ import annotations

import errno
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pui.adapters.packs.keys import load_trust
from pui.adapters.packs.locks import installer_lock
from pui.domain.errors import PuiError
from tests.support.faulty_ops import CountingOps
from tests.support.pack_shop import PackShop
from tests.support.pack_simulator import PackSim

SMALL = {"kernel/vmlinux": (b"kernel " * 3000, 0o644), "qemu/lib/ld.so": (b"loader", 0o755)}
OLD = PackSim(files=SMALL, version=1)
NEW = PackSim(files=SMALL, version=2)


@pytest.mark.parametrize("how", [pytest.param("plain", id="C1-C3-C5-killed"), pytest.param("torn", id="C2-torn")])
def test_killed_at_every_step(tmp_path: Path, how: str) -> None:
    command = [sys.executable, "-m", "tests.support.crash_driver", str(tmp_path), how]
    root = Path(__file__).parents[2]
    output = subprocess.run(command, cwd=root, check=True, capture_output=True, timeout=280, text=True).stdout
    found = [json.loads(line) for line in output.splitlines()]

    assert len(found) > 60, "the install has fewer steps than it must have"
    assert [line["lived"] for line in found] == [False] * (len(found) - 1) + [True]
    for line in found:
        assert line["active"] in (2, 3), line
        assert line["after_cleaning"] == line["active"], line
        assert (line["left_after"], line["cleaned_again"], line["then"]) == (0, 0, 3), line
    versions = [line["active"] for line in found]
    assert versions == sorted(versions), "once the new pack is active it stays active"
    assert {2, 3} <= set(versions)
    assert any(line["left"] and line["cleaned"] for line in found), "a start that cleans says so"


def step_count(base: Path) -> int:
    shop = PackShop(base)
    shop.install(OLD)
    ops = CountingOps(lambda step, name: None)
    shop.install(NEW, ops=ops)
    return len(ops.steps)


def failing_ops(error: BaseException, step: int, *, lasting: bool) -> CountingOps:
    def fail(number: int, name: str) -> None:
        freeing = name.startswith("remove")
        if number == step or (lasting and number > step and not freeing and name != "rename"):
            raise error

    return CountingOps(fail)


FAULTS = [
    pytest.param(OSError(errno.EROFS, "Read-only file system"), "host.permission", True, id="C6-read-only"),
    pytest.param(OSError(errno.ENOSPC, "No space left"), "host.disk_full", True, id="C7-full"),
    pytest.param(OSError(errno.EDQUOT, "Quota exceeded"), "host.disk_full", False, id="C7-quota-once"),
    pytest.param(OSError(errno.EIO, "Input/output error"), "host.permission", False, id="C7-io-once"),
]


@pytest.mark.parametrize(("error", "code", "lasting"), FAULTS)
def test_fails_at_every_step(tmp_path: Path, error: OSError, code: str, *, lasting: bool) -> None:
    refused = 0
    for step in range(step_count(fresh(tmp_path / "count"))):
        shop = PackShop(fresh(tmp_path / str(step)))
        old = shop.install(OLD).pack
        before = shop.snapshot()
        try:
            result = shop.install(NEW, ops=failing_ops(error, step, lasting=lasting))
        except PuiError as refusal:
            refused += 1
            assert refusal.code == code, (step, refusal)
            assert shop.store.active() == old, step
            assert without_rubbish(shop) == before, step
        else:
            # Only the removal of what is not needed any more may fail behind the swap, and it is told.
            assert result.trouble, step
            assert shop.store.active() == result.pack
        shop.store.clean()
        assert list(shop.paths.staging_dir.iterdir()) == []
        assert shop.install(NEW).pack.manifest.pack_version == 2
    assert refused > 30


def test_interrupted_at_every_step(tmp_path: Path) -> None:
    """Ctrl-C as an exception out of any operation."""
    for step in range(step_count(fresh(tmp_path / "count"))):
        shop = PackShop(fresh(tmp_path / str(step)))
        old = shop.install(OLD).pack
        before = shop.snapshot()
        try:
            shop.install(NEW, ops=failing_ops(KeyboardInterrupt(), step, lasting=False))
        except KeyboardInterrupt:
            version = shop.store.verify().manifest.pack_version
            assert version == 2 or (shop.store.active() == old and without_rubbish(shop) == before), step
        shop.store.clean()
        assert list(shop.paths.staging_dir.iterdir()) == []


def test_a_real_interrupt_waits_for_the_renames(shop: PackShop) -> None:
    shop.install(OLD)

    def interrupt(number: int, name: str) -> None:
        if name == "rename":
            signal.raise_signal(signal.SIGINT)

    # a shell that starts the tests in the background leaves the signal ignored
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            shop.install(NEW, ops=CountingOps(interrupt))
    finally:
        signal.signal(signal.SIGINT, before)

    assert shop.store.verify().manifest.pack_version == 2
    assert list(shop.paths.staging_dir.iterdir()) == []


def test_c7_no_space_before_the_start(shop: PackShop) -> None:
    old = shop.install(OLD).pack
    before = shop.snapshot()

    class FullDisk(CountingOps):
        def free_bytes(self, path: Path) -> int:
            return 1 << 20

    ops = FullDisk(lambda number, name: None)
    with pytest.raises(PuiError, match=r"host\.disk_full: the pack needs 16 MiB in .*, 1 MiB are free"):
        shop.install(NEW, ops=ops)

    assert "write" not in ops.steps
    assert shop.snapshot() == before
    assert shop.store.active() == old


def test_a_pack_that_fails_does_not_hide_the_reason(shop: PackShop) -> None:
    """The staging folder cannot be removed, but what is reported is the pack's own fault."""
    bad = PackSim(files=SMALL, version=2, archive=lambda tar: tar).build()

    def fail(number: int, name: str) -> None:
        if name.startswith("remove"):
            raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(PuiError, match=r"pack\.malformed: the archive does not begin"):
        shop.install(bad, ops=CountingOps(fail))
    assert len(shop.store.clean()) == 1


@contextmanager
def other_installer(shop: PackShop) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds the lock."""
    code = "import fcntl,sys,time; f=open(sys.argv[1]); fcntl.flock(f, 2); print(flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code, shop.paths.install_lock], stdout=subprocess.PIPE)
    assert child.stdout is not None
    try:
        child.stdout.readline()
        yield child
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def test_c8_a_second_installer_is_refused(shop: PackShop) -> None:
    shop.install(OLD)
    before = shop.snapshot()

    with other_installer(shop):
        with pytest.raises(PuiError, match=r"pack\.in_use: another pui"):
            shop.install(NEW)
        assert shop.store.clean() == ()

    assert shop.snapshot() == before


def test_c8_a_second_installer_waits(shop: PackShop) -> None:
    shop.install(OLD)
    source, trust = shop.source(NEW.build()), load_trust(shop.paths.trust_dir)
    entered = threading.Event()

    def hold() -> None:
        with installer_lock(shop.paths.install_lock, 0.0):
            entered.set()
            time.sleep(0.3)

    thread = threading.Thread(target=hold)
    thread.start()
    entered.wait()
    result = shop.installer(lock_wait_s=30.0).install(source, trust)
    thread.join()

    assert result.pack.manifest.pack_version == 2


def test_c9_the_lock_of_a_killed_installer_is_free(shop: PackShop) -> None:
    shop.install(OLD)
    (shop.paths.staging_dir / "linux-x86_64-2-0123456789ab.dead").mkdir()
    with other_installer(shop) as child:
        child.kill()
        child.wait()
        assert shop.paths.install_lock.exists()

        result = shop.install(NEW)

    assert result.cleaned == ("linux-x86_64-2-0123456789ab.dead",)
    assert shop.store.active() == result.pack


def fresh(base: Path) -> Path:
    base.mkdir(parents=True)
    return base


def without_rubbish(shop: PackShop) -> dict[str, tuple[int, bytes]]:
    """The snapshot without what a broken file system made impossible to remove; the next start removes it."""
    rubbish = f"{shop.paths.staging_dir}/"
    return {path: entry for path, entry in shop.snapshot().items() if not path.startswith(rubbish)}
