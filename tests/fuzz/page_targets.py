"""What the page may send, and what the guest may send towards a model: calls, links, settings, HTTP.

In: any bytes. Out: silence, or a finding. Never: a handler of a verb, a network.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from functools import cache
from unittest.mock import MagicMock
from urllib.parse import urlsplit

from pui.adapters.model.http_server import Answer, BodyBudget, GuestRequest, HttpConnection
from pui.adapters.model.streams import StreamClosed
from pui.domain.bridge_call import call_script, ok_reply, parse_call, to_ascii_json
from pui.domain.demo_model import demo_response
from pui.domain.errors import CallerError
from pui.domain.folder_diff import FolderEntry, FolderSnapshot, diff_snapshots
from pui.domain.link import parse_link
from pui.domain.links import find_links
from pui.domain.model_policy import PROVIDERS, Allowed, decide_request
from pui.domain.redact import Redactor, redact
from pui.domain.settings import parse_settings, render_settings
from pui.shell.table import verb_table
from pui.shell.verbs import VerbTable
from tests.fuzz.guest_targets import ACTIVE
from tests.fuzz.target import Target, in_pieces, split_first

TOKEN = "t" * 43


@cache
def verbs() -> VerbTable:
    """The real table with its real schemas; its handlers hang on a desk that nobody sits at, and are never called."""
    return verb_table(MagicMock())


def bridge_call(data: bytes) -> None:
    try:
        call = parse_call(data, TOKEN)
    except CallerError:
        return
    assert b"t" * 43 in data, "a call without the token passes"
    with contextlib.suppress(CallerError):
        verb = verbs().find(call.method)
        verb.check(call.params)
        assert call.method in verbs().names
        assert set(call.params) <= set(verb.schema["properties"])
    script = call_script("window.pui", to_ascii_json(ok_reply(call.id, dict(call.params))))
    assert script.isascii() and "\n" not in script


def links(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    for link in find_links(text):
        assert link in text and link.lower().startswith(("http://", "https://"))
        with contextlib.suppress(CallerError):
            _opened(link)
    with contextlib.suppress(CallerError):
        _opened(text)


def _opened(text: str) -> None:
    link = parse_link(text)
    again = urlsplit(link.url)
    assert again.scheme in ("http", "https") and link.url.isascii() and link.url.isprintable()
    assert "@" not in again.netloc and (again.hostname or "") == link.host.lower(), "it leads to another host"
    assert parse_link(link.url).host == link.host, "opened, it means the same"


def settings(data: bytes) -> None:
    try:
        found, _ = parse_settings(data)
    except CallerError:
        return
    assert parse_settings(render_settings(found)) == (found, ())


def model_target(data: bytes) -> None:
    """Whatever path the guest asks for, only the listed ones pass."""
    verdicts = [decide_request(provider, "POST", data.decode("latin-1")) for provider in PROVIDERS.values()]
    for verdict in (found for found in verdicts if isinstance(found, Allowed)):
        path, _, query = verdict.path_and_query.partition("?")
        assert path.startswith("/") and not {"", ".", ".."} & set(path[1:].split("/")), "a path that leads elsewhere"
        assert verdict.path_and_query.isascii() and verdict.path_and_query.isprintable() and "#" not in query


class _Stream:
    """One connection of the guest: its bytes, then its end."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.sent = bytearray()
        self._pieces = pieces
        self._is_over = False

    async def read(self) -> bytes:
        if self._is_over:
            raise StreamClosed
        return next(self._pieces, b"")

    async def write(self, data: bytes) -> None:
        self.sent += data

    async def wait_gone(self) -> None:
        await asyncio.Event().wait()

    def finish(self) -> None:
        self._is_over = True

    def reset(self) -> None:
        self._is_over = True


@contextlib.asynccontextmanager
async def _respond(request: GuestRequest) -> AsyncIterator[Answer]:
    async def body() -> AsyncGenerator[bytes, None]:
        yield b"%d" % len(request.body)

    assert request.method.isascii() and request.target.isascii()
    yield Answer(200, [("content-type", "text/plain"), ("connection", "close")], body())


def http(data: bytes) -> None:
    step, stream = split_first(data)
    talk = _Stream(in_pieces(stream, step * 4 + 1))

    async def serve() -> None:
        budget = BodyBudget(1 << 20)
        with contextlib.suppress(StreamClosed):
            await HttpConnection(talk, _respond, budget).serve()  # type: ignore[arg-type]
        assert budget.take(1 << 20), "a request kept its share of the memory"

    asyncio.run(serve())
    assert not talk.sent or talk.sent.startswith(b"HTTP/1.1 ")


SECRET = b"sk-aab-aab-aab"


def redaction(data: bytes) -> None:
    """A provider's answer that carries the key, cut anywhere, never reaches the guest with it."""
    step, stream = split_first(data)
    whole, cut = Redactor(SECRET), Redactor(SECRET)
    pieces = b"".join(cut.feed(piece) for piece in in_pieces(stream, step % 32 + 1)) + cut.finish()
    assert SECRET not in pieces
    assert pieces == whole.feed(stream) + whole.finish() == redact(stream, SECRET)


def demo_model(data: bytes) -> None:
    """The guest's request to the scripted model."""
    answer = demo_response(data)
    assert answer.status in (200, 400, 401, 402, 404, 413, 429, 500, 503, 529), answer.status
    for step in answer.steps:
        assert not isinstance(step, bytes) or len(step) < 1 << 20


def changes(data: bytes) -> None:
    """Names and texts of a folder before and after a task."""
    lines = data.decode("utf-8", "surrogateescape").split("\n\n")
    half = len(lines) // 2
    before, after = (
        FolderSnapshot({name: FolderEntry("file", len(text), (1,), text=text) for name, text in pairs})
        for pairs in ([(line[:20], line[20:]) for line in part] for part in (lines[:half], lines[half:]))
    )
    found = diff_snapshots(before, after)
    shown = found.patch + "".join(change.path + change.warning for change in found.changes)
    assert not ACTIVE.search(shown)
    shown.encode("utf-8")


def _calls() -> list[bytes]:
    texts = [
        '{"t":"%s","id":7,"method":"task.create","params":{"prompt":"x","folders":[{"id":"a1","read_only":false}],'
        '"network":"offline","model":{"provider":"demo","model":"demo"},"thinking":"off","memory_mib":2048,'
        '"cpu_count":1,"cache":false,"images":[]}}',
        '{"t":"%s","id":8,"method":"settings.set","params":{"key":"theme","value":"dark"}}',
        '{"t":"%s","id":9,"method":"app.hello","params":{}}',
        '{"t":"%s","id":10,"method":"blob.add","params":{"data_b64":"AAAA"}}',
    ]
    return [text.replace("%s", TOKEN).encode() for text in texts]


DEMO = (
    b'{"model":"demo","messages":[{"role":"user","content":[{"type":"text","text":"@text"}]},{"role":"assistant",'
    b'"tool_calls":[{"id":"1","function":{"name":"bash","arguments":"{}"}}]},{"role":"tool","tool_call_id":"1",'
    b'"content":"README.md"}],"tools":[{"type":"function","function":{"name":"bash"}}],"stream":true}'
)
FOLDER_TEXT = b".git/hooks/pre-commit#!/bin/sh\n\n\xffname\x1b[2J           \xe2\x80\xaetext\n\npackage.json        {}"
REQUEST = b"POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nhost: y\r\n\r\n"
CHUNKED = (
    b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nexpect: 100-continue\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
)
HUGE = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: " + b"9" * 4400 + b"\r\n\r\n"
LINKS = (
    "see https://example.org/a_(b), http://ex\u00e1mple.org:80/?q=\u00e9 and javascript:x https://a@b/ http://[::1]/"
)


def _settings() -> list[bytes]:
    found, _ = parse_settings(b'{"schema":"pui-settings-1"}')
    return [render_settings(found)]


TARGETS = (
    Target("bridge-call", bridge_call, _calls, is_json=True),
    Target("links", links, lambda: [LINKS.encode()], limit_bytes=1024),
    Target("settings", settings, _settings, is_json=True),
    Target("model-target", model_target, lambda: [b"/openai/responses?a=b", b"/anthropic/messages"], limit_bytes=512),
    Target("redact", redaction, lambda: [bytes([n]) + b"x" + SECRET * 2 + b"sk-aab-aab-aa" for n in (0, 3, 13)]),
    Target(
        "demo-model",
        demo_model,
        lambda: [DEMO, DEMO.replace(b"@text", b"replace 'a' with 'b' in x/y.py")],
        is_json=True,
    ),
    Target("changes", changes, lambda: [FOLDER_TEXT], limit_bytes=2048),
    Target("http", http, lambda: [bytes([n]) + text for n in (0, 255) for text in (REQUEST, CHUNKED, HUGE)], cost=8),
)
