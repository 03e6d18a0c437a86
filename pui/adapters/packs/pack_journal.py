"""The journal of the packs on disk: `journal.jsonl` beside them, read without a lock, written under the installer's.

In: records. Out: the same, with what a crash cut off left out; durable lines. Never: a record's meaning
(domain/pack_life.py), a line in the middle that is changed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from pui.adapters.packs.file_ops import FileOps, mapped_os_errors, opened_folder, read_file
from pui.domain.errors import PuiError
from pui.domain.journal import Record, parse_journal

LIMIT_BYTES = 16 * 1024 * 1024
UNREADABLE_SUFFIX = ".unreadable"


def read_records(path: Path) -> tuple[Record, ...]:
    """All whole records; nothing when there is no file. Raises PuiError journal.unreadable, HostError."""
    with mapped_os_errors(f"reading {path}"):
        try:
            data = read_file(path, LIMIT_BYTES)
        except FileNotFoundError:
            return ()
    return parse_journal(data).records


def append_record(ops: FileOps, path: Path, record: Record) -> None:
    """One durable line behind the last whole one. The caller holds the installer's lock. Raises HostError."""
    line = json.dumps(record.to_json(), separators=(",", ":")).encode("ascii") + b"\n"
    with mapped_os_errors(f"writing {path}"), opened_folder(path.parent) as at:
        is_new = not os.path.lexists(path)
        fd = ops.open_append(path.name, at)
        try:
            _append(ops, fd, line)
            if is_new:
                ops.sync(at)
        finally:
            os.close(fd)


def _append(ops: FileOps, fd: int, line: bytes) -> None:
    size_bytes = os.fstat(fd).st_size
    whole = os.pread(fd, size_bytes, 0).rfind(b"\n") + 1
    if whole < size_bytes:
        ops.cut(fd, whole)
    try:
        ops.write(fd, line)
        ops.sync(fd)
    except OSError:
        os.ftruncate(fd, whole)  # a full disk leaves no half line for the next writer to find
        raise


def set_aside(ops: FileOps, path: Path) -> bool:
    """Renames a journal that cannot be read, so that a new one begins; True when it did. Raises HostError."""
    try:
        read_records(path)
    except PuiError as error:
        if error.code != "journal.unreadable":
            raise
    else:
        return False
    with mapped_os_errors(f"setting {path} aside"):
        ops.rename(path, path.with_name(path.name + UNREADABLE_SUFFIX))
    return True
