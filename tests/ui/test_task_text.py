"""What the task's view computes without a page: diffs, markdown in pieces, heights, logs, commands, hidden characters.

In: the page's own modules, imported in Chromium. Out: their answers. Never: a scene's server beyond the modules.
"""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.support.scenes import fresh
from tests.support.task_scenes import ANSWER
from tests.ui.conftest import Show

pytestmark = pytest.mark.gui


def run(page: Page, module: str, body: str, value: object = None) -> Any:
    """`body` is a function body that gets the module as `m` and `value` as `v`."""
    code = f"async (v) => {{ const m = await import('/js/{module}'); {body} }}"
    return page.evaluate(code, value)


@pytest.fixture
def page(show: Show) -> Page:
    return show(fresh())


PATCH = """--- a/x
+++ b/x
@@ -3,4 +3,5 @@ def total():
 same
-old one
-old two
+new one
+new two
+new three
 tail
\\ No newline at end of file
"""


def test_a_patch_is_read_with_its_line_numbers(page: Page) -> None:
    hunks = run(page, "text/diff.js", "return m.parsePatch(v)", PATCH)
    assert [hunk["title"] for hunk in hunks] == ["def total():"]
    rows = [(line["kind"], line["before"], line["after"]) for line in hunks[0]["lines"]]
    assert rows == [
        ("same", 3, 3), ("removed", 4, None), ("removed", 5, None), ("added", None, 4), ("added", None, 5),
        ("added", None, 6), ("same", 6, 7), ("note", None, None),
    ]  # fmt: skip
    assert run(page, "text/diff.js", "return m.countChanges(m.parsePatch(v))", PATCH) == {"added": 3, "removed": 2}


def test_a_line_that_looks_like_a_header_inside_a_hunk_is_content(page: Page) -> None:
    patch = "@@ -1,2 +1,2 @@\n--- a/y\n+++ b/y\n same\n"
    lines = run(page, "text/diff.js", "return m.parsePatch(v)[0].lines", patch)
    assert [(line["kind"], line["text"]) for line in lines] == [
        ("removed", "-- a/y"),
        ("added", "++ b/y"),
        ("same", "same"),
    ]


def test_text_that_is_no_patch_is_shown_as_notes(page: Page) -> None:
    hunks = run(page, "text/diff.js", "return m.parsePatch(v)", "Binary files differ\nand more")
    assert [line["text"] for line in hunks[0]["lines"]] == ["Binary files differ", "and more"]


def test_removed_and_added_lines_stand_side_by_side(page: Page) -> None:
    body = "return m.pairLines(m.parsePatch(v)[0].lines).map((p) => [p.left && p.left.text, p.right && p.right.text])"
    pairs = run(page, "text/diff.js", body, PATCH)
    assert pairs[1:4] == [["old one", "new one"], ["old two", "new two"], [None, "new three"]]


def test_marks_within_a_line_need_something_in_common(page: Page) -> None:
    body = "return [m.sharedEnds('total * 0.19', 'total * RATE'), m.sharedEnds('abc', 'xyz')]"
    near, far = run(page, "text/diff.js", body)
    assert near == {"start": 8, "end": 0}
    assert far is None


WHOLE = """(async (text) => {
  const { MarkdownView } = await import('/js/text/markdown.js');
  const view = new MarkdownView();
  view.update(text, true);
  return view.element.innerHTML;
})"""
PIECES = """async ([text, size]) => {
  const { MarkdownView } = await import('/js/text/markdown.js');
  const view = new MarkdownView();
  const first = [];
  for (let end = size; end < text.length + size; end += size) {
    view.update(text.slice(0, end), false);
    first.push(view.element.firstChild);
  }
  view.update(text, true);
  return { html: view.element.innerHTML, kept: new Set(first.slice(-5)).size === 1 };
}"""


@pytest.mark.parametrize("size", [1, 7, 64])
def test_markdown_in_pieces_ends_as_the_whole_does(page: Page, size: int) -> None:
    """Whatever the pieces: the same elements at the end, and the first block is never made twice once it is closed."""
    whole = page.evaluate(WHOLE, ANSWER)
    assert "<table>" in whole
    assert "<h5" in whole
    pieces = page.evaluate(PIECES, [ANSWER, size])
    assert pieces["html"].replace(' class="hljs', "") == whole
    assert pieces["kept"]


@pytest.mark.parametrize(
    "text", ["- a\n\n  more\n- b\n\nend of it\n", "1. x\n2. y\n\npara para\n", "a\n===\n\nb\n\n---\n"]
)
def test_lists_and_headings_survive_any_cut(page: Page, text: str) -> None:
    whole = page.evaluate(WHOLE, text)
    assert page.evaluate(PIECES, [text, 1])["html"] == whole


def test_html_of_the_guest_stays_text_and_links_have_no_address(page: Page) -> None:
    text = (
        "<b onclick=x>bold</b> <script>window.pwned = 1</script>\n\n<div><img src=x onerror=y></div>\n\n"
        "[ok](https://example.org/a) [bad](javascript:alert(1)) ![pic](https://example.org/p.png) &lt;i&gt; &#x202e;"
    )
    made = page.evaluate(
        """async (text) => {
      const { MarkdownView } = await import('/js/text/markdown.js');
      const view = new MarkdownView();
      view.update(text, true);
      const all = [...view.element.querySelectorAll('*')];
      return {
        tags: [...new Set(all.map((node) => node.localName))].sort(),
        attributes: [...new Set(all.flatMap((node) => node.getAttributeNames()))].sort(),
        addresses: all.map((node) => node.dataset.address).filter(Boolean),
        text: view.element.textContent,
      };
    }""",
        text,
    )
    assert made["tags"] == ["a", "p", "span"]
    assert made["attributes"] == ["class", "data-address", "role", "tabindex", "title"]
    assert made["addresses"] == ["https://example.org/a"]
    assert "<b onclick=x>bold</b> <script>window.pwned = 1</script>" in made["text"]
    assert "<i>" in made["text"]
    assert "\u202e" not in made["text"]


def test_absurd_nesting_is_shown_and_ends(page: Page) -> None:
    for text in (">" * 20_000, "[" * 20_000, "* " * 3000, "`" * 5000):
        length = page.evaluate(
            """async (text) => {
          const { MarkdownView } = await import('/js/text/markdown.js');
          const view = new MarkdownView();
          view.update(text, true);
          return view.element.textContent.length;
        }""",
            text,
        )
        assert length >= 0


def test_heights_agree_with_a_plain_sum(page: Page) -> None:
    body = """
      const plain = [];
      const h = new m.Heights();
      let seed = 7;
      const random = (n) => (seed = (seed * 48271) % 2147483647) % n;
      for (let step = 0; step < 3000; step += 1) {
        if (!plain.length || random(3)) { const v = 1 + random(90); plain.push(v); h.append(v); }
        else { const at = random(plain.length); plain[at] = 1 + random(90); h.set(at, plain[at]); }
      }
      const starts = [0];
      for (const one of plain) starts.push(starts[starts.length - 1] + one);
      const faults = [];
      for (let at = 0; at <= plain.length; at += 1) if (h.offsetOf(at) !== starts[at]) faults.push(['offset', at]);
      for (let y = 0; y < starts[plain.length]; y += 13) {
        const expected = starts.findIndex((start, at) => start <= y && y < starts[at + 1]);
        if (h.indexAt(y) !== expected) faults.push(['index', y, h.indexAt(y), expected]);
      }
      h.reset(plain.map(() => 10));
      return { faults, total: h.total, count: plain.length, beyond: h.indexAt(1e9), empty: new m.Heights().indexAt(5) };
    """
    found = run(page, "views/task/heights.js", body)
    assert found["faults"] == []
    assert found["total"] == 10 * found["count"]
    assert found["beyond"] == found["count"] - 1
    assert found["empty"] == -1


def test_a_log_adds_deltas_and_takes_the_final_text_as_the_truth(page: Page) -> None:
    body = """
      const log = new m.EntryLog();
      const entry = (key, more) => ({ key, kind: 'text', text: '', is_final: false, ...more });
      log.open([entry(1, { text: 'one', is_final: true })], true);
      log.apply({ entry: entry(2), delta: 'He', is_replaced: false });
      log.apply({ entry: entry(2), delta: 'llo', is_replaced: false });
      const streamed = log.byKey.get(2).text;
      log.apply({ entry: entry(2), delta: 'Bye', is_replaced: true });
      const replaced = [log.byKey.get(2).text, log.byKey.get(2).version];
      log.apply({ entry: entry(2, { text: 'Bye now', is_final: true }), delta: ' now', is_replaced: false });
      const end = [log.byKey.get(2).text, log.byKey.get(2).version];
      log.prepend([entry(-1, { text: 'before' })], false);
      log.open([entry(2, { text: 'Bye now', is_final: true }), entry(3, { text: 'three' })], true);
      return { streamed, replaced, end, keys: log.entries.map((one) => one.key), earlier: log.hasEarlier };
    """
    found = run(page, "views/task/entry-log.js", body)
    assert found["streamed"] == "Hello"
    assert found["replaced"] == ["Bye", 1]
    assert found["end"] == ["Bye now", 1]
    assert found["keys"] == [-1, 1, 2, 3]
    assert found["earlier"] is False


def test_a_gap_in_the_log_begins_it_anew(page: Page) -> None:
    body = """
      const log = new m.EntryLog();
      log.open([{ key: 1, text: 'a' }], false);
      log.open([{ key: 9, text: 'b' }], true);
      return [log.entries.map((one) => one.key), log.hasEarlier];
    """
    assert run(page, "views/task/entry-log.js", body) == [[9], True]


@pytest.mark.parametrize(
    ("text", "caret", "expected"),
    [
        ("/rev", 4, {"kind": "command", "query": "rev", "from": 0, "to": 4}),
        ("/review now", 11, None),
        ("see @src/b", 10, {"kind": "file", "query": "src/b", "from": 4, "to": 10}),
        ("mail me@home", 12, None),
        ('see @"my no', 11, {"kind": "file", "query": "my no", "from": 4, "to": 11}),
    ],
)
def test_what_is_completed_at_the_caret(page: Page, text: str, caret: int, expected: object) -> None:
    assert run(page, "views/task/composer-text.js", "return m.completionAt(v[0], v[1])", [text, caret]) == expected


def test_a_choice_replaces_what_was_typed(page: Page) -> None:
    body = "return m.complete('see @src and', m.completionAt('see @src and', 8), 'src/my notes.md')"
    done = run(page, "views/task/composer-text.js", body)
    assert done["text"] == 'see @"src/my notes.md" and'


def test_own_commands_are_told_from_pis(page: Page) -> None:
    body = "return ['/compact keep the plan', '/review', 'say /compact', '/finish'].map((one) => m.ownCommand(one))"
    assert run(page, "views/task/composer-text.js", body) == [
        {"name": "compact", "rest": "keep the plan"}, None, None, {"name": "finish", "rest": ""},
    ]  # fmt: skip


def test_a_queue_is_reordered_within_its_kind(page: Page) -> None:
    queue = {"steering": ["a", "b"], "follow_up": ["c"]}
    body = (
        "return [m.changedQueue(v, 'steering', 1, { move: -1 }), m.changedQueue(v, 'follow_up', 0, { remove: true })]"
    )
    moved, removed = run(page, "views/task/composer-text.js", body, queue)
    assert moved == {"steering": ["b", "a"], "follow_up": ["c"]}
    assert removed == {"steering": ["a", "b"], "follow_up": []}


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("a\u202eb\u2066c", ["U+202E", "U+2066"]),
        ("tab\tand\r\nline", []),
        ("zero\u200bwidth \x1b[31m", ["U+200B", "U+001B"]),
        ("family 👩\u200d👩\u200d👧 emoji", []),
        ("latin a\u200db", ["U+200D"]),
        ("tag \U000e0041", ["U+E0041"]),
    ],
)
def test_i9_hidden_characters_are_found_and_nothing_else(page: Page, text: str, codes: list[str]) -> None:
    """I9."""
    found = run(page, "text/marks.js", "return [m.findHidden(v).map((one) => one.code), m.withoutHidden(v)]", text)
    assert found[0] == codes
    if not codes:
        assert found[1] == text
    else:
        assert run(page, "text/marks.js", "return m.findHidden(v).length", found[1]) == 0


def test_flagged_files_come_first(page: Page) -> None:
    change = {"change": "changed", "diff": "", "added": 1, "removed": 0}
    folders = [
        {"path": "/b", "name": "b", "changes": [{**change, "path": "z.py"}, {**change, "path": "a.py"}]},
        {"path": "/a", "name": "a", "changes": [{**change, "path": ".git/hooks/x", "warning": "git runs it"}]},
    ]
    body = "return [m.fileList(v, '').map((f) => f.path), m.fileList(v, 'A py').map((f) => f.path)]"
    every, some = run(page, "views/task/changed-files.js", body, {"folders": folders})
    assert every == [".git/hooks/x", "a.py", "z.py"]
    assert some == ["a.py"]


def test_the_way_can_be_looked_at_as_of_any_step(page: Page) -> None:
    steps = [
        {"number": 1, "source": "a", "target": "b", "trigger": "go", "at_ms": 10, "spent_ms": 5, "seq": 2},
        {"number": 2, "source": "b", "target": "a", "trigger": "back", "at_ms": 30, "spent_ms": 20, "seq": 4},
    ]
    trace = {"current": "a", "steps": steps, "spent_ms": {"a": 9, "b": 20}, "visits": {"a": 2, "b": 1}}
    body = "return [m.momentAfter(v, 'a', 0), m.momentAfter(v, 'a', 1), m.momentAfter(v, 'a', 9)]"
    begin, middle, end = run(page, "views/task/diagram-trace.js", body, trace)
    assert (begin["current"], begin["visits"], begin["spent"]) == ("a", {"a": 1}, {"a": 5})
    assert (middle["current"], middle["visits"], middle["spent"]) == ("b", {"a": 1, "b": 1}, {"a": 5, "b": 20})
    assert (end["current"], end["isNow"], end["spent"]["a"]) == ("a", True, 9)


def test_a_chain_of_causes_ends_at_its_root_and_never_circles(page: Page) -> None:
    records = [{"seq": 1, "cause": None}, {"seq": 2, "cause": 1}, {"seq": 3, "cause": 2}, {"seq": 4, "cause": 5},
               {"seq": 5, "cause": 4}]  # fmt: skip
    body = "return [m.causeChain(v, 3), m.causeChain(v, 5)].map((chain) => chain.map((one) => one.seq))"
    assert run(page, "views/task/diagram-trace.js", body, records) == [[3, 2, 1], [5, 4]]


@pytest.mark.parametrize(
    ("name", "args", "line"),
    [
        ("bash", {"command": "make\n  test "}, "make ⏎ test"),
        ("read", {"path": "a.py", "offset": 10, "limit": 5}, "a.py:10–14"),
        ("grep", {"pattern": "x+", "path": "src"}, "x+ · src"),
        ("other", {"n": 1, "what": "thing"}, "thing"),
        ("other", {}, ""),
    ],
)
def test_a_tool_call_in_one_line(page: Page, name: str, args: dict[str, Any], line: str) -> None:
    assert run(page, "views/task/tool-summary.js", "return m.summaryOf(v[0], v[1])", [name, args]) == line


def test_the_last_lines_of_an_output(page: Page) -> None:
    outputs = [["a\nb\nc\nd\n", 2], ["one", 3], ["", 3], ["a\nb", 9]]
    body = "return v.map(([output, count]) => m.lastLines(output, count))"
    assert run(page, "views/task/tool-summary.js", body, outputs) == ["c\nd", "one", "", "a\nb"]


def test_every_word_of_the_task_view_is_in_the_catalogue(page: Page) -> None:
    """A key without words would be shown as the key."""
    import re

    from pui.resources import data

    used: set[str] = set()
    for path in [*(data("ui") / "js" / "views" / "task").glob("*.js"), *(data("ui") / "js" / "text").glob("*.js")]:
        used |= set(re.findall(r'\bt\("([a-z][\w.-]+)"', path.read_text()))
    body = """
      await import('/js/strings-task.js');
      return v.filter((key) => m.t(key, { n: 2 }) === key && m.t(key) === key);
    """
    assert run(page, "strings.js", body, sorted(used)) == []
    assert len(used) > 100
