"""What a probe machine's run says about an accelerator.

In: what the serial port, the monitor and the process showed. Out: an AcceleratorVerdict with words for a person.
Never: a look at the computer, a verdict from a processor flag or from the device file alone (guest.md, section 1).
"""

from __future__ import annotations

from dataclasses import dataclass

from pui.domain.facts import AcceleratorName, AcceleratorStatus, AcceleratorVerdict
from pui.domain.scrub import scrub_line

PROBE_LINE = b"pui-probe: ok"
"""What the guest's init prints in probe mode (pui/guest/protocol.md, section 1)."""

SERIAL_READ_BYTES = 65536
_EVIDENCE_LIMIT = 400
_TELLING = ("error", "fail", "denied", "panic", "could not", "not supported", "no such")


@dataclass(frozen=True)
class ProbeRun:
    """One run. `exit_code` is None while QEMU was still alive at the end; `trouble` is what its monitor reported.

    `serial` and `log` are the first SERIAL_READ_BYTES and the last lines; `boot_ms` is the time to PROBE_LINE.
    """

    accelerator: AcceleratorName
    serial: bytes
    log: str
    trouble: str
    exit_code: int | None
    boot_ms: int | None
    limit_s: float


def judge_probe(run: ProbeRun) -> AcceleratorVerdict:
    """PROBE_LINE decides, whatever happened after it."""
    if PROBE_LINE in run.serial:
        return AcceleratorVerdict(run.accelerator, "works", "a probe machine booted", boot_ms=run.boot_ms)
    status, reason = _failure(run)
    return AcceleratorVerdict(run.accelerator, status, reason, evidence=_evidence(reason, run))


def _failure(run: ProbeRun) -> tuple[AcceleratorStatus, str]:
    if "permission denied" in run.log.lower():
        return "denied", "QEMU was not allowed to open the accelerator"
    if run.trouble:
        return "broken", run.trouble
    if run.exit_code is not None:
        return "broken", f"QEMU ended with {run.exit_code} before the probe machine had booted"
    did = "printed nothing" if not run.serial.strip() else "did not finish its boot"
    return "broken", f"the probe machine {did} within {run.limit_s:g} s"


def _evidence(reason: str, run: ProbeRun) -> str:
    """The reason and the lines that tell most: a register dump of 60 lines helps nobody."""
    lines = [
        scrub_line(line, 160) for line in run.log.splitlines() + run.serial.decode("ascii", "replace").splitlines()
    ]
    lines = [line for line in lines if line]
    telling = [line for line in lines if any(word in line.lower() for word in _TELLING)][:3]
    return scrub_line("; ".join([reason, *dict.fromkeys(telling or lines[-1:])]), _EVIDENCE_LIMIT)
