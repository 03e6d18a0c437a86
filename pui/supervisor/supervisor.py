"""All tasks of one app: admission, creation, triggers, watching, shutdown.

In: specs and triggers from a caller (command line or shell), all on the one asyncio loop. Out: views and feeds.
Never: the work of a state (activities.py), a decision about a folder (domain/mount_policy.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from pui.domain.changes_view import count_changes
from pui.domain.chart_names import GUARDS
from pui.domain.errors import CallerError, HostError
from pui.domain.events import JsonValue, Triggered
from pui.domain.journal import TaskView
from pui.domain.machine import ChartMachine
from pui.domain.model_policy import DEMO_CHOICE
from pui.domain.pi_session import EarlierTalk, PiSession
from pui.domain.prompt_images import PromptImage, check_images, image_files
from pui.domain.statechart import Chart
from pui.domain.task import ModelRef, TaskSpec, spec_to_json
from pui.domain.task_files import SESSION
from pui.domain.views import OVER
from pui.ports import BusyFolder, ChosenFolder
from pui.supervisor.activities import FolderCheck, TaskActivities
from pui.supervisor.change_count import ChangeCount
from pui.supervisor.changes import FolderChanges, store_changes
from pui.supervisor.feed import Feed
from pui.supervisor.model_choice import choose_model
from pui.supervisor.pack_health import judge_boot
from pui.supervisor.recovery import (
    RecoveryReport,
    StoredTask,
    identity_record,
    is_owned_by_running_app,
    load_task,
    recover_all,
    recover_task,
)
from pui.supervisor.resources import ResourceStack
from pui.supervisor.runner import TaskRunner
from pui.supervisor.services import Services
from pui.supervisor.session import Session
from pui.supervisor.session_keeper import SessionKeeper
from pui.supervisor.task_journal import TaskJournal
from pui.supervisor.watching import end_all

KEPT_OVER_TASKS = 8
"""Tasks that are over and still held with their conversation in memory; the others are read from the disk."""


@dataclass(frozen=True)
class LiveTask:
    """A task of this app: its runner's loop task, its journal, its session with pi, what is kept of it, what it
    changes."""

    task_id: str
    spec: TaskSpec
    runner: TaskRunner
    journal: TaskJournal
    session: Session
    keeper: SessionKeeper
    changes: FolderChanges
    loop_task: asyncio.Task[None]

    @property
    def is_over(self) -> bool:
        """Everything is released and written down."""
        return self.loop_task.done()


class Supervisor:
    """Owns the tasks of one app. Every method belongs to the loop it was made on.

    `news`: ids of tasks that look different in a list than before, or are gone.
    """

    def __init__(self, services: Services, task_chart: Chart, agent_chart: Chart) -> None:
        self._services = services
        self.task_chart = task_chart
        self.agent_chart = agent_chart
        self.news: Feed[str] = Feed()
        self._tasks: dict[str, LiveTask] = {}
        self._over: dict[str, StoredTask] = {}

    def recover(self) -> list[RecoveryReport]:
        """End what earlier apps have left; to be called once at the start."""
        services, trial = self._services, self._services.pack_trial
        on_unclean = None if trial is None else trial.mark_unclean
        return recover_all(services.files, services.process_table, services.clock, on_unclean)

    def recover_one(self, task_id: str) -> RecoveryReport | None:
        """The same for one task whose app was seen to be gone while this one runs; None when it ended by itself."""
        services, trial = self._services, self._services.pack_trial
        on_unclean = None if trial is None else trial.mark_unclean
        report = recover_task(services.files, services.process_table, services.clock, task_id, on_unclean)
        self.forget(task_id)
        return report

    def create(
        self,
        spec: TaskSpec,
        images: Sequence[PromptImage] = (),
        *,
        only_boot: bool = False,
        earlier: EarlierTalk | None = None,
    ) -> str:
        """Write a task down and start its machine in `created`; returns the task id. `trigger(id, "start")` goes on.
        `images` belong to the first prompt, `earlier` is what `spec.continues` has left.
        With `only_boot` the task ends when pi has answered: no prompt is sent.

        Raises CallerError mount.refused, HostError host.busy, ModelError model.no_key: nothing is written then.
        """
        check_images(images)
        others = self._other_machines()
        self._admit(len(others))
        task_id = self._services.new_task_id()
        folders = self._services.folders.decide(spec.mounts, busy_folders(others))
        spec = replace(spec, model=self._model_of(spec, only_boot=only_boot), images=image_files(images))
        self._services.files.create(task_id)
        for image, file in zip(images, spec.images, strict=True):
            self._services.files.write(task_id, file.name, image.data)
        if earlier is not None:
            self._services.files.write(task_id, SESSION, earlier.session.to_lines())
        journal = TaskJournal(self._services.files.journal(task_id), self._services.clock)
        journal.on_record = lambda: self.news.append(task_id)
        fields = self._created_fields(task_id, spec, folders)
        created = journal.write("created", None, fields | ({"only_boot": True} if only_boot else {}))
        if earlier is not None:
            journal.write("fact", created, {"facts": _tell_earlier(earlier)})
        self._tasks[task_id] = self._start(task_id, spec, journal, folders, only_boot=only_boot, earlier=earlier)
        return task_id

    def trigger(self, task_id: str, trigger: str) -> None:
        """Post a person's trigger (start, cancel, retry, finish). Raises CallerError for a task that is not live."""
        self._live(task_id).runner.post(Triggered(trigger))

    def task_ids(self) -> list[str]:
        """Every task there is, oldest id first."""
        return sorted({*self._services.files.task_ids(), *self._tasks})

    def find_live(self, task_id: str) -> LiveTask | None:
        """The task when this app has it in memory, over or not."""
        return self._tasks.get(task_id)

    def load(self, task_id: str) -> StoredTask:
        """A task of this app, or as found on disk; what is over is read once. Blocks for a stored one."""
        if task_id in self._tasks:
            return StoredTask(task_id, (), self._tasks[task_id].journal.view)
        if task_id in self._over:
            return self._over[task_id]
        found = load_task(self._services.files, task_id)
        if found.error is None and found.view.state in OVER:
            self._over[task_id] = replace(found, records=())
        return found

    def forget(self, task_id: str) -> None:
        """Nothing of a task is kept in memory any more: it was changed on disk or removed. It has to be over."""
        live = self._tasks.get(task_id)
        if live is not None and not live.is_over:
            raise CallerError("caller.rejected", f"task {task_id} is not over")
        self._tasks.pop(task_id, None)
        self._over.pop(task_id, None)
        self.news.append(task_id)

    def live(self, task_id: str) -> LiveTask:
        """The live task. Raises CallerError("caller.bad_request")."""
        return self._live(task_id)

    def journal_of(self, task_id: str) -> TaskJournal:
        """The journal of a live task. Raises CallerError("caller.bad_request")."""
        return self._live(task_id).journal

    def view(self, task_id: str) -> TaskView:
        """What the journal of a live or stored task adds up to."""
        return self.load(task_id).view

    async def wait(self, task_id: str) -> TaskView:
        """Until the task is over. A bug in the runner is raised here."""
        live = self._live(task_id)
        await asyncio.shield(live.loop_task)
        return live.journal.view

    def running(self) -> list[str]:
        """The tasks of this app that are not over; those that were only created hold no machine yet."""
        return [id_ for id_, task in self._tasks.items() if not task.loop_task.done()]

    async def shutdown(self) -> None:
        """Cancel every live task and wait until its teardown is through; no more news follow."""
        running = [task for task in self._tasks.values() if not task.is_over]
        for task in running:
            task.runner.post(Triggered("cancel"))
        await asyncio.gather(*(task.loop_task for task in running), return_exceptions=True)
        self.news.close()

    def _live(self, task_id: str) -> LiveTask:
        if task_id not in self._tasks:
            raise CallerError("caller.bad_request", f"no live task {task_id!r}")
        return self._tasks[task_id]

    def _admit(self, count: int) -> None:
        limit = self._services.machine_limit
        if count >= limit:
            raise HostError("host.busy", f"{limit} machines run already, the limit of this computer")

    def _other_machines(self, except_id: str = "") -> dict[str, TaskView]:
        """Views of the tasks that hold a machine now, those of this user's other running apps included."""
        own = {id_: task.journal.view for id_, task in self._tasks.items() if not task.is_over}
        files, table = self._services.files, self._services.process_table
        foreign = {id_: self.load(id_).view for id_ in files.task_ids() if id_ not in self._tasks}
        running = own | {id_: view for id_, view in foreign.items() if is_owned_by_running_app(view, table)}
        return {id_: view for id_, view in running.items() if view.state not in OVER and id_ != except_id}

    def _model_of(self, spec: TaskSpec, *, only_boot: bool) -> ModelRef:
        """By name, so that the journal tells it; a health boot sends no prompt and needs no key."""
        choice = DEMO_CHOICE if only_boot else choose_model(self._services, spec)
        return ModelRef(choice.provider, choice.model)

    def _created_fields(self, task_id: str, spec: TaskSpec, folders: tuple[ChosenFolder, ...]) -> dict[str, JsonValue]:
        owner: dict[str, JsonValue] = identity_record(self._services.app)
        return {"task_id": task_id, "spec": spec_to_json(spec), "folders": [_tell(f) for f in folders], "app": owner}

    def _start(
        self,
        task_id: str,
        spec: TaskSpec,
        journal: TaskJournal,
        folders: tuple[ChosenFolder, ...],
        *,
        only_boot: bool,
        earlier: EarlierTalk | None,
    ) -> LiveTask:
        resources = ResourceStack(journal)
        first_key = 1 if earlier is None else earlier.last_key + 1
        file = self._services.files.transcript(task_id)
        session = Session(file, self._services.clock, self.agent_chart, first_key)
        session.on_news = lambda: self.news.append(task_id)
        kept = PiSession() if earlier is None else earlier.session
        keeper = SessionKeeper(task_id, self._services.files, session, kept)
        changes = FolderChanges(task_id, self._services.files, self._services.scanner)
        check = self._folder_check(task_id, spec, folders)
        activities = TaskActivities(
            task_id,
            spec,
            self._services,
            journal,
            resources,
            session,
            keeper,
            check,
            changes,
            only_boot=only_boot,
            earlier=earlier,
        )
        machine = ChartMachine(self.task_chart, GUARDS["task"])
        runner = TaskRunner(machine, activities.table(), journal, self._services.clock)
        work = self._run(task_id, runner, journal, session, changes)
        loop_task = asyncio.create_task(work, name=f"task-{task_id}")
        loop_task.add_done_callback(lambda _: self._retire(task_id))
        return LiveTask(task_id, spec, runner, journal, session, keeper, changes, loop_task)

    def _folder_check(self, task_id: str, spec: TaskSpec, chosen: tuple[ChosenFolder, ...]) -> FolderCheck:
        """At each preflight the folders are judged again: one may have been replaced meanwhile (threats.md, G10)."""

        def check() -> tuple[ChosenFolder, ...]:
            now = self._services.folders.decide(spec.mounts, busy_folders(self._other_machines(task_id)))
            for before, after in zip(chosen, now, strict=True):
                if (before.device, before.inode) != (after.device, after.inode):
                    message = f"{before.path} is not the folder that was chosen any more"
                    raise CallerError("mount.refused", message)
            return now

        return check

    async def _run(
        self, task_id: str, runner: TaskRunner, journal: TaskJournal, session: Session, changes: FolderChanges
    ) -> None:
        structlog.contextvars.bind_contextvars(task_id=task_id, state="created")
        count = ChangeCount(changes, journal, self._services.clock)
        session.on_work = count.want
        counting = count.begin(f"count-{task_id}")
        try:
            await runner.run()
            await end_all([counting])  # the count of the end is the last one
            await judge_boot(self._services, journal)
            await self._keep_changes(task_id, journal, changes)
        finally:
            await end_all([counting])
            await changes.end()
            await session.end()
            journal.close()

    async def _keep_changes(self, task_id: str, journal: TaskJournal, changes: FolderChanges) -> None:
        """The guest is gone: what it has changed stays as it is, and is written down."""
        if not changes.has_begun:
            return
        results = await changes.compare()
        at_ms = self._services.clock.now_ns() // 1_000_000
        try:
            await asyncio.to_thread(store_changes, self._services.files, task_id, results, at_ms)
        except HostError as fault:
            structlog.get_logger().warning("the changes were not kept", code=fault.code, reason=fault.message)
        changes.results = results
        journal.write("fact", journal.view.last_seq, {"facts": {"changes": count_changes(results)}})

    def _retire(self, task_id: str) -> None:
        """A task is over: the newest few stay in memory."""
        self.news.append(task_id)
        over = [id_ for id_, task in self._tasks.items() if task.is_over]
        for old in over[:-KEPT_OVER_TASKS]:
            del self._tasks[old]


def _tell_earlier(earlier: EarlierTalk) -> dict[str, JsonValue]:
    """Facts: where the conversation of the other task ends, how many messages of the person it has up to there."""
    session = earlier.session
    told: dict[str, JsonValue] = {"earlier_keys": earlier.last_key, "session": session.to_json()}
    return told | {"branch_key": earlier.branch_key, "earlier_messages": session.message_count}


def _tell(folder: ChosenFolder) -> JsonValue:
    return {
        "path": str(folder.path),
        "read_only": folder.read_only,
        "device": folder.device,
        "inode": folder.inode,
        "warnings": list(folder.warnings),
    }


def busy_folders(views: Mapping[str, TaskView]) -> list[BusyFolder]:
    """What these tasks have mounted, by their journals."""
    found = []
    for task_id, view in views.items():
        for folder in view.folders:
            if isinstance(folder, dict) and isinstance(folder.get("path"), str):
                found.append(BusyFolder(Path(str(folder["path"])), folder.get("read_only") is True, task_id))
    return found
