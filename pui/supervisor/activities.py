"""The work of each state of the task chart, over ports.

In: the task's spec, services, what earlier activities have made. Out: facts for guards and journal, or a PuiError.
Never: a decision that the domain can make, a release (only teardown releases), a change of state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from pui.domain.errors import PuiError
from pui.domain.events import JsonValue
from pui.domain.facts import HostFacts
from pui.domain.pi_session import EarlierTalk
from pui.domain.platforms import find_platform, jail_words
from pui.domain.preflight import PackFact, PreflightVerdict, ResourceRequest, decide_preflight
from pui.domain.task import TaskSpec
from pui.ports import ChosenFolder, InstalledPack, PackStore
from pui.supervisor.changes import FolderChanges
from pui.supervisor.guest_work import GuestWork
from pui.supervisor.machine_work import MachineWork
from pui.supervisor.pack_health import note_proven
from pui.supervisor.resources import ResourceStack
from pui.supervisor.runner import Activity
from pui.supervisor.services import Services
from pui.supervisor.session import Session
from pui.supervisor.session_keeper import SessionKeeper
from pui.supervisor.task_journal import TaskJournal

OVERLAY_NEED_BYTES = 1 << 30

Facts = Mapping[str, JsonValue]
FolderCheck = Callable[[], tuple[ChosenFolder, ...]]


class TaskActivities:
    """The activities of one task by the chart's names."""

    def __init__(
        self,
        task_id: str,
        spec: TaskSpec,
        services: Services,
        journal: TaskJournal,
        resources: ResourceStack,
        session: Session,
        keeper: SessionKeeper,
        check_folders: FolderCheck,
        changes: FolderChanges,
        *,
        only_boot: bool = False,
        earlier: EarlierTalk | None = None,
    ) -> None:
        self._only_boot = only_boot
        self._spec = spec
        self._services = services
        self._journal = journal
        self._resources = resources
        self._check_folders = check_folders
        self._changes = changes
        self._is_retry = False
        self._machine = MachineWork(task_id, spec, services, resources)
        self._guest = GuestWork(
            task_id, spec, services, journal, resources, session, keeper, self._machine, changes, earlier
        )

    def table(self) -> Mapping[str, Activity]:
        """Exactly the names of domain/chart_names.py."""
        return {
            "run_preflight": self.run_preflight,
            "prepare_overlay": self.prepare_overlay,
            "launch_qemu": self._machine.launch_qemu,
            "await_hello": self.await_hello,
            "serve_channel": self.end_at_once if self._only_boot else self._guest.serve_channel,
            "release_resources": self.release_resources,
        }

    async def run_preflight(self, cause: int) -> Facts:
        """Pack, computer and folders. Findings are facts; only a folder that changed meanwhile is an error."""
        folders = self._check_folders()
        pack, pack_fact = await asyncio.to_thread(find_pack, self._services.packs)
        facts = None if pack is None else await self._services.host.probe(pack, refresh=self._is_retry)
        self._is_retry = True
        need = ResourceRequest(self._spec.memory_mib, self._spec.cpu_count, OVERLAY_NEED_BYTES)
        verdict = decide_preflight(pack_fact, facts, need, self._services.tcg_is_allowed)
        if pack is not None and facts is not None:
            self._machine.use(pack, facts, verdict, folders)
            if not verdict.setup_is_needed:
                self._changes.begin(folders)
        told = _tell(pack, facts, verdict)
        self._journal.write("fact", cause, {"facts": told})
        return {"setup_is_needed": verdict.setup_is_needed, "timeout_scale": verdict.timeout_scale}

    async def prepare_overlay(self, cause: int) -> Facts:
        """See MachineWork; which cache volume the task got is a fact."""
        facts = await self._machine.prepare_overlay(cause)
        if facts:
            self._journal.write("fact", cause, {"facts": dict(facts)})
        return {}

    async def await_hello(self, cause: int) -> Facts:
        """See GuestWork; a machine that has reached pi's answer proves its pack."""
        facts = await self._guest.await_hello(cause)
        await note_proven(self._services, self._journal, self._machine.ground.pack.pack_id, cause)
        return facts

    async def end_at_once(self, cause: int) -> Facts:
        """A health boot is over once pi has answered: no prompt is sent."""
        return {}

    async def release_resources(self, cause: int) -> Facts:
        """Everything in reverse order. Raises the first failure after all were tried."""
        failures = await self._resources.release_all(cause)
        if failures:
            raise PuiError("host.permission", "not everything could be released: " + "; ".join(failures))
        return {}


def find_pack(packs: PackStore) -> tuple[InstalledPack | None, PackFact]:
    """The active pack, or the fault that makes it unusable, as preflight judges it. Blocks: it reads the pack."""
    try:
        pack = packs.active()
    except PuiError as fault:
        return None, PackFact("", fault.code, fault.message, fault.hint)
    return pack, PackFact(pack.pack_id)


def _tell(pack: InstalledPack | None, facts: HostFacts | None, verdict: PreflightVerdict) -> dict[str, JsonValue]:
    """What a person and the journal are told about this computer."""
    return {
        "pack": pack.pack_id if pack else None,
        "signed_by": pack.signed_by if pack else None,
        "accelerator": verdict.accelerator,
        "share": verdict.share,
        "share_reason": verdict.share_reason,
        "timeout_scale": verdict.timeout_scale,
        "jail": _jail(facts) if facts else None,
        "findings": [finding.to_json() for finding in verdict.findings],
        "probe_from_cache": facts.from_cache if facts else None,
        "os": facts.os if facts else None,
    }


def _jail(facts: HostFacts) -> dict[str, JsonValue]:
    """As QEMU is started on this computer (qemu_args, adapters/process)."""
    return {"is_on": False, "reason": jail_words(find_platform(facts.os, facts.arch))}
