"""The page with long tasks: switching between two of 5,000 entries, 100,000 streamed events while somebody types.

In: Chromium without a screen on a scripted bridge. Out: milliseconds, MB of the page's heap.
Never: a real supervisor, a machine; a verdict.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from tests.benchmarks.report import Table
from tests.support import desktop
from tests.support.scripted_bridge import ScriptedBridge, served
from tests.support.task_scenes import entry, long_conversation, opened

ENTRIES = 5000
EVENTS = 100_000
BATCH = 200
EVENTS_AN_ENTRY = 400
TASKS = ("t-work", "t-turn")
_LOAD_ALL = """async (id) => {
  const { sessionOf } = await import('/js/views/task/session.js');
  const session = sessionOf(id);
  while (session.log.hasEarlier) await session.loadEarlier();
}"""
_SWITCH = """(id) => new Promise((done) => {
  const begin = performance.now();
  location.hash = '#/task/' + id;
  const look = () => requestAnimationFrame(() => {
    const here = document.querySelector('.rail-list a[aria-current]');
    const isThere = here.getAttribute('href').endsWith(id) && document.querySelectorAll('.log article').length > 5;
    if (isThere) setTimeout(() => done(performance.now() - begin));
    else look();
  });
  look();
})"""
_WATCH_FRAMES = """() => {
  window.frames_ms = [];
  let last = performance.now();
  const next = (now) => { frames_ms.push(now - last); last = now; requestAnimationFrame(next); };
  requestAnimationFrame(next);
  window.keys_ms = [];
  const take = (list) => list.getEntries().forEach((one) => one.name === 'keydown' && keys_ms.push(one.duration));
  new PerformanceObserver(take).observe({ type: 'event', durationThreshold: 16 });
}"""
_HEAP = "(() => { gc(); return performance.memory.usedJSHeapSize / 1e6; })()"
_ARRIVED = """async (key) => {
  const { sessionOf } = await import('/js/views/task/session.js');
  const log = sessionOf('t-work').log;
  while (!log.byKey.has(key)) await new Promise((done) => setTimeout(done, 20));
}"""


def measure(_pack: Path, rounds: int) -> list[Table]:
    """One run of the stream; `rounds` × 4 switches."""
    bridge = opened(entries=long_conversation(ENTRIES))
    flags = ("--proxy-bypass-list=127.0.0.1", "--js-flags=--expose-gc", "--enable-precise-memory-info")
    with (
        sync_playwright() as driver,
        desktop.canary() as trap,
        desktop.chromium(driver, trap, *flags) as browser,
        served(bridge),
    ):
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{bridge.address}#/task/{TASKS[0]}")
        return [_long_tasks(page, rounds), _stream(page, bridge)]


def _long_tasks(page: Page, rounds: int) -> Table:
    page.wait_for_selector(".log article")
    heaps = [("heap, 200 entries", _mb(page))]
    for number, task_id in enumerate(TASKS, 1):
        page.evaluate(_SWITCH, task_id)
        page.evaluate(_LOAD_ALL, task_id)
        heaps.append((f"heap, {number} × {ENTRIES} entries", _mb(page)))
    switches = [float(page.evaluate(_SWITCH, task_id)) for _ in range(rounds * 2) for task_id in TASKS]
    return Table("long tasks in the page", ("what", "value"), [*heaps, *_spread("switch", switches)])


def _stream(page: Page, bridge: ScriptedBridge) -> Table:
    page.evaluate(_SWITCH, TASKS[0])
    page.evaluate(_WATCH_FRAMES)
    page.get_by_label("Message to the agent").focus()
    begin = time.perf_counter()
    sender = threading.Thread(target=_send, args=(bridge,))
    sender.start()
    while sender.is_alive():
        page.keyboard.type("a")
        page.wait_for_timeout(60)
    sender.join()
    page.evaluate(_ARRIVED, ENTRIES + EVENTS // EVENTS_AN_ENTRY)
    spent_s = time.perf_counter() - begin
    frames, keys = page.evaluate("[frames_ms, keys_ms]")
    rows = [(f"{EVENTS} events", f"{spent_s:.1f} s"), *_spread("frame", frames), *_spread("key to paint", keys)]
    return Table("a burst while somebody types", ("what", "value"), [*rows, ("heap after it", _mb(page))])


def _send(bridge: ScriptedBridge) -> None:
    """Three quarters text, the rest output of tools; a pause of 20 ms after each batch."""
    for first in range(0, EVENTS, BATCH):
        bridge.send(*(_event(number) for number in range(first, first + BATCH)))
        time.sleep(0.02)


def _event(number: int) -> dict[str, Any]:
    place = number // EVENTS_AN_ENTRY
    kind = "tool" if place % 4 == 0 else "text"
    shown = entry(ENTRIES + 1 + place, kind, is_final=False, title="bash", args={"command": "make"})
    delta = f"word {number} **bold** " + ("\n\n" if number % 40 == 0 else "")
    return {"type": "entry", "task_id": TASKS[0], "entry": shown, "delta": delta, "is_replaced": False}


def _mb(page: Page) -> str:
    return f"{page.evaluate(_HEAP):.1f} MB"


def _spread(what: str, values: list[float]) -> list[tuple[str, str]]:
    """Median, 95th percentile and the worst, in milliseconds."""
    ordered = sorted(values)
    places = (("p50", len(ordered) // 2), ("p95", int(len(ordered) * 0.95)), ("max", len(ordered) - 1))
    return [(f"{what}, {name}", f"{ordered[min(place, len(ordered) - 1)]:.0f} ms") for name, place in places if ordered]
