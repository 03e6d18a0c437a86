"""What goes into a bundle that a person sends to somebody who helps: which files, with what taken out.

In: a task's journal, the tails of its logs, words that name the person. Out: members with their text.
Never: the conversation, the prompt or the changes of a folder, unless the person asks for the conversation; a text that
was not scrubbed and hidden; a promise that nothing private is left (README.txt in the bundle says what to look at).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pui.domain.diagnostics_view import TaskLogTails, log_text
from pui.domain.events import JsonValue
from pui.domain.journal import Record
from pui.domain.private_words import PrivateWords
from pui.domain.qmp_log import parse_qmp_log

MEMBER_LIMIT_CHARS = 8 * 1024 * 1024
_PERSONAL_KEYS = frozenset({"prompt", "title"})


@dataclass(frozen=True)
class Member:
    """One file of the bundle; `about` is its line in README.txt."""

    name: str
    about: str
    text: str


@dataclass(frozen=True)
class BundleInput:
    """`other_logs` maps names of further log files to their tails; `transcript` is None unless it was asked for;
    `about` are lines about the app and the computer."""

    task_id: str
    records: Sequence[Record]
    diagnostics: Mapping[str, JsonValue]
    tails: TaskLogTails
    other_logs: Mapping[str, bytes]
    transcript: bytes | None
    about: Sequence[str]


def plan_bundle(given: BundleInput, words: PrivateWords) -> tuple[Member, ...]:
    """The members in order, README.txt first."""
    veil = _Veil(words, _folders(given.records), keep_prompt=given.transcript is not None)
    members = [
        Member("diagnostics.json", "boot stages, time in each state, sizes of files", _diagnostics(given, veil)),
        Member("journal.jsonl", "what happened to the task, one record a line", _journal(given.records, veil)),
        Member("serial.log", "the end of the machine's console", veil.log(given.tails.serial)),
        Member("qemu.log", "the end of QEMU's output", veil.log(given.tails.qemu)),
        Member("qmp.txt", "events of QEMU's monitor", _qmp(given.tails.qmp, veil)),
        Member("app.log", "lines of the app's log about this task", veil.text(str(given.diagnostics["app_log"]))),
        *(Member(name, "the end of a program's output", veil.log(data)) for name, data in given.other_logs.items()),
    ]
    if given.transcript is not None:
        members.append(
            Member(
                "transcript.jsonl", "WHAT YOU AND pi SAID AND DID, files it read included", veil.log(given.transcript)
            )
        )
    filled = [member for member in members if member.text]
    return (Member("README.txt", "", _readme(given, filled, veil)), *filled)


@dataclass(frozen=True)
class _Veil:
    """Takes out of texts what shall not leave: mounted folders by number, then the words of `words`."""

    words: PrivateWords
    folders: Sequence[str]
    keep_prompt: bool

    def text(self, text: str) -> str:
        for number, folder in sorted(enumerate(self.folders, 1), key=lambda item: -len(item[1])):
            text = text.replace(folder, f"[folder {number}]")
        return self.words.hide(text)[-MEMBER_LIMIT_CHARS:]

    def log(self, data: bytes) -> str:
        return self.text(log_text(data))

    def value(self, value: JsonValue) -> JsonValue:
        """JSON with every text in it treated; the person's own words only when the conversation was asked for."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {self.text(key): self._item(key, item) for key, item in value.items()}
        return value

    def _item(self, key: str, item: JsonValue) -> JsonValue:
        if key in _PERSONAL_KEYS and isinstance(item, str) and not self.keep_prompt:
            return f"[{len(item)} characters, not included]"
        return self.value(item)


def _folders(records: Sequence[Record]) -> list[str]:
    """Paths that were mounted, as the journal's first record tells them."""
    told = records[0].fields.get("folders") if records else None
    paths = [item.get("path") for item in told if isinstance(item, dict)] if isinstance(told, list) else []
    return [path for path in paths if isinstance(path, str) and len(path) > 1]


def _diagnostics(given: BundleInput, veil: _Veil) -> str:
    kept = {key: given.diagnostics[key] for key in ("boot", "states", "files")}
    return json.dumps(veil.value(kept), indent=1) + "\n"


def _journal(records: Sequence[Record], veil: _Veil) -> str:
    lines = [json.dumps(veil.value(record.to_json())) for record in records]
    return "\n".join(lines)[-MEMBER_LIMIT_CHARS:] + "\n" if lines else ""


def _qmp(data: bytes, veil: _Veil) -> str:
    return veil.text("".join(f"{event.at_ms} {event.name} {event.text}\n" for event in parse_qmp_log(data)))


def _readme(given: BundleInput, members: Sequence[Member], veil: _Veil) -> str:
    inside = "\n".join(f"  {member.name:<20} {member.about}" for member in members)
    about = "\n".join(f"  {veil.text(line)}" for line in given.about)
    left_out = "the conversation and your prompt, " if given.transcript is None else ""
    return f"""Diagnostics of the pui task {given.task_id}

{about}

Inside:
{inside}

Not inside: {left_out}the changes in your folders, keys, the machine's disk.
Replaced: the paths of the folders ([folder 1] ...), your home (~), your user name and this computer's name, mail
addresses, and everything that looks like a key.

The machine's console and the logs may quote what was printed there. Look through the files before you send them.
"""
