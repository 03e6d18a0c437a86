"""The guest's half of a task: hello, configuration, pi's first answer, the prompt.

In: a machine that was launched, the session. Out: facts; errors named by what ended first. Never: a process, a release.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from pui.domain.agent_panel import shown_model
from pui.domain.chart_trace import duration_text
from pui.domain.errors import GuestError, ProtocolError, PuiError
from pui.domain.events import JsonValue
from pui.domain.guest_config import GuestMount, GuestSetup, cache_mount, plan_guest_config, set_clock
from pui.domain.handshake import CtlCommand, Exited
from pui.domain.model_policy import SecretText
from pui.domain.pi_session import EarlierTalk
from pui.domain.prompt_images import IMAGES_TOTAL_LIMIT_BYTES, PromptImage
from pui.domain.task import WORKSPACE, TaskSpec, guest_paths, mount_tag
from pui.ports import ByteChannel, ModelGateway
from pui.supervisor.changes import FolderChanges
from pui.supervisor.guest_control import GuestControl
from pui.supervisor.machine_work import MachineWork
from pui.supervisor.model_choice import choose_model
from pui.supervisor.resources import Resource, ResourceStack
from pui.supervisor.services import Services
from pui.supervisor.session import Session
from pui.supervisor.session_keeper import SessionKeeper
from pui.supervisor.sleep_watch import follow_sleep
from pui.supervisor.task_journal import TaskJournal
from pui.supervisor.watching import end_all, while_all_live

CONNECT_LIMIT_S = 5.0
POWER_OFF_LIMIT_S = 3.0
CAUSE_LIMIT_S = 1.0
SYMPTOMS = frozenset({"guest.agent_exit", "channel.lost_after_send", "launch.timeout"})
"""What a dead QEMU looks like through its sockets, which close before its exit code is known."""

Facts = Mapping[str, JsonValue]
Result = TypeVar("Result")


class GuestWork:
    """Activities await_hello and serve_channel."""

    def __init__(
        self,
        task_id: str,
        spec: TaskSpec,
        services: Services,
        journal: TaskJournal,
        resources: ResourceStack,
        session: Session,
        keeper: SessionKeeper,
        machine: MachineWork,
        changes: FolderChanges,
        earlier: EarlierTalk | None = None,
    ) -> None:
        self._task_id = task_id
        self._spec = spec
        self._services = services
        self._journal = journal
        self._resources = resources
        self._session = session
        self._machine = machine
        self._changes = changes
        self._earlier = earlier
        self._keeper = keeper
        self._readers: dict[str, asyncio.Task[None]] = {}
        self._control: GuestControl | None = None
        self._token = SecretText("")
        self._model = services.model

    async def await_hello(self, cause: int) -> Facts:
        """Until pi has answered get_state: ready means usable. Each part is watched by what those before it opened."""
        control = await self._while_live(self._take_control(cause))
        await self._while_live(self._open_ports(control, cause))
        state = await self._while_live(self._start_pi(control, cause))
        facts: dict[str, JsonValue] = {"boot_marks_ms": _marks(control), "model": _model_of(state)}
        self._journal.write("fact", cause, {"facts": facts})
        return {}

    async def serve_channel(self, cause: int) -> Facts:
        """Give pi the prompt. Done when pi has settled; an interactive task goes on until somebody ends it."""
        if self._spec.is_interactive:
            await self._while_live(self._serve_person(cause))
        else:
            await self._while_live(self._run_prompt(cause))
        return {}

    async def _take_control(self, cause: int) -> GuestControl:
        control = GuestControl(await self._connect("pui.ctl", cause))
        self._control = control
        self._read("pui.ctl", control.run(), cause)
        self._resources.push(Resource("guest", "guest", self._power_off), cause)
        return control

    async def _open_ports(self, control: GuestControl, cause: int) -> None:
        hello = await control.hello()
        self._journal.write("fact", cause, {"facts": {"guest": hello.guest, "guest_kernel": hello.kernel}})
        await self._serve_model(cause)
        self._session.attach(await self._connect("pui.rpc", cause))
        self._read("pui.rpc", self._session.run(), cause, self._keep_last)

    async def _start_pi(self, control: GuestControl, cause: int) -> Mapping[str, JsonValue]:
        await self._mount_cache(control, cause)
        await self._look_before(cause)
        await control.order(*self._configuration())
        self._read("sleep", follow_sleep(self._services.clock, lambda s: self._woken(control, s, cause)), cause)
        state = await self._session.ask("get_state")
        if self._earlier is not None:
            await self._session.ask_soon("get_session_stats")
            self._session.panel.count_from_here()
        return state

    async def _woken(self, control: GuestControl, slept_s: float, cause: int) -> None:
        """The guest's clock stood still with the computer: certificates and commits would be of another time."""
        self._journal.write("fact", cause, {"facts": {"slept_ms": round(slept_s * 1000)}})
        self._session.note(f"This computer slept for {duration_text(round(slept_s * 1e9))}.")
        await self._told(self._set_clock(control))

    async def _set_clock(self, control: GuestControl) -> None:
        try:
            async with asyncio.timeout(CONNECT_LIMIT_S):
                await control.order(set_clock(self._services.clock.now_ns()))
        except TimeoutError as late:
            raise GuestError("guest.config", "the machine did not set its clock in time") from late

    async def _mount_cache(self, control: GuestControl, cause: int) -> None:
        """A volume that the guest cannot mount is given up, not the task."""
        if self._machine.cache.path is None:
            return
        try:
            await control.order(cache_mount())
        except GuestError as fault:
            self._machine.drop_cache()
            told = f"the cache volume could not be mounted and begins anew with the next task ({fault.message})"
            self._journal.write("fact", cause, {"facts": {"cache": told}})

    async def _look_before(self, cause: int) -> None:
        """Done and kept before the order that mounts the folders, which lets the guest write."""
        await self._changes.ready()
        fault = self._changes.fault
        if fault is not None:
            told = f"what was in the folders will not be known after an end of the app ({fault.message})"
            self._journal.write("fact", cause, {"facts": {"baseline": told}})

    async def _run_prompt(self, cause: int) -> None:
        if self._spec.thinking:
            await self._session.ask("set_thinking_level", level=self._spec.thinking)
        await self._session.prompt(self._spec.prompt, self._images())
        await self._note_stats(cause)

    async def _serve_person(self, cause: int) -> None:
        """What goes wrong in a conversation is told in it; only a machine or a pi that ends ends the task."""
        count = 0
        await self._told(self._open_conversation())
        while True:
            count = await self._session.wait_settled(count)
            await self._told(self._note_stats(cause))

    async def _open_conversation(self) -> None:
        session, spec = self._session, self._spec
        if spec.thinking:
            await session.ask_soon("set_thinking_level", level=spec.thinking)
        await session.ask_soon("get_available_thinking_levels")
        await session.send(spec.prompt, "prompt", self._images())

    async def _told(self, work: Awaitable[None]) -> None:
        try:
            await work
        except PuiError as fault:
            self._session.note_fault(fault)

    async def _note_stats(self, cause: int) -> None:
        """Cost and pi's session survive the app: the one is a fact of the journal, the other a file beside it."""
        await self._told(self._keep_session(cause))
        await self._session.ask_soon("get_session_stats")
        self._journal.write("fact", cause, {"facts": {"stats": self._session.panel.stats}})

    async def _keep_session(self, cause: int) -> None:
        kept = await self._keeper.keep()
        if kept is not None:
            self._journal.write("fact", cause, {"facts": {"session": kept}})

    async def _keep_last(self) -> None:
        kept = await self._keeper.keep_last()
        if kept is not None:
            self._journal.write("fact", self._journal.view.last_seq, {"facts": {"session": kept}})

    def _images(self) -> list[PromptImage]:
        files = self._services.files
        limit_bytes = IMAGES_TOTAL_LIMIT_BYTES
        return [PromptImage(i.mime, files.read(self._task_id, i.name, limit_bytes)) for i in self._spec.images]

    def _configuration(self) -> tuple[CtlCommand, ...]:
        kind = self._machine.ground.share_kind or "9p"
        paths = guest_paths(self._spec.mounts)
        mounts = tuple(
            GuestMount(mount_tag(index), path, kind, mount.read_only)
            for index, (path, mount) in enumerate(zip(paths, self._spec.mounts, strict=True))
        )
        setup = GuestSetup(
            hostname="pui",
            clock_ns=self._services.clock.now_ns(),
            entropy=self._services.random_bytes(32),
            mounts=mounts,
            working_dir=paths[0] if paths else WORKSPACE,
            model=self._model,
            token=self._token,
            has_person=self._spec.is_interactive,
            has_cache=self._machine.cache.path is not None,
            session=self._session_file(paths[0] if paths else WORKSPACE),
        )
        return plan_guest_config(setup)

    def _session_file(self, cwd: str) -> bytes:
        if self._earlier is None or not self._earlier.session.entry_count:
            return b""
        return self._earlier.session.to_file(self._task_id, cwd, self._services.clock.now_ns())

    async def _serve_model(self, cause: int) -> None:
        self._token = SecretText(self._services.random_bytes(24).hex())
        self._model = choose_model(self._services, self._spec)
        gateway = self._services.new_gateway(self._model, self._token)
        self._resources.push(Resource("model-gateway", "gateway", gateway.close), cause)
        self._journal.write("fact", cause, {"facts": self._model_facts(gateway)})
        self._read("pui.model", gateway.serve(await self._connect("pui.model", cause)), cause)

    def _model_facts(self, gateway: ModelGateway) -> dict[str, JsonValue]:
        model: JsonValue = {"provider": self._model.provider, "model": self._model.model}
        return {"model_label": gateway.label, "is_demo": gateway.is_demo, "model_choice": model}

    async def _connect(self, port: str, cause: int) -> ByteChannel:
        endpoint = self._machine.endpoints[port]
        channel = await self._services.transport.connect(endpoint, CONNECT_LIMIT_S)
        self._resources.push(Resource(f"channel-{port}", "channel", channel.close), cause)
        return channel

    def _read(
        self, port: str, work: Awaitable[None], cause: int, last: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """A reader outlives the state that started it; teardown ends it, after `last`."""
        task = asyncio.ensure_future(work)
        self._readers[port] = task

        async def end() -> None:
            if last is not None and not task.done():
                await last()
            await end_all([task])

        self._resources.push(Resource(f"reader-{port}", "reader", end), cause)

    def _watches(self) -> list[Awaitable[None]]:
        readers = [asyncio.shield(task) for task in self._readers.values()]
        pi = [] if self._control is None else [self._pi_ended()]
        return [*self._machine.watches(), *pi, *readers]

    async def _while_live(self, work: Coroutine[Any, Any, Result]) -> Result:
        """The result of `work`. When it fails by a mere symptom, the cause is raised if it shows soon."""
        try:
            return await while_all_live(work, self._watches())
        except PuiError as fault:
            if fault.code in SYMPTOMS:
                await self._raise_cause()
            raise

    async def _raise_cause(self) -> None:
        """Raises what ended QEMU or a mount server; returns when they live on."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CAUSE_LIMIT_S):
                await while_all_live(asyncio.Event().wait(), self._machine.watches())

    async def _pi_ended(self) -> None:
        """Raises GuestError("guest.agent_exit") when PID 1 says that pi has ended."""
        if self._control is None:
            raise ProtocolError("protocol.local", "no control channel")
        exited = await self._control.pi_exited()
        self._session.pi_has_exited()
        raise GuestError("guest.agent_exit", _how(exited), detail=self._control.stderr_tail())

    async def _power_off(self) -> None:
        """Ask for an orderly power-off, so that what the guest still holds is written; QEMU is ended either way."""
        if self._control is None or not self._control.has_spoken or self._readers["pui.ctl"].done():
            return
        try:
            async with asyncio.timeout(POWER_OFF_LIMIT_S):
                await self._control.order(CtlCommand("poweroff"))
                await self._machine.vm.wait()
        except (TimeoutError, PuiError):
            return  # teardown goes on with QEMU itself, which does not need the guest's consent


def _marks(control: GuestControl) -> dict[str, JsonValue]:
    return {mark.stage: mark.uptime_ms for mark in control.marks}


def _model_of(state: Mapping[str, JsonValue]) -> JsonValue:
    model = state.get("model")
    return shown_model(model) if isinstance(model, dict) else None


def _how(exited: Exited) -> str:
    end = f"by signal {exited.signal}" if exited.signal is not None else f"with code {exited.code}"
    return f"pi ended {end}"
