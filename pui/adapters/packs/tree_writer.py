"""Writes the files of a pack below one folder, by folder descriptors.

In: the events of domain/ustar.py, whose paths are the manifest's. Out: durable files and folders.
Never: a path that is resolved by the kernel across more than one name, an existing file reused.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from pui.adapters.packs.file_ops import FileOps, mapped_os_errors
from pui.domain.manifest import ManifestFile
from pui.domain.ustar import FileData, FileEnd, FileStart, UstarEvent


class TreeWriter:
    """A context manager around an empty folder; leaving it well makes every folder durable.

    The manifest is sorted, so each folder is entered once and left once: no more descriptors than levels are open.
    """

    def __init__(self, ops: FileOps, root: Path) -> None:
        self._ops = ops
        self._root = root
        self._folders: list[tuple[str, int]] = []  # from the root down to where we are
        self._file_fd: int | None = None

    def __enter__(self) -> Self:
        with mapped_os_errors(f"opening {self._root}"):
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            self._folders.append(("", os.open(self._root, flags)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._leave_to(0)
        finally:
            self._close_all()

    def take(self, event: UstarEvent) -> None:
        """Carries out one event. Raises HostError host.disk_full, host.permission."""
        match event:
            case FileStart(file):
                with mapped_os_errors(f"creating {file.path!r}"):
                    self._start(file)
            case FileData(data):
                with mapped_os_errors("writing the pack"):
                    self._ops.write(self._open_fd(), data)
            case FileEnd(file):
                with mapped_os_errors(f"finishing {file.path!r}"):
                    self._end(file)

    def _start(self, file: ManifestFile) -> None:
        *folders, name = file.path.split("/")
        known = [folder for folder, _ in self._folders[1:]]
        common = next((n for n, pair in enumerate(zip(folders, known, strict=False)) if pair[0] != pair[1]), None)
        self._leave_to(min(len(folders), len(known)) if common is None else common)
        for folder in folders[len(self._folders) - 1 :]:
            self._enter(folder)
        self._file_fd = self._ops.open_new(name, self._folders[-1][1])

    def _end(self, file: ManifestFile) -> None:
        fd = self._open_fd()
        self._ops.set_mode(fd, file.mode)
        self._ops.sync(fd)
        self._file_fd = None
        os.close(fd)

    def _open_fd(self) -> int:
        if self._file_fd is None:
            raise AssertionError("data or an end without a start")
        return self._file_fd

    def _enter(self, name: str) -> None:
        at = self._folders[-1][1]
        self._ops.make_folder(name, at)
        self._folders.append((name, self._ops.open_folder(name, at)))

    def _leave_to(self, depth: int) -> None:
        """Leaves folders until `depth` are open below the root; 0 at the end syncs the root as well."""
        while len(self._folders) > depth + 1:
            fd = self._folders[-1][1]
            self._ops.sync(fd)
            self._folders.pop()
            os.close(fd)

    def _close_all(self) -> None:
        if self._file_fd is not None:
            os.close(self._file_fd)
            self._file_fd = None
        while self._folders:
            os.close(self._folders.pop()[1])
