"""Hostile texts for every field that a guest or a repository can fill: collected ones and generated ones.

In: tests/data/xss.txt, the address of a trap. Out: the same vectors in the same order each time.
Never: an address outside this computer: what a vector calls is the trap, or a name that no resolver knows.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).parents[1] / "data" / "xss.txt"
MARKER = "window.xss=()=>{window.xssRan=(window.xssRan||0)+1}"
"""What a page is given before it loads, so that a script that runs is seen."""
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u\{([0-9a-fA-F]{1,6})\}|([ntr0\\]))")
_SHORT = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\"}

_EVENTS = """
abort afterprint animationend animationstart auxclick beforecopy beforeinput beforeunload blur canplay change
click close contextmenu copy cuechange cut dblclick drag dragend dragenter dragstart drop durationchange ended
error focus focusin focusout formdata fullscreenchange gotpointercapture hashchange input invalid keydown keyup
load loadeddata loadstart message mousedown mouseenter mousemove mouseover mouseup pageshow paste play
pointerdown pointerenter pointermove pointerover popstate progress ratechange reset resize scroll scrollend
search seeked select selectionchange stalled submit suspend timeupdate toggle touchstart transitionend
transitionrun unload volumechange waiting webkitanimationstart wheel
"""
_TAGS = ("img src=x", "svg", "body", "input autofocus", "details open", "video src=x", "marquee", "a href=#x", "x-y")
_SCHEMES = ("javascript:xss()", "vbscript:xss()", "data:text/html,<script>xss()</script>", "http://CANARY/s")
_LINKS = (
    '<a href="{}">x</a>',
    '<area href="{}">',
    '<iframe src="{}"></iframe>',
    '<embed src="{}">',
    '<object data="{}"></object>',
    '<form action="{}"><button>x',
    '<button formaction="{}">x',
    '<svg><a href="{}">x</a></svg>',
    '<svg><use href="{}"/></svg>',
    '<math href="{}">x</math>',
    '<base href="{}">',
    '<meta http-equiv="refresh" content="0;url={}">',
    '<link rel="stylesheet" href="{}">',
    '<img src="{}">',
    '<input type="image" src="{}">',
    "[x]({})",
    "![x]({})",
    "<{}>",
    "[x]: {}\n\n[x]",
)
_DISGUISES = (
    lambda url: url.upper() if "CANARY" not in url else url,
    lambda url: f"\x01 {url}",
    lambda url: url[:4] + "\t" + url[4:],
    lambda url: url[:4] + "\n" + url[4:],
    lambda url: "".join(f"&#{ord(char)};" for char in url[:12]) + url[12:],
    lambda url: url.replace(":", "&colon;", 1),
)
_BREAKS = ('"', "'", "`", "-->", "</title>", "</textarea>", "</style>", "</script>", "]]>", "*/", "\\", "\0", "</svg>")


@dataclass(frozen=True)
class Vector:
    """One hostile text and the group that it belongs to."""

    group: str
    text: str


def corpus(canary: str) -> list[Vector]:
    """Every vector once, `canary` (host:port) in place of CANARY. Raises ValueError for an unknown group line."""
    seen: dict[str, Vector] = {}
    for vector in itertools.chain(_collected(), _generated()):
        seen.setdefault(vector.text, Vector(vector.group, vector.text.replace("CANARY", canary)))
    return list(seen.values())


def _collected() -> Iterator[Vector]:
    group = ""
    for line in FILE.read_text("utf-8").split("\n"):
        if line.startswith("# group: "):
            group = line.removeprefix("# group: ")
        elif line and (group == "markdown" or not line.startswith("# ")):
            if not group:
                raise ValueError(f"a vector before the first group: {line}")
            yield Vector(group, _ESCAPE.sub(_decoded, line))


def _decoded(match: re.Match[str]) -> str:
    hexadecimal = match.group(1) or match.group(2)
    return chr(int(hexadecimal, 16)) if hexadecimal else _SHORT[match.group(3)]


def _generated() -> Iterator[Vector]:
    for number, event in enumerate(_EVENTS.split()):
        handler = f"on{event}"
        tag = _TAGS[number % len(_TAGS)]
        yield Vector("handlers", f"<{tag} {handler}=xss()>x")
        yield Vector("handlers", f'x" {handler}="xss()" y="')
    for link, scheme in itertools.product(_LINKS, _SCHEMES):
        yield Vector("links", link.format(scheme))
    for number, (link, disguise) in enumerate(itertools.product(_LINKS, _DISGUISES)):
        yield Vector("disguises", link.format(disguise(_SCHEMES[number % len(_SCHEMES)])))
    for closing, payload in itertools.product(_BREAKS, ("<img src=x onerror=xss()>", "<script>xss()</script>")):
        yield Vector("breaks", closing + payload)
