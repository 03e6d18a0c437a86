"""What was said in a task and in those that it continues, read from their files.

In: task ids, transcripts on disk. Out: pages of entries, the whole for an export, where it branches.
Never: a wait, more than the limits.
"""

from __future__ import annotations

from contextlib import closing

from pui.domain.conversation_export import Talk
from pui.domain.entry_log import EntryPage, join_pages
from pui.domain.history import page_of_history
from pui.domain.journal import TaskView
from pui.domain.pi_session import EarlierTalk
from pui.domain.talk_search import TalkSearch
from pui.domain.transcript import Entry
from pui.domain.views import task_title
from pui.ports import TaskFiles
from pui.supervisor.recovery import load_task
from pui.supervisor.session_keeper import earlier_keys, find_earlier_talk

CHAIN_LIMIT = 100
"""Tasks of which each continues the one before, as far as their history is shown in one."""
PAGE_ENTRIES = 200
EXPORT_ENTRY_LIMIT = 20_000
EXPORT_LIMIT_CHARS = 32 * 1024 * 1024


def read_history(files: TaskFiles, task_id: str, before_key: int | None, limit: int) -> EntryPage:
    """The newest `limit` entries before a key. Goes on into the transcripts of the tasks that this one continues:
    their keys are the smaller ones. Blocks."""
    page = EntryPage((), has_earlier=False)
    for _ in range(CHAIN_LIMIT):
        with closing(files.transcript_lines(task_id)) as lines:
            page = join_pages(page_of_history(lines, before_key, limit), page, limit)
        view = load_task(files, task_id).view
        task_id, last_key = str(view.spec.get("continues") or ""), earlier_keys(view)
        if page.has_earlier or task_id not in files.task_ids():
            break
        before_key = last_key + 1 if before_key is None else min(before_key, last_key + 1)
    return page


def read_talk(files: TaskFiles, task_id: str) -> Talk:
    """The conversation for an export, its newest part when it is beyond the limits. Blocks."""
    entries: list[Entry] = []
    size_chars, has_earlier = 0, True
    while has_earlier and size_chars < EXPORT_LIMIT_CHARS and len(entries) < EXPORT_ENTRY_LIMIT:
        page = read_history(files, task_id, entries[0].key if entries else None, PAGE_ENTRIES)
        size_chars += sum(_size_chars(entry) for entry in page.entries)
        entries[:0] = page.entries
        has_earlier = page.has_earlier and bool(page.entries)
    return Talk(task_title(load_task(files, task_id).view), entries, is_whole=not has_earlier)


def search_history(files: TaskFiles, task_id: str, before_key: int, search: TalkSearch) -> None:
    """Look through what was said before a key, here and in the tasks that this one continues. Blocks."""
    for _ in range(CHAIN_LIMIT):
        with closing(files.transcript_lines(task_id)) as lines:
            search.take_lines(lines, before_key)
        view = load_task(files, task_id).view
        task_id, before_key = str(view.spec.get("continues") or ""), min(before_key, earlier_keys(view) + 1)
        if not search.is_whole or task_id not in files.task_ids():
            return
    search.is_whole = False


def find_branch(files: TaskFiles, task_id: str, view: TaskView, said: Entry) -> EarlierTalk:
    """What there was before a message in the conversation of a task: it branches off the task that the message is of.
    Blocks. Raises CallerError caller.rejected, talk.not_kept."""
    session = find_earlier_talk(files, task_id, view).session.before(said)
    for _ in range(CHAIN_LIMIT):
        parent_id = str(view.spec.get("continues") or "")
        if said.key > earlier_keys(view) or parent_id not in files.task_ids():
            break
        task_id, view = parent_id, load_task(files, parent_id).view
    return EarlierTalk(task_id, session, said.key - 1, said.key)


def _size_chars(entry: Entry) -> int:
    return len(entry.text) + len(entry.diff) + sum(len(str(value)) for value in entry.args.values())
