"""Which back end shows the window, by what this computer has.

In: the environment, what Python can import. Out: "qt" or "gtk", or SetupError with the exact line that installs one.
Never: an import of a back end; the sandbox of QtWebEngine turned off for anybody but root.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Literal

from pui.domain.errors import CallerError, SetupError

Backend = Literal["qt", "gtk"]

ENV_GUI = "PUI_GUI"
BROKEN_PYSIDE = "6.12.0"
"""Drops one reference of True per signal: after some 1500 scripts Python 3.11 aborts (shell.md 1.4)."""
_QT = ("PySide6", "PyQt6")
_INSTALL = (
    "Debian, Ubuntu: `sudo apt install python3-gi gir1.2-webkit2-4.1` and a venv of the system's Python with "
    "`--system-site-packages`. Fedora: `sudo dnf install python3-gobject webkit2gtk4.1`. "
    "Anywhere: `pip install 'pui[qt]'`."
)


def find_module(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def find_version(package: str) -> str:
    """The installed version, "" when there is none; importlib.metadata would cost a fiftieth of a second."""
    spec = importlib.util.find_spec(package)
    for folder in () if spec is None or spec.origin is None else Path(spec.origin).parents[1].glob("*.dist-info"):
        name, _, version = folder.name.removesuffix(".dist-info").partition("-")
        if name.lower() == package.lower():
            return version
    return ""


def choose_backend(
    environ: MutableMapping[str, str],
    *,
    is_linux: bool = sys.platform.startswith("linux"),
    has_module: Callable[[str], bool] = find_module,
    version_of: Callable[[str], str] = find_version,
) -> Backend:
    """GTK first: a twentieth of Qt's size. PUI_GUI=qt|gtk overrides.

    Raises SetupError window.no_display, window.no_backend, window.bad_backend, CallerError for another PUI_GUI.
    """
    wanted = environ.get(ENV_GUI, "").lower()
    if wanted not in ("", "qt", "gtk"):
        raise CallerError("caller.bad_request", f"{ENV_GUI} is {wanted!r}; it may be qt or gtk")
    if is_linux and not (environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")):
        raise SetupError("window.no_display", "there is no display: neither DISPLAY nor WAYLAND_DISPLAY is set")
    if wanted != "qt" and has_module("gi"):
        return "gtk"
    found = next((name for name in _QT if has_module(name)), None)
    if wanted == "gtk" or found is None:
        what = f"{ENV_GUI}=gtk, but this Python cannot import gi" if wanted == "gtk" else "neither GTK nor Qt is here"
        raise SetupError("window.no_backend", f"the window cannot be shown: {what}", hint=_INSTALL)
    if found == "PySide6" and version_of("PySide6") == BROKEN_PYSIDE and sys.version_info < (3, 12):
        hint = "Run: pip install 'PySide6>=6.8,<6.12'"
        raise SetupError("window.bad_backend", f"PySide6 {BROKEN_PYSIDE} crashes on this Python", hint=hint)
    return "qt"


def has_gpu(devices: Path = Path("/dev")) -> bool:
    """Whether a graphics processor may be drawn with: a render node, NVIDIA's own or WSL's, that can be opened."""
    nodes = [node for pattern in ("dri/renderD*", "nvidia[0-9]*", "dxg") for node in devices.glob(pattern)]
    return any(os.access(node, os.R_OK | os.W_OK) for node in nodes)


def prepare_environment(
    backend: Backend,
    environ: MutableMapping[str, str],
    user_id: int | None = None,
    *,
    is_linux: bool = sys.platform.startswith("linux"),
    may_use_gpu: Callable[[], bool] = has_gpu,
) -> None:
    """QtWebEngine refuses to run as root with its sandbox; only then it is turned off.

    Without a graphics processor Qt would draw through OpenGL emulated by the processor, whose shaders are compiled at
    each start: Qt's own software backend draws the same pixels a tenth of a second sooner.
    """
    user_id = os.geteuid() if user_id is None else user_id
    if backend == "qt" and user_id == 0:
        environ.setdefault("QTWEBENGINE_DISABLE_SANDBOX", "1")
    if backend == "qt" and is_linux and not may_use_gpu():
        environ.setdefault("QT_QUICK_BACKEND", "software")
