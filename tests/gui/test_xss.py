"""I1: no text that a guest or a repository can print runs script, loads anything, or leads the page away.

In: the corpus (tests/data/xss.txt and what xss.py generates) in every field of the bridge, in Chromium and in the
engine of the Qt window. Out: verdicts. Never: another machine: what calls, calls the trap.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Playwright

from tests.support import desktop, hostile_page, xss
from tests.support.scripted_bridge import ScriptedBridge, served
from tests.support.waiting import wait_until

BATCH = 170
WINDOW_VECTORS = 510
"""How many of the corpus the windows' engines get: every collected one. Chromium, which is faster, gets all."""
ROUTES = ("tasks", "new", "setup", "settings", "settings/packs", "settings/models", "settings/defaults")
TABS = ("conversation", "changes", "diagram", "diagnostics")
SCROLL = """async (within) => {
  const frame = () => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)));
  for (const box of document.querySelectorAll(within)) {
    if (box.scrollHeight <= box.clientHeight + 40 || box.clientHeight < 120 || box.matches(".log")) continue;
    if (!["auto", "scroll"].includes(getComputedStyle(box).overflowY)) continue;
    for (let at = 0, n = 0; at < box.scrollHeight && n < 400; at += Math.max(300, box.clientHeight * 0.8), n++) {
      box.scrollTop = at;
      await frame();
    }
  }
}"""
READ_UP = """async () => {
  const frame = () => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)));
  while (!document.querySelector(".log [data-key]")) await frame();
  const log = document.querySelector(".log"), seen = new Set();
  for (let idle = 0, n = 0; idle < 40 && n < 4000; n++) {
    const before = seen.size;
    for (const row of log.querySelectorAll("[data-key]")) {
      seen.add(Number(row.dataset.key));
      for (const head of row.querySelectorAll('[aria-expanded="false"]')) head.click();
    }
    idle = seen.size === before && log.scrollTop <= 0 ? idle + 1 : 0;
    log.scrollTop -= log.clientHeight * 0.9;
    await frame();
  }
  return seen.size;
}"""
LISTS = "[role=listbox], [role=dialog] *"
SETTLED = """() => !document.querySelector(".skeleton") && document.querySelector("#main").textContent.length > 30"""
FRAMES = "() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))"


def batches(trap: desktop.Canary, count: int | None = None, step: int = 1) -> Iterator[list[str]]:
    texts = [vector.text for vector in xss.corpus(trap.address)][:count:step]
    for start in range(0, len(texts), BATCH):
        yield texts[start : start + BATCH]


def test_the_corpus_is_large_and_of_every_kind() -> None:
    groups = Counter(vector.group for vector in xss.corpus("127.0.0.1:9"))
    assert sum(groups.values()) >= 500
    assert not {"tags", "attributes", "svg", "mathml", "mutation", "markdown", "terminal", "diffs"} - set(groups)
    assert "bidi and invisible" in groups and "script texts" in groups and "paths" in groups
    assert not [vector for vector in xss.corpus("127.0.0.1:9") if "CANARY" in vector.text]


@pytest.mark.gui
def test_the_corpus_is_hostile(playwright: Playwright, trap: desktop.Canary) -> None:
    """On a page without protection much of it works: what the other tests find harmless is not harmless by itself."""
    with desktop.chromium(playwright, trap) as browser:
        page = browser.new_page()
        page.set_content("<div id=place></div>")
        page.evaluate(f"{xss.MARKER}; 0")
        texts = [vector.text for vector in xss.corpus(trap.address) if "location" not in vector.text]
        page.evaluate("(texts) => { for (const t of texts) { place.innerHTML = t; } }", texts[:60] + texts[110:200])
        page.wait_for_timeout(500)
        assert page.evaluate("window.xssRan") >= 10
        assert hostile_page.audit(page)
        wait_until(lambda: bool(trap.calls), "a request in the trap")


def walk(page: Page, bridge: ScriptedBridge, seen: desktop.Watch, texts: list[str]) -> list[str]:
    """Through every view; faults with the view they were found in."""
    found = []

    def judge(where: str) -> None:
        found.extend(f"{where}: {fault}" for fault in [*hostile_page.audit(page), *seen.faults()])

    for route in [*ROUTES, *(f"task/{hostile_page.TASK}/{tab}" for tab in TABS)]:
        page.evaluate("(route) => { location.hash = `#/${route}`; }", route)
        settle(page)
        page.evaluate(SCROLL, "*")
        judge(route)
    page.evaluate(f"location.hash = '#/task/{hostile_page.TASK}/conversation'")
    settle(page)
    read = page.evaluate(READ_UP)
    assert read >= hostile_page.ENTRIES_A_TEXT * len(texts), f"only {read} entries were drawn"
    judge("conversation")
    suggestions(page, judge)
    for event in hostile_page.panel_events(texts):
        bridge.send(event)
        page.evaluate(FRAMES)
        judge("panel")
    events = list(hostile_page.single_field_events(texts))
    for start in range(0, len(events), 5):
        bridge.send(*events[start : start + 5])
        page.evaluate(FRAMES)
    judge("events")
    bridge.send(hostile_page.calm_event())
    return found


def settle(page: Page) -> None:
    """Until the view is there and has what it asked for."""
    page.evaluate(FRAMES)
    wait_until(lambda: bool(page.evaluate(SETTLED)), "a view that has loaded", 60.0)


def suggestions(page: Page, judge: object) -> None:
    """What the composer and the palette list."""
    assert callable(judge)
    composer = page.locator("textarea").last
    for sign in ("/", "@"):
        composer.fill("")
        composer.press_sequentially(sign)
        page.wait_for_timeout(250)
        page.evaluate(SCROLL, LISTS)
        judge(f"composer {sign}")
    composer.fill("")
    page.keyboard.press("Control+k")
    page.wait_for_timeout(200)
    page.evaluate(SCROLL, LISTS)
    judge("palette")
    page.keyboard.press("Escape")


def run(page: Page, trap: desktop.Canary, texts: list[str], where: str) -> None:
    with served(hostile_page.hostile_bridge(texts)) as bridge:
        seen = desktop.watch(page, trap, home=bridge.address.split("/")[2])
        page.set_viewport_size({"width": 1200, "height": 3000})  # fewer steps to scroll
        page.goto(bridge.address)
        page.locator("nav, aside, main").first.wait_for()
        found = walk(page, bridge, seen, texts)
        assert not found, where + ":\n" + "\n".join(sorted(set(found))[:40])
        assert not seen.blocked, f"{where}: the content policy had to stop {seen.blocked[:10]}"
        page.goto("about:blank")


@pytest.mark.gui
@pytest.mark.threat("I1")
@pytest.mark.timeout(1500)
def test_i1_in_chromium(playwright: Playwright, trap: desktop.Canary) -> None:
    with desktop.chromium(playwright, trap) as browser:
        for number, texts in enumerate(batches(trap)):
            page = browser.new_context().new_page()
            page.add_init_script(xss.MARKER)
            run(page, trap, texts, f"batch {number}")
            page.context.close()


GTK_WALK = """(async () => {
  %(marker)s;
  const found = new Set(), wait = (ms) => new Promise((go) => setTimeout(go, ms));
  const scroll = %(scroll)s, readUp = %(read_up)s, settled = %(settled)s, audit = %(audit)s;
  const judge = (where) => audit().forEach((fault) => found.add(`${where}: ${fault}`));
  document.addEventListener("securitypolicyviolation", (fault) => found.add(`policy: ${fault.blockedURI}`));
  window.addEventListener("error", (fault) => found.add(`error: ${fault.message}`));
  const settle = async () => { do await wait(100); while (!settled()); };
  while (!document.querySelector("#main") || !document.querySelector('a[href="#/task/%(task)s"]')) await wait(100);
  let read = 0;
  try {
    for (const route of %(routes)s) {
      location.hash = `#/${route}`;
      await settle();
      if (route.endsWith("conversation")) read = await readUp(); else await scroll("*");
      judge(route);
    }
    while (!document.body.textContent.includes("that was the last word")) { judge("events"); await wait(50); }
    judge("the end");
  } catch (fault) { found.add(`walk: ${fault.message}`); }
  window.report = JSON.stringify({ found: [...found].slice(0, 40), read });
})(); 0"""


def gtk_walk() -> str:
    """The walk as one script, as nothing but the window itself can drive WebKitGTK from outside under this policy."""
    parts = {"marker": xss.MARKER, "scroll": SCROLL, "read_up": READ_UP, "settled": SETTLED}
    routes = [*ROUTES, *(f"task/{hostile_page.TASK}/{tab}" for tab in (*TABS[1:], TABS[0]))]
    more = {"audit": hostile_page.AUDIT, "task": hostile_page.TASK, "routes": json.dumps(routes)}
    return GTK_WALK % (parts | more)


@pytest.mark.gui
@pytest.mark.threat("I1")
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.slow)])
def test_i1_in_the_engine_of_the_gtk_window(trap: desktop.Canary, display: str, tmp_path: Path, step: int) -> None:
    """Every ninth text, from all groups; all of them take minutes in this engine (`make test-slow`)."""
    script = tmp_path / "walk.js"
    script.write_text(gtk_walk(), "ascii")
    env = dict(os.environ) | {"PYWEBVIEW_GUI": "gtk"}
    for number, texts in enumerate(batches(trap, WINDOW_VECTORS, step)):
        with served(hostile_page.hostile_bridge(texts)) as bridge:
            bridge.is_down = True  # until the page has the mark that a script which runs would leave
            words = [sys.executable, "-m", "tests.support.probe_window", bridge.address, str(script)]
            with desktop.gtk_window(env, display, tmp_path / f"log{number}", words) as app:
                app.wait_for("script is in")
                bridge.is_down = False
                wait_until(lambda: "task.changes" in dict(bridge.calls), "the walk through the task", 300.0)
                tell_one_by_one(bridge, texts)
                said = app.wait_for("report ", 600.0)
        report = json.loads(said.split("report ", 1)[1].splitlines()[0])
        assert report["found"] == [], f"batch {number}"
        assert report["read"] >= hostile_page.ENTRIES_A_TEXT * len(texts)
        assert trap.calls == []


def tell_one_by_one(bridge: ScriptedBridge, texts: list[str]) -> None:
    """The fields of which the page shows one at a time, slowly enough that each is drawn."""
    wait_until(lambda: "task.diagnostics" in dict(bridge.calls), "the last tab", 300.0)
    for event in hostile_page.panel_events(texts):
        bridge.send(event)
        time.sleep(0.1)
    events = list(hostile_page.single_field_events(texts))
    for start in range(0, len(events), 5):
        bridge.send(*events[start : start + 5])
        time.sleep(0.05)
    bridge.send({"type": "toast", "level": "error", "text": "that was the last word"})


@pytest.mark.gui
@pytest.mark.threat("I1")
@pytest.mark.timeout(1500)
def test_i1_in_the_engine_of_the_qt_window(
    playwright: Playwright, trap: desktop.Canary, display: str, tmp_path: Path
) -> None:
    words = [sys.executable, "-m", "tests.support.probe_window", "http://127.0.0.1:1/"]
    env = dict(os.environ) | {"PYWEBVIEW_GUI": "qt"}
    with served(hostile_page.hostile_bridge(["x"])) as first:
        words[-1] = first.address
        with (
            desktop.qt_window(env, display, trap, tmp_path / "log", words) as app,
            desktop.attached(playwright, app) as page,
        ):
            page.add_init_script(xss.MARKER)
            page.goto("about:blank")
            page.wait_for_timeout(1000)  # the first page's icon comes late
            for number, texts in enumerate(batches(trap, WINDOW_VECTORS)):
                run(page, trap, texts, f"batch {number}")
