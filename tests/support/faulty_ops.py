"""File operations that fail or die at a chosen step, and can tear what was not yet durable.

In: the number of the step. Out: an OSError, an interrupt, or SIGKILL of this very process. Never: a step left out.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from pui.adapters.packs.file_ops import FileOps


class CountingOps(FileOps):
    """Calls `at_step(number, name)` before each operation that changes something on disk."""

    def __init__(self, at_step: Callable[[int, str], None]) -> None:
        self.steps: list[str] = []
        self._at_step = at_step

    def _step(self, name: str) -> None:
        self.steps.append(name)
        self._at_step(len(self.steps) - 1, name)

    def make_folder(self, name: str, at: int, mode: int = 0o755) -> None:
        self._step("make_folder")
        super().make_folder(name, at, mode)

    def open_new(self, name: str, at: int) -> int:
        self._step("open_new")
        return super().open_new(name, at)

    def open_append(self, name: str, at: int) -> int:
        self._step("open_append")
        return super().open_append(name, at)

    def open_part(self, name: str, at: int) -> int:
        self._step("open_part")
        return super().open_part(name, at)

    def cut(self, fd: int, size_bytes: int) -> None:
        self._step("cut")
        super().cut(fd, size_bytes)

    def write(self, fd: int, data: memoryview | bytes) -> None:
        self._step("write")
        super().write(fd, data)

    def set_mode(self, fd: int, mode: int) -> None:
        self._step("set_mode")
        super().set_mode(fd, mode)

    def sync(self, fd: int) -> None:
        self._step("sync")
        super().sync(fd)

    def rename(self, source: Path, target: Path) -> None:
        self._step("rename")
        super().rename(source, target)

    def remove_file(self, name: str, at: int) -> None:
        self._step("remove_file")
        super().remove_file(name, at)

    def remove_folder(self, name: str, at: int) -> None:
        self._step("remove_folder")
        super().remove_folder(name, at)


class PowerCutOps(CountingOps):
    """Dies by SIGKILL before step `last`. With `tear`, what a power cut may lose is lost first: the second half of
    every file that was not synced, and every rename whose folder was not synced."""

    def __init__(self, last: int, *, tear: bool) -> None:
        super().__init__(self._die)
        self._last = last
        self._tear = tear
        self._unsynced: dict[int, tuple[int, int]] = {}  # inode -> a descriptor of our own, the size that is durable
        self._renamed: list[tuple[Path, Path, bytes | None]] = []

    def open_new(self, name: str, at: int) -> int:
        fd = super().open_new(name, at)
        self._unsynced[os.fstat(fd).st_ino] = os.open(f"/proc/self/fd/{fd}", os.O_RDWR), 0
        return fd

    def open_append(self, name: str, at: int) -> int:
        return self._watched(super().open_append(name, at))

    def open_part(self, name: str, at: int) -> int:
        return self._watched(super().open_part(name, at))

    def _watched(self, fd: int) -> int:
        found = os.fstat(fd)
        self._unsynced[found.st_ino] = os.open(f"/proc/self/fd/{fd}", os.O_RDWR), found.st_size
        return fd

    def sync(self, fd: int) -> None:
        super().sync(fd)
        inode = os.fstat(fd).st_ino
        if inode in self._unsynced:
            self._unsynced[inode] = self._unsynced[inode][0], os.fstat(fd).st_size
        self._renamed = [entry for entry in self._renamed if entry[1].parent.stat().st_ino != inode]

    def rename(self, source: Path, target: Path) -> None:
        before = target.read_bytes() if target.is_file() else None
        super().rename(source, target)
        self._renamed.append((source, target, before))

    def _die(self, step: int, name: str) -> None:
        if step < self._last:
            return
        if self._tear:
            self._lose()
        os.kill(os.getpid(), signal.SIGKILL)

    def _lose(self) -> None:
        for fd, durable in self._unsynced.values():
            size = os.fstat(fd).st_size
            os.ftruncate(fd, min(size, durable + (size - durable) // 2))
        for source, target, before in reversed(self._renamed):
            if source.parent.exists():
                target.rename(source)
            if before is not None:
                target.write_bytes(before)
