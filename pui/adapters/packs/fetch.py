"""A pack from an address, by httpx, with a limit on everything a server could overdo.

In: an https address (http only for this computer), limits. Out: the envelope's bytes, a stream of the archive's.
Never: another origin, the environment's proxies (unless asked), Content-Encoding, a wait without a deadline.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import httpx

from pui.adapters.packs.floor_rate import FloorRateTransport
from pui.adapters.packs.source import ARCHIVE_SUFFIX, ENVELOPE_SUFFIX, pack_stem
from pui.domain.errors import CallerError, DownloadError, SetupError
from pui.domain.manifest import Payload
from pui.domain.trust import MAX_ENVELOPE_BYTES

_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


@dataclass(frozen=True)
class FetchLimits:
    """`floor_bytes_per_s` is checked over each `window_s`: a server may pause, but not drip for ever."""

    connect_timeout_s: float = 15.0
    idle_timeout_s: float = 30.0
    floor_bytes_per_s: int = 4096
    window_s: float = 30.0
    max_redirects: int = 3
    chunk_bytes: int = 128 * 1024


class UrlSource:
    """Two files at one server, side by side."""

    def __init__(self, url: str, *, limits: FetchLimits | None = None, trust_environment: bool = False) -> None:
        """`url` names the archive or the envelope. `trust_environment` uses its proxies and certificate variables.

        Raises CallerError caller.bad_request for an address pui does not fetch from.
        """
        parsed = _checked_url(url)
        folder, _, name = parsed.path.rpartition("/")
        stem = pack_stem(name)
        self._archive = parsed.copy_with(path=f"{folder}/{stem}{ARCHIVE_SUFFIX}")
        self._envelope = parsed.copy_with(path=f"{folder}/{stem}{ENVELOPE_SUFFIX}")
        self._limits = limits or FetchLimits()
        self._trust_environment = trust_environment

    @property
    def label(self) -> str:
        return str(self._archive)

    def read_envelope(self) -> bytes:
        data = bytearray()
        with self._open(self._envelope) as response:
            for chunk in response.iter_raw(self._limits.chunk_bytes):
                data += chunk
                if len(data) > MAX_ENVELOPE_BYTES:
                    raise DownloadError("fetch.too_long", f"{self._envelope} is longer than {MAX_ENVELOPE_BYTES} bytes")
        return bytes(data)

    @contextmanager
    def open_archive(self, payload: Payload) -> Iterator[Iterator[bytes]]:
        with self._open(self._archive) as response:
            _check_announced_length(response, payload)
            yield self._bounded(response, payload.size_bytes)

    def _bounded(self, response: httpx.Response, size_bytes: int) -> Iterator[bytes]:
        done = 0
        for chunk in response.iter_raw(self._limits.chunk_bytes):
            done += len(chunk)
            if done > size_bytes:
                raise DownloadError("fetch.too_long", f"{response.url} sends more than its {size_bytes} bytes")
            yield chunk
        if done < size_bytes:
            raise DownloadError("fetch.network", f"{response.url} ended after {done} of {size_bytes} bytes")

    @contextmanager
    def _open(self, url: httpx.URL) -> Iterator[httpx.Response]:
        limits = self._limits
        timeout = httpx.Timeout(limits.idle_timeout_s, connect=limits.connect_timeout_s)
        try:
            with self._client(timeout) as client, closing(self._answer(client, url)) as response:
                _check_answer(response)
                yield response
        except httpx.TimeoutException as error:
            raise DownloadError("fetch.stalled", f"{url} sends nothing or too little: {error}") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise DownloadError("fetch.network", f"{url} could not be fetched: {error}") from error

    def _client(self, timeout: httpx.Timeout) -> httpx.Client:
        if self._trust_environment:  # httpx finds the proxies; against a dripping server only silence ends it then
            return httpx.Client(timeout=timeout)
        transport = FloorRateTransport(self._limits.floor_bytes_per_s, self._limits.window_s)
        return httpx.Client(timeout=timeout, transport=transport, trust_env=False)

    def _answer(self, client: httpx.Client, url: httpx.URL) -> httpx.Response:
        """The head of the answer, after redirects that stay at the same origin. The caller closes it."""
        for _ in range(self._limits.max_redirects + 1):
            request = client.build_request("GET", url, headers={"Accept-Encoding": "identity"})
            response = client.send(request, stream=True, follow_redirects=False)
            if not response.has_redirect_location:
                return response
            response.close()
            target = url.join(response.headers["location"])
            if _origin(target) != _origin(url):
                raise DownloadError("fetch.redirect", f"{url} redirects to another origin, {_shown_origin(target)}")
            url = target
        raise DownloadError("fetch.redirect", f"{url} redirects more than {self._limits.max_redirects} times")


def _checked_url(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise CallerError("caller.bad_request", f"{url!r} is not an address: {error}") from error
    if (
        parsed.scheme not in ("https", "http")
        or not _is_host(parsed.raw_host.decode("ascii").strip("[]"))
        or (parsed.port or 0) > 65_535
    ):
        raise CallerError("caller.bad_request", f"{url!r} is not an https address")
    if parsed.scheme == "http" and not _is_this_computer(parsed.host):
        raise CallerError("caller.bad_request", f"{url} is not encrypted", hint="Use the https address.")
    if parsed.userinfo:
        raise CallerError("caller.bad_request", "the address holds a user name or password", hint="Leave it out.")
    return parsed.copy_with(fragment=None)


def _is_host(host: str) -> bool:
    """A name of letters, digits and hyphens (RFC 952, IDNA names in their ASCII form) or an address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _HOST_NAME.fullmatch(host) is not None
    return True


def _is_this_computer(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    default = {"http": 80, "https": 443}.get(url.scheme)
    return url.scheme, url.host, url.port or default


def _shown_origin(url: httpx.URL) -> str:
    return ascii(f"{url.scheme}://{url.host}")[:120]


def _check_answer(response: httpx.Response) -> None:
    if response.status_code != 200:
        raise DownloadError("fetch.http", f"{response.url} answers with status {response.status_code}")
    encoding = response.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise DownloadError("fetch.http", f"{response.url} sends a content encoding nobody asked for")


def _check_announced_length(response: httpx.Response, payload: Payload) -> None:
    announced = response.headers.get("content-length")
    if announced is not None and announced != str(payload.size_bytes):
        raise SetupError(
            "pack.checksum",
            f"the server announces {ascii(announced)[:24]} bytes, the manifest says {payload.size_bytes}",
        )
