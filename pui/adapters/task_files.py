"""The folders of tasks on disk.

In: task ids, file names. Out: paths inside the task's own folder, journals, removed names.
Never: a path outside `<data>/tasks` and `<runtime>`, a followed link, a file of the person's.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pui.adapters.compressed_lines import read_compressed, write_compressed
from pui.adapters.data_dir import data_in_use
from pui.adapters.journal_file import JsonlFile, lines_from_the_end, mapped_write_error
from pui.adapters.paths import AppPaths, checked_task_id, own_dir, private_dir
from pui.domain.errors import CallerError, HostError
from pui.domain.task_files import JOURNAL, SESSION, TRANSCRIPT, WORK_FILES

JOURNAL_LIMIT_BYTES = 64 * 1024 * 1024
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
_READ_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class TaskFolders:
    """ports.TaskFiles."""

    def __init__(self, paths: AppPaths) -> None:
        self._paths = paths

    def create(self, task_id: str) -> None:
        """A new 0700 folder. Raises CallerError when the task exists, HostError host.permission, host.disk_full,
        host.busy while the data folder is moved; SetupError data.moved."""
        folder = self._paths.task_dir(task_id)
        try:
            with data_in_use(self._paths):
                own_dir(self._paths.tasks_dir)
                folder.mkdir(mode=0o700)
        except FileExistsError as error:
            raise CallerError("caller.bad_request", f"there is a task {task_id} already") from error
        except OSError as error:
            raise HostError("host.permission", f"cannot make {folder}: {error.strerror}") from error

    def journal(self, task_id: str) -> JsonlFile:
        return JsonlFile(self.path(task_id, JOURNAL))

    @contextmanager
    def hold_journal(self, task_id: str) -> Iterator[bool]:
        try:
            fd = os.open(self.path(task_id, JOURNAL), _READ_FILE)
        except OSError:
            yield True  # nothing is there that two could write to
            return
        try:
            yield _is_alone(fd)
        finally:
            os.close(fd)

    def transcript(self, task_id: str) -> JsonlFile:
        return JsonlFile(self.path(task_id, TRANSCRIPT))

    def session(self, task_id: str) -> JsonlFile:
        return JsonlFile(self.path(task_id, SESSION))

    def read_journal(self, task_id: str) -> bytes:
        """Raises HostError journal.unreadable: absent, not readable, or larger than any journal that pui writes."""
        path = self.path(task_id, JOURNAL)
        try:
            with path.open("rb") as file:
                raw = file.read(JOURNAL_LIMIT_BYTES + 1)
        except OSError as error:
            raise HostError("journal.unreadable", f"cannot read {path}: {error.strerror}") from error
        if len(raw) > JOURNAL_LIMIT_BYTES:
            raise HostError("journal.unreadable", f"{path} is larger than {JOURNAL_LIMIT_BYTES} bytes")
        return raw

    def write(self, task_id: str, name: str, data: bytes) -> None:
        """Through a new file in the same folder: a reader sees the old bytes or the new ones."""
        path = self.path(task_id, name)
        new = path.with_name(f"{name}.new")
        try:
            with os.fdopen(os.open(new, _NEW_FILE, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
        except OSError as error:
            raise mapped_write_error(error, path) from error

    def read(self, task_id: str, name: str, limit_bytes: int) -> bytes:
        path = self.path(task_id, name)
        try:
            with os.fdopen(os.open(path, _READ_FILE), "rb") as file:
                raw = file.read(limit_bytes + 1)
        except OSError as error:
            raise HostError("host.permission", f"cannot read {path}: {error.strerror}") from error
        if len(raw) > limit_bytes:
            raise HostError("host.permission", f"{path} is larger than {limit_bytes} bytes")
        return raw

    def write_lines(self, task_id: str, name: str, lines: Iterable[bytes]) -> int:
        return write_compressed(self.path(task_id, name), lines)

    def read_lines(
        self, task_id: str, name: str, limit_bytes: int, line_limit_bytes: int
    ) -> Generator[bytes, None, None]:
        return read_compressed(self.path(task_id, name), limit_bytes, line_limit_bytes)

    def remove_file(self, task_id: str, name: str) -> None:
        path = self.path(task_id, name)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise HostError("host.permission", f"cannot remove {path}: {error.strerror}") from error

    def transcript_lines(self, task_id: str) -> Generator[bytes, None, None]:
        return lines_from_the_end(self.path(task_id, TRANSCRIPT))

    def disk_use_bytes(self, task_id: str) -> int:
        try:
            found = [entry.stat(follow_symlinks=False) for entry in os.scandir(self._paths.task_dir(task_id))]
        except OSError:
            return 0
        return sum(entry.st_blocks * 512 for entry in found)

    def task_ids(self) -> Sequence[str]:
        """Sorted; a stray file or a foreign name in the folder is no task."""
        try:
            entries = list(self._paths.tasks_dir.iterdir())
        except FileNotFoundError:
            return []
        return sorted(entry.name for entry in entries if entry.is_dir() and _is_task_id(entry.name))

    def task_ids_with(self, name: str) -> Sequence[str]:
        return [task_id for task_id in self.task_ids() if self.path(task_id, name).exists()]

    def task_stamps(self) -> Mapping[str, tuple[int, ...]]:
        try:
            with os.scandir(self._paths.tasks_dir) as found:
                folders = [entry.path for entry in found if _is_task_id(entry.name) and entry.is_dir()]
        except FileNotFoundError:
            return {}
        return {os.path.basename(folder): _stamp(folder) for folder in folders}  # noqa: PTH119 - as in _stamp

    def path(self, task_id: str, name: str) -> Path:
        if Path(name).name != name or name in ("", ".", ".."):
            raise CallerError("caller.bad_request", f"{name!r} is not a file name")
        return self._paths.task_dir(task_id) / name

    def runtime_dir(self, task_id: str) -> Path:
        private_dir(self._paths.runtime)
        return private_dir(self._paths.task_runtime_dir(task_id))

    def remove_runtime_dir(self, task_id: str) -> None:
        _remove_tree(self._paths.task_runtime_dir(task_id))

    def remove_work_files(self, task_id: str) -> Sequence[str]:
        removed = []
        for name in WORK_FILES:
            path = self.path(task_id, name)
            try:
                path.unlink()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise HostError("host.permission", f"cannot remove {path}: {error.strerror}") from error
            removed.append(name)
        return removed

    def remove_task(self, task_id: str) -> None:
        _remove_tree(self._paths.task_dir(task_id))


def _is_alone(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _stamp(folder: str) -> tuple[int, ...]:
    """Size and time of both files; zeros for one that is not there. Called a thousand times a look: no Path is made."""
    numbers: list[int] = []
    for name in (JOURNAL, TRANSCRIPT):
        try:
            found = os.stat(f"{folder}/{name}", follow_symlinks=False)  # noqa: PTH116 - a tenth of Path.stat's time
            numbers += (found.st_size, found.st_mtime_ns)
        except OSError:
            numbers += (0, 0)
    return tuple(numbers)


def _is_task_id(name: str) -> bool:
    try:
        checked_task_id(name)
    except CallerError:
        return False
    return True


def _remove_tree(folder: Path) -> None:
    """shutil.rmtree does not follow links on Linux (avoids_symlink_attacks). Absent is fine."""
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise HostError("host.permission", f"cannot remove {folder}: {error.strerror}") from error
