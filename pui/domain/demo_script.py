"""The demo model's mind, which is a script: conversation in, next assistant message out.

In: the messages of a chat-completions request. Out: a DemoMessage: text, and at most one tool call.
Never: I/O, state between requests, a claim to understand anything.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pui.domain.events import JsonValue
from pui.domain.json_guard import ParsedJson, parse_json
from pui.domain.scrub import scrub_line

NOTE_FILE = "demo-note.md"
_LOOK = "ls -1Ap | head -n 200"
_PROSE = frozenset({".md", ".markdown", ".txt", ".rst"})
_HASH = frozenset({".py", ".sh", ".rb", ".pl", ".r", ".toml", ".yml", ".yaml", ".cfg", ".conf"})
_SLASHES = frozenset({".js", ".mjs", ".ts", ".tsx", ".jsx", ".c", ".h", ".cc", ".cpp", ".java", ".go", ".rs", ".kt"})
_REPLACE = re.compile(
    r"""\b(?:replace|change|rename)\s+(["'`“])(.{1,200}?)["'`”]\s+(?:with|by|to|into)\s+(["'`“])(.{0,200}?)["'`”]""",
    re.I,
)
_ADD = re.compile(r"""\b(?:add|append|insert|write)\b[^"'`“]{0,60}(["'`“])(.{1,400}?)["'`”]""", re.I)
_PATH_IN_PROMPT = re.compile(r"[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)+")


@dataclass(frozen=True)
class DemoMessage:
    """What the assistant says next; without `tool` the run ends."""

    text: str
    tool: str = ""
    args: Mapping[str, JsonValue] | None = None


@dataclass(frozen=True)
class _Call:
    tool: str
    args: Mapping[str, JsonValue]
    result: str


@dataclass(frozen=True)
class Turn:
    """The last prompt of the person and every tool call since then. `call_count` numbers all calls of the session."""

    prompt: str
    calls: tuple[_Call, ...]
    call_count: int


def parse_turn(messages: Sequence[JsonValue]) -> Turn:
    """The state of the script, which is nothing but the conversation itself. Odd messages are passed over."""
    prompt, count = "", 0
    calls: list[tuple[str, str, Mapping[str, JsonValue]]] = []
    results: dict[str, str] = {}
    for message in messages:
        if not isinstance(message, dict):
            continue
        if message.get("role") == "user":
            prompt, calls = _text_of(message.get("content")), []
        elif message.get("role") == "assistant":
            found = _tool_calls(message)
            calls += found
            count += len(found)
        elif message.get("role") == "tool":
            results[str(message.get("tool_call_id"))] = _text_of(message.get("content"))
    done = tuple(_Call(tool, args, results[call_id]) for call_id, tool, args in calls if call_id in results)
    return Turn(prompt, done, count)


def next_message(turn: Turn) -> DemoMessage:
    """Look, read, edit, check, tell: one step for each tool call that already happened."""
    steps = [_look, _open, _change, _check]
    done = len(turn.calls)
    if done >= len(steps) or (done and _has_failed(turn.calls[-1])):
        return _tell(turn)
    return steps[done](turn)


def _look(turn: Turn) -> DemoMessage:
    text = (
        "I am pui's demo model: I cannot think, I follow a fixed script. I will look at the folder, change one file "
        "in a way that is easy to see, and check it. First, which files are here?"
    )
    return DemoMessage(text, "bash", {"command": _LOOK})


def _open(turn: Turn) -> DemoMessage:
    path = _choose_file(turn)
    if path is None:
        return DemoMessage(
            f"There is no text file here that I could change safely, so I write a new one, {NOTE_FILE}.",
            "write",
            {"path": NOTE_FILE, "content": _prose_note(turn).lstrip("\n") + "\n"},
        )
    return DemoMessage(f"I read {path}.", "read", {"path": path})


def _change(turn: Turn) -> DemoMessage:
    opened = turn.calls[1]
    if opened.tool == "write":
        return _check(turn)
    path, content = str(opened.args.get("path")), opened.result
    edit = _asked_edit(turn.prompt, content) or _append_edit(turn, path, content)
    if edit is None:
        note = _note(turn, path)
        command = f"printf '%s\\n' {shlex.quote(note)} >> {shlex.quote(path)}"
        return DemoMessage(f"I add a line to the end of {path}.", "bash", {"command": command})
    old, new = edit
    return DemoMessage(f"Now I edit {path}.", "edit", {"path": path, "edits": [{"oldText": old, "newText": new}]})


def _check(turn: Turn) -> DemoMessage:
    opened = turn.calls[1]
    if opened.tool == "write" and len(turn.calls) > 2:
        return _tell(turn)
    path = str(opened.args.get("path"))
    quoted = shlex.quote(path)
    command = f"tail -n 6 -- {quoted}; wc -l -- {quoted}"
    if path.endswith(".py"):
        command += f"; python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read()); print(\"syntax ok\")' {quoted}"
    return DemoMessage("I check the result.", "bash", {"command": command})


def _tell(turn: Turn) -> DemoMessage:
    did = "\n".join(f"- {call.tool}: {_describe(call)}" for call in turn.calls)
    failed = turn.calls and _has_failed(turn.calls[-1])
    end = "The last step failed, so I stop here." if failed else "Look at the change: it is on your disk."
    return DemoMessage(
        f"This was the demo model. It has no intelligence: it ran a fixed script with real tools.\n\n{did}\n\n{end}\n\n"
        "To have real work done, give pui a model: in the settings, or by ANTHROPIC_API_KEY or OPENAI_API_KEY."
    )


def _describe(call: _Call) -> str:
    what = call.args.get("command") or call.args.get("path") or ""
    return scrub_line(str(what), 100)


def _has_failed(call: _Call) -> bool:
    """pi says how an edit or a write went in words; for read and bash any text is a result."""
    return call.tool in ("edit", "write") and not call.result.startswith("Successfully")


def _choose_file(turn: Turn) -> str | None:
    names = [line for line in turn.calls[0].result.splitlines() if line]
    files = [name for name in names if not name.endswith("/") and not name.startswith(".") and _style(name)]
    for path in _PATH_IN_PROMPT.findall(turn.prompt):
        if f"{path.split('/')[0]}/" in names and ".." not in path and _style(path):
            return str(path)
    named = [name for name in files if name in turn.prompt]
    readme = [name for name in files if name.lower().startswith("readme")]
    prose = [name for name in files if _style(name) == "prose"]
    return next(iter([*named, *readme, *prose, *files]), None)


def _style(path: str) -> str:
    """How a remark is written in this file; "" for files that a remark would break (JSON, images, unknown)."""
    suffix = PurePosixPath(path).suffix.lower()
    if suffix in _PROSE or path.lower() == "readme":
        return "prose"
    return "# " if suffix in _HASH else "// " if suffix in _SLASHES else ""


def _asked_edit(prompt: str, content: str) -> tuple[str, str] | None:
    """The one kind of wish the script can grant: «replace "a" with "b"», if "a" occurs exactly once."""
    found = _REPLACE.search(prompt)
    if found and _occurs_once(content, found[2]) and found[2] != found[4]:
        return found[2], found[4]
    return None


def _occurs_once(content: str, text: str) -> bool:
    """Also counts occurrences that overlap, as str.count does not: an edit has to mean one place."""
    return text in content and content.find(text) == content.rfind(text)


def _append_edit(turn: Turn, path: str, content: str) -> tuple[str, str] | None:
    """An edit that adds the note after the last lines; None when the file is empty or was shown in part."""
    lines = content.rstrip("\n").split("\n")
    if not content.strip() or lines[-1].startswith("["):
        return None
    for count in range(1, len(lines) + 1):
        anchor = "\n".join(lines[-count:])
        if anchor.strip() and _occurs_once(content, anchor):
            return anchor, f"{anchor}\n{_note(turn, path)}"
    return None


def _note(turn: Turn, path: str) -> str:
    wished = _ADD.search(turn.prompt)
    if wished:
        return wished[2]
    style = _style(path)
    return _prose_note(turn) if style == "prose" else f"{style}demo model (a script, it cannot think): {_asked(turn)}"


def _prose_note(turn: Turn) -> str:
    names = [line for line in turn.calls[0].result.splitlines() if line]
    seen = scrub_line(", ".join(names[:12]) + (" …" if len(names) > 12 else ""), 300)
    return (
        "\n## Note by the demo model\n\n"
        f"> I am a script and cannot think. {_asked(turn)}\n"
        f"> Files and folders I saw here: {seen or 'none'}."
    )


def _asked(turn: Turn) -> str:
    return f'You asked: "{scrub_line(turn.prompt, 160)}"'


def _text_of(content: JsonValue) -> str:
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "\n".join(str(block.get("text", "")) for block in blocks if isinstance(block, dict))


def _tool_calls(message: Mapping[str, JsonValue]) -> list[tuple[str, str, Mapping[str, JsonValue]]]:
    found: list[tuple[str, str, Mapping[str, JsonValue]]] = []
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else []:
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(call, dict) and isinstance(function, dict):
            args = parse_json(str(function.get("arguments")).encode("utf-8", "replace"))
            value = args.value if isinstance(args, ParsedJson) else {}
            found.append((str(call.get("id")), str(function.get("name")), value))
    return found
