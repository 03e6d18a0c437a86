"""A pack from an address: its two files, side by side.

In: an https address (http only for this computer), limits. Out: the envelope's bytes, a stream of the archive's.
Never: more bytes than the signed ones; web.py bounds the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from pui.adapters.packs.source import ARCHIVE_SUFFIX, ENVELOPE_SUFFIX, ArchiveSource, pack_stem
from pui.adapters.packs.web import FetchLimits, Web, checked_url
from pui.domain.errors import DownloadError, SetupError
from pui.domain.manifest import Payload
from pui.domain.trust import MAX_ENVELOPE_BYTES


class UrlSource(ArchiveSource):
    """Two files at one server, side by side."""

    def __init__(self, url: str, *, limits: FetchLimits | None = None, trust_environment: bool = False) -> None:
        """`url` names the archive or the envelope. `trust_environment` uses its proxies and certificate variables.

        Raises CallerError caller.bad_request for an address pui does not fetch from.
        """
        parsed = checked_url(url)
        folder, _, name = parsed.path.rpartition("/")
        stem = pack_stem(name)
        self._archive = parsed.copy_with(path=f"{folder}/{stem}{ARCHIVE_SUFFIX}")
        self._envelope = parsed.copy_with(path=f"{folder}/{stem}{ENVELOPE_SUFFIX}")
        self._web = Web(limits, trust_environment=trust_environment)

    @property
    def label(self) -> str:
        return str(self._archive)

    def read_envelope(self) -> bytes:
        data = bytearray()
        with self._web.open(self._envelope) as response:
            for chunk in response.iter_raw(self._web.limits.chunk_bytes):
                data += chunk
                if len(data) > MAX_ENVELOPE_BYTES:
                    raise DownloadError("fetch.too_long", f"{self._envelope} is longer than {MAX_ENVELOPE_BYTES} bytes")
        return bytes(data)

    @contextmanager
    def open_archive(self, payload: Payload) -> Iterator[Iterator[bytes]]:
        with self._web.open(self._archive) as response:
            _check_announced_length(response, payload)
            yield self._bounded(response, payload.size_bytes)

    def _bounded(self, response: httpx.Response, size_bytes: int) -> Iterator[bytes]:
        done = 0
        for chunk in response.iter_raw(self._web.limits.chunk_bytes):
            done += len(chunk)
            if done > size_bytes:
                raise DownloadError("fetch.too_long", f"{response.url} sends more than its {size_bytes} bytes")
            yield chunk
        if done < size_bytes:
            raise DownloadError("fetch.network", f"{response.url} ended after {done} of {size_bytes} bytes")


def _check_announced_length(response: httpx.Response, payload: Payload) -> None:
    announced = response.headers.get("content-length")
    if announced is not None and announced != str(payload.size_bytes):
        raise SetupError(
            "pack.checksum",
            f"the server announces {ascii(announced)[:24]} bytes, the manifest says {payload.size_bytes}",
        )
