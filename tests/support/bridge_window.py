"""The real window with the smallest page and a table of test verbs: `python -m tests.support.bridge_window SCRIPT…`.

In: script files, run in the page, one after each load; an environment as for pui itself. Out: a JSON line on stdout
for each report of the page and each thing the child saw. Never: a task, a pack, a judgement.
"""

from __future__ import annotations

import asyncio
import faulthandler
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pui.adapters.clock import SystemClock
from pui.cli.window import open_window
from pui.domain.events import JsonValue
from pui.ports import Dialogs
from pui.shell import window_main
from pui.shell.desk import Desk
from pui.shell.table import verb_table
from pui.shell.verbs import Verb, VerbTable, count_schema, object_schema, text_schema
from pui.shell.window_app import Compose, ReadyApp
from tests.shell.rig import Rig

PAGE = Path(__file__).parent / "page"
SECRET = "sk-test-SECRET-0123456789"


def say(kind: str, value: object) -> None:
    print(json.dumps({kind: value}), flush=True)


def _verbs(desk: Desk, dialogs: Dialogs, after_load: Any) -> list[Verb]:
    async def report(value: JsonValue) -> JsonValue:
        say("report", value)
        return {}

    async def emit(count: int, text: str) -> JsonValue:
        for number in range(count):
            desk.tell("toast", level="info", text=f"{text}{number}")
        return {}

    async def fail() -> JsonValue:
        raise RuntimeError(f"a bug that quotes {SECRET}")

    async def ask(title: str) -> JsonValue:
        return await dialogs.confirm(title, ["<b>bold?</b>", "second line"], "Do it")

    async def folder() -> JsonValue:
        path = await dialogs.choose_folder("A folder")
        return None if path is None else str(path)

    async def loaded() -> JsonValue:
        after_load()
        return {}

    text = text_schema(200)
    return [
        Verb("test.loaded", object_schema({}), loaded),
        Verb("test.report", object_schema({"value": {}}), report),
        Verb("test.emit", object_schema({"count": count_schema(0, 20_000), "text": text}), emit),
        Verb("test.fail", object_schema({}), fail),
        Verb("test.ask", object_schema({"title": text}), ask),
        Verb("test.folder", object_schema({}), folder),
    ]


def _composer(scripts: list[str], kits: list[Any]) -> Any:
    def composer(_environ: dict[str, str]) -> Compose:
        @contextmanager
        def compose(dialogs: Dialogs) -> Iterator[ReadyApp]:
            rig = Rig(clock=SystemClock())
            rig.desk.dialogs = dialogs
            table = verb_table(rig.desk)

            def after_load() -> None:
                say("loaded", True)
                if scripts:
                    asyncio.get_running_loop().call_later(0.3, kits[0].post_script, scripts.pop(0), lambda: None)

            own = _verbs(rig.desk, dialogs, after_load)
            whole = VerbTable([*(table.find(name) for name in sorted(table.names)), *own])
            yield ReadyApp(rig.desk, whole)
            say("shut_down", rig.supervisor.is_shut_down)

        return compose

    return composer


def main(arguments: Sequence[str]) -> int:
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1)
    kits: list[Any] = []
    load = window_main.load_kit

    def load_kit(backend: Any) -> Any:
        kits.append(load(backend))
        return kits[0]

    window_main.load_kit = load_kit
    scripts = [Path(name).read_text("ascii") for name in arguments]
    return open_window(PAGE, _composer(scripts, kits))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
