"""The window on Qt (PySide6, PyQt6): the page locked in, calls by one slot, dialogs in plain text.

In: pywebview's Qt module. Out: WindowKit. Never: an attribute looked up by a name from the page, another document than
ours, a new window, a download, a permission; rich text made of a stranger's words.
"""

from __future__ import annotations

import os
import queue
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import webview.platforms.qt as platform
import webview.util
from qtpy import QtCore, QtGui, QtWidgets
from qtpy.QtWebEngineCore import QWebEnginePage, QWebEngineScript, QWebEngineSettings, QWebEngineUrlRequestInterceptor
from qtpy.QtWebEngineWidgets import QWebEngineView

from pui.domain.bridge_call import CALL_LIMIT_BYTES
from pui.domain.window_place import WindowPlace
from pui.shell.window_kit import BOOTSTRAP_TAIL, REVIVAL_DELAY_MS, REVIVAL_LIMIT, FileQuestion, PagePolicy, refuse_walk

_BOOTSTRAP = (
    "new QWebChannel(qt.webChannelTransport,function(channel){var door=channel.objects.external;"
    "var send=function(text){door.send(text)};" + BOOTSTRAP_TAIL + "});"
)
_OFF = (
    "AutoLoadIconsForPage",
    "DnsPrefetchEnabled",
    "FullScreenSupportEnabled",
    "HyperlinkAuditingEnabled",
    "JavascriptCanOpenWindows",
    "JavascriptCanPaste",
    "LocalContentCanAccessFileUrls",
    "LocalContentCanAccessRemoteUrls",
    "LocalStorageEnabled",
    "NavigateOnDropEnabled",
    "PdfViewerEnabled",
    "PluginsEnabled",
    "ScreenCaptureEnabled",
    "WebGLEnabled",
    "WebRTCPublicInterfacesOnly",
)


class _Courier(QtCore.QObject):
    """Runs functions on the GUI's thread, in order. It is made there.

    The signal carries nothing: a Python object in a queued signal is copied under Qt's lock and needs the interpreter's
    lock for that, which the other thread may hold while it waits for Qt's.
    """

    posted = QtCore.Signal()

    def __init__(self) -> None:
        super().__init__()
        self._functions: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.posted.connect(self._run, QtCore.Qt.ConnectionType.QueuedConnection)

    def post(self, function: Callable[[], None]) -> None:
        """From any thread."""
        self._functions.put(function)
        self.posted.emit()

    @QtCore.Slot()
    def _run(self) -> None:
        with suppress(queue.Empty):
            self._functions.get_nowait()()


class QtKit:
    """WindowKit."""

    def __init__(self) -> None:
        self._window: Any = None
        self._application: Any = None
        self._courier: _Courier | None = None
        self._open: set[Any] = set()  # dialogs that wait for their answer
        self._policy: PagePolicy | None = None
        self._revivals = 0

    def start_engine(self) -> None:
        """Chromium starts with the first page, which takes longer than all that pui does itself meanwhile.

        PySide keeps the interpreter's lock while it makes an object, but not while Qt calls one of its own slots: so a
        view without a page is made, and its slot makes the page. Nothing is ever loaded in it.
        """
        self._application = QtWidgets.QApplication.instance() or QtWidgets.QApplication(sys.argv)
        view = QWebEngineView()
        QtCore.QMetaObject.invokeMethod(view, "stop", QtCore.Qt.ConnectionType.DirectConnection)
        view.deleteLater()

    def prepare(self, window: Any, policy: PagePolicy, on_call: Callable[[str], None]) -> None:
        self._window, self._policy = window, policy
        # pywebview appends --no-sandbox on some systems and a flag that grants cameras; neither is wanted
        platform.environ_append = refuse_walk
        platform.js_bridge_call = webview.util.js_bridge_call = refuse_walk
        view = platform.BrowserView
        view.JSBridge = _door_class(on_call)
        view.WebPage = _page_class(policy)
        view.RequestInterceptor = _interceptor_class(policy)
        view.on_load_finished = lambda _view, is_fine=True: self._greet(policy, is_fine)

    def harden(self) -> None:
        """On the GUI's thread, when the view is made and nothing is loaded yet."""
        self._courier = _Courier()
        settings = self._view.webview.page().settings()
        for name in _OFF:
            if (attribute := getattr(QWebEngineSettings.WebAttribute, name, None)) is not None:
                settings.setAttribute(attribute, False)
        settings.setAttribute(QWebEngineSettings.WebAttribute.JavascriptCanAccessClipboard, True)  # copy buttons
        self._view.webview.page().renderProcessTerminated.connect(lambda *_arguments: self._revive())
        self._view.webview.page().profile().downloadRequested.connect(lambda download: download.cancel())
        self._view.channel.registerObject("external", self._view.js_bridge)
        self._bring_on_screen()

    def _revive(self) -> None:
        """The page's process died (out of memory, killed): load it anew; the app behind it is unharmed."""
        self._revivals += 1
        if self._revivals <= REVIVAL_LIMIT and self._policy is not None:
            address = QtCore.QUrl(self._policy.address)
            QtCore.QTimer.singleShot(REVIVAL_DELAY_MS, lambda: self._view.webview.setUrl(address))

    def _bring_on_screen(self) -> None:
        """A place on a monitor that is gone would hide the window."""
        view = self._view
        if QtGui.QGuiApplication.screenAt(view.frameGeometry().center()) is None:
            middle = QtGui.QGuiApplication.primaryScreen().availableGeometry().center()
            view.move(middle - view.rect().center())

    def _greet(self, policy: PagePolicy, is_fine: bool) -> None:
        """In place of pywebview's injection: our page gets one function; any other document gets nothing.

        It has it already, as a rule (_early_greeting). Refused navigations end a load too.
        """
        events, page = self._window.events, self._view.webview.page()
        for event in (events.before_load, events._pywebviewready, events.loaded):
            event.set()
        if is_fine and policy.is_ours(page.url().toString()):
            page.runJavaScript(f"if(!window.puiSend){{{_greeting()}}}")

    @property
    def _view(self) -> Any:
        return platform.BrowserView.instances[self._window.uid]

    def _post(self, function: Callable[[], None]) -> None:
        if self._courier is not None and self._window.uid in platform.BrowserView.instances:
            self._courier.post(function)

    def post_script(self, script: str, done: Callable[[], None]) -> None:
        def run() -> None:
            self._view.webview.page().runJavaScript(script, 0, lambda _result: done())

        self._post(run)

    def focus(self) -> None:
        def run() -> None:
            view = self._view
            view.setWindowState(view.windowState() & ~QtCore.Qt.WindowState.WindowMinimized)
            view.show()
            view.raise_()
            view.activateWindow()

        self._post(run)

    def hide(self) -> None:
        self._post(lambda: self._view.hide())

    def place(self) -> WindowPlace | None:
        view = self._view
        box = view.normalGeometry() if view.isMaximized() else view.geometry()
        return WindowPlace(box.width(), box.height(), box.x(), box.y(), view.isMaximized())

    def confirm(self, title: str, lines: Sequence[str], yes: str, done: Callable[[bool], None]) -> None:
        def run() -> None:
            box, body = self._dialog(title, lines)
            self._finish(box, body, yes, lambda is_yes: done(is_yes))

        self._post(run)

    def ask_text(self, title: str, lines: Sequence[str], initial: str, done: Callable[[str | None], None]) -> None:
        def run() -> None:
            box, body = self._dialog(title, lines)
            field = QtWidgets.QLineEdit(initial, box)
            body.addWidget(field)
            self._finish(box, body, "OK", lambda is_yes: done(field.text() if is_yes else None))

        self._post(run)

    def _dialog(self, title: str, lines: Sequence[str]) -> tuple[Any, Any]:
        """Own labels in plain text: QMessageBox would read a stranger's words as rich text."""
        box = QtWidgets.QDialog(self._view)
        box.setWindowTitle(title)
        body = QtWidgets.QVBoxLayout(box)
        for number, text in enumerate((title, *lines)):
            label = QtWidgets.QLabel(box)
            label.setTextFormat(QtCore.Qt.TextFormat.PlainText)
            label.setText(text)
            label.setWordWrap(True)
            label.setMinimumWidth(420)
            font = label.font()
            font.setBold(number == 0)
            label.setFont(font)
            body.addWidget(label)
        return box, body

    def _finish(self, box: Any, body: Any, yes: str, done: Callable[[bool], None]) -> None:
        buttons = QtWidgets.QDialogButtonBox(box)
        agree = buttons.addButton(yes, QtWidgets.QDialogButtonBox.ButtonRole.AcceptRole)
        refuse = buttons.addButton("Cancel", QtWidgets.QDialogButtonBox.ButtonRole.RejectRole)
        agree.setAutoDefault(False)
        refuse.setDefault(True)
        buttons.accepted.connect(box.accept)
        buttons.rejected.connect(box.reject)
        body.addWidget(buttons)
        self._show(box, lambda: done(box.result() == QtWidgets.QDialog.DialogCode.Accepted))

    def _show(self, box: Any, ended: Callable[[], None]) -> None:
        def finished(_result: int) -> None:
            self._open.discard(box)
            ended()
            box.deleteLater()

        self._open.add(box)
        box.finished.connect(finished)
        box.setWindowModality(QtCore.Qt.WindowModality.WindowModal)
        box.open()

    def ask_file(
        self,
        question: FileQuestion,
        title: str,
        name: str,
        suffixes: Sequence[str],
        done: Callable[[Path | None], None],
    ) -> None:
        def run() -> None:
            box = QtWidgets.QFileDialog(self._view, title)
            modes = QtWidgets.QFileDialog.FileMode
            if question == "folder":
                box.setFileMode(modes.Directory)
                box.setOption(QtWidgets.QFileDialog.Option.ShowDirsOnly, True)
            elif question == "file":
                box.setFileMode(modes.ExistingFile)
            else:
                box.setAcceptMode(QtWidgets.QFileDialog.AcceptMode.AcceptSave)
                box.selectFile(name)
            if suffixes:
                box.setNameFilters([f"{' '.join(f'*{suffix}' for suffix in suffixes)}", "*"])
            self._show(box, lambda: done(_chosen(box)))

        self._post(run)


def _early_greeting(policy: PagePolicy) -> Any:
    """Gives our document its one function while its own scripts are on their way; any other document gets nothing."""
    script = QWebEngineScript()
    script.setInjectionPoint(QWebEngineScript.InjectionPoint.DocumentCreation)
    script.setWorldId(QWebEngineScript.ScriptWorldId.MainWorld)
    script.setRunsOnSubFrames(False)
    script.setSourceCode(policy.only_in_ours(_greeting()))
    return script


def _greeting() -> str:
    """Qt's own script for the page's end of a channel, and ours."""
    file = QtCore.QFile("://qtwebchannel/qwebchannel.js")
    file.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
    try:
        return f"{bytes(file.readAll()).decode()}\n{_BOOTSTRAP}"
    finally:
        file.close()


def _chosen(box: Any) -> Path | None:
    if box.result() != QtWidgets.QDialog.DialogCode.Accepted or not box.selectedFiles():
        return None
    return Path(os.path.abspath(box.selectedFiles()[0]))  # noqa: PTH100 - without following links


def _door_class(on_call: Callable[[str], None]) -> type:
    class Door(QtCore.QObject):
        """The one object of the page's channel; `send` is all it can do."""

        def __init__(self, parent: Any) -> None:
            super().__init__()
            self.window = parent.pywebview_window

        @QtCore.Slot(str)
        def send(self, text: str) -> None:
            if len(text) <= CALL_LIMIT_BYTES:
                on_call(text)

    return Door


def _page_class(policy: PagePolicy) -> type:
    class Page(QWebEnginePage):
        """Shows our document and nothing else."""

        def __init__(self, parent: Any, profile: Any = None) -> None:
            super().__init__(profile, parent.webview)
            self.nav_handler = None
            self.scripts().insert(_early_greeting(policy))
            self.featurePermissionRequested.connect(self._deny)
            if hasattr(self, "permissionRequested"):
                self.permissionRequested.connect(lambda permission: permission.deny())

        def _deny(self, url: Any, feature: Any) -> None:
            self.setFeaturePermission(url, feature, QWebEnginePage.PermissionPolicy.PermissionDeniedByUser)

        def acceptNavigationRequest(self, url: Any, _kind: Any, is_main_frame: bool) -> bool:
            return is_main_frame and policy.is_ours(url.toString())

        def createWindow(self, _kind: Any) -> None:
            return None

        def javaScriptAlert(self, *_arguments: Any) -> None:
            """A page of ours never asks this way."""

        def javaScriptConfirm(self, *_arguments: Any) -> bool:
            return False

        def javaScriptPrompt(self, *_arguments: Any) -> Any:
            return False, ""

        def javaScriptConsoleMessage(self, *_arguments: Any) -> None:
            """Not to stderr: it may quote anything."""

    return Page


def _interceptor_class(policy: PagePolicy) -> type:
    class OnlyOurs(QWebEngineUrlRequestInterceptor):
        """Blocks every request that does not go to our server, whatever in the page made it."""

        def __init__(self, _window: Any) -> None:
            super().__init__()

        def interceptRequest(self, info: Any) -> None:
            if not policy.may_load(info.requestUrl().toString()):
                info.block(True)

    return OnlyOurs
