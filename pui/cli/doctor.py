"""`pui doctor`: what this computer can do, what is missing, and what to do about it.

In: flags. Out: findings as words or JSON; exit 0 ready, 3 set-up required. Never: a change of the computer.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING

from pui.cli.output import note, print_json, say
from pui.compose import App, composed_app
from pui.domain.facts import HostFacts
from pui.domain.preflight import PreflightVerdict, ResourceRequest, decide_preflight
from pui.domain.task import CPU_COUNT, MEMORY_MIB
from pui.ports import InstalledPack
from pui.supervisor.activities import OVERLAY_NEED_BYTES, find_pack

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

SETUP_REQUIRED = 3
_SIGNS = {"blocker": "✗", "warning": "!", "note": "·"}
_EPILOG = """\
The accelerator is proved by booting a tiny machine on it, at most a few seconds; the result is kept until the kernel,
the pack, the processor or the computer's start changes. --refresh boots it again.

exit status: 0 ready, 3 set-up is required
"""


def add_parser(subparsers: Subparsers) -> None:
    """Adds `doctor`."""
    parser = subparsers.add_parser(
        "doctor",
        help="check this computer and say what to do",
        description="Check the pack, the accelerator and the limits of this computer.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--refresh", action="store_true", help="boot the probe again instead of using the kept result")
    parser.add_argument("--accelerator", action="store_true", help="only whether hardware acceleration works (0 or 3)")
    parser.set_defaults(handler=_run)


def _run(arguments: argparse.Namespace) -> int:
    with composed_app() as app:
        pack, fact = find_pack(app.packs)
        if pack is not None and not arguments.json:
            note("Checking the accelerator (a probe machine may be booted) …")
        facts = None if pack is None else asyncio.run(app.host.probe(pack, refresh=arguments.refresh))
        for sentence in app.notes:
            note(sentence)
        verdict = decide_preflight(
            fact, facts, ResourceRequest(MEMORY_MIB, CPU_COUNT, OVERLAY_NEED_BYTES), app.tcg_is_allowed
        )
        if arguments.accelerator:
            return _tell_accelerator(facts, verdict)
        if arguments.json:
            print_json(_as_json(app, pack, facts, verdict))
        else:
            _tell(app, pack, facts, verdict)
    return SETUP_REQUIRED if verdict.setup_is_needed else 0


def _tell_accelerator(facts: HostFacts | None, verdict: PreflightVerdict) -> int:
    """Hardware only: the developer switch does not count here."""
    native = next((found for found in (facts.accelerators if facts else ()) if found.name != "tcg"), None)
    if native is not None and native.status == "works":
        say(f"{native.name} works (a probe machine booted in {native.boot_ms} ms)")
        return 0
    for finding in verdict.findings:
        if finding.code.startswith(("accel.", "pack.", "qemu.")):
            say(f"{finding.code}: {finding.message}")
    return SETUP_REQUIRED


def _tell(app: App, pack: InstalledPack | None, facts: HostFacts | None, verdict: PreflightVerdict) -> None:
    if pack is not None:
        on_trial = ", on trial" if app.packs.view().of(pack.pack_id).state == "trial" else ""
        say(f"pack          {pack.pack_id} (signed by {pack.signed_by}{on_trial})")
    if facts is not None:
        for found in facts.accelerators:
            boot = f", booted in {found.boot_ms} ms" if found.boot_ms is not None else ""
            say(f"accelerator   {found.name}: {found.status}{boot}: {found.reason}")
        for share in facts.shares:
            say(f"folders       {share.kind}: {'works' if share.works else 'does not work'}: {share.reason}")
        say(f"computer      {facts.cpu_count} CPUs, {facts.memory_available_mib} of {facts.memory_total_mib} MiB free")
    say(f"model         {app.model.label}")
    say(f"data          {app.paths.data}")
    for failed in app.packs.view().packs.values():
        if failed.state == "failed":
            say(f"failed pack   {failed.pack_id}: {failed.reason_code} {failed.reason}".rstrip())
    for finding in verdict.findings:
        say(f"\n{_SIGNS[finding.severity]} {finding.code} ({finding.severity})\n  {finding.message}")
        say(f"  → {finding.hint}")
    say("\nSet-up is required: no task runs." if verdict.setup_is_needed else "\nReady.")


def _as_json(
    app: App, pack: InstalledPack | None, facts: HostFacts | None, verdict: PreflightVerdict
) -> dict[str, object]:
    found = [] if facts is None else list(facts.accelerators)
    return {
        "ready": not verdict.setup_is_needed,
        "pack": pack.pack_id if pack else None,
        "pack_state": app.packs.view().of(pack.pack_id).state if pack else None,
        "accelerator": verdict.accelerator,
        "accelerators": [{"name": a.name, "status": a.status, "reason": a.reason, "boot_ms": a.boot_ms} for a in found],
        "share": verdict.share,
        "share_reason": verdict.share_reason,
        "developer_switch": app.tcg_is_allowed,
        "model": app.model.label,
        "findings": [finding.to_json() for finding in verdict.findings],
    }
