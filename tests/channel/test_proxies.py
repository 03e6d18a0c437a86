"""The person's own proxies (threats.md B21 and B7): honoured when chosen, and held to the same limits as a server.

In: a proxy on the loopback that forwards, tunnels or lies. Out: the bytes, or a named refusal. Never: the network.
"""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from pui.adapters.packs.web import Web
from pui.domain.errors import PuiError
from tests.channel.test_lying_server import SOON, Wire
from tests.channel.test_tls import Certificate
from tests.support.pack_server import Answer, Talk, pack_server

Act = Callable[[socket.socket, threading.Event], None]
VARIABLES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def honest(talk: Talk) -> None:
    talk.reply(200, b"here")


def read(address: str) -> bytes:
    web = Web(SOON, trust_environment=True)
    with web.open(httpx.URL(address)) as response:
        return b"".join(web.chunks(response))


class Tunnels:
    """Answers CONNECT by joining both sides; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, talk: socket.socket, stopping: threading.Event) -> None:
        head = b""
        while b"\r\n\r\n" not in head and (data := talk.recv(4096)):
            head += data
        self.asked.append(head.decode("latin-1"))
        host, _, port = head.split(b" ")[1].decode().partition(":")
        with socket.create_connection((host, int(port))) as other:
            talk.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            _join(talk, other, stopping)


def _join(one: socket.socket, other: socket.socket, stopping: threading.Event) -> None:
    while not stopping.is_set():
        for ready in select.select([one, other], [], [], 0.05)[0]:
            data = ready.recv(65536)
            if not data:
                return
            (other if ready is one else one).sendall(data)


@contextmanager
def proxied(monkeypatch: pytest.MonkeyPatch, act: Act, user: str = "") -> Iterator[None]:
    with Wire(act).running() as port:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://{user}127.0.0.1:{port}")
        yield


def test_a_plain_address_goes_through_the_chosen_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    def forward(talk: socket.socket, stopping: threading.Event) -> None:
        asked.append(talk.recv(4096))
        talk.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere")

    with proxied(monkeypatch, forward, "user:pass%40word@"):
        assert read("http://127.0.0.1:1/f") == b"here"
    assert asked[0].startswith(b"GET http://127.0.0.1:1/f HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic " in asked[0]


def test_tls_goes_through_a_tunnel_with_the_persons_certificates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = Certificate(tmp_path, "127.0.0.1", 30)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
    tunnels = Tunnels()
    with pack_server({"/f": honest}, certificate.server_context()) as (address, seen), proxied(monkeypatch, tunnels):
        assert read(f"{address}/f") == b"here"
        assert [line.split()[0] for line in seen] == ["/f"]
        assert tunnels.asked[0].startswith(f"CONNECT {address.removeprefix('https://')} HTTP/1.1")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert read(f"{address}/f") == b"here"
        assert len(tunnels.asked) == 1, "an exception of the person's is honoured as well"


def endless(data: bytes) -> Act:
    def act(talk: socket.socket, stopping: threading.Event) -> None:
        talk.recv(4096)
        while not stopping.is_set():
            talk.sendall(data)

    return act


def drips(talk: socket.socket, stopping: threading.Event) -> None:
    talk.recv(4096)
    while not stopping.wait(0.04):
        talk.sendall(b"H")


def says(data: bytes) -> Act:
    def act(talk: socket.socket, stopping: threading.Event) -> None:
        talk.recv(4096)
        talk.sendall(data)

    return act


LIES = [
    ("continue-for-ever", endless(b"HTTP/1.1 100 Continue\r\n\r\n"), "fetch.network"),
    ("babbles-for-ever", endless(b"X" * 4096), "fetch.network"),
    ("drips", drips, "fetch.stalled"),
    ("silent", lambda talk, stopping: stopping.wait(), "fetch.stalled"),
]
OF_TUNNELS = [
    ("wants-a-name", says(b"HTTP/1.1 407 Who are you?\r\nContent-Length: 0\r\n\r\n"), "fetch.network"),
    ("no-tls-behind-it", says(b"HTTP/1.1 200 OK\r\n\r\nno TLS at all"), "fetch.network"),
]
CASES = [("http", lie) for lie in LIES] + [("https", lie) for lie in LIES + OF_TUNNELS]


@pytest.mark.parametrize(
    ("scheme", "act", "code"), [pytest.param(scheme, *lie[1:], id=f"B21-{lie[0]}-{scheme}") for scheme, lie in CASES]
)
def test_a_proxy_that_lies(monkeypatch: pytest.MonkeyPatch, scheme: str, act: Act, code: str) -> None:
    with proxied(monkeypatch, act), pytest.raises(PuiError) as caught:
        read(f"{scheme}://127.0.0.1:1/f")
    assert caught.value.code == code, caught.value
    assert caught.value.message.isprintable()


def continues_for_ever(talk: Talk) -> None:
    while not talk.stopping.is_set():
        talk.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")


@pytest.mark.parametrize("answer", [pytest.param(continues_for_ever, id="B7-behind-a-tunnel")])
def test_a_server_behind_a_tunnel_that_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Answer) -> None:
    certificate = Certificate(tmp_path, "127.0.0.1", 30)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
    with (
        pack_server({"/f": answer}, certificate.server_context()) as (address, _),
        proxied(monkeypatch, Tunnels()),
        pytest.raises(PuiError, match=r"fetch\.network"),
    ):
        read(f"{address}/f")


@pytest.mark.parametrize(
    "proxy", ["socks5://127.0.0.1:9", "ftp://127.0.0.1:9", "http://[::", "http://127.0.0.1:99999999", "::"]
)
def test_b21_what_is_no_proxy_of_http_is_told(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("all_proxy", proxy)
    with pytest.raises(PuiError, match=r"fetch\.network"):
        read("http://127.0.0.1:1/f")


def test_a_stop_is_noticed_behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(Exception):
        pass

    def stopped() -> None:
        raise Stopped

    web = Web(SOON, trust_environment=True).stoppable(stopped)
    with (
        proxied(monkeypatch, drips),
        suppress(PuiError),
        pytest.raises(Stopped),
        web.open(httpx.URL("http://127.0.0.1:1/f")),
    ):
        pass
