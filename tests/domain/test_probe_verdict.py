"""The line of the probe machine decides; everything else becomes words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pui.domain.probe_verdict import ProbeRun, judge_probe

RUN = ProbeRun("kvm", b"", "", "", None, None, 5.0)


def test_the_line_decides_whatever_happened_after_it() -> None:
    verdict = judge_probe(replace(RUN, serial=b"noise\npui-probe: ok\n", exit_code=1, trouble="x", boot_ms=120))
    assert (verdict.status, verdict.boot_ms, verdict.evidence) == ("works", 120, "")


@pytest.mark.parametrize(
    ("run", "status", "reason"),
    [
        (RUN, "broken", "the probe machine printed nothing within 5 s"),
        (replace(RUN, serial=b"Booting"), "broken", "the probe machine did not finish its boot within 5 s"),
        (replace(RUN, exit_code=1), "broken", "QEMU ended with 1 before the probe machine had booted"),
        (replace(RUN, trouble="the guest's kernel panicked", exit_code=0), "broken", "the guest's kernel panicked"),
        (
            replace(RUN, log="Could not access KVM kernel module: Permission denied", exit_code=1),
            "denied",
            "QEMU was not allowed to open the accelerator",
        ),
    ],
    ids=["silent", "hangs", "exits", "trouble", "denied"],
)
def test_a_failure_is_worded(run: ProbeRun, status: str, reason: str) -> None:
    verdict = judge_probe(run)
    assert (verdict.status, verdict.reason) == (status, reason)
    assert verdict.evidence.startswith(reason)


def test_the_evidence_is_short_and_harmless() -> None:
    registers = "".join(f"R{number}=0000000000000000\n" for number in range(200))
    log = f"KVM internal error. Suberror: 1\n{registers}\x1b[31memulation failure\n"
    evidence = judge_probe(replace(RUN, log=log, serial=b"\xff\x00panic" * 5000)).evidence
    assert "KVM internal error. Suberror: 1" in evidence
    assert "emulation failure" in evidence
    assert len(evidence) <= 400
    assert evidence.isprintable()
