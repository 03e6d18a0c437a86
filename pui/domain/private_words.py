"""What a text must not carry when it leaves this computer: keys, names, the way to the person's folders.

In: text, the words that name the person and the computer, known keys. Out: text with marks in their place.
Never: a promise: what a stranger's text says in words of its own stays, which is why a bundle says what is inside.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property

KEY_MARK = "[redacted]"
NAME_LIMIT_CHARS = 2
"""A user or computer named by so few characters is not replaced: they would be found in half of all words."""
_COMMON_NAMES = frozenset({"root", "user", "admin", "home", "agent", "guest", "localhost", "debian", "ubuntu"})

_KEYS = (
    r"\b(?:sk|pk|rk|xai|gsk|key)[-_][A-Za-z0-9_-]{16,}",
    r"\b(?:gh[pousr]_|github_pat_|glpat-|npm_|hf_|dop_v1_)[A-Za-z0-9_-]{16,}",
    r"\bxox[a-z]-[A-Za-z0-9-]{10,}",
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    r"\bAIza[A-Za-z0-9_-]{30,}",
    r"\beyJ[A-Za-z0-9_-]{8,512}\.[A-Za-z0-9_-]{8,4096}(?:\.[A-Za-z0-9_-]{0,1024})?",
)
_KEY_LIKE = re.compile("|".join(_KEYS))
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----")
_PRIVATE_KEY_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----")
_LED_BY_A_WORD = re.compile(
    r"""(bearer\s{1,8}|(?:password|passwd|secret|token|api[_-]?key|authorization)\\?["']?\s{0,8}[:=]\s{0,8}\\?["']?"""
    r"""(?:bearer\s{1,8}|basic\s{1,8})?)(?!\[redacted)[^\s"',;}\\\]]{8,}""",
    re.IGNORECASE,
)
_USER_OF_ADDRESS = re.compile(r"(\b[a-z][a-z0-9+.-]{0,20}://)[^/\s@\"']{1,200}@", re.IGNORECASE)
_E_MAIL = re.compile(r"\b[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,6}\b")
_OTHER_HOME = re.compile(r"/(home|Users)/(?!\[)[^/\s\"':]{1,64}")


def without_keys(text: str) -> str:
    """`text` with everything that looks like a key replaced; what names the key ("token=") stays."""
    text = _KEY_LIKE.sub(KEY_MARK, _without_private_keys(text))
    text = _USER_OF_ADDRESS.sub(rf"\1{KEY_MARK}@", text)
    return _LED_BY_A_WORD.sub(rf"\1{KEY_MARK}", text)


def _without_private_keys(text: str) -> str:
    """Each PEM block as a whole; behind one that does not end nothing is kept. Linear, whatever the text is."""
    parts, at = [], 0
    while begin := _PRIVATE_KEY.search(text, at):
        end = _PRIVATE_KEY_END.search(text, begin.end())
        parts += [text[at : begin.start()], KEY_MARK]
        at = end.end() if end else len(text)
    return "".join(parts) + text[at:]


@dataclass(frozen=True)
class PrivateWords:
    """`home` is the absolute path of the person's home, `user` and `host` their names; `keys` are exact known ones."""

    home: str
    user: str
    host: str
    keys: tuple[str, ...] = field(default=(), repr=False)

    def hide(self, text: str) -> str:
        """`text` without keys, names, mail addresses and the path of any home. Idempotent."""
        for key in self.keys:
            text = text.replace(key, KEY_MARK) if key else text
        text = _E_MAIL.sub("[mail]", without_keys(text))
        if self._home is not None:
            text = self._home.sub("~", text)
        text = _OTHER_HOME.sub(r"/\1/[user]", text)
        for pattern, mark in self._names:
            text = pattern.sub(mark, text)
        return text

    @cached_property
    def _home(self) -> re.Pattern[str] | None:
        home = self.home.rstrip("/")
        return re.compile(re.escape(home) + r"(?![\w-]|\.\w)") if len(home) > 1 else None

    @cached_property
    def _names(self) -> list[tuple[re.Pattern[str], str]]:
        named = ((self.user, "[user]"), (self.host, "[host]"))
        return [
            (re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])", re.IGNORECASE), mark)
            for name, mark in named
            if len(name) > NAME_LIMIT_CHARS and name.lower() not in _COMMON_NAMES
        ]
