"""A page of a test under the strictest headers of the app, with the app's own libraries beside it.

In: a script. Out: the address of a page that runs it. Never: another file than ui/, an address that is not loopback.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

UI = Path(__file__).parents[2] / "ui"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'none'; "
    "font-src 'self'; frame-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types dompurify"
)
_PAGE = b"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A page of a test</title></head>
<body><div id="place"></div><script type="module" src="/script.js"></script></body></html>"""
_TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}


@contextmanager
def page_with(script: str) -> Iterator[str]:
    """Serve the page with `script` as its module; yields the page's address."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            if path == "/":
                self._send(_PAGE, "text/html")
            elif path == "/script.js":
                self._send(script.encode(), "text/javascript")
            elif (file := UI / path.lstrip("/")).is_file() and ".." not in path:
                self._send(file.read_bytes(), _TYPES.get(file.suffix, "application/octet-stream"))
            elif path == "/favicon.ico":
                self.send_response(204)
                self.end_headers()
            else:
                self.send_error(404)

        def _send(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", CSP)
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="page")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
