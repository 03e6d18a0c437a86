"""`pui pack try, rollback, clean, floor`: the life of installed packs; the health boot after an install.

In: parsed arguments. Out: an exit code: 0 done, 1 failed with a named error; words or JSON.
Never: a decision about a pack (domain/pack_life.py), a prompt to pi.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pui.adapters.packs.fetch import UrlSource
from pui.adapters.packs.keys import load_trust
from pui.adapters.packs.life import PackLife
from pui.adapters.packs.operations import as_progress
from pui.adapters.packs.repair import RepairResult
from pui.adapters.packs.slots import read_slot
from pui.adapters.packs.source import FileSource, PackSource
from pui.adapters.packs.store import check_pack_id
from pui.adapters.paths import AppPaths, app_paths
from pui.cli.output import note, print_json, say
from pui.cli.pack_channel import add_channel_options, channel_operations, teller
from pui.cli.pack_work import ShownSteps, open_life, open_operations, shown_steps
from pui.compose import App, composed_app
from pui.domain.errors import CallerError, SetupError
from pui.domain.journal import TaskView
from pui.domain.pack_life import PackView, unhealthy
from pui.ports import InstalledPack
from pui.resources import load_chart
from pui.supervisor.pack_trial import PackTrier, boot_words

_TRY = """\
Boots a machine from a pack up to pi's first answer: without folders, without a prompt. A pack on trial that answers is
active from then on; one that does not is left for the pack before it, and the reason is kept. Without an ID: the active
pack, or the one whose trial failed last.

example:
  pui pack try
"""
_REPAIR = """\
Compares the installed pack with its signed manifest and writes only what is broken anew; what was added is removed.
Without a FILE the channel is asked, and only the broken files are fetched, if it still has this very pack; else it
comes from that pack in a file or at an address. A channel needs a trusted root (`pui pack trust-root`). Nothing is
read or fetched if no file is broken. A repaired pack is on trial: the next task, or `pui pack try`, proves it.

example:
  pui pack repair --channel https://example.org/channel
  pui pack repair pui-runtime-linux-x86_64-3.tar.zst
"""
_ROLLBACK = """\
Tasks start from the previous pack again; one more rollback goes forward. Tasks that run keep the pack that they started
with. A pack below the security floor needs words of insistence, which the refusal tells.

example:
  pui pack rollback
"""
_CLEAN = """\
Removes packs that are neither active nor the previous one (a failed one too) and what interrupted installs have left.
A pack that a task uses stays.

example:
  pui pack clean
"""
_FLOOR = """\
Packs older than VERSION are gone back to only with words of insistence: for versions with known holes. A floor is never
lowered. Without a VERSION the floor is raised to the active pack's.

example:
  pui pack floor 2026112301
"""

Commands = Any  # argparse._SubParsersAction, which has no public name


def add_life_commands(parts: Commands, command: Callable[..., argparse.ArgumentParser]) -> None:
    """Adds the sub-commands; `command` makes one parser with its handler."""
    trying = command(parts, "try", "boot a machine from a pack and judge it", _TRY, _try)
    trying.add_argument("pack_id", nargs="?", metavar="ID")
    repair = command(parts, "repair", "write the broken files of an installed pack anew", _REPAIR, _repair)
    same = "the same pack: NAME.tar.zst beside NAME.envelope.json (default: ask the channel)"
    repair.add_argument("source", nargs="?", metavar="FILE|URL", help=same)
    repair.add_argument("--pack", metavar="ID", help="which pack, from a channel (default: the active one)")
    add_channel_options(repair)
    back = command(parts, "rollback", "go back to the previous pack", _ROLLBACK, _roll_back)
    back.add_argument("--insist", metavar="WORDS", help="go below the security floor; the refusal tells the words")
    cleaning = command(parts, "clean", "remove packs that nobody needs", _CLEAN, _clean)
    floor = command(parts, "floor", "refuse to go back below a version", _FLOOR, _floor)
    floor.add_argument("version", nargs="?", type=int, metavar="VERSION")
    for part in (trying, repair, back, cleaning, floor):
        part.add_argument("--json", action="store_true", help="print one JSON object")


def after_install(paths: AppPaths, pack_id: str, *, boot: bool, quiet: bool) -> PackView:
    """Ends or begins the trial of a pack that was just installed; its state afterwards. Raises PuiError."""
    life = open_life(paths)
    for sentence in life.recover():  # an installer that keeps no journal leaves that to the next look
        if not quiet and pack_id not in sentence:
            note(sentence)
    if boot and life.view().of(pack_id).state == "trial":
        boot_and_judge(pack_id, quiet=quiet)
    return life.view().of(pack_id)


def boot_and_judge(pack_id: str, *, quiet: bool) -> None:
    """The health boot, with its states as they come. What it says about the pack is written down by the way."""
    with composed_app() as app:
        pack = app.packs.store.check(pack_id, full=False)
        view = asyncio.run(_boot(app, pack, quiet=quiet))
    for sentence in () if quiet else boot_words(view):
        note(sentence)


async def _boot(app: App, pack: InstalledPack, *, quiet: bool) -> TaskView:
    for report in app.supervisor.recover():
        if not quiet:
            note(f"{report.task_id}: was in {report.was_in}; " + ("; ".join(report.did) or "nothing was left"))
    trier = PackTrier(app.services, load_chart("task"), load_chart("agent"))
    return await trier.boot(pack, lambda label: None if quiet else note(f"health boot: {label}"))


def _try(arguments: argparse.Namespace) -> int:
    paths = app_paths()
    life = open_life(paths)
    for sentence in life.recover():
        note(sentence)
    pack_id = arguments.pack_id or open_operations(paths, quiet=True).id_to_try()
    boot_and_judge(pack_id, quiet=arguments.json)
    pack = life.view().of(pack_id)
    if pack.state == "failed":
        raise unhealthy(pack)
    _show({"pack_id": pack_id, "state": pack.state}, f"{pack_id} is {state_label(pack.state)}", arguments)
    return 0


def _repair(arguments: argparse.Namespace) -> int:
    paths = app_paths()
    life = open_life(paths)
    with shown_steps("repairing", quiet=arguments.json) as steps:
        if arguments.source is None:
            result = _repair_from_channel(arguments, steps)
        else:
            source = _given_source(arguments)
            result = life.repair(source, load_trust(paths.trust_dir), progress=as_progress(steps, "repairing"))
    value: dict[str, object] = {
        "pack_id": result.pack_id,
        "mended": list(result.mended),
        "removed": list(result.removed),
        "written_bytes": result.written_bytes,
        "state": life.view().of(result.pack_id).state,
    }
    lines = [f"wrote {path} anew" for path in result.mended] + [f"removed {path}" for path in result.removed]
    lines.append(f"{result.pack_id} is sound, {result.written_bytes / 2**20:.1f} MiB were written")
    _show(value, "\n".join(lines), arguments)
    return 0


def _given_source(arguments: argparse.Namespace) -> PackSource:
    text = arguments.source
    if "://" in text:
        return UrlSource(text, trust_environment=arguments.trust_environment)
    return FileSource(Path(text))


def _repair_from_channel(arguments: argparse.Namespace, steps: ShownSteps) -> RepairResult:
    pack_id = arguments.pack or read_slot(app_paths().active_pack)
    if pack_id is None:
        raise SetupError("pack.missing", "no runtime pack is installed")
    check_pack_id(pack_id)
    return channel_operations(arguments).repair_from_channel(pack_id, steps, teller(arguments))


def _roll_back(arguments: argparse.Namespace) -> int:
    life = open_life(app_paths())
    now, left = life.roll_back(arguments.insist)
    state = state_label(life.view().of(left).state)
    _show({"active": now, "left": left}, f"tasks start from {now} again; {left} is: {state}", arguments)
    return 0


def _clean(arguments: argparse.Namespace) -> int:
    life = open_life(app_paths())
    if not app_paths().staging_dir.exists():
        raise SetupError("pack.missing", "no runtime pack is installed")
    cleaned = life.clean()
    value = {
        "removed": list(cleaned.removed),
        "freed_bytes": cleaned.freed_bytes,
        "kept": list(cleaned.trouble),
        "disk_use_bytes": life.store.disk_use_bytes(),
    }
    lines = [f"removed {name}" for name in cleaned.removed] + [f"kept: {why}" for why in cleaned.trouble]
    lines.append(f"{cleaned.freed_bytes / 2**20:.0f} MiB are free again, {disk_use(life)}")
    _show(value, "\n".join(lines), arguments)
    return 0


def _floor(arguments: argparse.Namespace) -> int:
    life = open_life(app_paths())
    version = arguments.version if arguments.version is not None else life.active().manifest.pack_version
    if version < 0:
        raise CallerError("caller.bad_request", "a pack version is a whole number from 0")
    floor = life.raise_security_floor(version)
    _show({"security_floor": floor}, f"the security floor is {floor}", arguments)
    return 0


def disk_use(life: PackLife) -> str:
    """How much all packs take up, in words."""
    return f"{life.store.disk_use_bytes() / 2**20:.0f} MiB in use by packs"


def state_label(state: str) -> str:
    """What a person is shown for a state of the pack chart, in lower case."""
    found = load_chart("pack").states.get(state)
    return state if found is None else found.label.lower()


def _show(value: dict[str, object], words: str, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print_json(value)
    else:
        say(words)
