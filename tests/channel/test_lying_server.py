"""A server that lies below and above HTTP: heads, lengths, encodings, connections, TLS (B5 to B8, B15, B16, B18).

In: raw answers instead of a document of the index, or of the pack. Out: a named refusal in words, what runs unchanged,
and no part that is wrong. Never: a hang, the network.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from pui.adapters.channel.updater import Offer
from pui.adapters.packs.web import Web
from pui.domain.errors import PuiError
from tests.channel.test_tls import Certificate
from tests.support.channel_rig import PATIENT, ChannelRig
from tests.support.pack_server import Answer, Talk

SOON = replace(PATIENT, idle_timeout_s=3.0, floor_bytes_per_s=1000, window_s=1.0)
BODY = b'{"signed": {}, "signatures": []}'


def raw(*pieces: bytes) -> Answer:
    """Exactly these bytes, then the end of the connection."""

    def answer(talk: Talk) -> None:
        for piece in pieces:
            talk.wfile.write(piece)

    return answer


def head(*lines: bytes, status: bytes = b"200 OK", version: bytes = b"HTTP/1.1") -> bytes:
    return b"\r\n".join([version + b" " + status, *lines, b"", b""])


def endless(piece: bytes, start: bytes = b"") -> Answer:
    def answer(talk: Talk) -> None:
        talk.wfile.write(start)
        while not talk.stopping.is_set():
            talk.wfile.write(piece)

    return answer


def dripping(piece: bytes, start: bytes = b"") -> Answer:
    def answer(talk: Talk) -> None:
        talk.wfile.write(start)
        while not talk.stopping.wait(0.04):
            talk.wfile.write(piece)

    return answer


def reset(after: bytes = b"") -> Answer:
    """The connection is torn down without an end (RST)."""

    def answer(talk: Talk) -> None:
        talk.wfile.write(after)
        talk.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        talk.connection.close()

    return answer


def length(size: int) -> bytes:
    return b"Content-Length: %d" % size


NETWORK, STALLED, HTTP, LONG = {"fetch.network"}, {"fetch.stalled"}, {"fetch.http"}, {"fetch.too_long"}
CHUNKED = b"Transfer-Encoding: chunked"
FLOOD = b"X-Flood: " + b"x" * 8000 + b"\r\n"

LIES: list[tuple[str, Answer, set[str]]] = [
    # no answer
    ("B7-nothing-at-all", raw(), NETWORK),
    ("B7-reset", reset(), NETWORK),
    ("B16-reset-in-the-body", reset(head(length(5000)) + b"{"), NETWORK),
    ("B7-continue-for-ever", endless(head(status=b"100 Continue")), NETWORK),
    ("B7-hints-for-ever", endless(head(b"Link: </x>", status=b"103 Early Hints")), NETWORK),
    ("B7-drip-in-the-status", dripping(b" ", b"HTTP/1.1"), STALLED),
    ("B7-drip-of-headers", dripping(b"X-A: b\r\n", b"HTTP/1.1 200 OK\r\n"), STALLED),
    ("B7-drip-of-continues", dripping(head(status=b"100 Continue")), STALLED),
    ("B7-drip-in-a-chunk-size", dripping(b"0", head(CHUNKED)), STALLED),
    ("B7-drip-of-trailers", dripping(b"X-A: b\r\n", head(CHUNKED) + b"1\r\n{\r\n0\r\n"), STALLED | NETWORK),
    # heads
    ("B5-headers-for-ever", endless(FLOOD, b"HTTP/1.1 200 OK\r\n"), NETWORK),
    ("B5-one-header-for-ever", endless(b"x" * 8192, b"HTTP/1.1 200 OK\r\nX: "), NETWORK),
    ("B5-trailers-for-ever", endless(FLOOD, head(CHUNKED) + b"1\r\n{\r\n0\r\n"), NETWORK),
    ("B5-chunk-extension-for-ever", endless(b"x" * 8192, head(CHUNKED) + b"1;"), NETWORK),
    ("B15-no-http", raw(b"SSH-2.0-OpenSSH_9.9\r\n"), NETWORK),
    ("B15-http-0.9", raw(BODY), NETWORK),
    ("B15-http-2-preface", raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), NETWORK),
    ("B15-status-of-two-digits", raw(head(length(0), status=b"20 OK")), NETWORK),
    ("B15-status-is-a-word", raw(head(length(0), status=b"OK 200")), NETWORK),
    ("B15-header-without-a-colon", raw(head(b"no colon", length(0))), NETWORK),
    ("B15-nul-in-a-header", raw(head(b"X: a\0b", length(0))), NETWORK),
    ("B15-upgrade", raw(head(b"Upgrade: h2c", status=b"101 Switching Protocols")), HTTP | NETWORK),
    # lengths
    ("B16-two-lengths", raw(head(length(5), length(6)) + BODY), NETWORK),
    ("B16-negative-length", raw(head(b"Content-Length: -1") + BODY), NETWORK),
    ("B16-length-is-a-word", raw(head(b"Content-Length: many") + BODY), NETWORK),
    ("B16-length-of-5000-digits", raw(head(b"Content-Length: " + b"9" * 5000) + BODY), NETWORK),
    ("B16-length-and-chunks", raw(head(length(5), CHUNKED) + b"zz\r\n"), NETWORK),
    ("B16-negative-chunk", raw(head(CHUNKED) + b"-5\r\nhello\r\n0\r\n\r\n"), NETWORK),
    ("B16-chunk-of-2^64", raw(head(CHUNKED) + b"10000000000000000\r\nhello"), NETWORK),
    ("B16-chunk-longer-than-said", raw(head(CHUNKED) + b"2\r\nhello\r\n0\r\n\r\n"), NETWORK),
    ("B16-chunks-without-end", raw(head(CHUNKED) + b"5\r\nhello\r\n"), NETWORK),
    ("B16-chunks-for-ever", endless(b"1000\r\n" + b" " * 4096 + b"\r\n", head(CHUNKED)), LONG),
    ("B16-old-http-for-ever", endless(b" " * 4096, head(version=b"HTTP/1.0")), LONG),
    ("B16-cut-behind-the-head", raw(head(length(5000))), NETWORK),
    # encodings
    ("B6-gzip-in-transfer", raw(head(b"Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n"), NETWORK),
    ("B6-brotli", raw(head(b"Content-Encoding: br", length(3)) + b"abc"), HTTP),
    ("B6-encoded-twice", raw(head(b"Content-Encoding: gzip", b"Content-Encoding: gzip", length(3)) + b"abc"), HTTP),
    ("B6-zstd", raw(head(b"Content-Encoding: zstd", length(3)) + b"abc"), HTTP),
    # other answers than the asked one
    ("B15-no-content", raw(head(status=b"204 No Content")), HTTP),
    ("B15-not-modified", raw(head(status=b"304 Not Modified")), HTTP),
    (
        "B15-many-ranges",
        raw(head(b"Content-Type: multipart/byteranges; boundary=x", length(2), status=b"206 P") + b"--"),
        HTTP,
    ),
    ("B15-teapot", raw(head(length(0), status=b"418 I'm a teapot")), HTTP),
    ("B8-to-itself", raw(head(b"Location: ?", length(0), status=b"302 Found")), {"fetch.redirect"}),
    (
        "B8-to-another-port",
        raw(head(b"Location: http://127.0.0.1:9/x", length(0), status=b"302 F")),
        {"fetch.redirect"},
    ),
    ("B8-to-a-file", raw(head(b"Location: file:///etc/passwd", length(0), status=b"302 F")), {"fetch.redirect"}),
    ("B8-to-no-address", raw(head(b"Location: http://[::", length(0), status=b"302 F")), NETWORK | {"fetch.redirect"}),
    (
        "B8-user-in-address",
        raw(head(b"Location: http://a:b@127.0.0.2/", length(0), status=b"302 F")),
        {"fetch.redirect"},
    ),
    ("B8-without-a-place", raw(head(length(0), status=b"302 Found")), HTTP),
    (
        "B8-bytes-as-a-place",
        raw(head(b"Location: \xff\xfe", length(0), status=b"302 F")),
        HTTP | NETWORK | {"fetch.redirect"},
    ),
]


@pytest.mark.parametrize("place", ["timestamp", "archive"])
@pytest.mark.parametrize(("answer", "codes"), [pytest.param(*lie[1:], id=lie[0]) for lie in LIES])
def test_a_lie_is_told_and_changes_nothing(rig: ChannelRig, answer: Answer, codes: set[str], place: str) -> None:
    with rig.served() as (address, _):
        rig.update(address)
        rig.publish(2)
        before, root = rig.shop.snapshot(), rig.shop.paths.trust_root.read_bytes()
        path, data = rig.archive(2)
        updater = rig.updater(address, SOON)
        offer = rig.check(address) if place == "archive" else None
        rig.overrides["/metadata/timestamp.json" if offer is None else path] = answer

        with pytest.raises(PuiError) as caught:
            updater.check() if offer is None else updater.download(whole(offer))

        assert caught.value.code in codes | ({"fetch.checksum"} if place == "archive" else set()), caught.value
        assert caught.value.message.isprintable() and caught.value.hint
        assert (rig.shop.snapshot(), rig.shop.paths.trust_root.read_bytes()) == (before, root)
        for part in rig.shop.paths.channel_cache.rglob("*.part"):
            is_gone_on_with = part.with_name(f"{part.name}.etag").exists()
            assert data.startswith(part.read_bytes()) or not is_gone_on_with, "a wrong byte may come to stay"
        rig.overrides.clear()
        assert rig.update(address).pack.manifest.pack_version == 2, "an honest answer later is enough"


def whole(offer: Offer) -> Offer:
    """Without its parts, so that the archive is fetched."""
    return replace(offer, parts=(), delta_bytes=None)


class Wire:
    """A TCP server that says the given bytes at once and does what it is told; `act` gets the connection."""

    def __init__(self, act: Callable[[socket.socket, threading.Event], None]) -> None:
        self._act = act
        self._stopping = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self.port: int = self._socket.getsockname()[1]

    def _serve(self) -> None:
        while not self._stopping.is_set():
            try:
                talk, _ = self._socket.accept()
            except OSError:
                return
            with talk:
                try:
                    self._act(talk, self._stopping)
                except OSError:
                    continue

    @contextmanager
    def running(self) -> Iterator[int]:
        self._thread.start()
        try:
            yield self.port
        finally:
            self._stopping.set()
            self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
            self._thread.join()


def says(data: bytes) -> Callable[[socket.socket, threading.Event], None]:
    def act(talk: socket.socket, stopping: threading.Event) -> None:
        talk.sendall(data)
        talk.recv(4096)

    return act


def drips(data: bytes) -> Callable[[socket.socket, threading.Event], None]:
    """A handshake of which one byte comes now and then."""

    def act(talk: socket.socket, stopping: threading.Event) -> None:
        for byte in data * 1000:
            talk.sendall(bytes([byte]))
            if stopping.wait(0.05):
                return

    return act


def is_silent(talk: socket.socket, stopping: threading.Event) -> None:
    stopping.wait()


def hangs_up(talk: socket.socket, stopping: threading.Event) -> None:
    talk.recv(4096)


ALERT = b"\x15\x03\x03\x00\x02\x02\x28"
RECORD = b"\x16\x03\x03\x40\x00" + b"\x02\x00\x3f\xfc\x03\x03"
WIRES = [
    ("plain-http", says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), NETWORK),
    ("alert", says(ALERT), NETWORK),
    ("garbage", says(bytes(range(256)) * 40), NETWORK),
    ("hangs-up", hangs_up, NETWORK),
    ("silence", is_silent, NETWORK | STALLED),
    ("drip-in-the-handshake", drips(RECORD), NETWORK | STALLED),
    ("ssh", says(b"SSH-2.0-x\r\n"), NETWORK),
]


@pytest.mark.parametrize(("act", "codes"), [pytest.param(*case[1:], id=f"B18-{case[0]}") for case in WIRES])
def test_tls_that_is_none(act: Callable[[socket.socket, threading.Event], None], codes: set[str]) -> None:
    web = Web(replace(SOON, connect_timeout_s=0.5))
    with (
        Wire(act).running() as port,
        pytest.raises(PuiError) as caught,
        web.open(httpx.URL(f"https://127.0.0.1:{port}/x")),
    ):
        pass
    assert caught.value.code in codes, caught.value
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("is_told", [True, False], ids=["B18-end-told", "B18-end-not-told"])
def test_a_tls_connection_that_ends_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_told: bool) -> None:
    """Without close_notify an attacker could cut an answer that has no length; with a length it is told anyway."""
    from pui.adapters.packs.floor_rate import _authorities

    certificate = Certificate(tmp_path, "127.0.0.1", 30)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
    _authorities.cache_clear()
    context = certificate.server_context()

    def act(talk: socket.socket, stopping: threading.Event) -> None:
        with context.wrap_socket(talk, server_side=True, suppress_ragged_eofs=False) as secured:
            secured.recv(4096)
            secured.sendall(head(length(5000)) + BODY)
            if is_told:
                secured.unwrap()

    web = Web(SOON, trust_environment=True)
    with (
        Wire(act).running() as port,
        pytest.raises(PuiError, match=r"fetch\.network"),
        web.open(httpx.URL(f"https://127.0.0.1:{port}/x")) as response,
    ):
        for _chunk in web.chunks(response):
            pass


def test_b18_old_tls_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = Certificate(tmp_path, "127.0.0.1", 30)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
    context = certificate.server_context()
    with pytest.warns(DeprecationWarning):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")

    def act(talk: socket.socket, stopping: threading.Event) -> None:
        with context.wrap_socket(talk, server_side=True) as secured:
            secured.recv(4096)

    web = Web(SOON, trust_environment=True)
    with (
        Wire(act).running() as port,
        pytest.raises(PuiError, match=r"fetch\.network"),
        web.open(httpx.URL(f"https://127.0.0.1:{port}/x")),
    ):
        pass
