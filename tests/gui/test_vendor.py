"""The vendored libraries do their work under the page's content policy, in all three engines.

In: a page with a script of ours. Out: what it made of hostile markdown. Never: a request to another machine.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Playwright, expect

from tests.support import desktop
from tests.support.page_server import page_with

pytestmark = pytest.mark.gui

SCRIPT = r"""
import {html, render, useState, useEffect, useReducer, useContext, createContext, signal, computed, useSignal}
  from "/vendor/preact.js";
import {marked} from "/vendor/marked.js";
import purify from "/vendor/purify.js";
import hljs from "/vendor/highlight.js";

const count = signal(1), double = computed(() => count.value * 2), Theme = createContext("light");
const clean = (text) => purify.sanitize(text, {RETURN_TRUSTED_TYPE: true});
const markdown = clean(marked.parse(
  "# Title\n\n<img src=x onerror=ran()> <script>ran()</script> [a](javascript:ran()) [b](https://example.org)\n\n"
  + "| a |\n|-|\n| 1 |"));
const code = clean(hljs.highlight("def f(x): return 1", {language: "python"}).value);

function Inner() { return html`<em>${useContext(Theme)}</em>`; }
function View() {
  const [shown, setShown] = useState(0), own = useSignal(5), [steps, step] = useReducer((n) => n + 1, 0);
  useEffect(() => { setShown(7); step(); }, []);
  return html`<${Theme.Provider} value="dark"><p id="numbers">${count} ${double} ${shown} ${own} ${steps}</p>
    <div id="markdown" dangerouslySetInnerHTML=${{__html: markdown}}></div>
    <pre id="code" style=${{color: "red"}} dangerouslySetInnerHTML=${{__html: code}}></pre><${Inner}/><//>`;
}
render(html`<${View}/>`, document.getElementById("place"));
count.value = 21;

let refused = "";
try { document.getElementById("place").innerHTML = "<b>no</b>"; } catch (fault) { refused = fault.name; }
const at = (id) => document.getElementById(id);
setTimeout(() => {
  window.report = JSON.stringify({numbers: at("numbers").textContent, markdown: at("markdown").innerHTML,
    code: at("code").innerHTML, context: document.querySelector("em").textContent, refused,
    colour: getComputedStyle(at("code")).color, types: typeof trustedTypes});
  document.title = "done";
}, 300);
"""


def judge(report: dict[str, Any]) -> None:
    """The same verdict for every engine."""
    assert report["numbers"] == "21 42 7 5 1"
    assert report["context"] == "dark" and report["colour"] == "rgb(255, 0, 0)"
    assert "<h1>Title</h1>" in report["markdown"] and "<td>1</td>" in report["markdown"]
    assert 'href="https://example.org"' in report["markdown"]
    assert not [word for word in ("ran", "script", "onerror") if word in report["markdown"]]
    assert '<span class="hljs-keyword">def</span>' in report["code"]
    assert (report["types"], report["refused"]) == ("object", "TypeError")


def test_in_chromium(playwright: Playwright, trap: desktop.Canary) -> None:
    with page_with(SCRIPT) as url, desktop.chromium(playwright, trap) as browser:
        page = browser.new_page()
        seen = desktop.watch(page, trap, home=url.split("/")[2])
        page.goto(url)
        expect(page).to_have_title("done")
        judge(json.loads(page.evaluate("window.report")))
        assert [fault for fault in seen.faults() if "404" not in fault and "Trusted" not in fault] == []


def test_in_the_qt_window(playwright: Playwright, trap: desktop.Canary, display: str, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tests.support.probe_window"]
    with page_with(SCRIPT) as url:
        env = dict(os.environ) | {"PYWEBVIEW_GUI": "qt"}
        with (
            desktop.qt_window(env, display, trap, tmp_path / "log", [*words, url]) as app,
            desktop.attached(playwright, app) as page,
        ):
            expect(page).to_have_title("done")
            judge(json.loads(page.evaluate("window.report")))
    assert trap.calls == []


def test_in_the_gtk_window(trap: desktop.Canary, display: str, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tests.support.probe_window"]
    with page_with(SCRIPT) as url:
        env = dict(os.environ) | {"PYWEBVIEW_GUI": "gtk"}
        with desktop.gtk_window(env, display, tmp_path / "log", [*words, url]) as app:
            said = app.wait_for("report ")
    judge(json.loads(said.split("report ", 1)[1].splitlines()[0]))
    assert trap.calls == []
