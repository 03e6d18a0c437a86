"""Long conversations: opening a stored one, paging back, opening a live one, and 100,000 streamed pieces.

In: made-up transcripts of 5,000 messages. Out: milliseconds. Never: a machine, a page.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from pui.adapters.journal_file import JsonlFile, lines_from_the_end
from pui.domain.entry_log import EntryPage
from pui.domain.history import page_of_history
from pui.domain.transcript import Entry
from pui.domain.views import entry_view
from pui.resources import load_chart
from pui.supervisor.session import Session
from tests.benchmarks.report import Table
from tests.support.simulated import MemoryJournal, SimulatedClock

MESSAGES = 5000
PIECES = 100_000
PAGE = 200
WORDS = "the quick brown fox jumps over the lazy dog and reads https://example.org/a?b=c again; " * 12


def measure(_pack: Path, rounds: int) -> list[Table]:
    """The least time of all rounds."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "transcript.jsonl"
        _write(path)
        rows = [
            (f"stored: last {PAGE} of {MESSAGES} messages", _ms(lambda: _page(path, None), rounds)),
            (f"stored: first {PAGE} of them", _ms(lambda: _page(path, PAGE), rounds)),
        ]
        size_mib = path.stat().st_size / (1 << 20)
    return [
        Table(f"history ({size_mib:.0f} MiB)", ("what", "ms"), rows),
        Table("stream", ("what", "ms"), [(f"{PIECES} pieces of text into a session", f"{_stream_ms(rounds):.0f}")]),
    ]


def _write(path: Path) -> None:
    file = JsonlFile(path)
    for key in range(1, MESSAGES + 1):
        entry = Entry(key, ("user", "text", "tool")[key % 3], WORDS, is_final=True, at_ms=key)
        file.append({"at_ns": key * 10**9, "entry": entry.to_line()}, durable=False)
    file.close()


def _page(path: Path, before_key: int | None) -> list[object]:
    """As task.open and task.entries do it, up to the JSON of the page."""
    with closing(lines_from_the_end(path)) as lines:
        page: EntryPage = page_of_history(lines, before_key, PAGE)
    shown = [entry_view(entry) for entry in page.entries]
    json.dumps(shown)
    return [*shown]


def _ms(work: Callable[[], object], rounds: int) -> str:
    least_s = float("inf")
    for _ in range(rounds):
        began_s = time.perf_counter()
        work()
        least_s = min(least_s, time.perf_counter() - began_s)
    return f"{least_s * 1000:.1f}"


def _stream_ms(rounds: int) -> float:
    update = {"type": "text_delta", "contentIndex": 0, "delta": "word "}
    line = json.dumps({"type": "message_update", "assistantMessageEvent": update}).encode() + b"\n"
    chunk = line * 500

    async def once() -> float:
        session = Session(MemoryJournal(), SimulatedClock(), load_chart("agent"))
        began_s = time.perf_counter()
        for _ in range(PIECES // 500):
            session._take_all(session._client.feed(chunk))
        spent_s = time.perf_counter() - began_s
        await session.end()
        return spent_s

    return min(asyncio.run(once()) for _ in range(rounds)) * 1000
