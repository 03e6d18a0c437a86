"""Long conversations: opening a stored one, paging back, finding in it, streamed pieces; counting changed files.

In: made-up transcripts of 5,000 messages, a folder of 12,000 files. Out: milliseconds. Never: a machine, a page.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from pui.adapters.folder_scan import scan_folder
from pui.adapters.journal_file import JsonlFile, lines_from_the_end
from pui.domain.entry_log import EntryPage
from pui.domain.folder_diff import count_differences
from pui.domain.history import page_of_history
from pui.domain.talk_search import TalkSearch
from pui.domain.transcript import Entry
from pui.domain.views import entry_view
from pui.resources import load_chart
from pui.supervisor.session import Session
from tests.benchmarks.report import Table
from tests.support.simulated import MemoryJournal, SimulatedClock

MESSAGES = 5000
PIECES = 100_000
PAGE = 200
FILES = 12_000
QUERIES = ("zebra", "日本", "Grüße")
"""Plain; without case; with case beyond ASCII: written in a line as escapes, in more than one form."""
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
        rows += [(f"stored: find {query!r} in all", _ms(lambda q=query: _find(path, q), rounds)) for query in QUERIES]
        size_mib = path.stat().st_size / (1 << 20)
    return [
        Table(f"history ({size_mib:.0f} MiB)", ("what", "ms"), rows),
        Table("folder", ("what", "ms"), _folder_rows(rounds)),
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


def _find(path: Path, query: str) -> None:
    """As task.find does it; nothing is found, so that nothing ends it early."""
    search = TalkSearch(query)
    with closing(lines_from_the_end(path)) as lines:
        search.take_lines(lines, 2**53)
    assert search.is_whole and not search.hits


def _folder_rows(rounds: int) -> list[tuple[str, str]]:
    with TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(FILES):
            file = folder / f"d{number % 200}" / f"f{number}.py"
            file.parent.mkdir(exist_ok=True)
            file.write_text("x = 1\n" * 300)
        before = scan_folder(folder)

        def count() -> None:
            assert count_differences(before, scan_folder(folder, known=before)) == (0, 0)

        return [
            (f"{FILES} files: the whole look", _ms(lambda: scan_folder(folder), rounds)),
            (f"{FILES} files: the count of what changed", _ms(count, rounds)),
        ]


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
