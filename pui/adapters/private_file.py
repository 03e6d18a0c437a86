"""Small private files of the app: read with a limit, replaced as a whole.

In: a path from paths.py, bytes. Out: bytes; files of mode 0600. Never: a link that is followed, half a file.
"""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path

from pui.domain.errors import HostError


def read_private(path: Path, limit_bytes: int) -> bytes | None:
    """The content, None if there is no such file. Raises HostError("host.permission") for a link, or one too large."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise HostError("host.permission", f"cannot read {path}: {error.strerror}") from error
    with os.fdopen(handle, "rb") as file:
        data = file.read(limit_bytes + 1)
    if len(data) > limit_bytes:
        raise HostError("host.permission", f"{path} is larger than pui ever wrote it")
    return data


def write_private(path: Path, data: bytes) -> None:
    """Replace `path` by a 0600 file with `data`, durably: old or new, never a mixture.

    Raises HostError host.disk_full, host.permission.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)  # noqa: PTH105 - as in file_ops
        except OSError:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        code = "host.disk_full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "host.permission"
        raise HostError(code, f"cannot write {path}: {error.strerror}") from error
