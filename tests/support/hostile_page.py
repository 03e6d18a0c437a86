"""The page with hostile texts in every field that a guest or a repository can fill, and an audit of what became of it.

In: texts. Out: a ScriptedBridge whose scene they fill, ways through every view, faults found in the document.
Never: a field that only pui itself fills left out because "it cannot happen": what is filled is every text of
docs/bridge.md but enumerations and ids.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from playwright.sync_api import Page

from tests.support import scenes
from tests.support.scripted_bridge import Params, Refusal, ScriptedBridge
from tests.support.task_scenes import dialog, hostile_entries, hostile_panel, opened, panel, record_json, records

TASK = "t-work"
ENTRIES_A_TEXT = 7
"""What hostile_entries makes of one text."""
AUDIT = r"""() => {
  const found = [], OWN_FORMS = ["key-form", "model-name"];
  for (const node of document.querySelectorAll("*")) {
    const tag = node.localName;
    if (["iframe", "object", "embed", "base", "applet", "frame", "portal", "animate", "set", "foreignobject", "math"]
        .includes(tag)) found.push(`<${tag}>`);
    const isOwnForm = [...node.attributes].every(({name, value}) => name === "class" && OWN_FORMS.includes(value));
    if (tag === "form" && !isOwnForm) found.push("<form>");
    if (tag === "script" && node.getAttribute("src") !== "/js/main.js") found.push("<script>");
    if (tag === "style" && node.textContent) found.push("<style>");
    if (tag === "meta" && node.getAttribute("http-equiv")) found.push("<meta http-equiv>");
    if (tag === "link" && !["/", "data:"].some((at) => node.getAttribute("href")?.startsWith(at))) found.push("<link>");
    if (tag === "link" && node.getAttribute("href")?.startsWith("//")) found.push("<link //>");
    for (const {name, value} of node.attributes) {
      if (name.startsWith("on")) found.push(`${tag} ${name}`);
      if (["srcdoc", "ping", "formaction", "background", "action", "srcset", "poster"].includes(name)) {
        found.push(`${tag} ${name}`);
      }
      if (["href", "src", "xlink:href", "data"].includes(name) && tag !== "script" && tag !== "link"
          && !value.startsWith("#/") && !/^#[\w-]+$/.test(value) && !value.startsWith("data:image/")
          && !value.startsWith("/icon")) found.push(`${tag} ${name}=${value.slice(0, 60)}`);
    }
  }
  if (window.xssRan) found.push(`script ran ${window.xssRan} times`);
  if ({}.xss !== undefined) found.push("prototype polluted");
  return [...new Set(found)];
}"""
"""The document holds nothing that a guest could have made but text: no element that loads or runs, no handler, no
address that leads away."""


def _rows(texts: Sequence[str]) -> list[dict[str, Any]]:
    rows = []
    states = ("running", "finished", "setup-required", "handshake")
    for number, text in enumerate(texts):
        state = states[number % len(states)]
        row = scenes.task(f"x-{number}", text, state, result="failed" if state == "finished" else None)
        shown = {"name": text, "path": f"/srv/{text}", "guest_path": text, "share": text}
        row |= {"agent_label": text, "state_label": text, "network_label": text, "tags": ["busy", text]}
        row |= {"folders": [{**row["folders"][0], **shown}], "accelerator": text, "is_emulated": number % 5 == 0}
        row |= {"model": {"provider": text, "model": text, "label": text, "is_demo": False}}
        if row["outcome"]:
            row["outcome"] = {"result": "failed", "code": text, "message": text, "hint": text}
        row["needs_you"] = ("question", "", "setup", "turn")[number % 4]
        rows.append(row)
    return rows


def _setup(texts: Sequence[str]) -> dict[str, Any]:
    severities = ("blocker", "warning", "note")
    findings = [
        scenes.finding(text, severities[number % 3], text, text, text, "open_help", steps=[text, f"`{text}`"])
        for number, text in enumerate(texts)
    ]
    first = texts[0]
    computer = scenes.setup_view()["computer"] | {"os": first, "arch": first, "kernel": first, "cpu": first}
    accelerator = {"name": first, "label": first, "is_emulated": True}
    jail = {"is_on": False, "reason": first}
    return scenes.setup_view(
        findings=findings, computer=computer, accelerator=accelerator, jail=jail, data_dir=first, is_ready=False
    )


def _packs(texts: Sequence[str]) -> dict[str, Any]:
    states = ("active", "previous", "trial", "failed", "corrupt", "retired")
    packs = [
        scenes.pack(text, states[number % 6], reason=text, signed_by=text, created=text, state_label=text)
        | {"components": {text: text, "pi": text}}
        for number, text in enumerate(texts)
    ]
    fault = {"code": texts[0], "message": texts[0], "hint": texts[0], "retry": "again"}
    job = scenes.job(phase_label=texts[0], note=texts[0], state="failed", error=fault)
    update = {"version": texts[0], "pack_id": "p", "size_bytes": 1, "download_bytes": 1, "is_skipped": False}
    return scenes.pack_view(
        active=packs[0], previous=packs[-1], packs=packs, channel=texts[0], check_error=fault, job=job, update=update
    )


def _models(texts: Sequence[str]) -> dict[str, Any]:
    view = scenes.models_view()
    for provider in view["providers"]:
        provider |= {"label": texts[0], "address": texts[0], "models": [*provider["models"], *texts]}
        provider["key"] = {"is_set": True, "ending": texts[0], "source": texts[0]}
    return view


def _folder(text: str, number: int) -> dict[str, Any]:
    return {**scenes.folder(f"f{number}", path=f"/srv/{text}", warnings=(text, text)), "name": text}


def _changes(texts: Sequence[str]) -> dict[str, Any]:
    kinds = ("added", "removed", "changed")
    listed = [
        {
            "path": text,
            "change": kinds[number % 3],
            "diff": f"--- a/{text}\n+++ b/{text}\n@@ -1 +1 @@ {text}\n-{text}\n+{text}\n",
            "warning": text if number % 2 else "",
            "added": 1,
            "removed": 1,
        }
        for number, text in enumerate(texts)
    ]
    folder = {"name": texts[0], "path": texts[0], "read_only": False, "is_complete": False, "changes": listed}
    return {"folders": [folder], "at_ms": 1, "is_final": True}


def _diagnostics(texts: Sequence[str]) -> dict[str, Any]:
    whole = "\n".join(texts)
    return {
        "boot": [{"stage": text, "at_ms": 1, "spent_ms": 5} for text in texts],
        "states": [{"state": text, "label": text, "spent_ms": 5} for text in texts],
        "serial": whole,
        "qemu_log": whole,
        "qmp_events": [{"at_ms": 1, "name": text, "text": text} for text in texts],
        "app_log": whole,
        "files": [{"name": text, "size_bytes": 1} for text in texts],
    }


def _journal(texts: Sequence[str]) -> list[dict[str, Any]]:
    """Facts, findings and outcomes as a task writes them, with guests' words in them."""
    first = [record_json(record) for record in records()]
    at_ms, seq = first[-1]["at_ms"], first[-1]["seq"]
    for number, text in enumerate(texts, 1):
        more = {"facts": {"title": text, text: text}, "name": text, "trigger": text, "state": text, "message": text}
        first.append({"seq": seq + number, "at_ms": at_ms + number, "type": "fact", "cause": seq, **more})
    return first


def hostile_bridge(texts: Sequence[str]) -> ScriptedBridge:
    """A page whose every field is filled with `texts`; TASK can be opened."""
    page = scenes.hello(
        tasks=[*scenes.eight_tasks(), *_rows(texts)],
        setup=_setup(texts),
        packs=_packs(texts),
        models=_models(texts),
        folders=[_folder(text, number) for number, text in enumerate(texts)],
        notes=list(texts[:20]),
        version=texts[0],
        platform=texts[0],
    )
    bridge = opened(TASK, entries=_entries(texts), agent=panel(), page=page)
    journal = _journal(texts)
    bridge.answer("task.changes", lambda _params: _changes(texts))
    bridge.answer("task.diagnostics", lambda _params: _diagnostics(texts))
    bridge.answer("task.journal", lambda params: _journal_page(journal, params))
    bridge.answer("agent.commands", lambda _params: {"commands": [_command(text) for text in texts]})
    bridge.answer("agent.files", lambda _params: {"files": list(texts)[:50]})
    bridge.answer("agent.models", lambda _params: {"models": [{"provider": t, "id": t, "name": t} for t in texts]})

    def refuse(_params: Params) -> Any:
        raise Refusal("caller.bad_request", texts[0], texts[0])

    for verb in ("setup.check", "task.start", "task.cancel", "pack.check", "agent.compact"):
        bridge.answer(verb, refuse)
    return bridge


def _journal_page(journal: list[dict[str, Any]], params: Params) -> dict[str, Any]:
    found = [record for record in journal if record["seq"] > params["after_seq"]][: params["limit"]]
    return {"records": found, "last_seq": journal[-1]["seq"]}


def _command(text: str) -> dict[str, Any]:
    return {"name": text, "description": text, "source": text}


def _entries(texts: Sequence[str]) -> list[dict[str, Any]]:
    entries = hostile_entries(list(texts))
    for entry in entries:
        entry["links"] = [f"http://example.invalid/{entry['key']}", entry["text"]]
    return entries


def _panel(texts: Sequence[str]) -> dict[str, Any]:
    """Everything of a panel that is a list holds every text."""
    asks = [
        dialog(method, id=f"{method}-{number}", title=text, message=text, options=[text, f"{text}2"], initial_text=text)
        for number, text in enumerate(texts)
        for method in (("select", "confirm", "input", "editor")[number % 4],)
    ]
    return hostile_panel(texts[0]) | {
        "dialogs": asks,
        "statuses": [{"key": text, "text": text} for text in texts],
        "widgets": [{"key": text, "lines": [text], "placement": "aboveEditor"} for text in texts],
        "unsupported": list(texts),
        "queue": {"steering": list(texts), "follow_up": list(texts)},
        "thinking_levels": list(texts),
    }


def panel_events(texts: Sequence[str], at_once: int = 40) -> Iterator[dict[str, Any]]:
    """Panels whose lists hold `at_once` texts each."""
    for start in range(0, len(texts), at_once):
        yield {"type": "agent", "task_id": TASK, "agent": _panel(texts[start : start + at_once])}


def single_field_events(texts: Sequence[str]) -> Iterator[dict[str, Any]]:
    """One event a text, for fields of which the page shows one at a time."""
    for number, text in enumerate(texts):
        shown = hostile_panel(text) | {"editor_text": {"seq": number + 2, "text": text}}
        yield {"type": "agent", "task_id": TASK, "agent": shown}
        yield {"type": "notice", "task_id": TASK, "method": "notify", "text": text}
        yield {"type": "toast", "level": ("info", "warning", "error")[number % 3], "text": text}
        entry = {**hostile_entries([text])[1], "key": 100_000 + number, "is_final": False, "text": ""}
        yield {"type": "entry", "task_id": TASK, "entry": entry, "delta": text, "is_replaced": False}
        done = {**entry, "text": text, "is_final": True}
        yield {"type": "entry", "task_id": TASK, "entry": done, "delta": "", "is_replaced": True}


def calm_event() -> dict[str, Any]:
    """A panel without anything of a guest, so that the next view starts clean."""
    return {"type": "agent", "task_id": TASK, "agent": panel()}


def audit(page: Page) -> list[str]:
    """What the document holds that it must not."""
    found: list[str] = page.evaluate(AUDIT)
    return found
