"""Dialogs of `pui serve`: asked and answered in the terminal where it runs.

In: questions, lines that a person types. Out: answers. Never: a yes that was not typed, a wait where nobody can answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from pui.domain.errors import HostError
from pui.domain.scrub import scrub_line, scrub_text


class LineSource(Protocol):
    """The person's lines. `is_answered` is False where nobody can type."""

    @property
    def is_answered(self) -> bool: ...

    async def read_line(self) -> str | None:
        """One line without its end; None at the end of the input."""


class TerminalDialogs:
    """ports.Dialogs on a terminal; `write` shows one line."""

    def __init__(self, source: LineSource, write: Callable[[str], None]) -> None:
        self._source = source
        self._write = write
        self._turn = asyncio.Lock()

    async def choose_folder(self, title: str) -> Path | None:
        return await self._ask_path(title, "the folder's path")

    async def choose_file(self, title: str, suffixes: Sequence[str]) -> Path | None:
        kind = f" ({', '.join(suffixes)})" if suffixes else ""
        path = await self._ask_path(title, f"the file's path{kind}")
        if path is None or await asyncio.to_thread(path.is_file):
            return path
        self._write(f"  There is no file {scrub_line(str(path), 400)}.")
        return None

    async def save_file(self, title: str, name: str) -> Path | None:
        path = await self._ask_path(f"{title} {name}", "the path to write")
        if path is None:
            return None
        if await asyncio.to_thread(path.is_dir):
            path /= name
        if not await asyncio.to_thread(path.exists):
            return path
        return path if await self.confirm(f"Replace {path}?", [], "Replace it") else None

    async def confirm(self, title: str, lines: Sequence[str], yes: str) -> bool:
        answer = await self._ask(title, [*lines, f'Type "yes" for: {yes}. Anything else is a no.'])
        return answer is not None and answer.strip().lower() == "yes"

    async def ask_text(self, title: str, lines: Sequence[str], initial: str = "") -> str | None:
        hint = [f"Empty: {initial}"] if initial else ["Empty: nothing"]
        answer = await self._ask(title, [*lines, *hint])
        return None if answer is None else (answer.strip() or initial or None)

    async def _ask_path(self, title: str, what: str) -> Path | None:
        answer = await self._ask(title, [f"Type {what}; empty: none."])
        if not answer or not answer.strip():
            return None
        return await asyncio.to_thread(lambda: Path(answer.strip()).expanduser().absolute())

    async def _ask(self, title: str, lines: Sequence[str]) -> str | None:
        if not self._source.is_answered:
            raise HostError("host.no_dialog", f"nobody can be asked here: {scrub_line(title)}")
        async with self._turn:
            self._write(f"\n? {scrub_line(title, 400)}")
            for line in lines:
                self._write("  " + scrub_text(line).replace("\n", "\n  "))
            return await self._source.read_line()
