"""`pui tasks`: what ran on this computer, read from the journals.

In: task ids, flags. Out: words or JSON. Never: a change, but by `clean`, and never of a task that runs.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pui.adapters.paths import app_paths
from pui.adapters.private_file import write_private
from pui.adapters.process_table import LinuxProcessTable
from pui.adapters.task_files import TaskFolders
from pui.cli.output import print_json, say
from pui.compose import compose_diagnosis, composed_app
from pui.domain.conversation_export import FORMATS, export_talk
from pui.domain.errors import CallerError
from pui.domain.journal import TaskView
from pui.domain.scrub import scrub_line
from pui.supervisor.conversation import read_talk
from pui.supervisor.recovery import StoredTask, is_owned_by_running_app, load_task

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

_LIST_EPILOG = "example:\n  pui tasks list            newest last; * marks a task that runs now\n"
_SHOW_EPILOG = "example:\n  pui tasks show 1123-151200-3f2a91\n"
_BUNDLE_EPILOG = """\
example:
  pui tasks bundle 1123-151200-3f2a91 --out fault.zip

Paths of your folders and home, names, mail addresses and keys are replaced. The conversation is left out.
"""
_EXPORT_EPILOG = """\
example:
  pui tasks export 1123-151200-3f2a91 --format html --out talk.html

One file with everything that was said, as text: no script, nothing that is loaded.
"""
_CLEAN_EPILOG = """\
examples:
  pui tasks clean                       end what a dead app has left; keep every journal
  pui tasks clean 1123-151200-3f2a91    remove one finished task with its journal
  pui tasks clean --all                 remove all finished tasks
"""


def add_parser(subparsers: Subparsers) -> None:
    """Adds `tasks` with its actions."""
    tasks = subparsers.add_parser("tasks", help="list, show and clean tasks")
    actions = tasks.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = _action(actions, "list", "list all tasks", _LIST_EPILOG)
    listing.add_argument("--json", action="store_true", help="one JSON object on stdout")
    listing.set_defaults(handler=_list)
    show = _action(actions, "show", "show how a task went", _SHOW_EPILOG)
    show.add_argument("task", metavar="TASK")
    show.add_argument("--json", action="store_true", help="one JSON object on stdout")
    show.set_defaults(handler=_show)
    clean = _action(actions, "clean", "end and remove what is left", _CLEAN_EPILOG)
    clean.add_argument("task", nargs="*", metavar="TASK", help="remove these finished tasks")
    clean.add_argument("--all", action="store_true", help="remove all finished tasks")
    clean.set_defaults(handler=_clean)
    export = _action(actions, "export", "write the conversation of a task to a file", _EXPORT_EPILOG)
    export.add_argument("task", metavar="TASK")
    export.add_argument("--format", choices=FORMATS, default="md", help="Markdown or HTML (default %(default)s)")
    export.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file to write")
    export.set_defaults(handler=_export)
    bundle = _action(actions, "bundle", "write a zip with what helps to find a fault", _BUNDLE_EPILOG)
    bundle.add_argument("task", metavar="TASK")
    bundle.add_argument("--out", type=Path, required=True, metavar="FILE", help="the zip file to write")
    bundle.add_argument("--with-transcript", action="store_true", help="with the prompt and the whole conversation")
    bundle.set_defaults(handler=_bundle)


def _action(actions: Subparsers, name: str, about: str, epilog: str) -> argparse.ArgumentParser:
    style = argparse.RawDescriptionHelpFormatter
    return actions.add_parser(
        name, help=about, description=about.capitalize() + ".", epilog=epilog, formatter_class=style
    )


def _list(arguments: argparse.Namespace) -> int:
    files, table = TaskFolders(app_paths()), LinuxProcessTable()
    tasks = [load_task(files, task_id) for task_id in files.task_ids()]
    tasks.sort(key=lambda task: task.view.created_at_ns)
    if arguments.json:
        print_json({"tasks": [_summary(task, table) for task in tasks]})
        return 0
    if not tasks:
        say('No tasks yet. Start one: pui run --folder FOLDER "what to do"')
    for task in tasks:
        say(_line(task, table))
    return 0


def _line(task: StoredTask, table: LinuxProcessTable) -> str:
    view = task.view
    mark = "*" if _runs(view, table) else " "
    prompt = scrub_line(str(view.spec.get("prompt", "")), 60)
    return f"{mark} {task.task_id}  {_when(view.created_at_ns)}  {view.state:<15} {_result(task):<28} {prompt}"


def _summary(task: StoredTask, table: LinuxProcessTable) -> dict[str, object]:
    view = task.view
    return {
        "id": task.task_id,
        "state": view.state,
        "runs": _runs(view, table),
        "created_at_ns": view.created_at_ns,
        "result": view.outcome.result if view.outcome else None,
        "code": view.outcome.code if view.outcome else (task.error.code if task.error else None),
        "prompt": view.spec.get("prompt"),
        "mounts": view.spec.get("mounts"),
    }


def _result(task: StoredTask) -> str:
    if task.error is not None:
        return task.error.code
    outcome = task.view.outcome
    return "" if outcome is None else f"{outcome.result} {outcome.code}".strip()


def _runs(view: TaskView, table: LinuxProcessTable) -> bool:
    return view.state not in {"finished", "stranded", "broken"} and is_owned_by_running_app(view, table)


def _show(arguments: argparse.Namespace) -> int:
    files, table = TaskFolders(app_paths()), LinuxProcessTable()
    task = load_task(files, _known(files, arguments.task))
    if arguments.json:
        facts = {"facts": dict(task.view.facts), "notes": list(task.view.notes), "held": list(task.view.held)}
        print_json(_summary(task, table) | facts)
        return 0
    if task.error is not None:
        raise task.error
    _tell(task, files)
    return 0


def _tell(task: StoredTask, files: TaskFolders) -> None:
    view = task.view
    say(f"task      {task.task_id}\nstate     {view.state}\nprompt    {scrub_line(str(view.spec.get('prompt')), 400)}")
    mounts = view.spec.get("mounts")
    for mount in mounts if isinstance(mounts, list) else []:
        if isinstance(mount, dict):
            say(f"folder    {mount.get('folder')} ({'read-only' if mount.get('read_only') else 'read/write'})")
    for name in ("accelerator", "share", "share_reason", "model_label", "pack", "guest_kernel"):
        if view.facts.get(name) is not None:
            say(f"{name:<12} {scrub_line(str(view.facts[name]))}")
    say("way")
    for visit, following in zip(view.visits, [*view.visits[1:], None], strict=True):
        spent = "" if following is None else f"{(following.entered_at_ns - visit.entered_at_ns) / 1e9:8.2f} s"
        say(f"  {visit.state:<16} {spent:>12}   {f'by {visit.trigger}' if visit.trigger else ''}")
    if view.outcome is not None:
        say(f"outcome   {_result(task)}\n          {scrub_line(view.outcome.message, 400)}".rstrip())
    for note in view.notes:
        say(f"recovery  {note}")
    say(f"files     {files.path(task.task_id, 'journal.jsonl').parent}")


def _bundle(arguments: argparse.Namespace) -> int:
    paths = app_paths()
    diagnosis = compose_diagnosis(paths, TaskFolders(paths))
    members = diagnosis.bundle(arguments.task, with_transcript=arguments.with_transcript)
    diagnosis.logs.write_bundle(arguments.out.absolute(), {member.name: member.text for member in members})
    say(f"wrote {arguments.out}; look through it before you send it:")
    for member in members:
        say(f"  {member.name:<20} {len(member.text):>8}   {member.about}".rstrip())
    return 0


def _export(arguments: argparse.Namespace) -> int:
    files = TaskFolders(app_paths())
    talk = read_talk(files, _known(files, arguments.task))
    text = export_talk(talk, arguments.format)
    write_private(arguments.out.absolute(), text.encode("utf-8", "replace"))
    say(f"wrote {arguments.out}: {len(talk.entries)} entries")
    return 0


def _clean(arguments: argparse.Namespace) -> int:
    with composed_app() as app:
        for report in app.supervisor.recover():
            say(f"{report.task_id}: was in {report.was_in}; " + ("; ".join(report.did) or "nothing was left"))
        for sentence in app.packs.recover():
            say(sentence)
        wanted = app.files.task_ids() if arguments.all else arguments.task
        for task_id in wanted:
            _remove(app.files, _known(app.files, task_id), keep_running=arguments.all)
    return 0


def _remove(files: TaskFolders, task_id: str, *, keep_running: bool) -> None:
    if _runs(load_task(files, task_id).view, LinuxProcessTable()):
        if keep_running:
            return
        raise CallerError("caller.rejected", f"task {task_id} is running", hint="Cancel it first.")
    files.remove_task(task_id)
    say(f"removed task {task_id}")


def _known(files: TaskFolders, task_id: str) -> str:
    if task_id not in files.task_ids():
        raise CallerError("caller.bad_request", f"there is no task {task_id!r}", hint="`pui tasks list` names them.")
    return task_id


def _when(at_ns: int) -> str:
    return f"{datetime.fromtimestamp(at_ns / 1e9, UTC).astimezone():%Y-%m-%d %H:%M}"
