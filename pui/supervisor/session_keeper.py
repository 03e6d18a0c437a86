"""Keeps pi's own session on this computer while a task runs, and finds that of a task that is over.

In: pi's answers, the task's folder. Out: session.jsonl, what is known of it for the journal, an EarlierTalk.
Never: an entry that domain/pi_session.py did not take; a second question once something was odd.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress

from pui.domain.errors import CallerError, HostError, PuiError
from pui.domain.events import JsonValue
from pui.domain.history import page_of_history
from pui.domain.journal import TaskView
from pui.domain.pi_session import SESSION_LIMIT_BYTES, EarlierTalk, PiSession, read_session
from pui.domain.task_files import SESSION
from pui.ports import TaskFiles
from pui.supervisor.session import Session

LAST_WORDS_LIMIT_S = 2.0
"""How long teardown waits for what pi has not been asked for yet."""


class SessionKeeper:
    """Of one task. `kept` is what session.jsonl holds."""

    def __init__(self, task_id: str, files: TaskFiles, session: Session, kept: PiSession) -> None:
        self._task_id = task_id
        self._files = files
        self._session = session
        self._lock = asyncio.Lock()
        self.kept = kept

    async def keep(self) -> dict[str, JsonValue] | None:
        """Ask pi for what is new and write it down; the fact `session`, None when nothing has changed.

        Raises GuestError agent.refused, agent.no_answer, HostError host.disk_full: nothing more is kept then.
        """
        async with self._lock:
            if self.kept.fault:
                return None
            try:
                return await self._take(await self._ask())
            except PuiError as fault:
                self.kept.fault = self.kept.fault or f"the rest could not be kept ({fault.code})"
                raise

    async def keep_now(self) -> dict[str, JsonValue] | None:
        """The same in the middle of a run: when pi does not answer, the next pause keeps what is missing.

        Raises GuestError agent.refused, agent.no_answer, HostError host.disk_full.
        """
        async with self._lock:
            if self.kept.fault or not self._session.is_usable:
                return None
            answer = await self._ask()
            try:
                return await self._take(answer)
            except PuiError as fault:
                self.kept.fault = self.kept.fault or f"the rest could not be kept ({fault.code})"
                raise

    async def keep_last(self) -> dict[str, JsonValue] | None:
        """The same at the end of the machine, as far as pi still answers."""
        if not self._session.is_usable:
            return None
        with suppress(TimeoutError, PuiError):
            async with asyncio.timeout(LAST_WORDS_LIMIT_S):
                return await self.keep()
        return None

    async def _ask(self) -> Mapping[str, JsonValue]:
        last_id, ask = self.kept.last_id, self._session.ask_soon
        return await (ask("get_entries", since=last_id) if last_id else ask("get_entries"))

    async def _take(self, answer: Mapping[str, JsonValue]) -> dict[str, JsonValue] | None:
        entries = answer.get("entries")
        if entries is None or entries == []:
            return None
        cut_count = self.kept.cut_count
        taken = self.kept.take(entries)
        if self.kept.cut_count != cut_count:
            await asyncio.to_thread(self._files.write, self._task_id, SESSION, self.kept.to_lines())
        elif taken:
            await asyncio.to_thread(self._write, taken)
        return self.kept.to_json()

    def _write(self, entries: Sequence[Mapping[str, JsonValue]]) -> None:
        file = self._files.session(self._task_id)
        try:
            for entry in entries:
                file.append(entry, durable=entry is entries[-1])
        finally:
            file.close()


def find_earlier_talk(files: TaskFiles, task_id: str, view: TaskView) -> EarlierTalk:
    """What a task that is over has left to go on from. Blocks. Raises CallerError("caller.rejected")."""
    kept = view.facts.get("session")
    fault = kept.get("fault") if isinstance(kept, dict) else "nothing of it was kept"
    if fault:
        raise CallerError("caller.rejected", f"the conversation cannot be continued: {fault}")
    try:
        raw = files.read(task_id, SESSION, SESSION_LIMIT_BYTES)
    except HostError as error:
        raise CallerError("caller.rejected", f"the conversation cannot be continued: {error.message}") from error
    return EarlierTalk(task_id, read_session(raw), _last_key(files, task_id, view))


def earlier_keys(view: TaskView) -> int:
    """The keys of the transcript up to this one belong to the task that this one continues."""
    found = view.facts.get("earlier_keys")
    return found if type(found) is int and found > 0 else 0


def _last_key(files: TaskFiles, task_id: str, view: TaskView) -> int:
    with closing(files.transcript_lines(task_id)) as lines:
        page = page_of_history(lines, None, 1)
    return max(page.entries[-1].key if page.entries else 0, earlier_keys(view))
