"""The window on GTK 3 and WebKitGTK: the page locked in, calls by one message handler, dialogs in plain text.

In: pywebview's GTK module. Out: WindowKit. Never: an attribute looked up by a name from the page, another document than
ours, a new window, a download, a permission; markup made of a stranger's words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import webview.platforms.gtk as platform
import webview.util

from pui.domain.bridge_call import CALL_LIMIT_BYTES
from pui.domain.window_place import WindowPlace
from pui.shell.window_kit import BOOTSTRAP_TAIL, REVIVAL_DELAY_MS, REVIVAL_LIMIT, FileQuestion, PagePolicy, refuse_walk

gtk, glib, webkit, gdk = platform.gtk, platform.glib, platform.webkit, platform.Gdk

_BOOTSTRAP = (
    "(function(){var door=window.webkit.messageHandlers.jsBridge;"
    "var send=function(text){door.postMessage(text)};" + BOOTSTRAP_TAIL + "})();"
)
_NOWHERE = "http://127.0.0.1:9"
_SETTINGS = {
    "enable_media_stream": False,
    "enable_mediasource": False,
    "enable_webaudio": False,
    "enable_webgl": False,
    "enable_developer_extras": False,
    "enable_html5_database": False,
    "enable_back_forward_navigation_gestures": False,
    "enable_fullscreen": False,
    "allow_file_access_from_file_urls": False,
    "allow_universal_access_from_file_urls": False,
    "allow_modal_dialogs": False,
    "javascript_can_open_windows_automatically": False,
    "javascript_can_access_clipboard": True,  # copy buttons
}


class GtkKit:
    """WindowKit."""

    def __init__(self) -> None:
        self._window: Any = None
        self._policy: PagePolicy | None = None
        self._revivals = 0

    def start_engine(self) -> None:
        """WebKit starts its processes with the first view, in no time that would be worth sharing."""

    def prepare(self, window: Any, policy: PagePolicy, on_call: Callable[[str], None]) -> None:
        self._window, self._policy = window, policy
        platform.js_bridge_call = webview.util.js_bridge_call = refuse_walk
        view = platform.BrowserView
        view.on_js_bridge_call = _message_handler(on_call)
        view.on_navigation = _navigation_handler(policy)
        view.on_download_started = lambda _view, _context, download: download.cancel()
        platform.inject_pywebview = lambda _platform, window: self._greet(window, policy)

    def harden(self) -> None:
        """On the GUI's thread, when the view is made and nothing is loaded yet."""
        shown = self._view.webview
        values = shown.get_settings().props
        for name, value in _SETTINGS.items():
            if hasattr(values, name):
                setattr(values, name, value)
        if self._policy is not None:
            shown.get_user_content_manager().add_script(_early_greeting(self._policy))
        shown.connect("permission-request", _deny)
        shown.connect("create", lambda *_arguments: None)
        shown.connect("web-process-terminated", lambda *_arguments: self._revive())
        context = shown.get_context()
        context.connect("download-started", lambda _context, download: download.cancel())
        proxy = webkit.NetworkProxySettings.new(_NOWHERE, ["127.0.0.1"])
        shown.get_website_data_manager().set_network_proxy_settings(webkit.NetworkProxyMode.CUSTOM, proxy)

    def _revive(self) -> None:
        """The page's process died (out of memory, killed): load it anew; the app behind it is unharmed."""
        self._revivals += 1
        if self._revivals <= REVIVAL_LIMIT and self._policy is not None:
            glib.timeout_add(REVIVAL_DELAY_MS, self._view.webview.load_uri, self._policy.address)

    def _greet(self, window: Any, policy: PagePolicy) -> None:
        """In place of pywebview's injection: our page gets one function; any other document gets nothing.

        It has it already, as a rule (_early_greeting).
        """
        for event in (window.events.before_load, window.events._pywebviewready, window.events.loaded):
            event.set()
        shown = self._view.webview
        if policy.is_ours(shown.get_uri() or ""):
            shown.evaluate_javascript(f"if(!window.puiSend){{{_BOOTSTRAP}}}", -1, None, None, None, None)

    @property
    def _view(self) -> Any:
        return platform.BrowserView.instances[self._window.uid]

    def _post(self, function: Callable[[], None]) -> None:
        def run() -> bool:
            if self._window.uid in platform.BrowserView.instances:
                function()
            return False

        glib.idle_add(run)

    def post_script(self, script: str, done: Callable[[], None]) -> None:
        def run() -> None:
            self._view.webview.evaluate_javascript(script, -1, None, None, None, lambda *_arguments: done())

        self._post(run)

    def focus(self) -> None:
        self._post(lambda: self._view.window.present())

    def hide(self) -> None:
        """GTK's own boxes (a file dialog complains) run a loop of their own, which would outlive the window."""

        def run() -> None:
            self._view.window.hide()
            for box in gtk.Window.list_toplevels():
                if isinstance(box, gtk.Dialog):
                    box.response(gtk.ResponseType.DELETE_EVENT)

        self._post(run)

    def place(self) -> WindowPlace | None:
        window = self._view.window
        width, height = window.get_size()
        x, y = window.get_position()
        return WindowPlace(width, height, x, y, window.is_maximized())

    def confirm(self, title: str, lines: Sequence[str], yes: str, done: Callable[[bool], None]) -> None:
        def run() -> None:
            box = self._dialog(title, lines, yes)
            self._show(box, lambda is_yes: done(is_yes))

        self._post(run)

    def ask_text(self, title: str, lines: Sequence[str], initial: str, done: Callable[[str | None], None]) -> None:
        def run() -> None:
            box = self._dialog(title, lines, "OK")
            field = gtk.Entry(text=initial)
            box.get_content_area().pack_end(field, False, False, 8)
            field.show()
            self._show(box, lambda is_yes: done(field.get_text() if is_yes else None))

        self._post(run)

    def _dialog(self, title: str, lines: Sequence[str], yes: str) -> Any:
        box = gtk.MessageDialog(
            transient_for=self._view.window, modal=True, message_type=gtk.MessageType.QUESTION, text=title
        )
        box.set_title(title)
        box.format_secondary_text("\n\n".join(lines).replace("\x00", ""))
        box.add_button("Cancel", gtk.ResponseType.CANCEL)
        box.add_button(yes, gtk.ResponseType.OK)
        box.set_default_response(gtk.ResponseType.CANCEL)
        return box

    def _show(self, box: Any, ended: Callable[[bool], None]) -> None:
        def answered(_box: Any, response: Any) -> None:
            ended(response in (gtk.ResponseType.OK, gtk.ResponseType.ACCEPT))
            box.destroy()

        box.connect("response", answered)
        box.show()

    def ask_file(
        self,
        question: FileQuestion,
        title: str,
        name: str,
        suffixes: Sequence[str],
        done: Callable[[Path | None], None],
    ) -> None:
        actions = gtk.FileChooserAction
        action = {"folder": actions.SELECT_FOLDER, "file": actions.OPEN, "save": actions.SAVE}[question]

        def run() -> None:
            box = gtk.FileChooserDialog(title=title, transient_for=self._view.window, modal=True, action=action)
            box.add_button("Cancel", gtk.ResponseType.CANCEL)
            box.add_button("Save" if question == "save" else "Choose", gtk.ResponseType.OK)
            box.set_default_response(gtk.ResponseType.OK)
            if question == "save":
                box.set_do_overwrite_confirmation(True)
                box.set_current_name(name)
            if suffixes:
                box.add_filter(_filter(suffixes))
            self._show(box, lambda is_yes: done(_chosen(box) if is_yes else None))

        self._post(run)


def _chosen(box: Any) -> Path | None:
    name = box.get_filename()
    return None if name is None else Path(name)


def _filter(suffixes: Sequence[str]) -> Any:
    made = gtk.FileFilter()
    made.set_name(", ".join(suffixes))
    for suffix in suffixes:
        made.add_pattern(f"*{suffix}")
    return made


def _deny(_shown: Any, request: Any) -> bool:
    request.deny()
    return True


def _early_greeting(policy: PagePolicy) -> Any:
    """Gives our document its one function before any of its own scripts runs; any other document gets nothing."""
    frames, time = webkit.UserContentInjectedFrames.TOP_FRAME, webkit.UserScriptInjectionTime.START
    return webkit.UserScript.new(policy.only_in_ours(_BOOTSTRAP), frames, time, None, None)


def _message_handler(on_call: Callable[[str], None]) -> Callable[[Any, Any, Any], None]:
    def on_message(_view: Any, _manager: Any, message: Any) -> None:
        value = message.get_js_value()
        if not value.is_string():
            return
        text = value.to_string()
        if len(text) <= CALL_LIMIT_BYTES:
            on_call(text)

    return on_message


def _navigation_handler(policy: PagePolicy) -> Callable[[Any, Any, Any, Any], bool]:
    kinds = webkit.PolicyDecisionType

    def decide(_view: Any, _shown: Any, decision: Any, kind: Any) -> bool:
        """Every document, frame and window; a response that WebKit cannot show would become a download."""
        if kind == kinds.NAVIGATION_ACTION:
            is_fine = policy.is_ours(decision.get_navigation_action().get_request().get_uri() or "")
        elif kind == kinds.RESPONSE:
            is_fine = bool(decision.is_mime_type_supported())
        else:
            is_fine = False
        if is_fine:
            decision.use()
        else:
            decision.ignore()
        return True

    return decide
