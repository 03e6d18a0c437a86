"""`pui run`: one task without a window: its states, what pi says and does, what changed in the end.

In: folders, a prompt. Out: text on stdout, states on stderr, or JSON lines; an exit code that tells.
Never: a yes on the person's behalf (a question of the guest is answered by cancelling it).
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from pui.cli.output import note
from pui.cli.run_view import JsonView, RunView, TextView
from pui.compose import App, composed_app
from pui.domain.errors import CallerError
from pui.domain.journal import Record, TaskView
from pui.domain.rpc import Dialog
from pui.domain.task import CPU_COUNT, MEMORY_MIB, MountRequest, TaskSpec
from pui.supervisor.board import TaskBoard
from pui.supervisor.supervisor import LiveTask

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

EXIT = {"completed": 0, "failed": 1, "cancelled": 130}
SETUP_REQUIRED = 3
_EPILOG = """\
examples:
  pui run --folder . "Fix the typo in README.md"
  pui run --folder ~/code/app --folder ~/docs:ro "Write tests as docs/style.md asks"
  pui run --continue 1126-142102-a70bb5 "Now the tests, please"
  pui run --folder . --json "Explain this code" | jq .

The first folder is the workspace (/workspace in the machine), the others appear under /folders. Nothing else of this
computer is visible there, and there is no network but the way to the one model.

models: without a key the labelled demo model answers by a script. With ANTHROPIC_API_KEY or OPENAI_API_KEY set, or
PUI_MODEL=PROVIDER/MODEL (with PUI_API_KEY_FILE, PUI_MODEL_BASE_URL), that provider does. The key stays on this side.

exit status: 0 done, 1 failed, 2 wrong usage, 3 set-up required, 130 cancelled (Ctrl-C)
"""


def add_parser(subparsers: Subparsers) -> None:
    """Adds `run`."""
    parser = subparsers.add_parser(
        "run",
        help="run one task and show what it does",
        description="Run pi on a prompt in a Linux machine of its own.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("prompt", metavar="PROMPT", help="what pi shall do")
    parser.add_argument("--folder", action="append", default=[], metavar="PATH[:ro]", help="a folder that pi may see")
    parser.add_argument(
        "--continue",
        dest="task",
        metavar="TASK",
        help="go on with the conversation of a task that is over, in a fresh machine with its folders and limits",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line on stdout, nothing else")
    parser.add_argument(
        "--memory", type=int, default=MEMORY_MIB, metavar="MIB", help="memory of the machine (default %(default)s)"
    )
    parser.add_argument(
        "--cpus", type=int, default=CPU_COUNT, metavar="N", help="processors of the machine (default %(default)s)"
    )
    parser.add_argument(
        "--cache",
        action="store_true",
        help="keep package and build caches (/cache) for later tasks of the first folder",
    )
    parser.set_defaults(handler=_run)


def parse_folder(text: str) -> MountRequest:
    """`PATH`, `PATH:ro` or `PATH:rw`. Raises CallerError for an empty path or an unknown ending."""
    path, colon, ending = text.rpartition(":")
    if not colon or ending not in {"ro", "rw"}:
        path, ending = text, "rw"
    if not path:
        raise CallerError("caller.bad_request", f"--folder {text!r} names no folder", hint="Write --folder PATH[:ro].")
    return MountRequest(Path(path).expanduser().absolute(), ending == "ro")


def _run(arguments: argparse.Namespace) -> int:
    mounts = tuple(parse_folder(text) for text in arguments.folder)
    spec = TaskSpec(
        arguments.prompt, mounts, memory_mib=arguments.memory, cpu_count=arguments.cpus, cache=arguments.cache
    )
    view: RunView = JsonView() if arguments.json else TextView()
    with composed_app() as app, view:
        if app.model_fault is not None:
            raise app.model_fault
        return asyncio.run(_run_task(app, spec, view, arguments.task))


async def _run_task(app: App, spec: TaskSpec, view: RunView, continued: str | None) -> int:
    for report in app.supervisor.recover():
        view.recovered(report)
    for sentence in await asyncio.to_thread(app.packs.recover):
        note(sentence)
    await TaskBoard(app.supervisor, app.services).settle_changes()  # before this machine changes the same folders
    task_id = await _go_on(app, continued, spec) if continued else app.supervisor.create(spec)
    live = app.supervisor.live(task_id)
    view.begin(task_id, live.journal.view, app)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, _cancel, app, task_id, view)
    app.supervisor.trigger(task_id, "start")
    await _follow(app, live, view)
    result = await app.supervisor.wait(task_id)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.remove_signal_handler(number)
    for folder in live.changes.results:
        if folder.diff is not None:
            view.changes(Path(folder.path), folder.diff)
    view.end(result)
    return _exit_code(result)


async def _go_on(app: App, task_id: str, asked: TaskSpec) -> str:
    """Raises CallerError: no such task, not over, nothing kept, folders named."""
    if asked.mounts:
        hint = "Leave out --folder, or start a new task."
        raise CallerError("caller.bad_request", "a continued task has the folders that it had", hint=hint)
    board = TaskBoard(app.supervisor, app.services)
    spec = board.spec_to_go_on(task_id, asked.prompt, is_interactive=False)
    return await board.go_on(spec, await board.earlier(task_id))


def _cancel(app: App, task_id: str, view: RunView) -> None:
    view.cancelling()
    app.supervisor.trigger(task_id, "cancel")


async def _follow(app: App, live: LiveTask, view: RunView) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_follow_journal(app, live, view))
        group.create_task(_follow_session(live, view))


async def _follow_journal(app: App, live: LiveTask, view: RunView) -> None:
    cursor = 0
    while await live.journal.feed.wait(cursor):
        records, cursor = live.journal.feed.since(cursor)
        for record in records:
            view.record(record)
            if _is_setup_required(record):  # nobody can set anything up in the middle of a headless run
                app.supervisor.trigger(live.task_id, "cancel")


async def _follow_session(live: LiveTask, view: RunView) -> None:
    cursor = 0
    while await live.session.feed.wait(cursor):
        events, cursor = live.session.feed.since(cursor)
        for event in events:
            view.session_event(event)
            if isinstance(event, Dialog):
                await live.session.answer(event.id)


def _is_setup_required(record: Record) -> bool:
    return record.type == "transition" and record.fields.get("to") == "setup-required"


def _exit_code(result: TaskView) -> int:
    if any(visit.state == "setup-required" for visit in result.visits):
        return SETUP_REQUIRED
    return EXIT.get(result.outcome.result, 1) if result.outcome is not None else 1
