"""What the page server answers: the files of the page, and for `pui serve` also calls and events.

In: requests of anybody on this computer. Out: files that were there at the start, or a refusal that says nothing.
Never: a path looked up on the disk by its name in a request, a file for a foreign Host, a call in the window's server.
"""

from __future__ import annotations

import hmac
import html
import mimetypes
import posixpath
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pui.domain.bridge_call import CALL_LIMIT_BYTES, to_ascii_json, token_is_right
from pui.shell.page_server import ADDRESS, PageAnswer, PageRequest

if TYPE_CHECKING:  # the window's server is there before the app is imported
    from pui.shell.desk import Carrier
    from pui.shell.event_feed import EventFeed
    from pui.shell.router import Router

INDEX = "index.html"
DOOR = "door.html"
"""Shown for the index without its capability by `pui serve`: it knows whether this tab had one before a reload."""
HEAD_END = "</head>"
_SCRIPT = re.compile(r'<script type="module" src="([^"]+)"')
_IMPORT = re.compile(r'^(?:import|export)\b[^"\';]*?(?:from\s*)?"([^"]+)"', re.MULTILINE)
PLACE = 'name="{}" content=""'
"""Where the index gets the token and the carrier."""
KEEPALIVE_S = 20.0

_CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src {connect}",
        "frame-src 'none'",
        "object-src 'none'",
        "worker-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types dompurify",
        # no dialog of the page, no new window, no download, no other document on top; forms only fire their event
        "sandbox allow-scripts allow-same-origin allow-forms",
    ]
)
_FEATURES = (
    "accelerometer",
    "camera",
    "display-capture",
    "geolocation",
    "gyroscope",
    "hid",
    "microphone",
    "midi",
    "payment",
    "serial",
    "usb",
)
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".json": "application/json", ".svg": "image/svg+xml"}


@dataclass
class PageSession:
    """The one page that may call. `key` is the capability in the address of the index; each load of the index gets
    a fresh token, so a page that was loaded earlier can call no more. `make_token` returns 256 random bits as text."""

    key: str
    make_token: Callable[[], str]
    token: str = field(default="", repr=False)

    def renew(self) -> str:
        self.token = self.make_token()
        return self.token


def security_headers(carrier: Carrier) -> list[tuple[str, str]]:
    """On every answer. The window's page connects to nothing: its calls do not go by HTTP.

    It has no opener and opens nothing either, so a policy about openers would only make WebKit begin a second process
    for the page (140 ms); a browser has other pages.
    """
    connect = "'none'" if carrier == "window" else "'self'"
    opener = [] if carrier == "window" else [("cross-origin-opener-policy", "same-origin")]
    return [
        ("content-security-policy", _CONTENT_SECURITY_POLICY.format(connect=connect)),
        *opener,
        ("cross-origin-resource-policy", "same-origin"),
        ("cross-origin-embedder-policy", "require-corp"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("permissions-policy", ", ".join(f"{name}=()" for name in _FEATURES)),
        ("cache-control", "no-store"),
    ]


def page_files(folder: Path) -> Mapping[str, Path]:
    """Every plain file below `folder` by its path in an address. What is not in here is not served."""
    found = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and not path.is_symlink() and not any(part.startswith(".") for part in parts):
            found["/" + "/".join(parts)] = path
    return found


def module_preloads(files: Mapping[str, Path], index: str) -> str:
    """Links that name every module which the index's scripts lead to by static imports.

    Without them the engine finds the modules wave by wave, each one as late as the slowest of the wave before.
    """
    found: dict[str, None] = {}
    waiting = [path for path in _SCRIPT.findall(index) if path in files]
    while waiting:
        path = waiting.pop(0)
        if path in found:
            continue
        found[path] = None
        text = files[path].read_text(encoding="utf-8")
        targets = (posixpath.normpath(posixpath.join(posixpath.dirname(path), name)) for name in _IMPORT.findall(text))
        waiting += [target for target in targets if target in files]
    return "".join(f'<link rel="modulepreload" href="{html.escape(path)}">' for path in found)


class PageSite:
    """Answers for one port. `router` and `feed` are given for `pui serve` only: without them there is no such route."""

    def __init__(
        self,
        files: Mapping[str, Path],
        session: PageSession,
        port: int,
        router: Router | None = None,
        feed: EventFeed | None = None,
    ) -> None:
        self._files = {path: file for path, file in files.items() if path not in (f"/{INDEX}", f"/{DOOR}")}
        door = None if router is None else files.get(f"/{DOOR}")
        self._door = b"" if door is None else door.read_bytes()
        text = files[f"/{INDEX}"].read_text(encoding="utf-8")
        self._index = text.replace(HEAD_END, module_preloads(files, text) + HEAD_END, 1)
        self._session = session
        self._host = f"{ADDRESS}:{port}"
        self._router = router
        self._feed = feed
        self._carrier: Carrier = "window" if router is None else "browser"
        self._headers = security_headers(self._carrier)

    @property
    def address(self) -> str:
        """The address of the index, with its capability."""
        return f"http://{self._host}/?k={self._session.key}"

    @property
    def origin(self) -> str:
        return f"http://{self._host}"

    async def respond(self, request: PageRequest) -> PageAnswer:
        """Foreign Host (DNS rebinding), foreign site: 403 before anything is looked at."""
        if request.header("host") != self._host or self._is_foreign(request):
            return self._refuse(403)
        if request.method == "POST" and request.path == "/rpc" and self._router is not None:
            return await self._call(request, self._router)
        if request.method not in ("GET", "HEAD"):
            return self._refuse(405)
        if request.path == "/events" and self._feed is not None:
            return self._events(request, self._feed)
        if request.path in ("/", f"/{INDEX}"):
            return self._serve_index(request)
        return self._serve_file(request.path)

    def _is_foreign(self, request: PageRequest) -> bool:
        site, origin = request.header("sec-fetch-site"), request.header("origin")
        return site not in (None, "same-origin", "none") or origin not in (None, self.origin)

    def _serve_index(self, request: PageRequest) -> PageAnswer:
        if not hmac.compare_digest(request.query.get("k", "").encode(), self._session.key.encode()):
            return self._answer(403, "text/html; charset=utf-8", self._door) if self._door else self._refuse(403)
        token = self._session.token if request.method == "HEAD" else self._session.renew()
        text = self._index
        for name, value in (("pui-token", token), ("pui-carrier", self._carrier)):
            text = text.replace(PLACE.format(name), f'name="{name}" content="{html.escape(value)}"', 1)
        return self._answer(200, "text/html; charset=utf-8", text.encode())

    def _serve_file(self, path: str) -> PageAnswer:
        file = self._files.get(path)
        if file is None:
            return self._refuse(404)
        kind = _TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        if kind.startswith("text/"):
            kind += "; charset=utf-8"
        try:
            return self._answer(200, kind, file.read_bytes())
        except OSError:
            return self._refuse(404)

    async def _call(self, request: PageRequest, router: Router) -> PageAnswer:
        """A call needs an Origin, which a page of another origin cannot choose, and a type that needs a preflight."""
        kind = (request.header("content-type") or "").partition(";")[0].strip().lower()
        if request.header("origin") != self.origin or kind != "application/json":
            return self._refuse(403)
        if len(request.body) > CALL_LIMIT_BYTES:
            return self._refuse(413)
        reply = await router.answer(request.body)
        if reply is None:
            return self._refuse(403)
        return self._answer(200, "application/json", to_ascii_json(reply).encode("ascii"))

    def _events(self, request: PageRequest, feed: EventFeed) -> PageAnswer:
        after = request.query.get("after", "")
        if not token_is_right(request.query.get("t"), self._session.token) or not after.isascii():
            return self._refuse(403)
        if not after.isdigit() or len(after) > 16:
            return self._refuse(400)
        stream = self._stream(feed, int(after), self._session.token)
        headers = [("content-type", "text/event-stream; charset=utf-8"), *self._headers]
        return PageAnswer(200, headers, stream)

    async def _stream(self, feed: EventFeed, after: int, token: str) -> AsyncIterator[bytes]:
        yield b": pui\n\n"
        async for batch in feed.follow(after, keepalive_s=KEEPALIVE_S):
            if token != self._session.token:
                return  # another page has taken over
            yield b": still here\n\n" if batch is None else f"data: [{','.join(batch)}]\n\n".encode("ascii")

    def _answer(self, status: int, kind: str, body: bytes) -> PageAnswer:
        return PageAnswer(status, [("content-type", kind), *self._headers], body)

    def _refuse(self, status: int) -> PageAnswer:
        return PageAnswer(status, self._headers)
