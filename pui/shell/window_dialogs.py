"""Dialogs of the window: native ones, one at a time.

In: questions on the supervisor's loop. Out: the person's answers, given on the GUI's thread.
Never: a dialog inside the page, a yes when the window went away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pui.domain.scrub import scrub_line, scrub_text

if TYPE_CHECKING:
    from pui.shell.window_kit import FileQuestion, WindowKit

Answer = TypeVar("Answer")
TITLE_LIMIT_CHARS = 120
LINE_LIMIT_CHARS = 2000
LINE_LIMIT = 30


class WindowDialogs:
    """ports.Dialogs by a back end. `post` runs a function on the supervisor's loop; from any thread."""

    def __init__(self, kit: WindowKit, post: Callable[..., Any]) -> None:
        self._kit = kit
        self._post = post
        self._turn = asyncio.Lock()

    async def choose_folder(self, title: str) -> Path | None:
        return await self._ask_file("folder", title, "", ())

    async def choose_file(self, title: str, suffixes: Sequence[str]) -> Path | None:
        return await self._ask_file("file", title, "", suffixes)

    async def save_file(self, title: str, name: str) -> Path | None:
        return await self._ask_file("save", title, name, ())

    async def confirm(self, title: str, lines: Sequence[str], yes: str) -> bool:
        shown, texts = _shown(title, lines)
        return await self._ask(lambda done: self._kit.confirm(shown, texts, scrub_line(yes, 60), done))

    async def ask_text(self, title: str, lines: Sequence[str], initial: str = "") -> str | None:
        shown, texts = _shown(title, lines)
        return await self._ask(lambda done: self._kit.ask_text(shown, texts, initial, done))

    async def _ask_file(self, question: FileQuestion, title: str, name: str, suffixes: Sequence[str]) -> Path | None:
        shown = scrub_line(title, TITLE_LIMIT_CHARS)
        return await self._ask(lambda done: self._kit.ask_file(question, shown, name, suffixes, done))

    async def _ask(self, open_dialog: Callable[[Callable[[Answer], None]], None]) -> Answer:
        async with self._turn:
            answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

            def settle(answer: Answer) -> None:
                if not answered.done():
                    answered.set_result(answer)

            open_dialog(lambda answer: self._post(settle, answer))
            return await answered


def _shown(title: str, lines: Sequence[str]) -> tuple[str, list[str]]:
    """What goes into a native dialog: scrubbed and cut, so that its buttons stay on the screen."""
    texts = [_cut(scrub_text(line), LINE_LIMIT_CHARS) for line in lines[:LINE_LIMIT]]
    if len(lines) > LINE_LIMIT:
        texts.append(f"… and {len(lines) - LINE_LIMIT} more")
    return scrub_line(title, TITLE_LIMIT_CHARS), texts


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
