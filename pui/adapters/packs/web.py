"""One GET over httpx, with a limit on everything a server could overdo.

In: an https address (http only for this computer), limits. Out: an open answer, read in raw chunks.
Never: another origin, the environment's proxies and certificates (unless asked), Content-Encoding, a wait without an
end.
"""

from __future__ import annotations

import ipaddress
import re
import time
import urllib.request
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass

import httpx

from pui.adapters.packs.floor_rate import CheckStopped, FloorRateTransport, never_stopped
from pui.domain.errors import CallerError, DownloadError

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


class Web:
    """Reads from servers within `limits`. `trust_environment` uses its proxies and certificate variables.

    `check_stopped` raises when the person has stopped what is read.
    """

    def __init__(
        self,
        limits: FetchLimits | None = None,
        *,
        trust_environment: bool = False,
        check_stopped: CheckStopped = never_stopped,
    ) -> None:
        self.limits = limits or FetchLimits()
        self._trust_environment = trust_environment
        self._check_stopped = check_stopped

    def stoppable(self, check_stopped: CheckStopped) -> Web:
        """The same, for something that a person can stop."""
        return Web(self.limits, trust_environment=self._trust_environment, check_stopped=check_stopped)

    @contextmanager
    def open(
        self, url: httpx.URL, headers: Mapping[str, str] | None = None, *, accept: Collection[int] = (200,)
    ) -> Iterator[httpx.Response]:
        """The answer, its body not read yet; its status is one of `accept`.

        Raises DownloadError fetch.http, .redirect, .stalled, .network, also while the body is read inside.
        """
        limits = self.limits
        timeout = httpx.Timeout(limits.idle_timeout_s, connect=limits.connect_timeout_s)
        try:
            with self._client(url, timeout) as client, closing(self._answer(client, url, headers or {})) as response:
                _check_answer(response, accept)
                yield response
        except httpx.TimeoutException as error:
            raise DownloadError("fetch.stalled", f"{url} sends nothing or too little: {error}") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise DownloadError("fetch.network", f"{url} could not be fetched: {error}") from error

    def chunks(self, response: httpx.Response) -> Iterator[bytes]:
        """The body as it arrives. Raises DownloadError fetch.stalled under the floor rate (also behind a proxy)."""
        limits, start_s, received = self.limits, time.monotonic(), 0
        for chunk in response.iter_raw():
            yield chunk
            received += len(chunk)
            elapsed_s = time.monotonic() - start_s
            if elapsed_s >= limits.window_s:
                if received < limits.floor_bytes_per_s * elapsed_s:
                    raise DownloadError("fetch.stalled", f"{response.url}: {received} bytes in {elapsed_s:.0f} s")
                start_s, received = time.monotonic(), 0

    def _client(self, url: httpx.URL, timeout: httpx.Timeout) -> httpx.Client:
        """httpx is never asked to find the proxies itself: its own connections know no floor and no stop."""
        transport = FloorRateTransport(
            self.limits.floor_bytes_per_s,
            self.limits.window_s,
            self._check_stopped,
            proxy=_environment_proxy(url) if self._trust_environment else None,
            trust_environment=self._trust_environment,
        )
        return httpx.Client(timeout=timeout, transport=transport, trust_env=False)

    def _answer(self, client: httpx.Client, url: httpx.URL, headers: Mapping[str, str]) -> httpx.Response:
        """The head of the answer, after redirects that stay at the same origin. The caller closes it."""
        for _ in range(self.limits.max_redirects + 1):
            request = client.build_request("GET", url, headers={**headers, "Accept-Encoding": "identity"})
            response = client.send(request, stream=True, follow_redirects=False)
            if not response.has_redirect_location:
                return response
            response.close()
            target = url.join(response.headers["location"])
            if _origin(target) != _origin(url):
                raise DownloadError("fetch.redirect", f"{url} redirects to another origin, {_shown_origin(target)}")
            url = target
        raise DownloadError("fetch.redirect", f"{url} redirects more than {self.limits.max_redirects} times")


def _environment_proxy(url: httpx.URL) -> httpx.Proxy | None:
    """The proxy that the environment (on macOS and Windows also the system) names for this address.

    Raises httpx.UnsupportedProtocol, httpx.InvalidURL for one that is no address of a proxy.
    """
    named = urllib.request.getproxies()
    proxy = named.get(url.scheme) or named.get("all")
    if not proxy or urllib.request.proxy_bypass(url.host):
        return None
    try:
        found = httpx.Proxy(proxy if "://" in proxy else f"http://{proxy}")
    except ValueError as error:
        raise httpx.UnsupportedProtocol(f"the proxy of the environment is not used: {error}") from error
    if (found.url.port or 0) > 65_535:
        raise httpx.UnsupportedProtocol("the proxy of the environment has a port that does not exist")
    return found


def checked_url(url: str) -> httpx.URL:
    """Raises CallerError caller.bad_request for an address that pui does not fetch from."""
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


def _check_answer(response: httpx.Response, accept: Collection[int]) -> None:
    if response.status_code not in accept:
        raise DownloadError("fetch.http", f"{response.url} answers with status {response.status_code}")
    encoding = response.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise DownloadError("fetch.http", f"{response.url} sends a content encoding nobody asked for")
