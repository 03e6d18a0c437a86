"""What boots say about the pack they were made with; the health boot of a pack on trial.

In: tasks that have reached pi or failed before it, a pack to try. Out: calls of ports.PackTrial, facts in the task's
journal, the view of a health boot. Never: a judgement about slots, a prompt to pi, a task that ends differently
because its pack was judged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pui.domain.errors import PuiError
from pui.domain.events import JsonValue
from pui.domain.journal import Record, TaskView
from pui.domain.pack_life import blames_pack
from pui.domain.preflight import PackFact, ResourceRequest, decide_preflight
from pui.domain.task import TaskSpec
from pui.ports import InstalledPack
from pui.supervisor.services import Services
from pui.supervisor.task_journal import TaskJournal

WAITING = "setup-required"
_NOTHING = ResourceRequest(0, 1, 0)


async def note_proven(services: Services, journal: TaskJournal, pack_id: str, cause: int | None) -> None:
    """A machine has reached pi's answer. When that cannot be written down the next task proves it again."""
    trial = services.pack_trial
    if trial is None:
        return
    try:
        was_on_trial = await asyncio.to_thread(trial.proven, pack_id)
    except PuiError as fault:
        _note(journal, cause, f"pack {pack_id} stays on trial: {fault}")
        return
    if was_on_trial:
        _note(journal, cause, f"pack {pack_id} has passed its trial")


async def judge_boot(services: Services, journal: TaskJournal) -> None:
    """After a task: a boot that failed by its pack's fault ends the trial of that pack."""
    view = journal.view
    pack_id = view.facts.get("pack")
    if services.pack_trial is None or not isinstance(pack_id, str):
        return
    blame = _blame(view) or await _blame_by_comparison(services, view, pack_id)
    if blame is None:
        return
    try:
        done = await asyncio.to_thread(services.pack_trial.failed, pack_id, *blame)
    except PuiError as fault:
        done = f"pack {pack_id} stays on trial: {fault}"
    if done is not None:
        _note(journal, view.last_seq, done)


def _blame(view: TaskView) -> tuple[str, str] | None:
    """Code and message of what the pack is blamed for."""
    states = [visit.state for visit in view.visits]
    outcome = view.outcome
    if outcome is not None and outcome.result == "failed" and blames_pack(states, outcome.code):
        return outcome.code, outcome.message
    return _blocker(view, "qemu.")


def _blocker(view: TaskView, codes: str) -> tuple[str, str] | None:
    """Code and message of what stopped the task before its launch, if its code begins with `codes`."""
    findings = view.facts.get("findings")
    waited = [visit.state for visit in view.visits][-2:-1] == [WAITING]
    for finding in findings if isinstance(findings, list) and waited else ():
        if (
            isinstance(finding, dict)
            and finding.get("severity") == "blocker"
            and str(finding.get("code")).startswith(codes)
        ):
            return str(finding["code"]), str(finding.get("message", ""))
    return None


async def _blame_by_comparison(services: Services, view: TaskView, pack_id: str) -> tuple[str, str] | None:
    """A probe machine is made of the pack's own kernel. When none ran, the computer may be at fault, or the pack: it is
    the pack if a machine of the pack before it runs here. Only asked while the pack is on trial."""
    found = _blocker(view, "accel.")
    if found is None or services.pack_trial is None:
        return None
    before = await asyncio.to_thread(services.pack_trial.way_back, pack_id)
    if before is None:
        return None
    facts = await services.host.probe(before)
    verdict = decide_preflight(PackFact(before.pack_id), facts, _NOTHING, services.tcg_is_allowed)
    if verdict.accelerator is None:
        return None
    return found[0], f"no machine of this pack starts here, one of {before.pack_id} does: {found[1]}"


def _note(journal: TaskJournal, cause: int | None, sentence: str) -> None:
    fields: dict[str, JsonValue] = {"facts": {"pack_trial": sentence}}
    journal.write("fact", cause, fields)


class Booting(Protocol):
    """The part of a Supervisor that a health boot needs."""

    def create(self, spec: TaskSpec, *, only_boot: bool = False) -> str: ...

    def trigger(self, task_id: str, trigger: str) -> None: ...

    async def wait(self, task_id: str) -> TaskView: ...

    def journal_of(self, task_id: str) -> TaskJournal: ...


@dataclass(frozen=True)
class OnePack:
    """ports.PackStore that knows one pack: the one to try, whatever the slots say."""

    pack: InstalledPack

    def active(self) -> InstalledPack:
        return self.pack


async def health_boot(supervisor: Booting, pack_id: str, on_record: Callable[[Record], None]) -> tuple[str, TaskView]:
    """Boot a machine up to pi's answer, without folders and without a prompt; (task id, how it ended).

    Where set-up is required the boot ends as cancelled: it says nothing about the pack, unless QEMU itself is at fault.
    Raises HostError("host.busy").
    """
    task_id = supervisor.create(TaskSpec(f"(health boot of {pack_id}: no prompt is sent)", ()), only_boot=True)
    following = asyncio.create_task(_follow(supervisor, task_id, on_record))
    supervisor.trigger(task_id, "start")
    try:
        return task_id, await supervisor.wait(task_id)
    finally:
        await following


async def _follow(supervisor: Booting, task_id: str, on_record: Callable[[Record], None]) -> None:
    journal, cursor = supervisor.journal_of(task_id), 0
    while await journal.feed.wait(cursor):
        records, cursor = journal.feed.since(cursor)
        for record in records:
            on_record(record)
            if record.type == "transition" and record.fields.get("to") == WAITING:
                supervisor.trigger(task_id, "cancel")
