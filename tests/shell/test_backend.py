"""Which back end shows the window, and the words when none can.

In: environments, what could be imported. Out: choices and errors. Never: an import of a back end.
"""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from pui.domain.errors import PuiError
from pui.shell.backend import Backend, choose_backend, find_version, has_gpu, prepare_environment
from pui.shell.window_kit import PagePolicy, without_devtools

SCREEN = {"DISPLAY": ":1"}


def choose(environ: dict[str, str], modules: Sequence[str], version: str = "6.11.3") -> str:
    try:
        return choose_backend(
            environ, is_linux=True, has_module=lambda name: name in modules, version_of=lambda _name: version
        )
    except PuiError as error:
        assert error.hint
        return error.code


@pytest.mark.parametrize(
    ("environ", "modules", "expected"),
    [
        (SCREEN, ["gi", "PySide6"], "gtk"),
        (SCREEN, ["PySide6"], "qt"),
        (SCREEN, ["PyQt6"], "qt"),
        ({"WAYLAND_DISPLAY": "wayland-0"}, ["gi"], "gtk"),
        (SCREEN | {"PUI_GUI": "qt"}, ["gi", "PySide6"], "qt"),
        (SCREEN | {"PUI_GUI": "gtk"}, ["gi", "PySide6"], "gtk"),
        (SCREEN | {"PUI_GUI": "gtk"}, ["PySide6"], "window.no_backend"),
        (SCREEN | {"PUI_GUI": "qt"}, ["gi"], "window.no_backend"),
        (SCREEN | {"PUI_GUI": "cef"}, ["gi"], "caller.bad_request"),
        (SCREEN, [], "window.no_backend"),
        ({}, ["gi", "PySide6"], "window.no_display"),
    ],
)
def test_the_choice(environ: dict[str, str], modules: list[str], expected: str) -> None:
    assert choose(environ, modules) == expected


def test_the_version_of_pyside_that_crashes_is_refused_by_name() -> None:
    expected = "window.bad_backend" if sys.version_info < (3, 12) else "qt"
    assert choose(SCREEN, ["PySide6"], "6.12.0") == expected


def test_the_version_is_the_one_that_is_installed() -> None:
    assert find_version("PySide6") == importlib.metadata.version("PySide6")
    assert find_version("no_such_module") == ""


def test_what_is_missing_is_told_with_the_line_that_installs_it() -> None:
    with pytest.raises(PuiError) as caught:
        choose_backend(SCREEN, is_linux=True, has_module=lambda _name: False)
    assert "apt install python3-gi gir1.2-webkit2-4.1" in caught.value.hint
    assert "pip install 'pui[qt]'" in caught.value.hint


@pytest.mark.parametrize(("backend", "user_id", "is_off"), [("qt", 0, True), ("qt", 1000, False), ("gtk", 0, False)])
def test_the_sandbox_is_off_for_root_on_qt_only(backend: str, user_id: int, is_off: bool) -> None:
    environ: dict[str, str] = {}
    prepare_environment(backend, environ, user_id)  # type: ignore[arg-type]
    assert ("QTWEBENGINE_DISABLE_SANDBOX" in environ) is is_off


def test_qt_draws_by_itself_where_no_graphics_processor_would() -> None:
    def chosen(backend: Backend, *, is_linux: bool = True, has_one: bool = False, **environ: str) -> str | None:
        prepare_environment(backend, environ, 1000, is_linux=is_linux, may_use_gpu=lambda: has_one)
        return environ.get("QT_QUICK_BACKEND")

    assert chosen("qt") == "software"
    assert chosen("qt", has_one=True) is None
    assert chosen("qt", is_linux=False) is None
    assert chosen("gtk") is None
    assert chosen("qt", QT_QUICK_BACKEND="rhi") == "rhi", "what the person has said stays"


def test_a_graphics_processor_is_a_node_that_can_be_opened(tmp_path: Path) -> None:
    assert not has_gpu(tmp_path)
    (tmp_path / "dri").mkdir()
    (tmp_path / "dri" / "card0").touch()
    assert not has_gpu(tmp_path), "a screen without anything that draws"
    (tmp_path / "dri" / "renderD128").touch()
    assert has_gpu(tmp_path)
    (tmp_path / "dri" / "renderD128").unlink()
    (tmp_path / "dri" / "renderD128").symlink_to(tmp_path / "gone")
    assert not has_gpu(tmp_path), "one that cannot be opened"
    (tmp_path / "nvidia0").touch()
    assert has_gpu(tmp_path)


def test_i10_an_inspector_needs_the_developer_switch() -> None:
    opened = {
        "QTWEBENGINE_REMOTE_DEBUGGING": "1234",
        "WEBKIT_INSPECTOR_SERVER": "127.0.0.1:1",
        "QTWEBENGINE_CHROMIUM_FLAGS": "--disable-gpu --remote-debugging-port=1 --remote-allow-origins=*",
    }
    closed, developers = dict(opened), dict(opened)
    without_devtools(closed, {})
    without_devtools(developers, {"PUI_DEVTOOLS": "1"})
    assert closed == {"QTWEBENGINE_CHROMIUM_FLAGS": "--disable-gpu"} and developers == opened


@pytest.mark.parametrize(
    ("url", "is_ours", "may_load"),
    [
        ("http://127.0.0.1:5/?k=secret", True, True),
        ("http://127.0.0.1:5/?k=secret#/tasks", True, True),
        ("http://127.0.0.1:5/", False, True),
        ("http://127.0.0.1:5/js/main.js", False, True),
        ("http://127.0.0.1:5/?k=secret&more", False, True),
        ("http://127.0.0.1:5@evil.example/?k=secret", False, False),
        ("http://127.0.0.1:55/?k=secret", False, False),
        ("https://127.0.0.1:5/?k=secret", False, False),
        ("http://localhost:5/?k=secret", False, False),
        ("data:text/html,hi", False, True),
        ("file:///etc/passwd", False, False),
        ("about:blank", False, False),
        ("blob:http://127.0.0.1:5/x", False, False),
        ("http://[bad", False, False),
        ("", False, False),
    ],
)
def test_i3_only_our_document_is_shown_and_only_our_server_asked(url: str, is_ours: bool, may_load: bool) -> None:
    policy = PagePolicy("http://127.0.0.1:5/?k=secret")
    assert (policy.is_ours(url), policy.may_load(url)) == (is_ours, may_load)
