"""pywebview's back end on PySide6 without the copies and the server: the same classes, and nothing that is too much.

In: children that load the back end, and nothing on a screen. Out: what they have imported. Never: a measured time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

LOADED = """
import json, sys
from pui.shell.window_main import load_kit
load_kit("qt")
import PySide6.QtGui, PySide6.QtWebEngineCore, webview.platforms.qt as platform
print(json.dumps({
    "modules": sorted(sys.modules),
    "is_same": [
        platform.QAction is PySide6.QtGui.QAction,
        platform.QWebPage is PySide6.QtWebEngineCore.QWebEnginePage,
        platform.is_webengine,
        platform._qt6,
    ],
}))
"""
REFUSED = """
from pui.shell.lean_webview import leave_out_server, take_names_from_pyside
leave_out_server()
take_names_from_pyside()
import webview
from qtpy import QtCore
for ask in (lambda: webview.http.start_server([]), lambda: QtCore.QNowhere):
    try:
        ask()
    except AttributeError as error:
        print(error)
"""
LEFT_ALONE = """
import sys, types
import webview.http
from pui.shell.lean_webview import leave_out_server, take_names_from_pyside
mine = sys.modules["qtpy"] = types.ModuleType("qtpy")
leave_out_server()
take_names_from_pyside()
print(sys.modules["qtpy"] is mine, "bottle" in sys.modules, webview.http.__file__ is not None)
"""
NAMED = """
import sys
from pui.shell.lean_webview import take_names_from_pyside
take_names_from_pyside()
print("qtpy" in sys.modules)
"""


def _say(source: str, **environ: str) -> str:
    words = [sys.executable, "-c", source]
    return subprocess.run(words, env=os.environ | environ, capture_output=True, text=True, check=True).stdout


def test_the_back_end_has_qts_own_classes_and_no_copies_of_all_the_others() -> None:
    found = json.loads(_say(LOADED))
    assert found["is_same"] == [True, True, True, True]
    names = set(found["modules"])
    assert "PySide6.QtWebEngineCore" in names
    assert names & {"bottle", "wsgiref.simple_server", "qtpy.enums_compat", "PySide6.QtOpenGL"} == set()
    assert not [name for name in names if "DataVisualization" in name]


def test_what_is_left_out_is_refused_by_name_when_it_is_used() -> None:
    server, name = _say(REFUSED).splitlines()
    assert "start_server" in server
    assert name == "qtpy.QtCore has no QNowhere"


def test_what_is_imported_already_stays_as_it_is() -> None:
    assert _say(LEFT_ALONE).split() == ["True", "True", "True"]


def test_another_binding_that_was_named_keeps_qtpy() -> None:
    assert _say(NAMED, QT_API="pyqt6").split() == ["False"]
    assert _say(NAMED, QT_API="pyside6").split() == ["True"]
