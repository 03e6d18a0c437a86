"""What is not imported before the engine starts, and not with the app: the start stays short without a stopwatch.

In: the modules that a start has imported, in a child. Out: names that must not be among them. Never: a measured time.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

BEFORE_THE_BACK_END = """
import os, sys
import pui.shell.window_main as window_main

def load_kit(backend):
    tell()
    sys.stdout.flush()
    os._exit(0)

window_main.load_kit = load_kit
sys.argv = ["pui"]
import pui.__main__
pui.__main__.main()
"""
WITH_THE_APP = """
import importlib
from pui.cli.window import APP_MODULES, WINDOW_MODULES
for name in WINDOW_MODULES + APP_MODULES:
    importlib.import_module(name)
tell()
"""
WITH_THE_FIRST_ANSWER = """
import asyncio, json, os
from pui.compose import compose_desk, composed_app
from pui.shell.router import Router
from pui.shell.table import verb_table

async def greet():
    with composed_app(dict(os.environ)) as app:
        desk = compose_desk(app, None, "window")
        router = Router(verb_table(desk), lambda: "t", desk.clock)
        reply = await router.answer(json.dumps({"t": "t", "id": 1, "method": "app.hello", "params": {}}))
        assert reply["ok"], reply
        await desk.supervisor.shutdown()
        await desk.close()

asyncio.run(greet())
tell()
"""
NOT_AT_THE_START = {
    "httpx",
    "importlib.metadata",
    "jsonschema",
    "keyring",
    "securesystemslib",
    "tuf",
    "zstandard.backend_cffi",
}
TELL = "import sys\ndef tell(): print(' '.join(sorted(sys.modules)))\n"


def _imported(source: str, **environ: str) -> set[str]:
    words = [sys.executable, "-c", TELL + source]
    done = subprocess.run(words, env=os.environ | environ, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_engine_waits_for_nothing_of_the_app(tmp_path: Path) -> None:
    found = _imported(
        BEFORE_THE_BACK_END,
        DISPLAY=":none",
        PUI_GUI="qt",
        PUI_DATA_DIR=str(tmp_path / "data"),
        PUI_RUNTIME_DIR=str(tmp_path / "run"),
    )
    assert "pui.shell.window_main" in found
    slow = {
        "argparse",
        "asyncio",
        "cryptography",
        "h11",
        "hashlib",
        "httpx",
        "importlib.metadata",
        "jsonschema",
        "pui.compose",
        "pui.ports",
        "rich",
        "secrets",
        "structlog",
        "transitions",
        "webview",
    }
    assert found & slow == set()
    assert {name for name in found if name.startswith(("pui.supervisor", "pui.packbuild"))} == set()


def test_the_app_waits_for_nothing_that_most_starts_do_not_need() -> None:
    found = _imported(WITH_THE_APP)
    assert "pui.supervisor.supervisor" in found
    assert found & NOT_AT_THE_START == set()


def test_the_first_answer_needs_no_more_than_the_app(tmp_path: Path) -> None:
    found = _imported(
        WITH_THE_FIRST_ANSWER,
        PUI_DATA_DIR=str(tmp_path / "data"),
        PUI_CACHE_DIR=str(tmp_path / "cache"),
        PUI_RUNTIME_DIR=str(tmp_path / "run"),
    )
    assert "pui.domain.chart_check" in found, "the charts were judged"
    assert found & (NOT_AT_THE_START | {"pui.packbuild.apt"}) == set()
