"""How the command line speaks: results on stdout, errors and progress on stderr.

In: errors, values, progress in bytes. Out: text fit for a terminal, plain lines for a pipe, or JSON.
Never: a control character of somebody else on a terminal, a traceback for an expected failure.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.text import Text

from pui.domain.errors import PuiError

_PLAIN_STEPS = 4
_MAX_DETAIL_LINES = 20


def clean(text: str) -> str:
    """`text` without anything that could steer a terminal or reorder what is read."""
    return "".join(char if char.isprintable() or char == "\n" else "�" for char in text)


def print_error(error: PuiError, *, as_json: bool = False) -> None:
    """The error's code, message and hint on stderr; as JSON on stdout for a program that reads us."""
    if as_json:
        print_json({"error": {"code": error.code, "message": error.message, "hint": error.hint}})
        return
    console = _console()
    console.print(Text.assemble(("error ", "bold red"), (error.code, "bold"), f": {clean(error.message)}"))
    for line in clean(error.detail).splitlines()[:_MAX_DETAIL_LINES]:
        console.print(Text(f"  | {line}", "dim"))
    console.print(Text.assemble(("hint ", "bold"), clean(error.hint)))


def print_json(value: Mapping[str, object]) -> None:
    """One JSON object on one line of stdout, at once: a program at the other end of a pipe reads along."""
    print(json.dumps(value, ensure_ascii=True, sort_keys=True), flush=True)


def say(text: str) -> None:
    """One result line on stdout."""
    print(clean(text))


def note(text: str) -> None:
    """One line for the person on stderr, no part of the result."""
    _console().print(Text(clean(text)))


class ByteProgress:
    """Progress of one job in bytes: a bar on a terminal, four plain lines otherwise, nothing when quiet."""

    def __init__(self, label: str, *, quiet: bool = False) -> None:
        self._label = clean(label)
        self._quiet = quiet
        self._bar: Progress | None = None
        self._step = -1

    def __enter__(self) -> Self:
        console = _console()
        if console.is_terminal and not self._quiet:
            pace = (TransferSpeedColumn(), TimeRemainingColumn())
            columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), *pace)
            self._bar = Progress(*columns, console=console, transient=True)
            self._bar.add_task(Text(self._label).plain, total=None)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, done_bytes: int, total_bytes: int, label: str | None = None) -> None:
        """`label`, when given, replaces the one shown: a new stage begins."""
        if self._quiet:
            return
        if label is not None and clean(label) != self._label:
            self._label, self._step = clean(label), -1
        if self._bar is not None:
            task = self._bar.task_ids[0]
            self._bar.update(task, completed=done_bytes, total=total_bytes or None, description=self._label)
        else:
            self._plain(done_bytes, total_bytes)

    def _plain(self, done_bytes: int, total_bytes: int) -> None:
        step = _PLAIN_STEPS * done_bytes // total_bytes if total_bytes else 0
        if step > self._step:
            self._step = step
            percent = f" {100 * step // _PLAIN_STEPS} % of {total_bytes / 2**20:.1f} MiB" if total_bytes else ""
            print(f"{self._label}{percent}", file=sys.stderr, flush=True)


def _console() -> Console:
    return Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
