"""Exported conversations: everything is there, nothing of the guest is markup.

In: entries as hostile guests write them. Out: assertions with a real reader of HTML. Never: a file.
"""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from pui.domain.conversation_export import Talk, export_talk, to_html, to_markdown
from pui.domain.transcript import Entry

HOSTILE = "<script>alert(1)</script> </pre><img src=x onerror=y> ]]> <!-- ![x](//evil) &amp; \"'"


def talk(*entries: Entry, is_whole: bool = True) -> Talk:
    return Talk("Mend <b>it</b> & *go*", entries, is_whole)


ALL = [
    Entry(1, "user", HOSTILE, at_ms=1_795_702_473_809),
    Entry(2, "thinking", HOSTILE),
    Entry(3, "tool", HOSTILE, title=f"bash {HOSTILE}", args={HOSTILE: HOSTILE, "n": 7}, diff=HOSTILE),
    Entry(4, "text", HOSTILE),
    Entry(5, "error", HOSTILE),
    Entry(6, "something-new", HOSTILE),
]


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.threat("I1")
def test_html_has_no_tag_of_the_guest_and_all_of_its_text() -> None:
    reader = Reader()
    reader.feed(to_html(talk(*ALL)))
    known = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "section", "pre"}
    assert reader.tags == known
    assert reader.attributes == {"lang", "charset", "http-equiv", "content", "class"}
    assert reader.text.count(HOSTILE) >= 8  # each text, the arguments' name and value, the patch
    assert "2026-11-26 14:14:33 UTC" in reader.text and "default-src 'none'" in to_html(talk())


@pytest.mark.threat("I1")
@pytest.mark.parametrize(
    ("text", "tamed"),
    [
        ("a <b>x</b> 1 < 2", "a &lt;b>x&lt;/b> 1 < 2"),
        ("![x](//evil)", "\\![x](//evil)"),
        ("```html\n<b>\n```\n<b>", "```html\n<b>\n```\n&lt;b>"),
        ("```\n<b>\n``` \t\n<i>", "```\n<b>\n``` \t\n&lt;i>"),
        ("```\r<b>\r```\r<i>", "```\n<b>\n```\n&lt;i>"),
        ("- x\n\n  ```\n  a\n\n<b>", "- x\n\n  ```\n  a\n\n&lt;b>"),
        ("> ```\n<b>", "> ```\n&lt;b>"),
        ("``` a`b\n<b>", "``` a`b\n&lt;b>"),
        ("~~~\n```\n<b>\n~~~~\n<b>", "~~~\n```\n<b>\n~~~~\n&lt;b>"),
        ("````\n```\n<b>", "````\n```\n<b>\n````"),
    ],
)
def test_the_agents_markdown_keeps_its_code_and_loses_its_html(text: str, tamed: str) -> None:
    assert to_markdown(talk(Entry(1, "text", text))).split("\n\n", 2)[2] == tamed + "\n"


def test_other_texts_lie_in_fences_that_they_cannot_close() -> None:
    text = to_markdown(talk(Entry(1, "tool", "a\n````\n<b>", title="bash"), is_whole=False))
    assert "`````\na\n````\n<b>\n`````" in text
    assert text.startswith("# Mend \\<b\\>it\\</b\\> \\& \\*go\\*\n\n*Earlier parts")
    assert "## Tool bash\n" in text


@pytest.mark.parametrize("kind", ["md", "html"])
def test_a_conversation_without_a_word_is_a_document(kind: str) -> None:
    assert "go" in export_talk(talk(), kind)
