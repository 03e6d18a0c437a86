"""Reads the ends of logs, and writes a bundle of them.

In: task ids, file names. Out: last bytes, sizes; a zip file. Never: a followed link, a file that is none (a pipe would
block), half a bundle.
"""

from __future__ import annotations

import getpass
import os
import socket
import stat
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from pui.adapters.journal_file import mapped_write_error
from pui.adapters.paths import AppPaths
from pui.domain.errors import CallerError, HostError
from pui.domain.private_words import PrivateWords

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_SUFFIX = ".new"


def private_words(keys: Sequence[str] = ()) -> PrivateWords:
    """What names the person and this computer; `keys` are known ones."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user without an entry in the system's tables
        user = ""
    return PrivateWords(str(Path.home()), user, socket.gethostname(), tuple(keys))


class TaskLogFiles:
    """ports.TaskLogs."""

    def __init__(self, paths: AppPaths) -> None:
        self._paths = paths

    def tail(self, task_id: str, name: str, limit_bytes: int) -> bytes:
        if Path(name).name != name or name in ("", ".", ".."):
            raise CallerError("caller.bad_request", f"{name!r} is not a file name")
        return _tail(self._paths.task_dir(task_id) / name, limit_bytes)

    def sizes(self, task_id: str) -> Sequence[tuple[str, int]]:
        found = []
        try:
            with os.scandir(self._paths.task_dir(task_id)) as entries:
                for entry in entries:
                    if entry.is_file(follow_symlinks=False):
                        found.append((entry.name, entry.stat(follow_symlinks=False).st_size))
        except OSError as error:
            raise HostError("host.permission", f"cannot list the files of {task_id}: {error.strerror}") from error
        return sorted(found)

    def app_log_tail(self, limit_bytes: int) -> bytes:
        return _tail(self._paths.app_log, limit_bytes)

    def write_bundle(self, path: Path, members: Mapping[str, str]) -> None:
        new = path.with_name(path.name + _NEW_SUFFIX)
        try:
            new.unlink(missing_ok=True)
            with os.fdopen(os.open(new, _NEW, 0o600), "wb") as file:
                _write_zip(file, members)
            new.replace(path)
        except OSError as error:
            raise mapped_write_error(error, path) from error


def _write_zip(file: IO[bytes], members: Mapping[str, str]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(zipfile.ZipInfo(name), text.encode("utf-8", "replace"), zipfile.ZIP_DEFLATED)


def _tail(path: Path, limit_bytes: int) -> bytes:
    try:
        fd = os.open(path, _READ)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise HostError("host.permission", f"cannot read {path}: {error.strerror}") from error
    with os.fdopen(fd, "rb") as file:
        told = os.fstat(fd)
        if not stat.S_ISREG(told.st_mode):
            return b""
        file.seek(max(0, told.st_size - limit_bytes))
        return file.read(limit_bytes)
