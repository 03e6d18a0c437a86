"""The preflight's decision table, row by row.

In: facts and requests. Out: codes with their severity, accelerator, share, scale. Never: this computer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pui.domain.errors import CODES
from pui.domain.facts import AcceleratorVerdict, HostFacts, ShareVerdict
from pui.domain.preflight import (
    DISK_RESERVE_BYTES,
    MEMORY_RESERVE_MIB,
    QEMU_OVERHEAD_MIB,
    PackFact,
    PreflightVerdict,
    ResourceRequest,
    decide_preflight,
    parse_qemu_version,
)

PACK = PackFact("linux-x86_64-1-0123456789ab")
REQUEST = ResourceRequest(memory_mib=768, cpu_count=2, disk_bytes=8 << 30)
KVM = AcceleratorVerdict("kvm", "works", "the probe machine answered", "", 300)
TCG = AcceleratorVerdict("tcg", "works", "the probe machine answered", "", 1500)
VIRTIOFS = ShareVerdict("virtiofs", True, "virtiofsd answered")
NINEP = ShareVerdict("9p", True, "built into QEMU")
GOOD = HostFacts(
    os="linux",
    arch="x86_64",
    kernel_release="6.1",
    cpu_model="cpu",
    cpu_count=2,
    memory_total_mib=16000,
    memory_available_mib=8000,
    disk_free_bytes=100 << 30,
    qemu_version="10.0.8",
    accelerators=(KVM, TCG),
    shares=(VIRTIOFS, NINEP),
    user_id=1000,
    probed_at_ns=0,
    from_cache=False,
)


def _kvm(status: Any, evidence: str = "") -> AcceleratorVerdict:
    return AcceleratorVerdict("kvm", status, f"reason of {status}", evidence)


def _with(**changes: Any) -> HostFacts:
    return replace(GOOD, **changes)


NO_KVM = _with(accelerators=(_kvm("missing"), TCG))
NEEDED_MIB = REQUEST.memory_mib + QEMU_OVERHEAD_MIB
BROKEN = PackFact("", "pack.corrupt", "qemu/bin/qemu-system differs", "own hint")

# name: (pack, facts, tcg_is_allowed, findings as "severity code", accelerator, share, scale)
TABLE: dict[str, tuple[PackFact, HostFacts | None, bool, list[str], str | None, str | None, float]] = {
    "all good": (PACK, GOOD, False, [], "kvm", "virtiofs", 1.0),
    "switch without need": (PACK, GOOD, True, [], "kvm", "virtiofs", 1.0),
    "bad pack, nothing probed": (BROKEN, None, False, ["blocker pack.corrupt"], None, None, 1.0),
    "good pack, nothing probed": (PACK, None, True, ["blocker qemu.missing"], None, None, 1.0),
    "bad pack, old facts": (BROKEN, GOOD, False, ["blocker pack.corrupt"], "kvm", "virtiofs", 1.0),
    "kvm missing": (PACK, NO_KVM, False, ["blocker accel.missing"], None, "virtiofs", 1.0),
    "kvm never probed": (PACK, _with(accelerators=()), False, ["blocker accel.missing"], None, "virtiofs", 1.0),
    "kvm denied": (
        PACK,
        _with(accelerators=(_kvm("denied"), TCG)),
        False,
        ["blocker accel.denied"],
        None,
        "virtiofs",
        1.0,
    ),
    "kvm broken": (
        PACK,
        _with(accelerators=(_kvm("broken"), TCG)),
        False,
        ["blocker accel.broken"],
        None,
        "virtiofs",
        1.0,
    ),
    "another system's accelerator": (
        PACK,
        _with(accelerators=(replace(KVM, name="hvf"),)),
        False,
        ["blocker accel.missing"],
        None,
        "virtiofs",
        1.0,
    ),
    "tcg by switch": (
        PACK,
        NO_KVM,
        True,
        ["warning accel.missing", "note accel.developer_switch"],
        "tcg",
        "virtiofs",
        4.0,
    ),
    "tcg by switch, broken too": (
        PACK,
        _with(accelerators=(_kvm("broken"), replace(TCG, status="broken"))),
        True,
        ["blocker accel.broken", "warning accel.developer_switch"],
        None,
        "virtiofs",
        1.0,
    ),
    "tcg by switch, not probed": (
        PACK,
        _with(accelerators=(_kvm("denied"),)),
        True,
        ["blocker accel.denied", "warning accel.developer_switch"],
        None,
        "virtiofs",
        1.0,
    ),
    "qemu silent": (PACK, _with(qemu_version=""), False, ["blocker qemu.missing"], "kvm", "virtiofs", 1.0),
    "qemu old": (PACK, _with(qemu_version="7.1.9"), False, ["blocker qemu.too_old"], "kvm", "virtiofs", 1.0),
    "qemu just new enough": (PACK, _with(qemu_version="7.2.0"), False, [], "kvm", "virtiofs", 1.0),
    "qemu at the minimum": (PACK, _with(qemu_version="7.2"), False, [], "kvm", "virtiofs", 1.0),
    "no virtiofs": (
        PACK,
        _with(shares=(replace(VIRTIOFS, works=False, reason="needs a user namespace"), NINEP)),
        False,
        ["warning share.fallback"],
        "kvm",
        "9p",
        1.0,
    ),
    "virtiofs not tried": (PACK, _with(shares=(NINEP,)), False, ["warning share.fallback"], "kvm", "9p", 1.0),
    "no share": (
        PACK,
        _with(shares=(replace(NINEP, works=False), replace(VIRTIOFS, works=False))),
        False,
        ["blocker launch.mount_server"],
        "kvm",
        None,
        1.0,
    ),
    "memory just enough": (
        PACK,
        _with(memory_available_mib=NEEDED_MIB + MEMORY_RESERVE_MIB),
        False,
        [],
        "kvm",
        "virtiofs",
        1.0,
    ),
    "memory low": (
        PACK,
        _with(memory_available_mib=NEEDED_MIB),
        False,
        ["warning host.low_memory"],
        "kvm",
        "virtiofs",
        1.0,
    ),
    "memory short": (
        PACK,
        _with(memory_available_mib=NEEDED_MIB - 1),
        False,
        ["blocker host.memory"],
        "kvm",
        "virtiofs",
        1.0,
    ),
    "disk just enough": (
        PACK,
        _with(disk_free_bytes=REQUEST.disk_bytes + DISK_RESERVE_BYTES),
        False,
        [],
        "kvm",
        "virtiofs",
        1.0,
    ),
    "disk low": (
        PACK,
        _with(disk_free_bytes=REQUEST.disk_bytes),
        False,
        ["warning host.low_disk"],
        "kvm",
        "virtiofs",
        1.0,
    ),
    "disk short": (
        PACK,
        _with(disk_free_bytes=REQUEST.disk_bytes - 1),
        False,
        ["blocker host.disk_full"],
        "kvm",
        "virtiofs",
        1.0,
    ),
    "few processors": (PACK, _with(cpu_count=1), False, ["warning host.few_cpus"], "kvm", "virtiofs", 1.0),
    "blockers first": (
        PACK,
        _with(cpu_count=1, disk_free_bytes=0, accelerators=(_kvm("missing"), TCG), shares=(NINEP,)),
        True,
        [
            "blocker host.disk_full",
            "warning accel.missing",
            "warning share.fallback",
            "warning host.few_cpus",
            "note accel.developer_switch",
        ],
        "tcg",
        "9p",
        4.0,
    ),
    "macos": (
        PACK,
        _with(os="macos", arch="aarch64", accelerators=(replace(KVM, name="hvf"),), shares=(NINEP,)),
        False,
        [],
        "hvf",
        "9p",
        1.0,
    ),
    "windows": (
        PACK,
        _with(os="windows", accelerators=(replace(KVM, name="whpx"),), shares=()),
        False,
        ["blocker launch.mount_server"],
        "whpx",
        None,
        1.0,
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_row(name: str) -> None:
    pack, facts, tcg_is_allowed, findings, accelerator, share, scale = TABLE[name]
    verdict = decide_preflight(pack, facts, REQUEST, tcg_is_allowed)
    assert [f"{finding.severity} {finding.code}" for finding in verdict.findings] == findings
    assert (verdict.accelerator, verdict.share, verdict.timeout_scale) == (accelerator, share, scale)
    assert verdict.setup_is_needed == any(line.startswith("blocker") for line in findings)
    _check_words(verdict)


def _check_words(verdict: PreflightVerdict) -> None:
    assert verdict.share_reason
    for finding in verdict.findings:
        assert finding.message
        assert finding.hint
        assert finding.severity != "blocker" or finding.code in CODES
        assert finding.to_json()["message"] == finding.message
        assert set(finding.to_json()) == {"code", "severity", "message", "hint", "action"}


def _first(facts: HostFacts, *, tcg_is_allowed: bool = False, pack: PackFact = PACK) -> Any:
    return decide_preflight(pack, facts, REQUEST, tcg_is_allowed).findings[0]


@pytest.mark.threat("E3")
def test_a_broken_accelerator_is_told_with_its_evidence() -> None:
    finding = _first(_with(accelerators=(_kvm("broken", "KVM internal error. Suberror: 1"),)))
    wanted = "The accelerator opens but a probe machine did not run on it (kvm): KVM internal error. Suberror: 1"
    assert finding.message == wanted
    assert _first(_with(accelerators=(_kvm("broken"),))).message.endswith("reason of broken")


@pytest.mark.parametrize("system", ["linux", "macos", "windows"])
@pytest.mark.parametrize("status", ["missing", "denied", "broken"])
def test_each_system_has_its_own_hint(system: str, status: Any) -> None:
    name: Any = {"linux": "kvm", "macos": "hvf", "windows": "whpx"}[system]
    found = _first(_with(os=system, accelerators=(AcceleratorVerdict(name, status, "r"),)))
    words = {"linux": ("kvm", "nested"), "macos": ("Mac", "macOS", "pui"), "windows": ("Windows", "Hypervisor")}
    assert found.code == f"accel.{status}"
    assert any(word in found.hint for word in words[system])


def test_the_pack_speaks_for_itself_or_by_the_table() -> None:
    assert (_first(GOOD, pack=BROKEN).message, _first(GOOD, pack=BROKEN).hint) == (
        "qemu/bin/qemu-system differs",
        "own hint",
    )
    missing = _first(GOOD, pack=PackFact(fault_code="pack.missing"))
    assert (missing.message, missing.hint) == (CODES["pack.missing"].meaning, CODES["pack.missing"].hint)


def test_a_bad_pack_without_facts_has_one_finding() -> None:
    assert decide_preflight(BROKEN, None, REQUEST, False).findings[0].action == "install_pack"


@pytest.mark.threat("E5")
def test_the_developer_switch_is_loud() -> None:
    notes = decide_preflight(PACK, NO_KVM, REQUEST, True).findings
    assert "DEVELOPER SWITCH" in notes[1].message
    assert "isolation" in notes[1].message


def test_the_fallback_names_why() -> None:
    facts = _with(shares=(replace(VIRTIOFS, works=False, reason="needs a user namespace"), NINEP))
    assert decide_preflight(PACK, facts, REQUEST, False).share_reason == (
        "9p instead of virtiofs: needs a user namespace"
    )


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("10.0.8", (10, 0, 8)),
        ("11.0", (11, 0)),
        ("10.1.0-rc2", (10, 1, 0)),
        ("", None),
        ("10", None),
        ("10.x", None),
        ("1.2.3.4.5", None),
        ("10.²", None),
        ("9999999.1", None),
    ],
)
def test_versions(text: str, version: tuple[int, ...] | None) -> None:
    assert parse_qemu_version(text) == version
