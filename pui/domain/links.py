"""Addresses in a text that a person may want to open.

In: a scrubbed text. Out: the http and https addresses in it, in order. Never: another scheme, an unbounded list.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

LINK_LIMIT = 50
LINK_LIMIT_CHARS = 2000

_LINK = re.compile(r"https?://[^\s<>\"'`|\\^{}\u2019\u201d]{1,2000}", re.I)
_CLOSING = {")": "(", "]": "["}


def find_links(text: str) -> tuple[str, ...]:
    """Each address once, at most LINK_LIMIT; what ends a sentence is not part of an address."""
    found: dict[str, None] = {}
    for match in _LINK.finditer(text):
        link = _trimmed(match.group())
        if _names_a_host(link):
            found[link] = None
        if len(found) >= LINK_LIMIT:
            break
    return tuple(found)


def _trimmed(link: str) -> str:
    while link and (
        link[-1] in ".,;:!?*_~" or (link[-1] in _CLOSING and link.count(link[-1]) > link.count(_CLOSING[link[-1]]))
    ):
        link = link[:-1]
    return link


def _names_a_host(link: str) -> bool:
    try:
        return bool(urlsplit(link).hostname)
    except ValueError:
        return False
