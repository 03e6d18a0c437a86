"""pi's own session as the host keeps it, so that a conversation goes on in another machine.

In: entries that pi has answered (get_entries) or lines that were kept of them. Out: entries that are fit to be kept,
the session file that pi takes with `--session`, the part of a session before one message.
Never: I/O, an entry that was not checked, more than the limit.
Source: files that pi 1.5.2 wrote, and files of ours that it took: a header line, then one entry a line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pui.domain.errors import CallerError
from pui.domain.events import JsonValue
from pui.domain.json_guard import ParsedJson, parse_json
from pui.domain.session_cut import EntryPlace, SessionCut, lacks_its_beginning, place_of, plan_cut, way_to
from pui.domain.transcript import Entry, said_at_ms, shown_text

SESSION_LIMIT_BYTES = 16 * 1024 * 1024
"""What is kept of one conversation. A longer one is cut where pi has summed it up; without that it cannot go on."""
SESSION_VERSION = 3
_TYPE = re.compile(r"[a-z_]{1,40}")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TIME_LIMIT_CHARS = 40

_Json = Mapping[str, JsonValue]


class PiSession:
    """The fold. `fault` says in words why it is not whole any more; from then on nothing is taken.

    pi trusts its session file: an entry without a message ends its loading. So the first odd one ends the keeping.
    """

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._places: list[EntryPlace] = []
        self._ids: set[str] = set()
        self.last_id = ""
        self.message_count = 0
        """Messages of the person in it."""
        self.size_bytes = 0
        self.cut_count = 0
        """How often the beginning was left out: what was written down before has to be written anew then."""
        self.fault = ""

    @property
    def entry_count(self) -> int:
        return len(self._lines)

    def take(self, entries: JsonValue) -> list[_Json]:
        """Those of `entries`, in order, that may be kept: all up to the first odd one."""
        taken: list[_Json] = []
        if not isinstance(entries, list):
            self.fault = self.fault or "pi gave no list of entries"
        for entry in entries if isinstance(entries, list) else []:
            if self.fault:
                break
            if isinstance(entry, dict) and self._accept(entry):
                taken.append(entry)
            elif not self.fault:
                self.fault = "pi's session has an entry that is none"
        return taken[: len(taken) - self._fit()]

    def to_json(self) -> dict[str, JsonValue]:
        """The journal's fact `session`."""
        return {"entries": self.entry_count, "size_bytes": self.size_bytes, "fault": self.fault}

    def to_file(self, session_id: str, cwd: str, clock_ns: int) -> bytes:
        """What pi takes with `--session`. `cwd` has to exist in the machine, or pi refuses to start."""
        at = datetime.fromtimestamp(clock_ns // 1_000_000 / 1000, UTC).isoformat(timespec="milliseconds")
        header: dict[str, JsonValue] = {"type": "session", "version": SESSION_VERSION, "id": session_id}
        header |= {"timestamp": at.replace("+00:00", "Z"), "cwd": cwd}
        return _line(header) + b"\n" + self.to_lines()

    def to_lines(self) -> bytes:
        """What session.jsonl holds."""
        return b"".join(line + b"\n" for line in self._lines)

    def before(self, said: Entry) -> PiSession:
        """What pi knew before the person's message `said`: the ancestors of its entry, and nothing else.

        pi's entries are a tree by their parents; one beside the way to the message belongs to another branch.
        Raises CallerError("talk.not_kept") when the message is not in here, cannot be told from others, or stands
        where the session was cut.
        """
        entries: list[dict[str, JsonValue]] = [json.loads(line) for line in self._lines]
        way = way_to(self._places, _find_message(entries, said))
        if lacks_its_beginning(self._places, way):
            raise CallerError(
                "talk.not_kept", "what was said before this message is kept only as pi summed it up later"
            )
        branch = PiSession()
        branch.take([entries[index] for index in way[:-1]])
        return branch

    def _accept(self, entry: _Json) -> bool:
        entry_id, parent_id = entry.get("id"), entry.get("parentId")
        if not _is_entry(entry) or not isinstance(entry_id, str) or entry_id in self._ids:
            return False
        if parent_id is not None and not (isinstance(parent_id, str) and parent_id in self._ids):
            return False
        line = _line(entry)
        if self.size_bytes + len(line) + 1 > 2 * SESSION_LIMIT_BYTES:
            self.fault = _too_long(self.cut_count)
            return False
        self._add(line, place_of(entry))
        self.message_count += _is_from_user(entry)
        return True

    def _add(self, line: bytes, place: EntryPlace) -> None:
        self._ids.add(place.entry_id)
        self._lines.append(line)
        self._places.append(place)
        self.last_id, self.size_bytes = place.entry_id, self.size_bytes + len(line) + 1

    def _fit(self) -> int:
        """Back within the limit: by a cut, else by leaving out the newest entries, which ends the keeping.

        Returns how many of the newest were left out.
        """
        if self.size_bytes > SESSION_LIMIT_BYTES and (cut := plan_cut(self._places)) is not None:
            self._cut(cut)
        left_out = 0
        while self.size_bytes > SESSION_LIMIT_BYTES:
            self.fault = self.fault or _too_long(self.cut_count)
            line = self._lines.pop()
            self.size_bytes -= len(line) + 1
            self.message_count -= _is_from_user(json.loads(line))
            self._ids.discard(self._places.pop().entry_id)
            self.last_id = self._places[-1].entry_id if self._places else ""
            left_out += 1
        return left_out

    def _cut(self, cut: SessionCut) -> None:
        lines, places = self._lines, self._places
        self._lines, self._places, self._ids, self.size_bytes = [], [], set(), 0
        for index in cut.kept:
            line, place = lines[index], places[index]
            if index in cut.parents:
                place = replace(place, parent_id=cut.parents[index])
                line = _line(json.loads(line) | {"parentId": place.parent_id})
            self._add(line, place)
        self.message_count = sum(_is_from_user(json.loads(line)) for line in self._lines)
        self.cut_count += 1


@dataclass(frozen=True)
class EarlierTalk:
    """What a task goes on from: pi's session, and the last key of the transcript before it.

    `branch_key` is the message before which it branches off, 0 when the whole conversation goes on.
    """

    task_id: str
    session: PiSession
    last_key: int
    branch_key: int = 0


def read_session(raw: bytes) -> PiSession:
    """The session of a kept file. Raises CallerError("caller.rejected") when there is none or it is damaged."""
    session = PiSession()
    for line in raw.split(b"\n")[:-1]:  # the last one has no end: torn by a crash
        parsed = parse_json(line) if line else None
        if parsed is not None:
            session.take([parsed.value if isinstance(parsed, ParsedJson) else None])
    if session.fault:
        raise CallerError("caller.rejected", f"the conversation cannot be continued: {session.fault}")
    if not session.entry_count:
        raise CallerError("caller.rejected", "nothing of the conversation was kept", hint="Run the task again.")
    return session


def _find_message(entries: Sequence[_Json], said: Entry) -> int:
    """Where it is: by pi's own time and the text; by the text alone (transcripts without the time) where it is once."""
    found = []
    for index, entry in enumerate(entries):
        message = entry.get("message")
        if isinstance(message, dict) and _is_from_user(entry) and shown_text(message) == said.text:
            found.append((said_at_ms(message), index))
    if said.said_ms:
        found = [(at_ms, index) for at_ms, index in found if at_ms == said.said_ms][:1]
    if len(found) != 1:
        how = "is not in what was kept of pi's session" if not found else "occurs more than once in pi's session"
        raise CallerError("talk.not_kept", f"the message {how}")
    return found[0][1]


def _is_from_user(entry: _Json) -> bool:
    message = entry.get("message")
    return entry.get("type") == "message" and isinstance(message, dict) and message.get("role") == "user"


def _is_entry(entry: _Json) -> bool:
    kind, entry_id, at, message = (entry.get(key) for key in ("type", "id", "timestamp", "message"))
    if not isinstance(kind, str) or not _TYPE.fullmatch(kind) or kind == "session":
        return False
    if not isinstance(entry_id, str) or not _ID.fullmatch(entry_id):
        return False
    if not isinstance(at, str) or len(at) > _TIME_LIMIT_CHARS:
        return False
    return kind != "message" or (isinstance(message, dict) and isinstance(message.get("role"), str))


def _too_long(cut_count: int) -> str:
    told = f"the conversation is longer than the {SESSION_LIMIT_BYTES // 2**20} MiB that are kept"
    return told + (", also from its last summing up on" if cut_count else ", and pi has not summed it up")


def _line(value: _Json) -> bytes:
    """ASCII: as JsonlFile writes it."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")
