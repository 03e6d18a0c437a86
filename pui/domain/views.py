"""What a page is shown of tasks: the JSON shapes TaskRow, TaskDetail, Entry and Record of docs/bridge.md.

In: the fold of a journal, the chart, what a live session shows. Out: JSON. Never: a look at anything else, a text of
the guest that was not scrubbed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

from pui.domain.errors import PuiError
from pui.domain.events import JsonValue
from pui.domain.facts import OsName
from pui.domain.journal import Outcome, Record, TaskView
from pui.domain.model_policy import DEMO_CHOICE, DEMO_PROVIDER
from pui.domain.scrub import scrub_line, scrub_text
from pui.domain.setup_steps import steps_for
from pui.domain.setup_view import finding_title
from pui.domain.statechart import Chart
from pui.domain.task import MountRequest, guest_paths, title_of
from pui.domain.transcript import Entry

OVER = frozenset({"finished", "stranded", "broken"})
NETWORK_LABELS = {"model": "Only its model", "offline": "None (offline)"}
TEXT_LIMIT_CHARS = 65_536
OS_NAMES: tuple[OsName, ...] = ("linux", "macos", "windows")

_Json = Mapping[str, JsonValue]


@dataclass(frozen=True)
class LiveLook:
    """What a live task shows beside its journal: pi's state, whether a question waits, the newest statistics.

    `first_run_is_over`: pi has settled once, so that idle means the person's turn and not a prompt on its way.
    """

    agent_state: str
    agent_label: str
    is_busy: bool
    first_run_is_over: bool
    has_question: bool
    stats: _Json | None


def task_row(
    task_id: str,
    view: TaskView,
    chart: Chart,
    live: LiveLook | None = None,
    error: PuiError | None = None,
    *,
    runs_elsewhere: bool = False,
) -> dict[str, JsonValue]:
    """A row of the task list. `live` is None for a task that this app does not run; `error`: its journal is broken;
    `runs_elsewhere`: another running app has it."""
    state, stats = chart.states.get(view.state), _stats(view, live)
    ended_ms = _ms(view.visits[-1].entered_at_ns) if view.state in OVER and view.visits else None
    changes = _object(view.facts.get("changes"))
    return {
        "task_id": task_id,
        "title": task_title(view),
        "state": view.state,
        "state_label": "Not readable" if state is None else state.label,
        "tags": [] if state is None else list[JsonValue](state.tags),
        "agent_state": "" if live is None else live.agent_state,
        "agent_label": "" if live is None else live.agent_label,
        "needs_you": "" if runs_elsewhere else _needs_you(view, live),
        "is_live": live is not None,
        "runs_elsewhere": runs_elsewhere,
        "is_over": view.state in OVER,
        "folders": _folders(view),
        "model": _model(view),
        "network": _network(view),
        "network_label": NETWORK_LABELS[_network(view)],
        "cost_usd": stats.get("cost_usd", 0.0),
        "tokens": stats.get("tokens"),
        "created_ms": _ms(view.created_at_ns),
        "changed_ms": _ms(view.changed_at_ns),
        "ended_ms": ended_ms,
        "state_since_ms": _ms(view.visits[-1].entered_at_ns) if view.visits else 0,
        "outcome": _outcome(view.outcome, error),
        "accelerator": view.facts.get("accelerator"),
        "is_emulated": view.facts.get("accelerator") == "tcg",
        "changed_files": changes.get("changed"),
        "flagged_files": changes.get("flagged"),
        "is_interactive": view.spec.get("is_interactive") is True,
        "continues": _shown(view.spec.get("continues")),
        "earlier_keys": _count(view.facts.get("earlier_keys")),
        "earlier_messages": _count(view.facts.get("earlier_messages")),
        "branch_key": _count(view.facts.get("branch_key")),
        "can_continue": view.state in OVER and _is_kept(view),
        "can_branch": _is_kept(view),
    }


def task_title(view: TaskView) -> str:
    """The name a person gave it, else the first line of its prompt."""
    for found in (view.facts.get("title"), view.spec.get("title"), view.spec.get("prompt")):
        if isinstance(found, str) and found.strip():
            return title_of(found)
    return "(unreadable task)"


def task_detail(view: TaskView, disk_use_bytes: int | None) -> dict[str, JsonValue]:
    """What the page of one task shows beside its row."""
    facts = view.facts
    findings = facts.get("findings")
    return {
        "prompt": scrub_text(str(view.spec.get("prompt", "")))[:TEXT_LIMIT_CHARS],
        "memory_mib": view.spec.get("memory_mib"),
        "cpu_count": view.spec.get("cpu_count"),
        "thinking": view.spec.get("thinking", ""),
        "cache": view.spec.get("cache") is True,
        "guest_kernel": _shown(facts.get("guest_kernel")),
        "pack_id": _shown(facts.get("pack")),
        "jail": _jail(facts.get("jail")),
        "share_reason": _shown(facts.get("share_reason")),
        "disk_use_bytes": disk_use_bytes,
        "findings": [_finding(item, facts) for item in (findings if isinstance(findings, list) else [])],
        "visits": [
            {"state": v.state, "entered_ms": _ms(v.entered_at_ns), "trigger": v.trigger, "seq": v.seq}
            for v in view.visits
        ],
        "held": [
            {"name": name, "kind": str(record.fields.get("kind", "")), "since_ms": _ms(record.at_ns)}
            for name, record in view.held.items()
        ],
        "facts": {key: _scrubbed(value) for key, value in facts.items() if key != "findings"},
        "recovery": [scrub_line(note, 500) for note in view.notes],
    }


def entry_view(entry: Entry) -> dict[str, JsonValue]:
    """An Entry of the page: as it is stored, with the addresses in its text."""
    return entry.to_json() | {"links": list(entry.links)}


def record_view(record: Record) -> dict[str, JsonValue]:
    """A journal record of the page."""
    head: dict[str, JsonValue] = {
        "seq": record.seq,
        "at_ms": _ms(record.at_ns),
        "type": record.type,
        "cause": record.cause,
    }
    return {scrub_line(key, 120): _scrubbed(value) for key, value in record.fields.items()} | head


def _jail(fact: JsonValue) -> JsonValue:
    """None before preflight, and for a journal of an older version, which does not say."""
    told = _object(fact)
    return {"is_on": told.get("is_on") is True, "reason": _shown(told.get("reason"))} if told else None


def _is_kept(view: TaskView) -> bool:
    kept = _object(view.facts.get("session"))
    return bool(kept.get("entries")) and not kept.get("fault")


def _needs_you(view: TaskView, live: LiveLook | None) -> str:
    if view.state == "setup-required":
        return "setup"
    if live is None or view.state != "running":
        return ""
    if live.has_question:
        return "question"
    waits = live.first_run_is_over and live.agent_state == "idle" and not live.is_busy
    return "turn" if waits and view.spec.get("is_interactive") is True else ""


def _stats(view: TaskView, live: LiveLook | None) -> _Json:
    if live is not None and live.stats is not None:
        return live.stats
    return _object(view.facts.get("stats"))


def _folders(view: TaskView) -> list[JsonValue]:
    folders = [folder for folder in view.folders if isinstance(folder, dict)]
    mounts = [MountRequest(PurePath(str(folder.get("path"))), folder.get("read_only") is True) for folder in folders]
    share = str(view.facts.get("share") or "")
    return [
        {
            "name": scrub_line(mount.folder.name or str(mount.folder), 120),
            "path": scrub_line(str(mount.folder), 1000),
            "read_only": mount.read_only,
            "guest_path": path,
            "share": share,
        }
        for mount, path in zip(mounts, guest_paths(mounts), strict=True)
    ]


def _model(view: TaskView) -> dict[str, JsonValue]:
    """pi's own word, once it has spoken; else what was asked for."""
    said, asked = _object(view.facts.get("model")), _object(view.facts.get("model_choice") or view.spec.get("model"))
    provider = str(said.get("provider") or asked.get("provider") or "")
    model = str(said.get("id") or asked.get("model") or "")
    is_demo = view.facts.get("is_demo") is True or provider == DEMO_PROVIDER
    label = DEMO_CHOICE.label if is_demo else str(view.facts.get("model_label") or f"{model} ({provider})")
    if said and asked and said.get("id") != asked.get("model") and not is_demo:
        label = f"{said.get('name') or model} ({provider})"
    shown: dict[str, JsonValue] = {"provider": scrub_line(provider, 80), "model": scrub_line(model, 128)}
    return shown | {"label": scrub_line(label), "is_demo": is_demo}


def _network(view: TaskView) -> str:
    return "offline" if view.spec.get("network") == "offline" else "model"


def _outcome(outcome: Outcome | None, error: PuiError | None) -> JsonValue:
    if error is not None:
        outcome = Outcome("failed", error.code, error.message, error.hint)
    if outcome is None:
        return None
    return {
        "result": outcome.result,
        "code": outcome.code,
        "message": scrub_text(outcome.message)[:2000],
        "hint": scrub_text(outcome.hint)[:2000],
    }


def _finding(item: JsonValue, facts: _Json) -> JsonValue:
    """As the set-up view shows it; the record has the words of its time."""
    found = _object(item)
    code = scrub_line(str(found.get("code", "")), 80)
    texts: dict[str, JsonValue] = {key: _shown(found.get(key)) for key in ("severity", "message", "hint", "action")}
    system = next((name for name in OS_NAMES if name == facts.get("os")), None)
    steps: list[JsonValue] = [] if system is None else [*steps_for(system, code)]
    return {"code": code, "title": finding_title(code), "steps": steps, **texts}


def _scrubbed(value: JsonValue) -> JsonValue:
    """Every text of a record: details quote what programs and guests have written."""
    if isinstance(value, str):
        return scrub_text(value[:TEXT_LIMIT_CHARS])
    if isinstance(value, list):
        return [_scrubbed(item) for item in value]
    if isinstance(value, dict):
        return {scrub_line(key, 120): _scrubbed(item) for key, item in value.items()}
    return value


def _shown(value: JsonValue) -> str:
    return scrub_text(value[:4000]) if isinstance(value, str) else ""


def _object(value: JsonValue) -> _Json:
    return value if isinstance(value, dict) else {}


def _count(value: JsonValue) -> int:
    return value if type(value) is int and value > 0 else 0


def _ms(at_ns: int) -> int:
    return at_ns // 1_000_000
