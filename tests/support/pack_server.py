"""A loopback HTTP server that serves the two files of a pack, or misbehaves as a test says.

In: a table from path to a function that writes the answer. Out: its address. Never: a wait that outlives the test.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[["Talk"], None]


class Talk(BaseHTTPRequestHandler):
    """One request. `stopping` is set when the test ends: everything that waits must look at it."""

    answers: Mapping[str, Answer]
    seen: list[str]
    stopping: threading.Event
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.seen.append(f"{self.path} {self.headers.get('accept-encoding')}")
        self.close_connection = True
        with suppress(OSError):  # the client may hang up, that is the point
            self.answers.get(self.path, not_found)(self)

    def reply(self, status: int, body: bytes, **headers: str) -> None:
        self.head(status, **{"Content-Length": str(len(body))} | headers)
        self.wfile.write(body)

    def head(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


def not_found(talk: Talk) -> None:
    talk.reply(404, b"no")


@contextmanager
def pack_server(answers: Mapping[str, Answer], tls: ssl.SSLContext | None = None) -> Iterator[tuple[str, list[str]]]:
    """The address, and the list of what was asked for."""
    stopping, seen = threading.Event(), list[str]()
    handler = type("Handler", (Talk,), {"answers": answers, "stopping": stopping, "seen": seen})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = False
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}", seen
    finally:
        stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()
