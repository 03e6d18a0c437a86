"""An httpx transport that ends a connection which drips, and one that a person does not want any more.

In: a floor under the rate of all received bytes and a window; whether somebody has stopped it. Out: httpx responses;
httpx.ReadTimeout when a server sends too little for a whole window; what the stop raises, within STOP_LOOK_S.
Never: a proxy that nobody asked for. httpx alone times out only on silence, so one byte now and then, in a head or
between chunks that give the caller nothing, would hold it for days; and it waits for ever for the answer behind one
"100 Continue" more.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpcore
import httpx

STOP_LOOK_S = 0.25
"""How soon a stop is noticed while a server is silent."""

HEAD_LIMIT_BYTES = 512 * 1024
"""What may come before an answer has begun: h11 takes a head of 100 KiB, and one read brings up to 64 KiB of body."""

CheckStopped = Callable[[], None]


def never_stopped() -> None:
    """Nobody can stop it."""


_CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


@cache
def _authorities(*places: str | None) -> ssl.SSLContext:
    """Made once: reading the certificates takes longer than most requests. `places` are the values of the variables
    that name others, none when the environment has no say."""
    return httpx.create_ssl_context(trust_env=bool(places))


class FloorRateTransport(httpx.BaseTransport):
    """HTTP/1.1 over TCP or TLS. One instance for one download."""

    def __init__(
        self,
        floor_bytes_per_s: int,
        window_s: float,
        check_stopped: CheckStopped = never_stopped,
        *,
        proxy: httpx.Proxy | None = None,
        trust_environment: bool = False,
    ) -> None:
        """`check_stopped` raises when the person has stopped it. `trust_environment`: its certificate variables count.

        Raises httpx.UnsupportedProtocol for a proxy that is not one of HTTP.
        """
        self._watch = _Watch(floor_bytes_per_s, window_s, check_stopped)
        places = [os.environ.get(name) for name in _CERTIFICATE_VARIABLES] if trust_environment else []
        self._pool = _pool(_FloorBackend(self._watch), _authorities(*places), proxy)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        self._watch.head_bytes_left = HEAD_LIMIT_BYTES
        try:
            found = self._pool.handle_request(
                httpcore.Request(request.method, url, headers=request.headers.raw, extensions=request.extensions)
            )
        except _FAILURES as error:
            raise _as_httpx(error) from error
        self._watch.head_bytes_left = None
        return httpx.Response(
            found.status, headers=found.headers, stream=_Body(found), extensions=found.extensions, request=request
        )

    def close(self) -> None:
        self._pool.close()


def _pool(backend: _FloorBackend, context: ssl.SSLContext, proxy: httpx.Proxy | None) -> httpcore.ConnectionPool:
    if proxy is None:
        return httpcore.ConnectionPool(ssl_context=context, network_backend=backend)
    if proxy.url.scheme not in ("http", "https"):
        raise httpx.UnsupportedProtocol(f"a proxy of the kind {proxy.url.scheme!r} is not used")
    return httpcore.HTTPProxy(
        str(proxy.url),
        proxy_auth=proxy.raw_auth,
        ssl_context=context,
        proxy_ssl_context=context if proxy.url.scheme == "https" else None,
        network_backend=backend,
    )


_FAILURES = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError)


def _as_httpx(error: Exception) -> httpx.TransportError:
    if isinstance(error, httpcore.TimeoutException):
        return httpx.ReadTimeout(str(error))
    if isinstance(error, httpcore.NetworkError):
        return httpx.NetworkError(str(error))
    return httpx.RemoteProtocolError(str(error))


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._response.iter_stream()
        except _FAILURES as error:
            raise _as_httpx(error) from error

    def close(self) -> None:
        self._response.close()


@dataclass
class _Watch:
    """What every connection of a transport is held to; `head_bytes_left` while no answer has begun."""

    floor_bytes_per_s: int
    window_s: float
    check_stopped: CheckStopped
    head_bytes_left: int | None = None

    def count_head(self, size_bytes: int) -> None:
        """Raises httpcore.RemoteProtocolError."""
        if self.head_bytes_left is not None:
            self.head_bytes_left -= size_bytes
            if self.head_bytes_left < 0:
                raise httpcore.RemoteProtocolError(f"{HEAD_LIMIT_BYTES} bytes and no answer among them")


class _FloorBackend(httpcore.NetworkBackend):
    def __init__(self, watch: _Watch) -> None:
        self._watch = watch
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        stream = self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        return _FloorStream(stream, self._watch)

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class _FloorStream(httpcore.NetworkStream):
    """Counts what arrives; each window must bring at least the floor."""

    def __init__(self, inner: httpcore.NetworkStream, watch: _Watch) -> None:
        self._inner = inner
        self._watch = watch
        self._start_s = time.monotonic()
        self._bytes = 0

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = self._read(max_bytes, timeout)
        self._watch.count_head(len(data))
        self._bytes += len(data)
        elapsed_s = time.monotonic() - self._start_s
        if elapsed_s >= self._watch.window_s:
            if self._bytes < self._watch.floor_bytes_per_s * elapsed_s:
                raise httpcore.ReadTimeout(f"{self._bytes} bytes in {elapsed_s:.1f} s")
            self._start_s, self._bytes = time.monotonic(), 0
        return data

    def _read(self, max_bytes: int, timeout: float | None) -> bytes:
        """In short waits, so that a stop is noticed while nothing comes."""
        deadline_s = None if timeout is None else time.monotonic() + timeout
        while True:
            self._watch.check_stopped()
            left_s = STOP_LOOK_S if deadline_s is None else deadline_s - time.monotonic()
            try:
                return self._inner.read(max_bytes, max(min(left_s, STOP_LOOK_S), 0.001))
            except httpcore.ReadTimeout:
                if deadline_s is not None and time.monotonic() >= deadline_s:
                    raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, timeout)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        secured = self._inner.start_tls(ssl_context, server_hostname, timeout)
        return _FloorStream(secured, self._watch)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
