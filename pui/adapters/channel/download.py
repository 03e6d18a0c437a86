"""One large file from an address: resumable, never spliced from two versions, proven by length and SHA-256.

In: the address, the signed length and hash, a folder of our own. Out: the whole file, or a part that can go on later.
Never: a link followed, a byte kept that the server sent beyond what was asked, a second copy on disk.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from pui.adapters.channel.fetcher import refuse_page
from pui.adapters.packs.archive import Progress
from pui.adapters.packs.file_ops import FileOps, mapped_os_errors, opened_folder, read_file
from pui.adapters.packs.web import Web
from pui.domain.errors import DownloadError, HostError

_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]{1,200}"')
_RESUMABLE = ("fetch.network", "fetch.stalled")
_PAUSE_S = 1.0
_MAX_RESTARTS = 2
_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Wanted:
    """`sha256` in lower-case hex; both it and the size are signed."""

    url: httpx.URL
    size_bytes: int
    sha256: str


class Downloader:
    """`pause` waits some seconds before a broken download goes on; a test passes it by."""

    def __init__(self, web: Web, *, ops: FileOps | None = None, pause: Callable[[float], None] = time.sleep) -> None:
        self._web = web
        self._ops = ops or FileOps()
        self._pause = pause

    def download(
        self,
        wanted: Wanted,
        target: Path,
        *,
        progress: Progress = lambda done, total: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """Brings `target` into being. Its folder must be one that only this user writes.

        A connection that breaks is taken up again as long as each try brings something. Raises DownloadError fetch.*
        (then `target`.part stays and the next call goes on with it, unless its bytes were wrong), HostError.
        """
        part_path = target.with_name(f"{target.name}.part")
        with mapped_os_errors(f"writing {part_path}"), _Part(self._ops, part_path, wanted) as part:
            part.check_space()
            self._fill(part, progress, cancelled)
            if not part.is_right() and part.was_resumed:
                part.reset()  # a power cut may have torn what was there: once more from the start
                self._fill(part, progress, cancelled)
            if not part.is_right():
                part.reset()
                raise DownloadError("fetch.checksum", f"{wanted.url} is not the file that was signed")
            part.publish(target)

    def _fill(self, part: _Part, progress: Progress, cancelled: Callable[[], bool]) -> None:
        restarts = 0
        while part.done < part.wanted.size_bytes:
            before = part.done
            try:
                if not self._attempt(part, progress, cancelled):
                    restarts += 1
            except DownloadError as error:
                if error.code not in _RESUMABLE or part.done <= before:
                    raise
                self._pause(_PAUSE_S)
            if restarts > _MAX_RESTARTS:
                raise DownloadError("fetch.http", f"{part.wanted.url}: the server cannot go on with a download")

    def _attempt(self, part: _Part, progress: Progress, cancelled: Callable[[], bool]) -> bool:
        """One request. False: what there is cannot be gone on with, the part is empty again."""
        headers = part.range_headers()
        accept = (200, 206, 416) if headers else (200,)
        with self._web.open(part.wanted.url, headers, accept=accept) as response:
            if response.status_code == 416 or (response.status_code == 206 and not part.continues(response)):
                part.reset()
                return False
            refuse_page(response)
            if response.status_code == 200:
                part.start(response)
            for chunk in self._web.chunks(response):
                if cancelled():
                    raise DownloadError("fetch.cancelled", f"stopped after {part.done} bytes, which are kept")
                part.add(chunk)
                progress(part.done, part.wanted.size_bytes)
        if part.done < part.wanted.size_bytes:
            raise DownloadError("fetch.network", f"{part.wanted.url} ended after {part.done} bytes")
        return True


class _Part:
    """The file as far as it came, its running hash, and the ETag under which it came."""

    def __init__(self, ops: FileOps, path: Path, wanted: Wanted) -> None:
        self.wanted = wanted
        self.done = 0
        self._ops = ops
        self._path = path
        self._etag_name = f"{path.name}.etag"
        self._etag: str | None = None
        self._sum = hashlib.sha256()
        self._at = self._fd = -1
        self._open = ExitStack()
        self.was_resumed = False

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            self._at = opening.enter_context(opened_folder(self._path.parent))
            self._fd = _open_own(self._ops, self._path, self._at)
            opening.callback(os.close, self._fd)
            self._take_up()
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def check_space(self) -> None:
        """Raises HostError host.disk_full before a byte is fetched in vain."""
        free, needed = self._ops.free_bytes(self._path.parent), self.wanted.size_bytes - self.done
        if free < needed:
            raise HostError(
                "host.disk_full",
                f"{needed >> 20} MiB are still to be downloaded to {self._path.parent}, {free >> 20} MiB are free",
            )

    def range_headers(self) -> dict[str, str]:
        """Empty when the download begins anew: without a strong ETag nobody can tell versions apart (RFC 9110)."""
        if self.done == 0 or self._etag is None:
            self.reset()
            return {}
        return {"Range": f"bytes={self.done}-", "If-Range": self._etag}

    def continues(self, response: httpx.Response) -> bool:
        """A 206 is the rest of the very version that we have a part of."""
        size = self.wanted.size_bytes
        headers = response.headers
        if headers.get("etag", self._etag) != self._etag:
            return False
        return bool(headers.get("content-range") == f"bytes {self.done}-{size - 1}/{size}")

    def start(self, response: httpx.Response) -> None:
        """A 200: the file from its first byte, perhaps another version than the part's."""
        announced = response.headers.get("content-length")
        if announced is not None and announced != str(self.wanted.size_bytes):
            self.reset()
            raise DownloadError(
                "fetch.checksum",
                f"{response.url} announces {ascii(announced)[:24]} bytes, {self.wanted.size_bytes} were signed",
            )
        self.reset()
        etag = response.headers.get("etag", "")
        if _STRONG_ETAG.fullmatch(etag):
            self._etag = etag
            self._write_etag(etag)

    def add(self, chunk: bytes) -> None:
        if self.done + len(chunk) > self.wanted.size_bytes:
            self.reset()
            raise DownloadError("fetch.too_long", f"{self.wanted.url} sends more than {self.wanted.size_bytes} bytes")
        self._ops.write(self._fd, chunk)
        self._sum.update(chunk)
        self.done += len(chunk)

    def reset(self) -> None:
        """Nothing of what there was is kept."""
        self._ops.cut(self._fd, 0)
        os.lseek(self._fd, 0, os.SEEK_SET)
        self._forget_etag()
        self.done, self._etag, self._sum, self.was_resumed = 0, None, hashlib.sha256(), False

    def is_right(self) -> bool:
        return self._sum.hexdigest() == self.wanted.sha256

    def publish(self, target: Path) -> None:
        self._ops.sync(self._fd)
        self._ops.rename(self._path, target)
        self._forget_etag()
        self._ops.sync(self._at)

    def _take_up(self) -> None:
        try:
            self._etag = read_file(self._path.with_name(self._etag_name), 256).decode("ascii", "replace")
        except OSError:
            self._etag = None  # absent, a link, too long: without it the download begins anew
        size = os.fstat(self._fd).st_size
        if self._etag is None or not _STRONG_ETAG.fullmatch(self._etag) or size > self.wanted.size_bytes:
            self.reset()
            return
        while chunk := os.read(self._fd, _CHUNK_BYTES):
            self._sum.update(chunk)
            self.done += len(chunk)
        self.was_resumed = self.done > 0

    def _write_etag(self, etag: str) -> None:
        """Not synced: a power cut that tears it costs a download from the start."""
        fd = self._ops.open_new(self._etag_name, self._at)
        try:
            self._ops.write(fd, etag.encode("ascii"))
        finally:
            os.close(fd)

    def _forget_etag(self) -> None:
        with suppress(FileNotFoundError):
            self._ops.remove_file(self._etag_name, self._at)


def _open_own(ops: FileOps, path: Path, at: int) -> int:
    """The part file, made when absent. Raises HostError host.permission for a link or somebody else's file."""
    try:
        fd = ops.open_part(path.name, at)
    except OSError as error:
        if path.is_symlink():
            raise _not_ours(path) from error
        raise
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_nlink != 1:
        os.close(fd)
        raise _not_ours(path)
    return fd


def _not_ours(path: Path) -> HostError:
    return HostError("host.permission", f"{path} is not pui's own file, perhaps a link", hint=f"Remove {path}.")


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hex. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
