"""The one place in the pack builder that starts a process.

In: an argument list, an explicit environment. Out: its standard output, or PuiError("pack.build") with the command
ready to paste. Never: a shell, an inherited environment that could change the bytes of a pack.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from pui.domain.errors import PuiError

CLEAN_ENVIRONMENT: Mapping[str, str] = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
"""For tools whose output goes into the pack: nothing of the builder's own settings."""

DETAIL_LIMIT_CHARS = 4000


def run(
    argv: Sequence[str],
    *,
    purpose: str,
    env: Mapping[str, str] = CLEAN_ENVIRONMENT,
    cwd: Path | None = None,
    timeout_s: float = 600,
) -> bytes:
    """Run to the end and return standard output. Raises PuiError("pack.build") naming `purpose` on any failure."""
    try:
        done = subprocess.run(  # noqa: S603 - argument list made by the recipe, never a shell
            list(argv),
            env=dict(env),
            cwd=cwd,
            timeout=timeout_s,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PuiError("pack.build", f"{purpose}: {error}", detail=shlex.join(argv)) from error
    if done.returncode != 0:
        stderr = done.stderr.decode(errors="replace")[-DETAIL_LIMIT_CHARS:]
        raise PuiError(
            "pack.build",
            f"{purpose}: {Path(argv[0]).name} ended with code {done.returncode}: {_last_line(stderr)}",
            detail=f"{shlex.join(argv)}\n{stderr}",
        )
    return done.stdout


def find_program(name: str) -> str | None:
    """Absolute path of a program of the builder's system, /sbin included even for users whose PATH lacks it."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), CLEAN_ENVIRONMENT["PATH"]]))


def _last_line(text: str) -> str:
    lines = [line for line in text.split("\n") if line.strip()]
    return lines[-1] if lines else "no message"
