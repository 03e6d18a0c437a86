"""A link out of a transcript, judged and taken apart for the question before it is opened.

In: text that a model or a repository wrote. Out: the address that would be opened and how to show it, or CallerError.
Never: another scheme than http and https, an address that shows one host and leads to another, I/O.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

from pui.domain.errors import CallerError
from pui.domain.scrub import scrub_line

LINK_LIMIT_CHARS = 4096
_BAD = re.compile(r"[\x00-\x20\x7f-\x9f\\\ud800-\udfff]")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_PATH_SAFE = "/:@!$&'()*+,;=-._~%"


@dataclass(frozen=True)
class Link:
    """`url` is what is opened: ASCII, its host as DNS sees it. `lines` describe it for the native question."""

    url: str
    host: str
    lines: tuple[str, ...]


def parse_link(text: str) -> Link:
    """Raises CallerError("link.refused") for any other scheme, a user name in it, a host that is no host name."""
    if len(text) > LINK_LIMIT_CHARS or _BAD.search(text):
        raise _refused("it is too long or has characters that no address has")
    try:
        parts = urlsplit(text)
        port, host = parts.port, parts.hostname or ""
    except ValueError as error:
        raise _refused("it is not an address") from error
    if parts.scheme not in ("http", "https"):
        raise _refused("only http and https addresses are opened")
    if "@" in parts.netloc:
        raise _refused("it has a user name before its host, which hides where it leads")
    ascii_host = _ascii_host(host)
    netloc = f"[{ascii_host}]" if ":" in ascii_host else ascii_host
    if port is not None:
        netloc += f":{port}"
    rest = _ascii_rest(parts)
    return Link(f"{parts.scheme}://{netloc}{rest}", ascii_host, _lines(parts.scheme, netloc, rest, ascii_host, host))


def _ascii_host(host: str) -> str:
    if not host or "%" in host:
        raise _refused("it names no host")
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        name = host.encode("idna").decode("ascii").lower()
    except UnicodeError as error:
        raise _refused("its host is not a host name") from error
    if not all(_LABEL.fullmatch(label) for label in name.removesuffix(".").split(".")):
        raise _refused("its host is not a host name")
    return name


def _ascii_rest(parts: SplitResult) -> str:
    rest = quote(parts.path or "/", safe=_PATH_SAFE)
    if parts.query:
        rest += "?" + quote(parts.query, safe=_PATH_SAFE + "?")
    if parts.fragment:
        rest += "#" + quote(parts.fragment, safe=_PATH_SAFE + "?")
    return rest


def _lines(scheme: str, netloc: str, rest: str, ascii_host: str, host: str) -> tuple[str, ...]:
    lines = [f"Host: {ascii_host}"]
    if ascii_host != host.lower():
        lines.append(f"It was written as {scrub_line(host, 200)}: letters of other scripts can look like Latin ones.")
    if scheme == "http":
        lines.append("It is not encrypted (http).")
    lines.append(f"Address: {scrub_line(f'{scheme}://{netloc}{rest}', 600)}")
    lines.append("It stands in text that the agent wrote. It opens in your browser, outside of the task's machine.")
    return tuple(lines)


def _refused(reason: str) -> CallerError:
    return CallerError("link.refused", f"the link is not opened: {reason}")
