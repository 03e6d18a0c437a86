"""pi of one task: questions and answers over `pui.rpc`, the transcript, what pi is doing.

In: a byte channel whose other end is hostile; commands. Out: answers, a feed of changes, lines of transcript.jsonl.
Never: a record passed on unchecked, a wait without the caller's deadline, a token of pi in the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from pui.domain.agent_view import AgentView
from pui.domain.errors import GuestError, HostError, ProtocolError
from pui.domain.events import JsonValue
from pui.domain.rpc import Dialog, DialogsClosed, Notice, PiRecord, Response, RpcClient, RpcEvent, RpcFault
from pui.domain.statechart import Chart
from pui.domain.transcript import Change, Transcript, coalesce
from pui.ports import ByteChannel, Clock, JournalFile
from pui.supervisor.feed import Feed

FAULT_NOTES = 20


@dataclass(frozen=True)
class AgentState:
    """pi's chart went to `state`."""

    state: str


@dataclass(frozen=True)
class OddBytes:
    """A line from the guest that was not used, and why."""

    reason: str


SessionEvent = Change | AgentState | Dialog | DialogsClosed | Notice | OddBytes


class Session:
    """One pi. `attach` once the port is connected, then `run` reads until it closes."""

    def __init__(self, transcript_file: JournalFile, clock: Clock, agent_chart: Chart) -> None:
        self._file = transcript_file
        self._clock = clock
        self._client = RpcClient()
        self._transcript = Transcript()
        self._agent = AgentView(agent_chart)
        self._channel: ByteChannel | None = None
        self._answers: dict[str, asyncio.Future[Response]] = {}
        self._is_idle = asyncio.Event()
        self._odd_lines = 0
        self.feed: Feed[SessionEvent] = Feed()

    def attach(self, channel: ByteChannel) -> None:
        """Talk over `channel` from now on; after a first one this is a reconnect and the torn line is dropped."""
        if self._channel is not None:
            self._client.resync()
        self._channel = channel

    async def run(self) -> None:
        """Read until the port closes. Raises ProtocolError, GuestError; waiting callers get the same error."""
        try:
            while data := await self._connected().read():
                self._take_all(self._client.feed(data))
            raise GuestError("guest.agent_exit", "the guest closed pi's port")
        except (ProtocolError, GuestError) as fault:
            for waiting in self._answers.values():
                if not waiting.done():
                    waiting.set_exception(fault)
            raise

    async def ask(self, command: str, /, **fields: JsonValue) -> Mapping[str, JsonValue]:
        """pi's answer to a command. Raises GuestError("guest.config") when pi refuses it; cancel it for a deadline."""
        sent = self._client.command(command, **fields)
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._answers[sent.id] = answer
        try:
            await self._connected().write(sent.line)
            response = await answer
        finally:
            self._answers.pop(sent.id, None)
            self._client.forget(sent.id)
        if not response.ok:
            raise GuestError("guest.config", f"pi refused `{command}`: {response.error}")
        return response.data

    async def prompt(self, message: str) -> None:
        """Give pi a prompt and wait until it has settled. Raises ModelError when the run ended by the model's fault."""
        self._is_idle.clear()
        data = await self.ask("prompt", message=message)
        if data.get("disposition") == "handled":  # an extension's command: no run follows
            return
        await self._is_idle.wait()
        fault = self._transcript.model_error()
        if fault is not None:
            raise fault

    async def answer(self, dialog_id: str, *, value: str | None = None, confirmed: bool | None = None) -> None:
        """Answer a dialog; without a value it is cancelled. An answer to one that is closed does nothing."""
        cancelled = value is None and confirmed is None
        line = self._client.answer(dialog_id, value=value, confirmed=confirmed, cancelled=cancelled)
        if line:
            await self._connected().write(line)
        self._tell_step(self._agent.close_question(dialog_id))

    def pi_has_exited(self) -> None:
        """PID 1 has said so."""
        self._tell_step(self._agent.exit())

    def close(self) -> None:
        """No more records; watchers end."""
        self._file.close()
        self.feed.close()

    def _connected(self) -> ByteChannel:
        if self._channel is None:
            raise ProtocolError("protocol.local", "pi's port is not connected yet")
        return self._channel

    def _take_all(self, events: list[RpcEvent]) -> None:
        changes: list[Change] = []
        for event in events:
            if isinstance(event, PiRecord):
                changes += self._transcript.add(event)
            self._follow_agent(event)
            if not isinstance(event, PiRecord):
                self._take(event)
        for change in coalesce(changes):
            self._tell_change(change)
        if not self._client.is_busy and any(isinstance(e, PiRecord) and e.type == "agent_settled" for e in events):
            self._is_idle.set()

    def _follow_agent(self, event: RpcEvent) -> None:
        match event:
            case PiRecord(kind, fields):
                self._tell_step(self._agent.observe({"type": kind, **fields}))
            case Response(_, command, ok):
                self._tell_step(self._agent.observe({"type": "response", "command": command, "success": ok}))
            case Dialog(dialog_id, method):
                record: dict[str, JsonValue] = {"type": "extension_ui_request", "id": dialog_id, "method": method}
                self._tell_step(self._agent.observe(record))
            case _:
                pass

    def _take(self, event: RpcEvent) -> None:
        match event:
            case Response():
                waiting = self._answers.get(event.id)
                if waiting is not None and not waiting.done():
                    waiting.set_result(event)
            case Dialog() | Notice():
                self.feed.append(event)
            case DialogsClosed():
                for dialog_id in event.ids:
                    self._tell_step(self._agent.close_question(dialog_id))
                self.feed.append(event)
            case RpcFault(reason, fatal_code):
                self._note_odd(reason)
                if fatal_code:
                    raise ProtocolError(fatal_code, reason)
            case _:
                pass

    def _note_odd(self, reason: str) -> None:
        self._odd_lines += 1
        if self._odd_lines <= FAULT_NOTES:
            self.feed.append(OddBytes(reason))

    def _tell_change(self, change: Change) -> None:
        self.feed.append(change)
        if change.entry.is_final:
            self._store({"entry": change.entry.to_json()})

    def _tell_step(self, step: object) -> None:
        if step is not None:
            self.feed.append(AgentState(self._agent.state))
            self._store({"agent": self._agent.state})

    def _store(self, record: dict[str, object]) -> None:
        """A full disk loses lines of the transcript, not the task: the journal, which follows, ends it by name."""
        try:
            self._file.append({"at_ns": self._clock.now_ns(), **record}, durable=False)
        except HostError as fault:
            self._note_odd(str(fault))
