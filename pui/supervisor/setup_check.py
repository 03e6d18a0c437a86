"""Whether this computer can run tasks, found out in the background and shown.

In: the pack store, the host probe, what a usual task asks for. Out: the SetupView; `listen` names who gets each new
one. Never: two probes at once, a verdict of its own (domain/preflight.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from pui.domain.errors import CODES, PuiError
from pui.domain.events import JsonValue
from pui.domain.facts import ArchName, OsName
from pui.domain.preflight import PackFact, PreflightVerdict, ResourceRequest, decide_preflight
from pui.domain.setup_view import SetupState, setup_view
from pui.ports import InstalledPack
from pui.ports.upkeep import SettingsStore
from pui.supervisor.activities import OVERLAY_NEED_BYTES, find_pack
from pui.supervisor.services import Services


@dataclass(frozen=True)
class SetupFacts:
    """What does not change while the app runs; `has_previous` is asked at each check."""

    os: OsName
    arch: ArchName
    data_dir: str
    has_previous: Callable[[], bool]
    jail_is_on: bool = False
    jail_reason: str = ""


class SetupCheck:
    """One per app; every method belongs to the supervisor's loop."""

    def __init__(self, services: Services, settings: SettingsStore, facts: SetupFacts) -> None:
        self._services = services
        self._settings = settings
        self._facts = facts
        self._listener: Callable[[dict[str, JsonValue]], None] = lambda view: None
        self._running: asyncio.Task[None] | None = None
        self._state = SetupState(
            facts.os,
            facts.arch,
            services.machine_limit,
            facts.data_dir,
            jail_is_on=facts.jail_is_on,
            jail_reason=facts.jail_reason,
        )

    def listen(self, listener: Callable[[dict[str, JsonValue]], None]) -> None:
        """`listener` gets each new SetupView, on the loop."""
        self._listener = listener

    def view(self) -> dict[str, JsonValue]:
        """SetupView of docs/bridge.md as of the last check."""
        return setup_view(self._state)

    def first_view(self) -> dict[str, JsonValue]:
        """The same; the first one begins a check that may use a verdict which still holds."""
        if self._state.verdict is None:
            self.start(refresh=False)
        return self.view()

    def start(self, *, refresh: bool = True) -> dict[str, JsonValue]:
        """Begins a check, with a probe that really boots; nothing is begun while one runs."""
        if self._running is None or self._running.done():
            self._state = replace(self._state, started_ms=self._now_ms())
            self._running = asyncio.create_task(self._check(refresh=refresh), name="setup-check")
            self._listener(self.view())
        return self.view()

    async def wait(self) -> dict[str, JsonValue]:
        """Until the check that runs is over."""
        if self._running is not None:
            await asyncio.shield(self._running)
        return self.view()

    async def close(self) -> None:
        """Ends a check that runs, and its probe machine."""
        if self._running is not None and not self._running.done():
            self._running.cancel()
            await asyncio.wait([self._running])

    async def _check(self, *, refresh: bool) -> None:
        try:
            pack, fact = await asyncio.to_thread(find_pack, self._services.packs)
            await self._judge(pack, fact, refresh=refresh)
        except PuiError as error:
            self._tell_fault(error)
        except Exception:
            structlog.get_logger().exception("the check of this computer failed unexpectedly")
            self._tell_fault(PuiError("bug.unexpected", CODES["bug.unexpected"].meaning))
        finally:
            self._state = replace(self._state, started_ms=None, checked_ms=self._now_ms())
        self._listener(self.view())

    async def _judge(self, pack: InstalledPack | None, fact: PackFact, *, refresh: bool) -> None:
        facts = None if pack is None else await self._services.host.probe(pack, refresh=refresh)
        settings = self._settings.current()
        need = ResourceRequest(settings.memory_mib, settings.cpu_count, OVERLAY_NEED_BYTES)
        verdict = decide_preflight(fact, facts, need, self._services.tcg_is_allowed)
        has_previous = await asyncio.to_thread(self._facts.has_previous)
        self._state = replace(self._state, verdict=verdict, facts=facts, has_previous=has_previous)

    def _tell_fault(self, error: PuiError) -> None:
        """A check that could not be made is a finding too."""
        fault = PackFact("", error.code, error.message, error.hint)
        verdict: PreflightVerdict = decide_preflight(fault, None, ResourceRequest(0, 0, 0), tcg_is_allowed=False)
        self._state = replace(self._state, verdict=verdict, facts=None)

    def _now_ms(self) -> int:
        return self._services.clock.now_ns() // 1_000_000
