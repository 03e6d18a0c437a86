"""A conversation as a document to keep or send: Markdown, or one HTML file that needs nothing else.

In: entries of a transcript, a title. Out: text. Never: a script, an image, a link that is followed,
HTML of the guest: what it wrote is shown as text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pui.domain.scrub import scrub_line
from pui.domain.transcript import Entry

FORMATS = ("md", "html")

_WHO = {"user": "You", "text": "Agent", "thinking": "Thinking", "tool": "Tool", "error": "Error", "notice": "Notice"}
_FENCE = re.compile(r"(`{3,})[^`]*|(~{3,}).*")
_MARKUP = re.compile(r"<(?=[A-Za-z/!?])")
_IMAGE = re.compile(r"!(?=\[)")
_TICKS = re.compile(r"`+")
_STYLE = """\
body{font:15px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#1c1c1c;background:#fff}
h2{font-size:.85rem;margin:1.6rem 0 .3rem;color:#555}pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:0}
.user pre{background:#eef2f8;padding:.6rem;border-radius:6px}.text pre{font:inherit}
.tool pre,.thinking pre{background:#f5f5f3;padding:.6rem;border-radius:6px;font-size:.85rem}.error pre{color:#a11}"""


@dataclass(frozen=True)
class Talk:
    """What is exported, oldest entry first. `is_whole`: nothing earlier was left out."""

    title: str
    entries: Sequence[Entry]
    is_whole: bool


def export_talk(talk: Talk, kind: str) -> str:
    """`kind` is one of FORMATS."""
    return to_html(talk) if kind == "html" else to_markdown(talk)


def to_markdown(talk: Talk) -> str:
    """The agent's Markdown stays Markdown, without HTML and images; everything else is in fences."""
    parts = [f"# {_plain(talk.title)}"] + ([] if talk.is_whole else [f"*{_LEFT_OUT}*"])
    for entry in talk.entries:
        parts.append(f"## {_plain(_heading(entry))}")
        parts += [_tame(entry.text)] if entry.kind == "text" else [_fenced(text) for text in _texts(entry)]
    return "\n\n".join(parts) + "\n"


def to_html(talk: Talk) -> str:
    """One file: no script, nothing loaded (a policy in it forbids both)."""
    title = html.escape(talk.title)
    head = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{title}</title>\n<style>\n{_STYLE}\n</style></head><body>\n<h1>{title}</h1>\n"
    )
    left_out = "" if talk.is_whole else f"<p><em>{html.escape(_LEFT_OUT)}</em></p>\n"
    return head + left_out + "".join(_html_entries(talk.entries)) + "</body></html>\n"


_LEFT_OUT = "Earlier parts of this conversation were left out."


def _html_entries(entries: Iterable[Entry]) -> Iterable[str]:
    for entry in entries:
        body = "\n".join(f"<pre>{html.escape(text)}</pre>" for text in _texts(entry))
        kind = entry.kind if entry.kind in _WHO else "notice"
        yield f'<section class="{kind}"><h2>{html.escape(_heading(entry))}</h2>\n{body}</section>\n'


def _heading(entry: Entry) -> str:
    who = _WHO.get(entry.kind, "Notice") + (f" {scrub_line(entry.title, 80)}" if entry.kind == "tool" else "")
    if not entry.at_ms:
        return who
    return f"{who} · {datetime.fromtimestamp(entry.at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _texts(entry: Entry) -> list[str]:
    """Arguments, output, patch: those that say something."""
    args = "\n".join(f"{name}: {value}" for name, value in entry.args.items())
    return [text for text in (args, entry.text, entry.diff) if text] or [""]


def _fenced(text: str) -> str:
    """A fence that nothing in the text can close."""
    longest = max((len(ticks) for ticks in _TICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def _plain(line: str) -> str:
    """One line of text that Markdown leaves alone."""
    return re.sub(r"([\\`*_\[\]<>!#|~&])", r"\\\1", scrub_line(line))


def _tame(text: str) -> str:
    """HTML and images become text. Only a fence at the margin counts as one: what a reader may take for the end of a
    fence (in a list, a quotation) never hides markup from us."""
    lines, fence = [], ""
    for line in re.split(r"\r\n|\r|\n", text):
        if fence:
            end = line.rstrip(" \t").lstrip(" ")
            if len(line) - len(line.lstrip(" ")) <= 3 and len(end) >= len(fence) and set(end) == {fence[0]}:
                fence = ""
        elif found := _FENCE.fullmatch(line):
            fence = found[1] or found[2]
        else:
            line = _IMAGE.sub(r"\\!", _MARKUP.sub("&lt;", line))
        lines.append(line)
    return "\n".join([*lines, fence] if fence else lines)
