"""I2, I3, I4, I5, I6, I7, I10 in the real windows: a script in the page tries everything and gets nowhere.

In: tests/shell/scripts/*.js run inside the real Qt and GTK windows. Out: assertions on what the page and the host saw.
Never: a mock of a window.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.support import desktop

pytestmark = pytest.mark.gui

SCRIPTS = Path(__file__).parent / "scripts"
BACKENDS = ["qt", "gtk"]
NOT_REACHED = {"nothing", "refused", "null", "false", "denied", "empty", "undefined"}


def window_of(
    backend: str, display: str, trap: desktop.Canary, folder: Path, scripts: list[str]
) -> AbstractContextManager[desktop.AppProcess]:
    files = []
    for number, text in enumerate(scripts):
        files.append(folder / f"{number}.js")
        files[-1].write_text(text)
    env = dict(os.environ) | {
        "PUI_DATA_DIR": str(folder / "data"),
        "PUI_CACHE_DIR": str(folder / "cache"),
        "PUI_RUNTIME_DIR": str(folder / "run"),
    }
    words = [sys.executable, "-m", "tests.support.bridge_window", *map(str, files)]
    log = folder / "said.txt"
    if backend == "qt":
        return desktop.qt_window(env, display, trap, log, words)
    return desktop.gtk_window(env, display, log, words)


def reports(app: desktop.AppProcess) -> list[Any]:
    lines = [json.loads(line) for line in app.said().splitlines() if line.startswith("{")]
    return [line["report"] for line in lines if "report" in line]


@pytest.fixture(scope="module", params=BACKENDS)
def attacked(request: pytest.FixtureRequest, display: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One attack for all assertions: what the page reported, what the trap caught, what was said."""
    folder = tmp_path_factory.mktemp(request.param)
    with desktop.canary() as trap:
        pwned = folder / "pwned"
        attack = (SCRIPTS / "attack.js").read_text().replace("__CANARY__", trap.url).replace("__PWNED__", str(pwned))
        after = (SCRIPTS / "after.js").read_text()
        with window_of(request.param, display, trap, folder, [_ascii(attack), _ascii(after)]) as app:
            app.wait_for('"gaps"', 60.0)
            said = reports(app)
        ended = app.process.returncode
    log = (folder / "data" / "logs" / "pui.jsonl") if (folder / "data" / "logs").exists() else None
    return {
        "backend": request.param,
        "found": next(report["found"] for report in said if "found" in report),
        "after": said[-1],
        "reports": said,
        "calls": trap.calls,
        "pwned": pwned.exists(),
        "ended": ended,
        "said": app.said(),
        "log": log,
    }


def _ascii(text: str) -> str:
    return "".join(char if char.isascii() else "".join(f"\\u{unit:04x}" for unit in _units(char)) for char in text)


def _units(char: str) -> list[int]:
    raw = char.encode("utf-16-be")
    return [int.from_bytes(raw[index : index + 2], "big") for index in range(0, len(raw), 2)]


def test_the_bridge_works_and_the_app_ends_in_order(attacked: dict[str, Any]) -> None:
    assert attacked["found"]["good call"] == "answered"
    assert attacked["found"]["still works"] == "answered"
    assert attacked["ended"] == 0 and '{"shut_down": true}' in attacked["said"]


@pytest.mark.threat("I2")
def test_i2_no_dotted_name_is_walked(attacked: dict[str, Any]) -> None:
    found = attacked["found"]
    names = [name for name in found if name.startswith("verb ")]
    assert len(names) == 6 and {found[name] for name in names} == {"caller.bad_request"}
    assert found["surplus params"] == "caller.bad_request"
    assert found["pywebview"] == "undefined" and not attacked["pwned"]
    if attacked["backend"] == "qt":
        assert found["second channel"] == "external call:undefined"


@pytest.mark.threat("I3")
def test_i3_no_navigation_no_frame_no_request(attacked: dict[str, Any]) -> None:
    found = attacked["found"]
    assert found["stayed"] is True and attacked["calls"] == []
    places = (
        "location",
        "form",
        "meta",
        "link",
        "blank",
        "iframe",
        "object",
        "embed",
        "window.open",
        "download",
        "image",
    )
    for name in [name for name in found if name.startswith(places)]:
        assert found[name] in NOT_REACHED or found[name].startswith("error"), (name, found[name])
    for name in ("fetch", "fetch home", "worker", "eval", "innerHTML"):
        assert found[name].startswith("error"), (name, found[name])
    assert found["inline script"].startswith(("error", "undefined"))
    assert found["base"] == "true"
    assert [report for report in attacked["reports"] if isinstance(report, str)] == []


@pytest.mark.threat("I4")
def test_i4_a_forged_missing_or_stale_token_gets_no_answer(attacked: dict[str, Any]) -> None:
    assert attacked["found"]["forged token"] == attacked["found"]["no token"] == "silence"
    assert attacked["after"]["isFresh"] is True and attacked["after"]["stale"] == "silence"


@pytest.mark.threat("I5")
def test_i5_a_megabyte_and_a_flood_are_capped(attacked: dict[str, Any]) -> None:
    codes = attacked["found"]["flood codes"]
    assert sum(codes.values()) == 3000
    assert codes.get("caller.too_fast", 0) + codes.get("silence", 0) > 0, codes  # exact limits: test_router.py


@pytest.mark.threat("I6")
def test_i6_no_scheme_opens_anything(attacked: dict[str, Any]) -> None:
    found = attacked["found"]
    for scheme in ("file", "vscode", "ms-msdt", "smb", "http"):
        assert found[f"link {scheme}"] == found[f"blank {scheme}"] == "nothing"
    assert found["window.open vscode"] in NOT_REACHED


@pytest.mark.threat("I7")
def test_i7_no_traceback_and_no_secret_crosses(attacked: dict[str, Any]) -> None:
    text = attacked["found"]["bug with a secret"]
    assert "bug.unexpected" in text
    assert "SECRET" not in text and "Traceback" not in text and "RuntimeError" not in text


@pytest.mark.threat("I10")
def test_i10_no_permission_and_no_dialog_of_the_page(attacked: dict[str, Any]) -> None:
    found = attacked["found"]
    assert found["camera"].startswith("error") and found["place"] in ("denied", "error TypeError")
    assert found["notification"] in ("denied", "error TypeError", "error ReferenceError")
    assert found["alert"] == "false"


def test_after_a_reload_events_follow_without_a_gap(attacked: dict[str, Any]) -> None:
    assert (attacked["after"]["count"], attacked["after"]["gaps"]) == (5000, 0)
    assert attacked["after"]["first"] == "é😀\u20280"
