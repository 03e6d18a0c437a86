"""Whether a task may start on this computer, and what to do if not: a decision table.

In: a fact about the pack, facts about the host, what the task asks for. Out: findings and, if no finding blocks, the
accelerator, the way to share folders and the factor by which waits are stretched.
Never: a look at the computer; never a silent fallback (each has its finding).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pui.domain.errors import CODES
from pui.domain.events import JsonValue
from pui.domain.facts import AcceleratorName, AcceleratorVerdict, HostFacts, OsName, ShareKind
from pui.domain.platforms import find_platform

Severity = Literal["blocker", "warning", "note"]
Action = Literal["", "install_pack", "open_help", "free_memory", "free_disk"]

MINIMUM_QEMU = (7, 2)
"""The oldest QEMU that every option of the launch plan was tried with."""

TCG_TIMEOUT_SCALE = 4.0
QEMU_OVERHEAD_MIB = 192
"""What QEMU and the mount servers need beside the guest's memory (threats.md: under 120 MiB each)."""
MEMORY_RESERVE_MIB = 512
DISK_RESERVE_BYTES = 1 << 30

TCG_FINDING = "accel.developer_switch"
SHARE_FINDING = "share.fallback"
FEW_CPUS_FINDING = "host.few_cpus"
LOW_MEMORY_FINDING = "host.low_memory"
LOW_DISK_FINDING = "host.low_disk"


@dataclass(frozen=True)
class PackFact:
    """The active pack: its id, or the fault that makes it unusable (`fault_code` is a key of errors.CODES)."""

    pack_id: str = ""
    fault_code: str = ""
    fault_message: str = ""
    fault_hint: str = ""


@dataclass(frozen=True)
class ResourceRequest:
    """What one task needs: memory of the guest, virtual processors, disk space that its overlay may come to use."""

    memory_mib: int
    cpu_count: int
    disk_bytes: int


@dataclass(frozen=True)
class Finding:
    """One thing a person should know. `code` is a key of errors.CODES for a blocker; `action` names a button."""

    code: str
    severity: Severity
    message: str
    hint: str
    action: Action = ""

    def to_json(self) -> dict[str, JsonValue]:
        """The finding as a journal and `pui doctor --json` hold it."""
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "hint": self.hint,
            "action": self.action,
        }


@dataclass(frozen=True)
class PreflightVerdict:
    """Findings, blockers first. `accelerator` and `share` are None where nothing usable was found."""

    findings: tuple[Finding, ...]
    accelerator: AcceleratorName | None
    share: ShareKind | None
    share_reason: str
    timeout_scale: float

    @property
    def setup_is_needed(self) -> bool:
        """True when a finding blocks: no task runs."""
        return any(finding.severity == "blocker" for finding in self.findings)


def decide_preflight(
    pack: PackFact, facts: HostFacts | None, request: ResourceRequest, tcg_is_allowed: bool
) -> PreflightVerdict:
    """The verdict. `facts` is None when nothing could be probed (no usable pack); the pack's fault then says why."""
    if facts is None:
        found = tuple(_pack_findings(pack)) or (_blocker("qemu.missing", "QEMU of the pack was not probed"),)
        return PreflightVerdict(found, None, None, "nothing was probed", 1.0)
    accelerator, accelerator_findings = _decide_accelerator(facts, tcg_is_allowed)
    share, share_reason, share_findings = _decide_share(facts)
    findings = [*_pack_findings(pack), *_qemu_findings(facts), *accelerator_findings, *share_findings]
    findings += [*_memory_findings(facts, request), *_disk_findings(facts, request), *_cpu_findings(facts, request)]
    findings.sort(key=lambda finding: ("blocker", "warning", "note").index(finding.severity))
    scale = TCG_TIMEOUT_SCALE if accelerator == "tcg" else 1.0
    return PreflightVerdict(tuple(findings), accelerator, share, share_reason, scale)


def _blocker(code: str, message: str, hint: str = "", action: Action = "install_pack") -> Finding:
    return Finding(code, "blocker", message, hint or CODES[code].hint, action)


def _pack_findings(pack: PackFact) -> Iterator[Finding]:
    if pack.fault_code:
        message = pack.fault_message or CODES[pack.fault_code].meaning
        yield _blocker(pack.fault_code, message, pack.fault_hint)


def _qemu_findings(facts: HostFacts) -> Iterator[Finding]:
    version = parse_qemu_version(facts.qemu_version)
    wanted = ".".join(str(part) for part in MINIMUM_QEMU)
    if version is None:
        yield _blocker("qemu.missing", "QEMU of the pack did not say its version")
    elif version < MINIMUM_QEMU:
        yield _blocker("qemu.too_old", f"QEMU is {facts.qemu_version}, at least {wanted} is needed")


def parse_qemu_version(text: str) -> tuple[int, ...] | None:
    """The numbers of "10.0.8" or "10.0.8-rc1"; None for anything else."""
    parts = text.split("-")[0].split(".")
    if not 2 <= len(parts) <= 4 or not all(part.isascii() and part.isdigit() and len(part) < 6 for part in parts):
        return None
    return tuple(int(part) for part in parts)


# accelerator

_ACCELERATOR_HINTS: dict[tuple[OsName, str], str] = {
    ("linux", "missing"): (
        "Turn on virtualization (VT-x, AMD-V, SVM) in the firmware set-up and load the module: "
        "`sudo modprobe kvm_intel` or `sudo modprobe kvm_amd`. In a virtual machine its operator must allow nesting."
    ),
    ("linux", "denied"): "Add yourself to the group of /dev/kvm: `sudo usermod -aG kvm $USER`, then log in again.",
    ("linux", "broken"): (
        "Often nested or emulated virtualization without full support: run pui on the physical computer, or ask the "
        "operator of this machine for full nested virtualization."
    ),
    ("macos", "missing"): "Hypervisor.framework wants macOS 11 or newer; in a virtual machine it needs nesting.",
    ("macos", "denied"): "Install pui from its signed package: QEMU needs the hypervisor entitlement.",
    ("macos", "broken"): "Restart the Mac and end other virtual machines; then run `pui doctor` again.",
    ("windows", "missing"): (
        "Turn on virtualization in the firmware set-up and the feature «Windows Hypervisor Platform» in «Turn Windows "
        "features on or off», then restart."
    ),
    ("windows", "denied"): "Ask the administrator of this computer to allow «Windows Hypervisor Platform».",
    ("windows", "broken"): "Install pending Windows updates and restart; then run `pui doctor` again.",
}


def _decide_accelerator(facts: HostFacts, tcg_is_allowed: bool) -> tuple[AcceleratorName | None, list[Finding]]:
    native = find_platform(facts.os, facts.arch).accelerator
    verdict = facts.accelerator(native) or AcceleratorVerdict(native, "missing", f"{native} was not found")
    if verdict.status == "works":
        return native, []
    tcg = facts.accelerator("tcg")
    if tcg_is_allowed and tcg is not None and tcg.status == "works":
        return "tcg", [_accelerator_finding(facts, verdict, "warning"), _developer_switch_finding()]
    findings = [_accelerator_finding(facts, verdict, "blocker")]
    if tcg_is_allowed:
        reason = "it was not probed" if tcg is None else tcg.reason
        text = f"The developer switch allows emulation (TCG), but that does not work either: {reason}"
        findings.append(Finding(TCG_FINDING, "warning", text, CODES["qemu.missing"].hint, "install_pack"))
    return None, findings


def _accelerator_finding(facts: HostFacts, verdict: AcceleratorVerdict, severity: Severity) -> Finding:
    evidence = verdict.evidence or verdict.reason
    messages = {
        "missing": f"This computer offers no hardware acceleration ({verdict.name}): {verdict.reason}",
        "denied": f"The accelerator {verdict.name} exists, but this user may not open it: {verdict.reason}",
        "broken": f"The accelerator opens but a probe machine did not run on it ({verdict.name}): {evidence}",
    }
    hint = _ACCELERATOR_HINTS[(facts.os, verdict.status)]
    return Finding(f"accel.{verdict.status}", severity, messages[verdict.status], hint, "open_help")


def _developer_switch_finding() -> Finding:
    message = (
        "DEVELOPER SWITCH: tasks run under emulation (TCG), on one processor. It is slow, and QEMU promises no "
        "isolation for it: do not run a task that you do not trust."
    )
    return Finding(TCG_FINDING, "note", message, "Unset PUI_ALLOW_TCG to go back to hardware acceleration only.")


# shares


def _decide_share(facts: HostFacts) -> tuple[ShareKind | None, str, list[Finding]]:
    """The first kind that works, in the platform's order of preference."""
    refused: list[str] = []
    for kind in find_platform(facts.os, facts.arch).share_kinds:
        verdict = facts.share(kind)
        if verdict is None or not verdict.works:
            refused.append(f"{kind}: {'not tried' if verdict is None else verdict.reason}")
            continue
        if not refused:
            return kind, verdict.reason, []
        reason = f"{kind} instead of {'; '.join(refused)}"
        hint = (
            "Tasks run, with limits: listing many files is about four times slower, symbolic links of your folder "
            "cannot be followed in the machine, and what a task marks as executable is not so on this computer."
        )
        return kind, reason, [Finding(SHARE_FINDING, "warning", f"Folders are shared by {reason}", hint)]
    reason = "; ".join(refused) or f"no way to share a folder is known for {facts.os}"
    return None, reason, [_blocker("launch.mount_server", f"No folder can be shared with a machine: {reason}")]


# resources


def _memory_findings(facts: HostFacts, request: ResourceRequest) -> Iterator[Finding]:
    needed = request.memory_mib + QEMU_OVERHEAD_MIB
    text = (
        f"The task needs {needed} MiB of memory, {facts.memory_available_mib} MiB of {facts.memory_total_mib} are free"
    )
    if needed > facts.memory_available_mib:
        yield _blocker("host.memory", text, action="free_memory")
    elif needed + MEMORY_RESERVE_MIB > facts.memory_available_mib:
        yield Finding(LOW_MEMORY_FINDING, "warning", text, CODES["host.memory"].hint, "free_memory")


def _disk_findings(facts: HostFacts, request: ResourceRequest) -> Iterator[Finding]:
    needed, free = (value >> 20 for value in (request.disk_bytes, facts.disk_free_bytes))
    text = f"The task may use {needed} MiB of disk, {free} MiB are free"
    if request.disk_bytes > facts.disk_free_bytes:
        yield _blocker("host.disk_full", text, action="free_disk")
    elif request.disk_bytes + DISK_RESERVE_BYTES > facts.disk_free_bytes:
        yield Finding(LOW_DISK_FINDING, "warning", text, CODES["host.disk_full"].hint, "free_disk")


def _cpu_findings(facts: HostFacts, request: ResourceRequest) -> Iterator[Finding]:
    if request.cpu_count > facts.cpu_count:
        text = f"The task has {request.cpu_count} virtual processors, this computer has {facts.cpu_count}"
        yield Finding(FEW_CPUS_FINDING, "warning", text, "Ask for fewer: more than there are makes a task slower.")
