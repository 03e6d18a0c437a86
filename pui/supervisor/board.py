"""What a shell shows of tasks and does to them: live ones from memory, stored ones from their files, in one form.

In: task ids, wishes of a person. Out: JSON of domain/views.py, pages of entries. Never: the work of a state, a decision
of the chart, a blocking read on the loop for more than one small journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from pui.domain.agent_panel import AgentPanel
from pui.domain.changes_view import (
    NO_BASELINE,
    NO_FOLDERS,
    NOT_STARTED,
    FolderResult,
    changes_view,
    count_changes,
)
from pui.domain.conversation_export import Talk
from pui.domain.entry_log import ENTRY_LIMIT, EntryPage, join_pages
from pui.domain.errors import CallerError, HostError, PuiError
from pui.domain.events import JsonValue
from pui.domain.journal import Record, TaskView
from pui.domain.json_guard import ParsedJson, parse_json
from pui.domain.name_search import find_names, is_typable
from pui.domain.pi_session import EarlierTalk
from pui.domain.preflight import ResourceRequest, decide_preflight
from pui.domain.prompt_images import IMAGES_TOTAL_LIMIT_BYTES, PromptImage
from pui.domain.talk_search import TalkSearch
from pui.domain.task import TaskSpec, spec_from_json, title_of
from pui.domain.task_files import BASELINE, CHANGES_VIEW
from pui.domain.transcript import Entry
from pui.domain.views import OVER, LiveLook, task_detail, task_row
from pui.supervisor.activities import OVERLAY_NEED_BYTES, find_pack
from pui.supervisor.changes import store_changes
from pui.supervisor.conversation import find_branch, read_history, read_talk, search_history
from pui.supervisor.left_changes import compare_left
from pui.supervisor.recovery import StoredTask, is_run_elsewhere, load_task
from pui.supervisor.services import Services
from pui.supervisor.session import Session
from pui.supervisor.session_keeper import earlier_keys, find_earlier_talk
from pui.supervisor.supervisor import LiveTask, Supervisor
from pui.supervisor.task_journal import TaskJournal

PROBE_LIMIT_S = 5.0
"""How long a new task waits for facts about the computer before it is taken without; preflight looks again."""
NAMES_KEPT_S = 5.0
CHANGES_LIMIT_BYTES = 32 * 1024 * 1024
MOUNTED_STATES = frozenset({"handshake", "running"})
"""In these a guest may have written to the folders."""


@dataclass(frozen=True)
class OpenTask:
    """A task as a page opens it. What follows comes from the feeds behind these cursors; None for a stored task."""

    row: dict[str, JsonValue]
    detail: dict[str, JsonValue]
    agent: dict[str, JsonValue]
    page: EntryPage
    live: LiveTask | None
    record_cursor: int = 0
    event_cursor: int = 0


class TaskBoard:
    """Over one supervisor, on its loop."""

    def __init__(self, supervisor: Supervisor, services: Services) -> None:
        self._supervisor = supervisor
        self._services = services
        self._names: dict[str, tuple[float, list[str]]] = {}
        self._searching = asyncio.Lock()
        self._comparing: dict[str, asyncio.Future[dict[str, JsonValue]]] = {}

    # what is shown

    async def rows(self) -> list[JsonValue]:
        """A TaskRow for every task but health boots, newest first."""
        supervisor = self._supervisor
        ids = await asyncio.to_thread(supervisor.task_ids)
        stored = [task_id for task_id in ids if supervisor.find_live(task_id) is None]
        loaded = await asyncio.to_thread(lambda: {task_id: supervisor.load(task_id) for task_id in stored})
        found = [loaded.get(task_id) or supervisor.load(task_id) for task_id in ids]
        found.sort(key=lambda task: task.view.created_at_ns, reverse=True)
        return [self._row(task) for task in found if not task.view.is_health_boot]

    def row(self, task_id: str) -> dict[str, JsonValue] | None:
        """One TaskRow as it is now; None for a task that is gone, or that nobody shows."""
        supervisor = self._supervisor
        if supervisor.find_live(task_id) is None and task_id not in self._services.files.task_ids():
            return None
        found = supervisor.load(task_id)
        return None if found.view.is_health_boot else self._row(found)

    async def open(self, task_id: str, tail: int) -> OpenTask:
        """Everything of one task, its last `tail` entries. Raises CallerError("caller.bad_request")."""
        self._known(task_id)
        disk_use_bytes = await asyncio.to_thread(self._services.files.disk_use_bytes, task_id)
        live = self._supervisor.find_live(task_id)
        page = await self._history(task_id, None, tail) if live is None else await self._earlier(live, tail)
        # no wait from here on: the cursors stand exactly behind what is shown
        found = self._supervisor.load(task_id)
        shown = OpenTask(self._row(found), task_detail(found.view, disk_use_bytes), self.agent(task_id), page, live)
        if live is None:
            return shown
        page = join_pages(page, live.session.log.before(None, tail), tail)
        return replace(shown, page=page, record_cursor=live.journal.feed.end, event_cursor=live.session.feed.end)

    def agent(self, task_id: str) -> dict[str, JsonValue]:
        """The AgentPanel; of a stored task what is known of its end."""
        live = self._supervisor.find_live(task_id)
        if live is not None:
            return live.session.panel.to_json()
        facts = self._supervisor.load(task_id).view.facts
        panel = AgentPanel(self._supervisor.agent_chart)
        panel.end(stats=facts.get("stats"), model=facts.get("model"))
        return panel.to_json()

    async def entries(self, task_id: str, before_key: int | None, limit: int) -> EntryPage:
        """Entries before a key, from memory as far as it reaches, else from the file."""
        self._known(task_id)
        live = self._supervisor.find_live(task_id)
        if live is not None and (before_key is None or before_key > live.session.log.first_key):
            first_key, page = live.session.log.first_key, live.session.log.before(before_key, limit)
            if len(page.entries) == limit or not page.has_earlier:
                return page
            return join_pages(await self._history(task_id, first_key, limit), page, limit)
        return await self._history(task_id, before_key, limit)

    async def find(self, task_id: str, query: str, before_key: int) -> TalkSearch:
        """Where a text occurs in the entries before a key. One search at a time: each may read a long file."""
        self._known(task_id)
        live, search = self._supervisor.find_live(task_id), TalkSearch(query)
        held = () if live is None else live.session.log.before(before_key, ENTRY_LIMIT).entries
        stored_before = before_key if live is None else min(before_key, live.session.log.first_key)

        def look() -> None:
            search.take_entries(held)
            search_history(self._services.files, task_id, stored_before, search)

        async with self._searching:
            await asyncio.to_thread(look)
        return search

    async def talk(self, task_id: str) -> Talk:
        """The conversation for an export."""
        self._known(task_id)
        return await asyncio.to_thread(read_talk, self._services.files, task_id)

    async def records(self, task_id: str, after_seq: int, limit: int) -> tuple[tuple[Record, ...], int]:
        """Journal records after a seq, and the seq of the last record there is. Raises PuiError journal.unreadable."""
        self._known(task_id)
        live = self._supervisor.find_live(task_id)
        if live is not None:
            found, _ = live.journal.feed.since(after_seq)
            return tuple(found[:limit]), live.journal.view.last_seq
        task = await asyncio.to_thread(load_task, self._services.files, task_id)
        if task.error is not None:
            raise task.error
        after = [record for record in task.records if record.seq > after_seq]
        return tuple(after[:limit]), task.view.last_seq

    async def changes(self, task_id: str) -> dict[str, JsonValue]:
        """The ChangesView: computed now for a task that runs, as it was kept for one that is over. What an app that was
        killed could not compare is compared at the first look."""
        self._known(task_id)
        if task_id not in self._comparing:
            live = self._supervisor.find_live(task_id)
            look = self._stored_changes(task_id) if live is None or live.is_over else self._compare(live)
            work = asyncio.ensure_future(look)
            self._comparing[task_id] = work
            work.add_done_callback(lambda _: self._comparing.pop(task_id, None))
        return await asyncio.shield(self._comparing[task_id])

    async def settle_changes(self) -> None:
        """Compare what apps that were killed could not: soon after a start little else has changed in the folders."""
        for task_id in await asyncio.to_thread(self._services.files.task_ids_with, BASELINE):
            if self._supervisor.find_live(task_id) is None:
                await self.changes(task_id)

    async def files(self, task_id: str, query: str) -> list[str]:
        """Names in the workspace that fit `query`, as they are on this computer."""
        self._known(task_id)
        folders = self._supervisor.load(task_id).view.folders
        first = folders[0] if folders else None
        if not isinstance(first, dict):
            return []
        return find_names(await self._workspace_names(task_id, Path(str(first.get("path")))), query)

    # what a person does

    async def check(self, spec: TaskSpec) -> None:
        """Raises what preflight would find about memory, disk and processors, as far as it is known within
        PROBE_LIMIT_S. A missing pack or accelerator is no reason to refuse: the task waits in setup-required."""
        services = self._services
        pack, pack_fact = await asyncio.to_thread(find_pack, services.packs)
        if pack is None:
            return
        try:
            async with asyncio.timeout(PROBE_LIMIT_S):
                facts = await services.host.probe(pack)
        except TimeoutError:
            return
        need = ResourceRequest(spec.memory_mib, spec.cpu_count, OVERLAY_NEED_BYTES)
        for finding in decide_preflight(pack_fact, facts, need, services.tcg_is_allowed).findings:
            if finding.severity == "blocker" and finding.code.startswith("host."):
                raise HostError(finding.code, finding.message, hint=finding.hint)

    def trigger(self, task_id: str, trigger: str) -> None:
        """A person's trigger. Raises CallerError("caller.rejected") where the chart does not know it now."""
        self._known(task_id)
        live = self._supervisor.find_live(task_id)
        if (
            live is None
            or live.is_over
            or trigger not in self._supervisor.task_chart.states[live.runner.state].triggers
        ):
            view = self._supervisor.load(task_id).view
            if live is None and is_run_elsewhere(view, self._services.process_table):
                hint = "Act on it where it was started."
                raise CallerError("caller.rejected", "another running pui has this task", hint=hint)
            raise CallerError("caller.rejected", f"`{trigger}` is not possible in the state {view.state}")
        self._supervisor.trigger(task_id, trigger)

    def rename(self, task_id: str, title: str) -> None:
        """Raises CallerError: no title, or a task of another running app."""
        shown = title_of(title)
        if not shown:
            raise CallerError("caller.bad_request", "the title is empty")
        live = self._supervisor.find_live(task_id)
        if live is not None and not live.is_over:
            live.journal.write("fact", live.journal.view.last_seq, {"facts": {"title": shown}})
            return
        self._write_stored(task_id, {"title": shown})

    def again(self, task_id: str) -> str:
        """A new task with the same spec and images, not started yet. Raises as Supervisor.create."""
        self._known(task_id)
        view = self._supervisor.load(task_id).view
        spec = replace(spec_from_json(view.spec), continues="")
        read = self._services.files.read
        images = [PromptImage(i.mime, read(task_id, i.name, IMAGES_TOTAL_LIMIT_BYTES)) for i in spec.images]
        title = view.facts.get("title")
        return self._supervisor.create(replace(spec, images=(), title=title if isinstance(title, str) else ""), images)

    async def earlier(self, task_id: str, before_key: int | None = None) -> EarlierTalk:
        """What a new task can go on from: the whole conversation of a task that is over, or what was said before one
        message of the person, in a task that runs too.

        Raises CallerError: caller.rejected (not over, nothing whole was kept), talk.no_entry, talk.not_a_message,
        talk.not_kept; GuestError, HostError when the newest of a running task could not be kept.
        """
        self._known(task_id)
        live, files = self._supervisor.find_live(task_id), self._services.files
        is_over = self._supervisor.load(task_id).view.state in OVER and (live is None or live.is_over)
        if before_key is None:
            if not is_over:
                raise CallerError("caller.rejected", "the task is not over", hint="Write to it instead.")
            return await asyncio.to_thread(find_earlier_talk, files, task_id, self._supervisor.load(task_id).view)
        said = await self._message(task_id, before_key)
        if live is not None and not is_over:
            await self._keep_now(live)
        return await asyncio.to_thread(find_branch, files, task_id, self._supervisor.load(task_id).view, said)

    def spec_to_go_on(self, task_id: str, message: str, *, is_interactive: bool = True) -> TaskSpec:
        """What a task was given, with another message."""
        self._known(task_id)
        spec = spec_from_json(self._supervisor.load(task_id).view.spec)
        return replace(spec, prompt=message, title="", images=(), continues=task_id, is_interactive=is_interactive)

    async def go_on(self, spec: TaskSpec, earlier: EarlierTalk, images: Sequence[PromptImage] = ()) -> str:
        """A new task whose pi knows what was said earlier, not started yet. Raises as Supervisor.create."""
        await self.changes(spec.continues)  # before another machine may write to the same folders
        return self._supervisor.create(replace(spec, continues=earlier.task_id), images, earlier=earlier)

    async def remove(self, task_id: str) -> None:
        """Everything of a task that is over. Raises CallerError("caller.rejected") for one that is not."""
        self._known(task_id)
        live = self._supervisor.find_live(task_id)
        if live is not None and not live.is_over:
            raise CallerError("caller.rejected", "the task is not over", hint="Cancel it first.")
        if live is None:
            self._stored(task_id)
        await asyncio.to_thread(self._services.files.remove_task, task_id)
        self._names.pop(task_id, None)
        self._supervisor.forget(task_id)

    def session(self, task_id: str) -> Session:
        """pi of a task that runs. Raises CallerError("caller.rejected") when it cannot be spoken to."""
        return self.running(task_id).session

    def running(self, task_id: str) -> LiveTask:
        """A task whose pi can be spoken to. Raises CallerError("caller.rejected")."""
        self._known(task_id)
        live = self._supervisor.find_live(task_id)
        if live is None or live.runner.state != "running" or not live.session.is_usable:
            raise CallerError("caller.rejected", "pi of this task is not at work")
        return live

    async def links(self, task_id: str, entry_key: int) -> tuple[str, ...]:
        """The addresses in one entry, found anew on this side. None for an entry that is not there."""
        page = await self.entries(task_id, entry_key + 1, 1)
        return page.entries[-1].links if page.entries and page.entries[-1].key == entry_key else ()

    # inside

    def _known(self, task_id: str) -> None:
        if self._supervisor.find_live(task_id) is None and task_id not in self._services.files.task_ids():
            raise CallerError("caller.bad_request", f"there is no task {task_id!r}")

    def _stored(self, task_id: str) -> StoredTask:
        """A task on disk that nobody runs, with all its records. Raises CallerError("caller.rejected") else."""
        self._known(task_id)
        task = load_task(self._services.files, task_id)
        if is_run_elsewhere(task.view, self._services.process_table):
            raise CallerError("caller.rejected", "another running pui has this task")
        return task

    def _write_stored(self, task_id: str, facts: dict[str, JsonValue]) -> None:
        """Facts of a task that nobody runs. Raises CallerError("caller.rejected") for one that somebody does."""
        files = self._services.files
        with files.hold_journal(task_id) as is_ours:
            if not is_ours:
                raise CallerError("caller.rejected", "another running pui writes to this task", hint="Try it again.")
            task = self._stored(task_id)
            journal = TaskJournal(files.journal(task_id), self._services.clock, task.records)
            try:
                journal.write("fact", task.view.last_seq, {"facts": facts})
            finally:
                journal.close()
        self._supervisor.forget(task_id)

    def _row(self, task: StoredTask) -> dict[str, JsonValue]:
        live = self._supervisor.find_live(task.task_id)
        look = None if live is None or live.is_over else self._look(live)
        is_elsewhere = live is None and is_run_elsewhere(task.view, self._services.process_table)
        chart = self._supervisor.task_chart
        return task_row(task.task_id, task.view, chart, look, task.error, runs_elsewhere=is_elsewhere)

    def _look(self, live: LiveTask) -> LiveLook:
        panel = live.session.panel
        state = panel.agent.state
        return LiveLook(
            agent_state=state,
            agent_label=self._supervisor.agent_chart.states[state].label,
            is_busy=panel.is_busy,
            first_run_is_over=live.session.first_run_is_over,
            has_question=bool(panel.dialogs),
            stats=panel.stats,
        )

    async def _message(self, task_id: str, key: int) -> Entry:
        """Raises CallerError talk.no_entry, talk.not_a_message."""
        page = await self.entries(task_id, key + 1, 1)
        if not page.entries or page.entries[-1].key != key:
            raise CallerError("talk.no_entry", f"the conversation has no entry {key}")
        if page.entries[-1].kind != "user":
            raise CallerError("talk.not_a_message", f"entry {key} is not a message of yours")
        return page.entries[-1]

    async def _keep_now(self, live: LiveTask) -> None:
        kept = await live.keeper.keep_now()
        if kept is not None and not live.is_over:
            live.journal.write("fact", live.journal.view.last_seq, {"facts": {"session": kept}})

    async def _history(self, task_id: str, before_key: int | None, limit: int) -> EntryPage:
        return await asyncio.to_thread(read_history, self._services.files, task_id, before_key, limit)

    async def _earlier(self, live: LiveTask, limit: int) -> EntryPage:
        """The end of what was said before this task, when its own part is in memory from its first entry on."""
        last_key = earlier_keys(live.journal.view)
        if not live.spec.continues or live.session.log.first_key > last_key + 1:
            return EntryPage((), has_earlier=live.session.log.first_key > 1)
        return await self._history(live.spec.continues, last_key + 1, limit)

    async def _compare(self, live: LiveTask) -> dict[str, JsonValue]:
        view, results = await live.changes.view(self._services.clock.now_ns() // 1_000_000)
        counts = count_changes(results)
        if live.changes.has_begun and not live.is_over and live.journal.view.facts.get("changes") != counts:
            live.journal.write("fact", live.journal.view.last_seq, {"facts": {"changes": counts}})
        return view

    async def _stored_changes(self, task_id: str) -> dict[str, JsonValue]:
        """Of a task that this app does not run."""
        files = self._services.files
        if task_id not in await asyncio.to_thread(files.task_ids_with, BASELINE):
            return await asyncio.to_thread(self._kept_changes, task_id)
        task = await asyncio.to_thread(load_task, files, task_id)
        if task.error is not None:
            return _nothing_kept(task.view)
        is_run = is_run_elsewhere(task.view, self._services.process_table)
        at_ms = self._services.clock.now_ns() // 1_000_000
        try:
            results = await asyncio.to_thread(compare_left, self._services, task_id, task.view)
            if is_run:
                return changes_view(results, at_ms, is_final=False)
            await asyncio.to_thread(store_changes, files, task_id, results, at_ms, is_late=True)
            self._write_stored(task_id, {"changes": count_changes(results)})
        except PuiError as fault:
            structlog.get_logger().warning("the look before is not used", task_id=task_id, reason=fault.message)
            return await asyncio.to_thread(self._kept_changes, task_id, fault.message)
        return await asyncio.to_thread(self._kept_changes, task_id)

    def _kept_changes(self, task_id: str, reason: str = "") -> dict[str, JsonValue]:
        """`reason`: why nothing was kept, if that is so; another app may have compared meanwhile."""
        task = self._supervisor.load(task_id)
        try:
            parsed = parse_json(self._services.files.read(task_id, CHANGES_VIEW, CHANGES_LIMIT_BYTES))
        except PuiError:
            return _nothing_kept(task.view, reason)
        is_whole = isinstance(parsed, ParsedJson) and isinstance(parsed.value.get("folders"), list)
        return parsed.value if is_whole and isinstance(parsed, ParsedJson) else _nothing_kept(task.view)

    async def _workspace_names(self, task_id: str, folder: Path) -> list[str]:
        now_s = self._services.clock.monotonic_s()
        kept = self._names.get(task_id)
        if kept is None or now_s - kept[0] > NAMES_KEPT_S:
            found = await asyncio.to_thread(self._services.scanner.names, folder)
            kept = (now_s, [name for name in found if is_typable(name)])
            self._names = {id_: item for id_, item in self._names.items() if now_s - item[0] <= NAMES_KEPT_S}
            self._names[task_id] = kept
        return kept[1]


def _nothing_kept(view: TaskView, reason: str = "") -> dict[str, JsonValue]:
    """`reason`: why the look before, which is there, is not used."""
    folders = [folder for folder in view.folders if isinstance(folder, dict)]
    results = [FolderResult(Path(str(f.get("path"))), f.get("read_only") is True, None) for f in folders]
    was_written = any(not result.read_only for result in results)
    was_reached = any(visit.state in MOUNTED_STATES for visit in view.visits)
    note = NO_FOLDERS if not was_written else NO_BASELINE if was_reached else NOT_STARTED
    note = f"{note} ({reason})" if reason else note
    return changes_view(results, view.changed_at_ns // 1_000_000, is_final=True, note=note)
