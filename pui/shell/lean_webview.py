"""pywebview without what pui never uses of it: its HTTP server, and copies of all of Qt's names.

In: nothing of pywebview imported yet. Out: small modules where its imports look for the large ones.
Never: another behaviour of a class that pui or pywebview uses; a stand-in for what is imported already.

`webview.http` brings bottle and wsgiref for a server that pui keeps off (ADR 9). qtpy's modules are star imports, which
make PySide6 build each of Qt's 1200 classes although it would build them when they are first used. Together a third of
the start of an empty pywebview window (docs/performance.md).
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType

_BINDING = "PySide6"
_HOMES: Mapping[str, Sequence[str]] = {
    "QtCore": ("QtCore",),
    "QtGui": ("QtGui",),
    "QtNetwork": ("QtNetwork",),
    "QtWebChannel": ("QtWebChannel",),
    "QtWebEngineCore": ("QtWebEngineCore",),
    "QtWebEngineWidgets": ("QtWebEngineWidgets", "QtWebEngineCore"),
    "QtWidgets": ("QtWidgets", "QtGui"),
}
"""qtpy's modules that pywebview imports, and where PySide6 has their names (Qt 6 moved some)."""


def leave_out_server() -> None:
    """pywebview's own HTTP server is not imported: whoever asks for it gets an error."""
    if "webview" not in sys.modules:
        server = ModuleType("webview.http", "pui keeps pywebview's HTTP server off")
        server.__dict__.update(BottleServer=None, global_server=None)  # what pywebview looks at in any case
        sys.modules[server.__name__] = server


def take_names_from_pyside() -> None:
    """`qtpy.QtX` looks each name up in PySide6 when it is asked for. PyQt6, or a qtpy that is there, stays as it is."""
    wanted = os.environ.get("QT_API", _BINDING).lower()
    if wanted != _BINDING.lower() or "qtpy" in sys.modules or importlib.util.find_spec(_BINDING) is None:
        return
    package = ModuleType("qtpy", "PySide6 by the names of qtpy")
    package.__dict__.update(__path__=[], PYQT6=False, PYSIDE6=True)
    sys.modules["qtpy"] = package
    for name, homes in _HOMES.items():
        module = _Names(f"qtpy.{name}", homes)
        sys.modules[module.__name__] = module
        setattr(package, name, module)


class _Names(ModuleType):
    """The names of some modules of PySide6 under another name."""

    def __init__(self, name: str, homes: Sequence[str]) -> None:
        super().__init__(name)
        self._homes = homes

    def __getattr__(self, name: str) -> object:
        for home in self._homes:
            module = importlib.import_module(f"{_BINDING}.{home}")
            if hasattr(module, name):
                return getattr(module, name)
        raise AttributeError(f"{self.__name__} has no {name}")
