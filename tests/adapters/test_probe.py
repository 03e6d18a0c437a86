"""The probe finds out by doing, within its deadlines, and remembers what it found with what it depends on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pui.adapters.clock import SystemClock
from pui.adapters.host import linux
from pui.adapters.host.linux import kvm_access, read_host, this_platform
from pui.adapters.paths import AppPaths
from pui.adapters.process import LinuxProcessStarter
from pui.adapters.qemu import probe
from pui.adapters.qemu.probe import LinuxHostProbe, ProbeSettings
from pui.adapters.transport import UnixTransport
from pui.domain.errors import SetupError
from pui.domain.facts import HostFacts
from tests.support.fake_guest import FakeScript
from tests.support.fake_qemu import make_fake_pack, write_script
from tests.support.machines import LINUX, fake_installed_pack, short_folder


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A host whose /dev/kvm opens: any file that can be opened for reading and writing will do."""
    with short_folder() as made:
        (made / "kvm").touch()
        monkeypatch.setattr(linux, "KVM_DEVICE", made / "kvm")
        yield made


class LateClock(SystemClock):
    """The real clock, set forward."""

    def __init__(self, ahead_s: float) -> None:
        self._ahead_ns = int(ahead_s * 1e9)

    def now_ns(self) -> int:
        return super().now_ns() + self._ahead_ns


class Prober:
    """Probes of one computer, each by a new start of the app."""

    def __init__(self, folder: Path, script: FakeScript | None = None) -> None:
        self.paths = AppPaths(folder / "data", folder / "cache", folder / "run")
        self.notes: list[str] = []
        self.root = make_fake_pack(folder / "pack", script)
        self.tcg_is_allowed = False
        self.clock = SystemClock()
        self.app_version = "0.1.0"

    def probe(self, *, refresh: bool = False) -> HostFacts:
        settings = ProbeSettings(self.app_version, self.tcg_is_allowed, self.notes.append)
        prober = LinuxHostProbe(LinuxProcessStarter(), UnixTransport(), self.paths, LINUX, self.clock, settings)
        facts = asyncio.run(prober.probe(fake_installed_pack(self.root), refresh=refresh))
        assert list(self.paths.runtime.iterdir()) == [], "the probe left something behind"
        return facts


def kvm(facts: HostFacts) -> tuple[str, str]:
    verdict = facts.accelerator("kvm")
    assert verdict is not None
    return verdict.status, verdict.reason


def test_a_machine_that_boots_proves_the_accelerator(folder: Path) -> None:
    facts = Prober(folder).probe()
    assert kvm(facts) == ("works", "a probe machine booted")
    assert facts.qemu_version == "10.0.0"
    assert [share.works for share in facts.shares] == [True, True]
    assert not facts.from_cache
    assert min(facts.memory_total_mib, facts.memory_available_mib, facts.disk_free_bytes, facts.cpu_count) > 0


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (FakeScript(probe="internal-error"), "run state internal-error"),
        (FakeScript(probe="panic"), "panicked"),
        (FakeScript(probe="exit", stderr="failed to initialize kvm"), "ended with exit code 1"),
        (FakeScript(exit_in="start", exit_signal=6), "SIGABRT"),
    ],
    ids=["internal-error", "panic", "exit", "abort"],
)
@pytest.mark.threat("E3")
def test_a_machine_that_fails_is_told_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch, script: FakeScript, words: str
) -> None:
    """The deadline is an hour here: only an early verdict ends this test."""
    monkeypatch.setattr(probe, "PROBE_LIMITS_S", {"kvm": 3600.0})
    status, reason = kvm(Prober(folder, script).probe())
    assert (status, words in reason) == ("broken", True), reason


@pytest.mark.parametrize(
    "script", [FakeScript(probe="hang"), FakeScript(probe="hang", hang_in="qmp")], ids=["guest", "monitor"]
)
@pytest.mark.threat("E3")
def test_a_machine_that_hangs_ends_at_its_deadline(
    folder: Path, monkeypatch: pytest.MonkeyPatch, script: FakeScript
) -> None:
    monkeypatch.setattr(probe, "PROBE_LIMITS_S", {"kvm": 0.5})
    stubborn = replace(script, ignores=("quit", "sigterm"))
    status, reason = kvm(Prober(folder, stubborn).probe())
    assert (status, "within 0.5 s" in reason) == ("broken", True), reason


def test_without_a_device_nothing_is_booted(folder: Path) -> None:
    (folder / "kvm").unlink()
    prober = Prober(folder, FakeScript(probe="hang"))
    assert kvm(prober.probe())[0] == "missing"


@pytest.mark.threat("E4")
def test_a_device_that_may_not_be_opened_is_denied(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, flags: int) -> int:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        assert kvm_access()[0] == "denied"


@pytest.mark.threat("E5")
def test_emulation_is_tried_only_when_asked_and_added_to_what_is_known(folder: Path) -> None:
    prober = Prober(folder)
    assert [verdict.name for verdict in prober.probe().accelerators] == ["kvm"]
    write_script(prober.root, FakeScript(probe="exit"))
    prober.tcg_is_allowed = True
    found = {verdict.name: verdict.status for verdict in prober.probe().accelerators}
    assert found == {"kvm": "works", "tcg": "broken"}, "the known verdict was asked again"


def test_a_verdict_is_kept_until_what_it_depends_on_changes(folder: Path) -> None:
    prober = Prober(folder)
    first = prober.probe()
    write_script(prober.root, FakeScript(probe="panic"))
    again = prober.probe()
    assert again.from_cache
    assert (again.accelerators, again.probed_at_ns) == (first.accelerators, first.probed_at_ns)
    assert kvm(prober.probe(refresh=True))[0] == "broken"
    write_script(prober.root, FakeScript())
    assert kvm(prober.probe())[0] == "broken", "a fresh bad verdict holds for a while"
    prober.app_version = "0.2.0"
    assert kvm(prober.probe())[0] == "works"
    (folder / "kvm").chmod(0o600)
    assert not prober.probe().from_cache


@pytest.mark.parametrize("ahead_s", [2 * 3600.0, -2 * 3600.0], ids=["later", "clock-set-back"])
def test_a_bad_verdict_wears_out_and_a_good_one_does_not(folder: Path, ahead_s: float) -> None:
    prober = Prober(folder, FakeScript(probe="panic"))
    prober.probe()
    write_script(prober.root, FakeScript())
    prober.clock = LateClock(ahead_s)
    assert kvm(prober.probe())[0] == "works"
    prober.clock = LateClock(ahead_s * 100)
    assert prober.probe().from_cache


@pytest.mark.parametrize("damage", [b"", b"{", b'{"schema":1}', b"\xff" * 100_000], ids=["empty", "torn", "odd", "big"])
def test_a_broken_cache_is_noted_and_written_anew(folder: Path, damage: bytes) -> None:
    prober = Prober(folder)
    prober.probe()
    prober.paths.probe_cache.write_bytes(damage)
    assert not prober.probe().from_cache
    assert len(prober.notes) == 1
    assert "probing again" in prober.notes[0]
    assert prober.probe().from_cache


def test_a_qemu_that_does_not_start_is_a_finding_not_a_crash(folder: Path) -> None:
    prober = Prober(folder)
    (prober.root / "qemu/lib/ld.so").unlink()
    facts = prober.probe()
    assert (facts.qemu_version, facts.accelerators, facts.shares) == ("", (), ())
    assert "does not start" in prober.notes[0]


def test_a_cancelled_probe_leaves_nothing(folder: Path) -> None:
    prober = Prober(folder, FakeScript(probe="hang", ignores=("quit", "sigterm")))

    async def main() -> None:
        settings = ProbeSettings("0.1.0", True, prober.notes.append)
        real = LinuxHostProbe(LinuxProcessStarter(), UnixTransport(), prober.paths, LINUX, SystemClock(), settings)
        probing = asyncio.create_task(real.probe(fake_installed_pack(prober.root)))
        await asyncio.sleep(0.3)
        probing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probing

    asyncio.run(main())
    assert list(prober.paths.runtime.iterdir()) == []
    assert not prober.paths.probe_cache.exists()


def test_this_computer_can_be_read(tmp_path: Path) -> None:
    host = read_host(tmp_path / "not/yet")
    assert host.disk_free_bytes > 0
    assert 0 < host.memory_available_mib <= host.memory_total_mib
    assert len(host.boot_id) == 36
    assert this_platform().os == "linux"


def test_an_unknown_computer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(SetupError, match="riscv64"):
        this_platform()
