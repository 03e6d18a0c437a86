"""A health boot beside the app's tasks, for whoever has just installed, mended or doubts a pack.

In: services, a pack. Out: how the boot ended, in words; the verdict is written into the pack's life by the way.
Never: a judgement of its own (pack_health.py), a task that stays behind after a good boot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from pui.domain.journal import Record, TaskView
from pui.domain.statechart import Chart
from pui.ports import InstalledPack
from pui.supervisor.pack_health import OnePack, health_boot
from pui.supervisor.services import Services
from pui.supervisor.supervisor import Supervisor


class PackTrier:
    """Boots packs for one app."""

    def __init__(self, services: Services, task_chart: Chart, agent_chart: Chart) -> None:
        self._services = services
        self._task_chart = task_chart
        self._agent_chart = agent_chart

    async def boot(self, pack: InstalledPack, on_state: Callable[[str], None]) -> TaskView:
        """A health boot of `pack`, whatever the slots say; `on_state` gets the label of each busy state.

        A boot that failed keeps its task with the logs. Raises HostError("host.busy").
        """
        supervisor = Supervisor(replace(self._services, packs=OnePack(pack)), self._task_chart, self._agent_chart)

        def show(record: Record) -> None:
            state = self._task_chart.states.get(str(record.fields.get("to")))
            if record.type == "transition" and state is not None and "busy" in state.tags:
                on_state(state.label)

        try:
            task_id, view = await health_boot(supervisor, pack.pack_id, show)
        except asyncio.CancelledError:  # the machine ends before we do
            await supervisor.shutdown()
            raise
        if view.outcome is not None and view.outcome.result != "failed":
            self._services.files.remove_task(task_id)
        return view


def boot_words(view: TaskView) -> list[str]:
    """What a person should know of a health boot that is over; nothing when it simply went well."""
    said: list[str] = []
    findings = view.facts.get("findings")
    for finding in findings if isinstance(findings, list) else []:
        if isinstance(finding, dict) and finding.get("severity") == "blocker":
            said.append(f"no health boot is possible: {finding.get('code')}: {finding.get('message')}")
            said.append(f"  → {finding.get('hint')}")
    if view.outcome is not None and view.outcome.result == "failed":
        said.append(f"the health boot failed: {view.outcome.code}: {view.outcome.message}")
    if view.facts.get("pack_trial"):
        said.append(str(view.facts["pack_trial"]))
    return said
