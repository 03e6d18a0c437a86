"""pi of one task: questions and answers over `pui.rpc`, the transcript, what pi is doing.

In: a byte channel whose other end is hostile; commands. Out: answers, a feed of changes, lines of transcript.jsonl.
Never: a record passed on unchecked, a wait without a deadline (the caller's, or one of those below), a token of pi in
the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pui.domain.agent_panel import QUEUE_LIMIT, AgentPanel
from pui.domain.entry_log import EntryLog
from pui.domain.errors import CallerError, GuestError, HostError, ProtocolError, PuiError
from pui.domain.events import JsonValue
from pui.domain.prompt_images import PromptImage
from pui.domain.rpc import Dialog, DialogsClosed, Notice, PiRecord, Response, RpcClient, RpcEvent, RpcFault, Unsupported
from pui.domain.scrub import scrub_line, scrub_text
from pui.domain.statechart import Chart
from pui.domain.task import PROMPT_LIMIT_BYTES
from pui.domain.transcript import Change, Transcript, coalesce
from pui.ports import ByteChannel, Clock, JournalFile
from pui.supervisor.feed import Feed

FAULT_NOTES = 20
ANSWER_LIMIT_S = 60.0
"""For an answer that pi gives at once; an emulated machine with a busy host needs some of it."""
SEND_WAIT_S = 10.0
"""How long a caller waits for the answer to work that may take long: a prompt that is an extension's command, a summing
up. Later ends are told in the transcript."""
LONG_LIMIT_S = 3600.0
FEED_LIMIT = 4000
WORK = frozenset({"tool_execution_end", "agent_settled"})
TRANSCRIPT_LIMIT_CHARS = 512 * 1024 * 1024

Result = TypeVar("Result")


@dataclass(frozen=True)
class AgentState:
    """pi's chart went to `state`."""

    state: str


@dataclass(frozen=True)
class PanelChanged:
    """The agent panel shows something else than before."""


@dataclass(frozen=True)
class OddBytes:
    """A line from the guest that was not used, and why."""

    reason: str


SessionEvent = Change | AgentState | PanelChanged | Dialog | DialogsClosed | Notice | OddBytes


class Session:
    """One pi. `attach` once the port is connected, then `run` reads until it closes.

    `panel` and `log` are what a page shows; `on_news` is called when a row of the task list may look different,
    `on_work` when a tool of pi has ended or pi has settled.
    """

    def __init__(self, transcript_file: JournalFile, clock: Clock, agent_chart: Chart, first_key: int = 1) -> None:
        self._file = transcript_file
        self._clock = clock
        self._client = RpcClient()
        self._transcript = Transcript(first_key)
        self._channel: ByteChannel | None = None
        self._answers: dict[str, asyncio.Future[Response]] = {}
        self._settled_count = 0
        self._settled = asyncio.Event()
        self._jobs: set[asyncio.Future[Any]] = set()
        self._timers: dict[str, asyncio.Future[None]] = {}
        self._stored_chars = 0
        self._odd_lines = 0
        self._first_run_is_over = False
        self._is_over = False
        self.panel = AgentPanel(agent_chart)
        self.log = EntryLog(first_key=first_key)
        self.feed: Feed[SessionEvent] = Feed(FEED_LIMIT)
        self.on_news: Callable[[], None] = lambda: None
        self.on_work: Callable[[], None] = lambda: None

    # the channel

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
                    waiting.exception()  # its caller may be gone
            raise
        finally:
            self._is_over = True

    @property
    def is_usable(self) -> bool:
        """pi has answered and has not ended."""
        return self._channel is not None and not self._is_over and self.panel.agent.state not in ("starting", "exited")

    @property
    def first_run_is_over(self) -> bool:
        """pi has settled, or what it was told first began no run: before that an idle pi has its prompt to come."""
        return self._first_run_is_over

    def pi_has_exited(self) -> None:
        """PID 1 has said so."""
        self._tell_step(self.panel.agent.exit())

    async def end(self) -> None:
        """No more records: what is open ends as it was shown, waiting work is cancelled, watchers end."""
        self._is_over = True
        left = [*self._jobs, *self._timers.values()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for change in self._transcript.end(self._now_ms()):
            self._tell_change(change)
        self._tell_step(self.panel.agent.exit())
        self.panel.end()
        self.feed.append(PanelChanged())
        self._file.close()
        self.feed.close()

    # commands

    async def ask(self, command: str, /, **fields: JsonValue) -> Mapping[str, JsonValue]:
        """pi's answer to a command. Raises GuestError("agent.refused") when pi refuses it; cancel it for a deadline."""
        sent = self._client.command(command, **fields)
        answer = self._expect(sent.id)
        try:
            await self._connected().write(sent.line)
            response = await answer
        finally:
            self._forget(sent.id)
        return _data(response)

    async def ask_soon(
        self, command: str, /, limit_s: float | None = None, **fields: JsonValue
    ) -> Mapping[str, JsonValue]:
        """The same with a deadline (ANSWER_LIMIT_S). Raises GuestError("agent.no_answer") too."""
        limit_s = ANSWER_LIMIT_S if limit_s is None else limit_s
        try:
            async with asyncio.timeout(limit_s):
                return await self.ask(command, **fields)
        except TimeoutError as error:
            raise GuestError("agent.no_answer", f"pi did not answer `{command}` within {limit_s:g} s") from error

    async def prompt(self, message: str, images: Sequence[PromptImage] = ()) -> None:
        """Give pi a prompt and wait until it has settled. Raises ModelError when the run ended by the model's fault."""
        count = self._settled_count
        data = await self.ask("prompt", message=message, **_with_images(images))
        if data.get("disposition") == "handled":  # an extension's command: no run follows
            return
        await self.wait_settled(count)
        fault = self._transcript.model_error()
        if fault is not None:
            raise fault

    async def wait_settled(self, count: int = 0) -> int:
        """Until pi has settled more than `count` times and is not at work again; returns how often it has."""
        while self._settled_count <= count:
            await self._settled.wait()
        return self._settled_count

    async def send(self, message: str, how: str, images: Sequence[PromptImage] = ()) -> str:
        """A message of the person: `how` is prompt, steer or follow_up. Returns pi's word for what became of it.

        A run that goes on takes a prompt as a steer; without a run each of them begins one. "waiting": an extension's
        command that has not ended yet. Raises GuestError agent.refused, agent.no_answer.
        """
        behaviour = "followUp" if how == "follow_up" else "steer"
        fields = {"message": message, "streamingBehavior": behaviour, **_with_images(images)}
        data = await self._start(self._ask_for_run(fields))
        disposition = "waiting" if data is None else data.get("disposition")
        return disposition if disposition in ("started", "queued", "handled", "waiting") else "started"

    async def _ask_for_run(self, fields: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
        data = await self.ask_soon("prompt", LONG_LIMIT_S, **fields)
        if data.get("disposition") == "handled":  # an extension's command: no run follows
            self._end_first_run()
        return data

    async def abort(self) -> dict[str, JsonValue]:
        """Stop the run; returns what was in the queue and is not sent any more (as pi gave it back).

        The order matters (RpcClient.stop): dialogs, queue, retry, run.
        """
        if self.panel.is_retrying:
            await self.ask_soon("abort_retry")
        order = self._client.stop()
        cleared, aborted = self._expect(order.clear_queue), self._expect(order.abort)
        self._close_dialogs([dialog.id for dialog in self.panel.dialogs])
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                await self._connected().write(order.line)
                queue = _data(await cleared)
                _data(await aborted)
        except TimeoutError as error:
            raise GuestError("agent.no_answer", "pi did not stop in time") from error
        finally:
            self._forget(order.clear_queue)
            self._forget(order.abort)
        return {"steering": _texts(queue.get("steering")), "follow_up": _texts(queue.get("followUp"))}

    async def replace_queue(self, steering: Sequence[str], follow_up: Sequence[str]) -> None:
        """What waits is taken out, then these are put in, in order. Raises CallerError("caller.rejected") when idle."""
        wanted = [*(("steer", text) for text in steering), *(("follow_up", text) for text in follow_up)]
        if wanted and not self._client.is_busy:
            raise CallerError("caller.rejected", "pi is not at work: nothing waits in its queue")
        await self.ask_soon("clear_queue")
        for command, text in wanted:
            await self.ask_soon(command, message=text)

    async def compact(self, instructions: str) -> None:
        """Sum up the conversation. It may go on after this returns; the panel and the transcript tell."""
        fields: dict[str, JsonValue] = {"customInstructions": instructions} if instructions else {}
        await self._start(self.ask_soon("compact", LONG_LIMIT_S, **fields))

    async def answer(self, dialog_id: str, *, value: str | None = None, confirmed: bool | None = None) -> None:
        """Answer a dialog; without a value it is cancelled. An answer to one that is closed does nothing."""
        self._check_answer(dialog_id, value, confirmed)
        cancelled = value is None and confirmed is None
        raw = None if value is None else self.panel.raw_option(dialog_id, value)
        line = self._client.answer(dialog_id, value=raw, confirmed=confirmed, cancelled=cancelled)
        self._close_dialogs([dialog_id])
        if line:
            await self._write_soon(line)

    async def _write_soon(self, line: bytes) -> None:
        """Raises GuestError("agent.no_answer") when the guest does not read."""
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                await self._connected().write(line)
        except TimeoutError as error:
            raise GuestError("agent.no_answer", "the guest does not read what it is told") from error

    def _check_answer(self, dialog_id: str, value: str | None, confirmed: bool | None) -> None:
        """Raises CallerError("caller.bad_request") for an answer of the wrong kind."""
        dialog = next((dialog for dialog in self.panel.dialogs if dialog.id == dialog_id), None)
        if dialog is None:
            return
        is_yes_or_no = dialog.method == "confirm"
        if (is_yes_or_no and value is not None) or (not is_yes_or_no and confirmed is not None):
            raise CallerError("caller.bad_request", f"a dialog of the kind {dialog.method} has another kind of answer")
        if dialog.method == "select" and value is not None and value not in dialog.options:
            raise CallerError("caller.bad_request", "the answer is not one of the options")

    def note_fault(self, fault: PuiError) -> None:
        """Something that did not work, told in the transcript where the person reads."""
        for change in self._transcript.note("error", f"{fault.message} ({fault.code})", self._now_ms(), is_error=True):
            self._tell_change(change)
        self._end_first_run()

    def note(self, text: str) -> None:
        """Something of pui's own that a reader of the transcript has to know."""
        for change in self._transcript.note("notice", text, self._now_ms()):
            self._tell_change(change)

    async def _start(self, work: Coroutine[Any, Any, Result]) -> Result | None:
        """The result of `work`, or None when it takes longer than SEND_WAIT_S; then a failure is told later."""
        job = asyncio.ensure_future(work)
        self._jobs.add(job)
        job.add_done_callback(self._job_is_over)
        done, _ = await asyncio.wait({job}, timeout=SEND_WAIT_S)
        if done:
            return job.result()
        job.add_done_callback(self._tell_late)
        return None

    def _job_is_over(self, job: asyncio.Future[Any]) -> None:
        self._jobs.discard(job)
        if not job.cancelled():
            job.exception()

    def _tell_late(self, job: asyncio.Future[Any]) -> None:
        fault = None if job.cancelled() else job.exception()
        if isinstance(fault, PuiError) and not self._is_over:
            self.note_fault(fault)

    def _expect(self, sent_id: str) -> asyncio.Future[Response]:
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._answers[sent_id] = answer
        return answer

    def _forget(self, sent_id: str) -> None:
        self._answers.pop(sent_id, None)
        self._client.forget(sent_id)

    def _connected(self) -> ByteChannel:
        if self._channel is None:
            raise ProtocolError("protocol.local", "pi's port is not connected yet")
        if self._is_over:
            raise CallerError("caller.rejected", "pi of this task has ended")
        return self._channel

    # records

    def _take_all(self, events: list[RpcEvent]) -> None:
        changes: list[Change] = []
        at_ms, is_news = self._now_ms(), False
        for event in events:
            if isinstance(event, PiRecord):
                changes += self._transcript.add(event, at_ms)
            is_news = self.panel.observe(event, at_ms) or is_news
            self._follow_agent(event)
            if not isinstance(event, PiRecord):
                self._take(event)
        for change in coalesce(changes):
            self._tell_change(change)
        if any(isinstance(event, PiRecord) and event.type in WORK for event in events):
            self.on_work()
        if is_news:
            self.feed.append(PanelChanged())
        if not self._client.is_busy and any(isinstance(e, PiRecord) and e.type == "agent_settled" for e in events):
            self._settle()

    def _settle(self) -> None:
        self._settled_count += 1
        self._settled.set()
        self._settled = asyncio.Event()
        self._end_first_run()

    def _end_first_run(self) -> None:
        if not self._first_run_is_over:
            self._first_run_is_over = True
            self.on_news()

    def _follow_agent(self, event: RpcEvent) -> None:
        agent = self.panel.agent
        match event:
            case PiRecord(kind, fields):
                self._tell_step(agent.observe({"type": kind, **fields}))
            case Response(_, command, ok):
                self._tell_step(agent.observe({"type": "response", "command": command, "success": ok}))
            case Dialog(dialog_id, method):
                record: dict[str, JsonValue] = {"type": "extension_ui_request", "id": dialog_id, "method": method}
                self._tell_step(agent.observe(record))
            case _:
                pass

    def _take(self, event: RpcEvent) -> None:
        match event:
            case Response():
                waiting = self._answers.get(event.id)
                if waiting is not None and not waiting.done():
                    waiting.set_result(event)
            case Dialog():
                self.feed.append(event)
                self._time(event.id)
            case Notice():
                self.feed.append(event)
            case DialogsClosed(ids):
                self._close_dialogs(ids)
            case Unsupported(method):
                self._note_odd(f"an extension asked for `{method}`, which only a terminal can show")
            case RpcFault(reason, fatal_code):
                self._note_odd(reason)
                if fatal_code:
                    raise ProtocolError(fatal_code, reason)
            case _:
                pass

    def _time(self, dialog_id: str) -> None:
        """pi never says that a dialog's time is over: our own timer closes it."""
        limit_ms = next((dialog.timeout_ms for dialog in self.panel.dialogs if dialog.id == dialog_id), None)
        if limit_ms is not None:
            self._timers[dialog_id] = asyncio.ensure_future(self._expire(dialog_id, limit_ms / 1000))

    async def _expire(self, dialog_id: str, limit_s: float) -> None:
        await self._clock.sleep(limit_s)
        self._timers.pop(dialog_id, None)
        try:
            await self.answer(dialog_id)
        except PuiError as fault:
            self._note_odd(str(fault))

    def _close_dialogs(self, ids: Sequence[str]) -> None:
        for dialog_id in ids:
            timer = self._timers.pop(dialog_id, None)
            if timer is not None:
                timer.cancel()
            self.panel.close_dialog(dialog_id)
            self._tell_step(self.panel.agent.close_question(dialog_id))
        if ids:
            self.feed.append(DialogsClosed(tuple(ids)))

    def _note_odd(self, reason: str) -> None:
        self._odd_lines += 1
        if self._odd_lines <= FAULT_NOTES:
            self.feed.append(OddBytes(reason))

    def _tell_change(self, change: Change) -> None:
        """Watchers get a tool's running output by its deltas alone: a burst must not hold a copy of all of it each."""
        entry = change.entry
        self.log.add(change)
        is_running_tool = entry.kind == "tool" and not entry.is_final
        self.feed.append(replace(change, entry=replace(entry, text="")) if is_running_tool else change)
        if entry.is_final:
            self._stored_chars += len(entry.text) + len(entry.diff)
            if self._stored_chars <= TRANSCRIPT_LIMIT_CHARS:
                self._store({"entry": entry.to_line()})

    def _tell_step(self, step: object) -> None:
        if step is not None:
            self.feed.append(AgentState(self.panel.agent.state))
            self._store({"agent": self.panel.agent.state})
            self.on_news()

    def _store(self, record: dict[str, object]) -> None:
        """A full disk loses lines of the transcript, not the task: the journal, which follows, ends it by name."""
        try:
            self._file.append({"at_ns": self._clock.now_ns(), **record}, durable=False)
        except HostError as fault:
            self._note_odd(str(fault))

    def _now_ms(self) -> int:
        return self._clock.now_ns() // 1_000_000


def _data(response: Response) -> Mapping[str, JsonValue]:
    if not response.ok:
        raise GuestError("agent.refused", f"pi refused `{response.command}`: {scrub_line(response.error, 500)}")
    return response.data


def _with_images(images: Sequence[PromptImage]) -> dict[str, JsonValue]:
    return {"images": [image.to_block() for image in images]} if images else {}


def _texts(value: JsonValue) -> list[JsonValue]:
    """Texts of the person's own, come back from the guest: scrubbed, but whole unless the guest made them longer."""
    texts = [item for item in (value if isinstance(value, list) else []) if isinstance(item, str)]
    return [scrub_text(text[:PROMPT_LIMIT_BYTES]) for text in texts[:QUEUE_LIMIT]]
