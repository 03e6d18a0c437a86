"""The cache of inputs by SHA-256, and the one place of the builder that speaks HTTP.

In: addresses, expected sums and sizes. Out: verified files `<cache>/downloads/<sha256>`. Never: a file under a name
that its bytes do not have; trust in a server (every byte is compared with the lock).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import httpx

from pui.domain.errors import DownloadError
from pui.packbuild.progress import Progress, Report

CHUNK_BYTES = 1 << 18
PARTIAL_PREFIX = "partial-"
JSON_LIMIT_BYTES = 64 << 20
UNPINNED_LIMIT_BYTES = 512 << 20


class GoneError(DownloadError):
    """The mirror answers, but no longer has the file: the reason to resolve the lock anew."""


class DownloadCache:
    """Verified inputs. Files are written under a temporary name and renamed, so a killed build leaves no wrong file."""

    def __init__(self, cache_dir: Path, report: Report) -> None:
        self.folder = cache_dir / "downloads"
        self.folder.mkdir(parents=True, exist_ok=True)
        for partial in self.folder.glob(f"{PARTIAL_PREFIX}*"):
            _remove(partial)  # left by a killed build: only one build works in a cache at a time
        self._report = report
        self._client: httpx.Client | None = None
        self._done = self._total = 0

    @contextmanager
    def session(self, total_bytes: int) -> Iterator[None]:
        """One connection and one progress bar of `total_bytes` for all downloads inside."""
        self._done, self._total = 0, total_bytes
        with _new_client() as self._client:
            try:
                yield
            finally:
                self._client = None
                self._done = self._total = 0

    def path_of(self, sha256: str) -> Path:
        return self.folder / sha256

    def has(self, sha256: str, size_bytes: int) -> bool:
        """True if the bytes are there and right; a wrong file is removed."""
        path = self.path_of(sha256)
        if not path.is_file():
            return False
        if path.stat().st_size == size_bytes and sha256_of_file(path) == sha256:
            return True
        path.unlink()
        return False

    def store(self, raw: bytes) -> str:
        """Keep `raw`, return its SHA-256."""
        sha256 = hashlib.sha256(raw).hexdigest()
        with tempfile.NamedTemporaryFile(prefix=PARTIAL_PREFIX, dir=self.folder, delete=False) as file:
            file.write(raw)
        Path(file.name).replace(self.path_of(sha256))
        return sha256

    def adopt(self, path: Path) -> str:
        """Move a file made by another program (pip) into the cache, return its SHA-256."""
        sha256 = sha256_of_file(path)
        path.replace(self.path_of(sha256))
        return sha256

    def fetch(self, address: str, sha256: str, size_bytes: int, what: str) -> None:
        """Download into the cache. Raises GoneError, or DownloadError fetch.network, .http, .checksum, .too_long."""
        with tempfile.NamedTemporaryFile(prefix=PARTIAL_PREFIX, dir=self.folder, delete=False) as file:
            partial = Path(file.name)
            try:
                got = self._stream(address, file, size_bytes, what)
            except BaseException:
                partial.unlink()
                raise
        if got != sha256:
            partial.unlink()
            raise DownloadError("fetch.checksum", f"{what}: the mirror's bytes differ from the lock", detail=address)
        os.replace(partial, self.path_of(sha256))  # noqa: PTH105 - same call as Path.replace, named for what matters: atomic

    def fetch_unpinned(self, address: str, what: str) -> bytes:
        """Bytes whose sum the caller checks by other means (npm integrity)."""
        with tempfile.TemporaryFile() as file:
            self._stream(address, file, UNPINNED_LIMIT_BYTES, what)
            file.seek(0)
            return file.read()

    def fetch_json(self, address: str, what: str) -> Mapping[str, Any]:
        """A JSON object, at most 64 MiB."""
        with tempfile.TemporaryFile() as file:
            self._stream(address, file, JSON_LIMIT_BYTES, what)
            file.seek(0)
            document = json.loads(file.read())
        if not isinstance(document, dict):
            raise DownloadError("fetch.http", f"{what}: the answer is not a JSON object", detail=address)
        return document

    def _stream(self, address: str, file: IO[bytes], limit_bytes: int, what: str) -> str:
        if self._client is None:
            with _new_client() as client:
                return self._read(client, address, file, limit_bytes, what)
        return self._read(self._client, address, file, limit_bytes, what)

    def _read(self, client: httpx.Client, address: str, file: IO[bytes], limit_bytes: int, what: str) -> str:
        digest = hashlib.sha256()
        size_bytes = 0
        try:
            with client.stream("GET", address) as response:
                _check_status(response, what)
                for chunk in response.iter_bytes(CHUNK_BYTES):
                    size_bytes += len(chunk)
                    if size_bytes > limit_bytes:
                        raise DownloadError("fetch.too_long", f"{what}: more than {limit_bytes} bytes", detail=address)
                    digest.update(chunk)
                    file.write(chunk)
                    self._count(len(chunk))
        except httpx.HTTPError as error:
            raise DownloadError("fetch.network", f"{what}: {error or type(error).__name__}", detail=address) from error
        return digest.hexdigest()

    def _count(self, size_bytes: int) -> None:
        self._done += size_bytes
        self._report(Progress("download", self._done, max(self._total, self._done)))


def _new_client() -> httpx.Client:
    """Proxy and CA settings come from the environment (httpx reads them)."""
    return httpx.Client(follow_redirects=True, timeout=httpx.Timeout(60.0))


def _check_status(response: httpx.Response, what: str) -> None:
    if response.status_code in {404, 410}:
        raise GoneError("fetch.http", f"{what}: the mirror no longer has it", detail=str(response.url))
    if response.status_code != 200:
        raise DownloadError("fetch.http", f"{what}: status {response.status_code}", detail=str(response.url))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def sha256_of_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
