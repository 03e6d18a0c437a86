"""python-tuf's way to the network, over our own reader of web addresses.

In: addresses that python-tuf makes, a limit in bytes. Out: whole small documents in memory.
Never: a temporary file, another origin, a document that waits longer than its deadline.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import FetcherInterface

from pui.adapters.packs.web import Web
from pui.domain.errors import DownloadError

DEADLINE_S = 60.0
_ABSENT = (403, 404)


class MetadataFetcher(FetcherInterface):
    """Raises our DownloadErrors; only a root that is not there must be python-tuf's own error, for it looks ahead.

    `asked` is the name of the document that was asked for last, for the words of an error.
    """

    def __init__(self, web: Web, *, deadline_s: float = DEADLINE_S) -> None:
        self._web = web
        self._deadline_s = deadline_s
        self.asked = ""

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """At most `max_length` bytes. Raises DownloadError fetch.*, tuf's DownloadHTTPError for 403 and 404."""
        self.asked = url.rpartition("/")[2]
        data = bytearray()
        for chunk in self._fetch(url):
            data += chunk
            if len(data) > max_length:
                raise DownloadError("fetch.too_long", f"{url} is longer than {max_length} bytes")
        return bytes(data)

    def _fetch(self, url: str) -> Iterator[bytes]:
        end_s = time.monotonic() + self._deadline_s
        with self._web.open(httpx.URL(url), accept=(200, *_ABSENT)) as response:
            if response.status_code in _ABSENT:
                raise DownloadHTTPError(f"{url} is absent", response.status_code)
            refuse_page(response)
            for chunk in self._web.chunks(response):
                yield chunk
                if time.monotonic() > end_s:
                    raise DownloadError("fetch.stalled", f"{url} takes longer than {self._deadline_s:.0f} s")


def refuse_page(response: httpx.Response) -> None:
    """Raises DownloadError fetch.not_an_index when a web page came instead of a file: a network's log-in page."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml"):
        raise DownloadError("fetch.not_an_index", f"{response.url} answers with a web page")
