"""What is not imported before the window, and not with the app: the start stays short without a stopwatch.

In: the modules that a start has imported, in a child. Out: names that must not be among them. Never: a measured time.
"""

from __future__ import annotations

import subprocess
import sys

BEFORE_THE_VIEW = """
import pui.__main__, pui.cli.window, pui.adapters.paths, pui.shell.backend, pui.shell.instance, pui.shell.window_kit
import pui.domain.model_policy, pui.resources, pui.shell.loop_thread, pui.shell.page_server, pui.shell.page_site
import pui.shell.window_app, pui.shell.window_main
"""
WITH_THE_APP = BEFORE_THE_VIEW + "import pui.compose, pui.shell.table, pui.shell.router\n"
TELL = "import sys; print(' '.join(sorted(sys.modules)))"


def _imported(source: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", source + TELL], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_view_waits_for_nothing_of_the_app() -> None:
    found = _imported(BEFORE_THE_VIEW)
    slow = {
        "structlog",
        "jsonschema",
        "httpx",
        "transitions",
        "rich.console",
        "cryptography",
        "pui.ports",
        "pui.compose",
    }
    assert found & slow == set()
    assert {name for name in found if name.startswith(("pui.supervisor", "pui.packbuild"))} == set()
    assert "argparse" not in found


def test_the_app_waits_for_nothing_that_most_starts_do_not_need() -> None:
    assert _imported(WITH_THE_APP) & {"httpx", "tuf", "securesystemslib", "keyring", "zstandard.backend_cffi"} == set()
