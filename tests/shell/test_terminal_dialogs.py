"""Questions of `pui serve` in its terminal: only a typed yes is a yes, and where nobody can type it says so.

In: lines. Out: answers, and what was shown. Never: a real terminal.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pui.domain.errors import HostError
from pui.shell.terminal_dialogs import TerminalDialogs


class Typed:
    def __init__(self, *lines: str | None, is_answered: bool = True) -> None:
        self.lines, self.is_answered = list(lines), is_answered

    async def read_line(self) -> str | None:
        return self.lines.pop(0)


def _dialogs(*lines: str | None, is_answered: bool = True) -> tuple[TerminalDialogs, list[str]]:
    shown: list[str] = []
    return TerminalDialogs(Typed(*lines, is_answered=is_answered), shown.append), shown


@pytest.mark.parametrize(
    ("line", "is_yes"),
    [("yes", True), (" YES ", True), ("y", False), ("", False), ("yes please", False), (None, False)],
)
def test_only_yes_is_a_yes(line: str | None, is_yes: bool) -> None:
    dialogs, shown = _dialogs(line)
    assert asyncio.run(dialogs.confirm("Mount?", ["/x\x1b[2J\u202e"], "Mount it")) is is_yes
    assert "\x1b" not in "".join(shown) and "<U+202E>" in "".join(shown) and "Mount it" in shown[-1]


def test_without_a_terminal_nothing_is_asked_and_it_is_said() -> None:
    dialogs, shown = _dialogs(is_answered=False)
    for asking in (dialogs.confirm("a", [], "b"), dialogs.choose_folder("a"), dialogs.ask_text("a", [])):
        with pytest.raises(HostError) as caught:
            asyncio.run(asking)  # type: ignore[arg-type]
        assert caught.value.code == "host.no_dialog" and "pui serve" in caught.value.hint
    assert shown == []


def test_paths_are_typed(tmp_path: Path) -> None:
    file = tmp_path / "a.pui-bundle"
    file.write_text("x")

    async def story() -> None:
        dialogs, shown = _dialogs(
            str(tmp_path), "", str(file), str(tmp_path), str(tmp_path), str(file), "no", str(file), "yes"
        )
        assert await dialogs.choose_folder("f") == tmp_path
        assert await dialogs.choose_folder("f") is None
        assert await dialogs.choose_file("f", [".pui-bundle"]) == file
        assert await dialogs.choose_file("f", []) is None  # a folder is no file
        assert shown[-1] == f"  There is no file {tmp_path}."
        assert await dialogs.save_file("s", "new.txt") == tmp_path / "new.txt"
        assert await dialogs.save_file("s", "x") is None  # not replaced
        assert await dialogs.save_file("s", "x") == file

    asyncio.run(story())


def test_text_has_a_default() -> None:
    async def story() -> None:
        dialogs, _ = _dialogs("typed", "", "", None)
        assert await dialogs.ask_text("t", [], "default") == "typed"
        assert await dialogs.ask_text("t", [], "default") == "default"
        assert await dialogs.ask_text("t", []) is None
        assert await dialogs.ask_text("t", [], "default") is None

    asyncio.run(story())
