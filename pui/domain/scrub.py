"""Text of strangers made harmless to show.

In: any str, from the guest, a model or a repository. Out: text a terminal and a log can show as it is.
Never: markup, colour or loss without a visible mark, except for terminal escape sequences, which are removed.
"""

from __future__ import annotations

import re

# CSI, OSC/DCS/APC/PM/SOS strings (ended or not), then any other escape of two characters.
_ESCAPES = re.compile(
    r"\x1b\[[0-?]{0,64}[ -/]{0,16}[@-~]"
    r"|\x1b[\]PX^_][^\x07\x1b\x9c]{0,4096}(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]{0,4}[0-Z\\`-~]"
)
_LINE_ENDS = re.compile("\r\n|\r|\x85|\u2028|\u2029")
_BAD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)


def scrub_text(text: str) -> str:
    """`text` with terminal escapes removed and every other control, bidi or invisible character made visible.

    CR, CRLF, U+0085, U+2028 and U+2029 become LF; tab and LF stay. C0 becomes its picture (U+2400 block), the rest
    `<U+202E>`. Idempotent. Rules: threats.md, RPC, and Trojan Source (CVE-2021-42574).
    """
    return _BAD.sub(_visible, _LINE_ENDS.sub("\n", _ESCAPES.sub("", text)))


def scrub_line(text: str, limit_chars: int = 200) -> str:
    """One line for a title, a name or a log: scrubbed, line ends and tabs shown as spaces, cut with an ellipsis."""
    line = " ".join(scrub_text(text[: limit_chars * 8]).split())
    return line if len(line) <= limit_chars else line[: limit_chars - 1] + "…"


def _visible(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else f"<U+{code:04X}>"
