"""I6: which links are opened, and what the person is shown before.

In: texts of strangers. Out: verdicts. Never: an opened link.
"""

from __future__ import annotations

import pytest

from pui.domain.errors import CallerError
from pui.domain.link import LINK_LIMIT_CHARS, parse_link


@pytest.mark.parametrize(
    "text",
    [
        "file:///etc/passwd",
        "FILE:///etc/passwd",
        "smb://127.0.0.1/share",
        "javascript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,<script>",
        "ms-msdt:/id PCWDiagnostic",
        "vscode://file/etc/passwd",
        "mailto:a@b.example",
        "\\\\host\\share",
        "//host/path",
        "http:\\\\host",
        "http:///path",
        "http://",
        "https://user@host.example/",
        "https://good.example@evil.example/",
        "https://good.example%2f@evil.example/",
        "https://ho st.example/",
        "https://host.example/\x00",
        "https://host.example/\u0085",
        " https://host.example/",
        "https://host.example:port/",
        "https://host.example:99999/",
        "https://[::1/",
        "https://[fe80::1%25eth0]/",
        "https://host%2eexample/",
        "https://-bad.example/",
        "https://a..example/",
        "https://" + "a" * 64 + ".example/",
        "https://host.example/" + "a" * LINK_LIMIT_CHARS,
        "",
        "https://\ud800.example/",
    ],
)
def test_i6_refused(text: str) -> None:
    with pytest.raises(CallerError) as caught:
        parse_link(text)
    assert caught.value.code == "link.refused"


@pytest.mark.parametrize(
    ("text", "url", "host"),
    [
        ("https://docs.example/a?b=c#d", "https://docs.example/a?b=c#d", "docs.example"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/", "127.0.0.1"),
        ("https://[::1]:8443/x", "https://[::1]:8443/x", "::1"),
        ("https://DOCS.Example/", "https://docs.example/", "docs.example"),
        ("https://docs.example./", "https://docs.example./", "docs.example."),
        ("https://bücher.example/ü?q=ü", "https://xn--bcher-kva.example/%C3%BC?q=%C3%BC", "xn--bcher-kva.example"),
        ("https://аррӏе.example/", "https://xn--80ak6aa92e.example/", "xn--80ak6aa92e.example"),
    ],
)
def test_what_is_opened_is_ascii_and_its_real_host_is_shown(text: str, url: str, host: str) -> None:
    link = parse_link(text)
    assert (link.url, link.host) == (url, host)
    assert link.lines[0] == f"Host: {host}" and link.url.isascii()


def test_letters_of_other_scripts_and_plain_http_are_pointed_out() -> None:
    lines = " ".join(parse_link("http://аррӏе.example/").lines)
    assert "other scripts" in lines and "not encrypted" in lines
    assert "other scripts" not in " ".join(parse_link("https://apple.example/").lines)
