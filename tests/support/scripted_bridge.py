"""The other side of the page, played from a script: ui/ with the headers of the real server, POST /rpc, GET /events.

In: a Scene (the hello, answers by verb). Out: a loopback server; the calls it got; events it is told to send.
Never: a real task, a verb of the real table, an address other than 127.0.0.1.

`python -m tests.support.scripted_bridge [scene] [port]` serves a scene to a browser while a view is being written.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pui.resources import data
from pui.shell.page_site import security_headers

TOKEN = "scripted-token"  # noqa: S105 — of a server that plays
HEADERS = dict(security_headers("browser"))
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}

Params = Mapping[str, Any]
Answer = Callable[[Params], Any]


class Refusal(Exception):
    """What a verb is refused with: an Error of docs/bridge.md."""

    def __init__(self, code: str, message: str, hint: str = "", retry: str = "never") -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message, "hint": hint, "retry": retry}


class ScriptedBridge:
    """A hello, answers by verb, the calls so far and a growing list of events. Safe to use from any thread."""

    def __init__(self, hello: dict[str, Any], answers: Mapping[str, Answer] | None = None) -> None:
        self.hello = hello
        self.answers: dict[str, Answer] = dict(answers or {})
        self.calls: list[tuple[str, Params]] = []
        self.faults: list[str] = []
        self.address = ""
        self.is_down = False
        self.token = TOKEN
        self.drops = 0
        self.events: list[dict[str, Any]] = []
        self.first_seq = 1
        self.is_closed = False
        self.changed = threading.Condition()

    # what a test does

    def answer(self, method: str, answer: Answer) -> None:
        self.answers[method] = answer

    def send(self, *events: dict[str, Any]) -> None:
        """Send events, numbered in order, as one batch."""
        with self.changed:
            for event in events:
                self.events.append({"seq": self.first_seq + len(self.events), **event})
            self.changed.notify_all()

    def skip_a_seq(self) -> None:
        """Leave a hole, as after a lost batch: the page has to say hello again."""
        with self.changed:
            self.first_seq += 1

    def go_down(self) -> None:
        """Answer nothing until `is_down` is False again."""
        with self.changed:
            self.is_down = True
            self.changed.notify_all()

    def drop_listeners(self) -> None:
        """End the streams of events that are open."""
        with self.changed:
            self.drops += 1
            self.changed.notify_all()

    def wait_for(self, method: str, count: int = 1, timeout_s: float = 20.0) -> list[Params]:
        """The calls of a verb, once there are `count`."""
        with self.changed:
            came = self.changed.wait_for(lambda: len(self.calls_of(method)) >= count, timeout_s)
        assert came, f"{method} was called {len(self.calls_of(method))} times, not {count}"
        return self.calls_of(method)

    def calls_of(self, method: str) -> list[Params]:
        return [params for name, params in self.calls if name == method]

    # what the server does

    @property
    def cursor(self) -> int:
        return self.first_seq + len(self.events) - 1

    def reply(self, call: dict[str, Any]) -> dict[str, Any]:
        number = call.get("id")
        method = str(call.get("method"))
        params = call.get("params", {})
        with self.changed:
            self.calls.append((method, params))
            self.changed.notify_all()
        try:
            if method == "app.hello":
                return {"id": number, "ok": True, "result": {**self.hello, "cursor": self.cursor}}
            if method not in self.answers:
                raise Refusal("caller.bad_request", f"the script has no answer to {method}")
            return {"id": number, "ok": True, "result": self.answers[method](params)}
        except Refusal as refusal:
            return {"id": number, "ok": False, "error": refusal.error}

    def events_after(self, cursor: int) -> list[dict[str, Any]]:
        """Waits for events after `cursor`; empty when the stream ends."""
        with self.changed:
            drops = self.drops

            def is_over() -> bool:
                return self.is_closed or self.is_down or self.drops > drops

            self.changed.wait_for(lambda: is_over() or self.cursor > cursor)
            return [] if is_over() else [event for event in self.events if event["seq"] > cursor]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body leave together; apart they cost 44 ms (Nagle and the delayed acknowledgement)
    disable_nagle_algorithm = True
    bridge: ScriptedBridge

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the test's output stays clean."""

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path == "/events":
            self._events()
        elif path == "/":
            self._index()
        else:
            self._file(path)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.bridge.is_down or self.path != "/rpc":
            self.close_connection = True
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", b"")
            return
        call = json.loads(body)
        if call.get("t") != self.bridge.token:
            self._send(HTTPStatus.FORBIDDEN, "text/plain", b"")
            return
        reply = self.bridge.reply(call)
        self._send(HTTPStatus.OK, "application/json", json.dumps(reply).encode())

    def _index(self) -> None:
        page = (data("ui") / "index.html").read_text("utf-8")
        self.bridge.token = TOKEN  # the page that was loaded last has the session
        page = page.replace('name="pui-token" content=""', f'name="pui-token" content="{TOKEN}"')
        page = page.replace('name="pui-carrier" content=""', 'name="pui-carrier" content="browser"')
        self._send(HTTPStatus.OK, TYPES[".html"], page.encode())

    def _file(self, path: str) -> None:
        root = Path(str(data("ui")))
        wanted = (root / path.lstrip("/")).resolve()
        if not wanted.is_relative_to(root.resolve()) or not wanted.is_file():
            self.bridge.faults.append(f"not found: {path}")
            self._send(HTTPStatus.NOT_FOUND, "text/plain", b"")
            return
        self._send(HTTPStatus.OK, TYPES.get(wanted.suffix, "application/octet-stream"), wanted.read_bytes())

    def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": kind, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _events(self) -> None:
        if self.bridge.is_down:
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", b"")
            return
        query = parse_qs(urlsplit(self.path).query)
        if query.get("t") != [self.bridge.token]:
            self._send(HTTPStatus.FORBIDDEN, "text/plain", b"")
            return
        cursor = int(query["after"][0])
        self.close_connection = True
        self.send_response(HTTPStatus.OK)
        for name, value in {**HEADERS, "Content-Type": "text/event-stream", "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b": hello\n\n")
        self.wfile.flush()
        while events := self.bridge.events_after(cursor):
            self.wfile.write(b"data: " + json.dumps(events).encode() + b"\n\n")
            self.wfile.flush()
            cursor = events[-1]["seq"]


class _Server(ThreadingHTTPServer):
    """Keeps its connections, so that the end of a test ends them and joins their threads."""

    daemon_threads = False
    request_queue_size = 64

    def __init__(self, handler: type[_Handler], port: int) -> None:
        super().__init__(("127.0.0.1", port), handler)
        self.open_sockets: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open_sockets.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.open_sockets.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        fault = sys.exc_info()[1]
        if not isinstance(fault, ConnectionError):
            super().handle_error(request, client_address)

    def end(self) -> None:
        self.shutdown()
        for open_socket in list(self.open_sockets):
            try:
                open_socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it ended by itself
        self.server_close()


@contextmanager
def served(bridge: ScriptedBridge, port: int = 0) -> Iterator[ScriptedBridge]:
    """Serve `bridge` on loopback; `bridge.address` says where."""
    handler = type("Handler", (_Handler,), {"bridge": bridge})
    server = _Server(handler, port)
    bridge.address = f"http://127.0.0.1:{server.server_address[1]}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="scripted-bridge")
    thread.start()
    try:
        yield bridge
    finally:
        with bridge.changed:
            bridge.is_closed = True
            bridge.changed.notify_all()
        server.end()
        thread.join()


def main() -> None:
    from tests.support.scenes import SCENES

    name = sys.argv[1] if len(sys.argv) > 1 else "daily"
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 8765
    with served(SCENES[name](), port) as bridge:
        print(f"{name}: {bridge.address} (Ctrl+C ends it)")
        threading.Event().wait()


if __name__ == "__main__":
    main()
