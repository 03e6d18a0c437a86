"""What a person is shown of this computer: is it ready, what is missing, what to do.

In: the preflight's verdict, host facts, whether a check runs. Out: the SetupView of docs/bridge.md.
Never: I/O; an action that cannot help (going back without a previous pack).
"""

from __future__ import annotations

from dataclasses import dataclass

from pui.domain.errors import CODES
from pui.domain.events import JsonValue
from pui.domain.facts import HostFacts, OsName
from pui.domain.preflight import Finding, PreflightVerdict
from pui.domain.scrub import scrub_text
from pui.domain.setup_steps import steps_for
from pui.domain.task import CPU_RANGE, MEMORY_RANGE_MIB

TITLES = {
    "accel.developer_switch": "Emulation is allowed by the developer switch",
    "share.fallback": "Folders are shared in a slower way",
    "host.few_cpus": "Fewer processors than asked for",
    "host.low_memory": "Memory is short",
    "host.low_disk": "Disk space is short",
}
ACCELERATOR_LABELS = {
    "kvm": "KVM",
    "hvf": "Hypervisor.framework",
    "whpx": "Windows Hypervisor Platform",
    "tcg": "Emulated (TCG): slow, no isolation promised",
}
_PACK_ACTIONS = {"pack.corrupt": "repair_pack", "pack.unhealthy": "try_pack"}


@dataclass(frozen=True)
class SetupState:
    """`verdict` None before the first check. `started_ms` is when the running check began, `checked_ms` when the last
    one ended; Unix time. `jail_reason` says why QEMU is (not) jailed."""

    os: OsName
    arch: str
    machine_limit: int
    data_dir: str
    verdict: PreflightVerdict | None = None
    facts: HostFacts | None = None
    started_ms: int | None = None
    checked_ms: int | None = None
    has_previous: bool = False
    jail_is_on: bool = False
    jail_reason: str = ""


def setup_view(state: SetupState) -> dict[str, JsonValue]:
    """SetupView of docs/bridge.md."""
    verdict = state.verdict
    name = None if verdict is None else verdict.accelerator
    return {
        "is_ready": verdict is not None and not verdict.setup_is_needed,
        "is_checking": state.started_ms is not None,
        "started_ms": state.started_ms,
        "checked_ms": state.checked_ms,
        "accelerator": None
        if name is None
        else {"name": name, "label": ACCELERATOR_LABELS[name], "is_emulated": name == "tcg"},
        "jail": {"is_on": state.jail_is_on, "reason": state.jail_reason},
        "findings": [finding_view(finding, state) for finding in (() if verdict is None else verdict.findings)],
        "computer": None if state.facts is None else _computer(state.facts),
        "limits": {
            "machine_limit": state.machine_limit,
            "memory_range_mib": list(MEMORY_RANGE_MIB),
            "cpu_range": list(CPU_RANGE),
        },
        "data_dir": state.data_dir,
    }


def finding_title(code: str) -> str:
    """A finding's name for a person; the code itself for one that this version does not know."""
    info = CODES.get(code)
    return TITLES.get(code) or (info.meaning if info is not None else code)


def finding_view(finding: Finding, state: SetupState) -> JsonValue:
    """Finding of docs/bridge.md: its words, the button that helps, steps for this system."""
    return {
        "code": finding.code,
        "severity": finding.severity,
        "title": finding_title(finding.code),
        "message": scrub_text(finding.message),
        "hint": scrub_text(finding.hint),
        "action": _action(finding, state),
        "steps": list(steps_for(state.os, finding.code)),
    }


def _action(finding: Finding, state: SetupState) -> str:
    if finding.code == "pack.unhealthy" and state.has_previous:
        return "roll_back"
    return _PACK_ACTIONS.get(finding.code, finding.action)


def _computer(facts: HostFacts) -> JsonValue:
    return {
        "os": facts.os,
        "arch": facts.arch,
        "kernel": facts.kernel_release,
        "cpu": scrub_text(facts.cpu_model),
        "cpu_count": facts.cpu_count,
        "memory_total_mib": facts.memory_total_mib,
        "memory_free_mib": facts.memory_available_mib,
        "disk_free_bytes": facts.disk_free_bytes,
    }
