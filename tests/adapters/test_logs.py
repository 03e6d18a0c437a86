"""The app's log tells a bug's traceback, without keys.

In: an exception. Out: the line in the file. Never: a log outside the test's folder.
"""

from __future__ import annotations

import json
from pathlib import Path

import structlog

from pui.logs import close_log, open_log

KEY = "canary-0123456789"


def test_a_traceback_is_kept_and_its_keys_are_not(tmp_path: Path) -> None:
    handler = open_log(tmp_path / "pui.jsonl", lambda: [KEY])
    try:
        try:
            raise RuntimeError(f"with {KEY} and sk-abcdefghijklmnopqrst")
        except RuntimeError:
            structlog.get_logger().exception("a verb failed unexpectedly", verb="a.b")
    finally:
        close_log(handler)
    line = json.loads((tmp_path / "pui.jsonl").read_text())
    assert "Traceback" in line["exception"] and "test_logs.py" in line["exception"]
    assert KEY not in json.dumps(line) and "sk-abcdef" not in json.dumps(line)
