"""How `pui run` shows a task: for a person, or as JSON lines for a program.

In: journal records, session events, the diff. Out: text on stdout, states on stderr; or one JSON object a line.
Never: unscrubbed text of the guest, a decision.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.status import Status
from rich.text import Text

from pui.cli.output import clean, print_json
from pui.compose import App
from pui.domain.events import JsonValue
from pui.domain.folder_diff import FolderDiff
from pui.domain.journal import Record, TaskView
from pui.domain.rpc import Dialog, DialogsClosed, Notice
from pui.domain.scrub import scrub_line
from pui.domain.transcript import Change, Entry
from pui.resources import load_chart
from pui.supervisor.recovery import RecoveryReport
from pui.supervisor.session import AgentState, OddBytes, PanelChanged, SessionEvent

NETWORK_WORDS = "none in this version: the task reaches its one model and nothing else"
_OUTPUT_LINES = 12


class RunView(Protocol):
    """What `pui run` tells, in order: begin, records and session events as they come, changes, end."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def recovered(self, report: RecoveryReport) -> None: ...

    def begin(self, task_id: str, view: TaskView, app: App) -> None: ...

    def record(self, record: Record) -> None: ...

    def session_event(self, event: SessionEvent) -> None: ...

    def cancelling(self) -> None: ...

    def changes(self, folder: Path, diff: FolderDiff) -> None: ...

    def end(self, view: TaskView) -> None: ...


class JsonView:
    """One JSON object a line on stdout: the journal's records as they are, and pi's side as `pi` objects."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.stdout.flush()

    def recovered(self, report: RecoveryReport) -> None:
        print_json({"type": "recovery", "task": report.task_id, "was_in": report.was_in, "did": list(report.did)})

    def begin(self, task_id: str, view: TaskView, app: App) -> None:
        switch = app.tcg_is_allowed
        print_json({"type": "task", "task": task_id, "model": app.model.label, "developer_switch": switch})

    def record(self, record: Record) -> None:
        print_json(record.to_json())

    def session_event(self, event: SessionEvent) -> None:
        if isinstance(event, PanelChanged):  # nothing is shown that the other lines do not say
            return
        print_json({"type": "pi", **_event_json(event)})

    def cancelling(self) -> None:
        print_json({"type": "cancelling"})

    def changes(self, folder: Path, diff: FolderDiff) -> None:
        found = [change.to_json() for change in diff.changes]
        print_json({"type": "changes", "folder": str(folder), "changes": found, "is_complete": diff.is_complete})

    def end(self, view: TaskView) -> None:
        outcome = view.outcome
        result = {"result": outcome.result, "code": outcome.code, "message": outcome.message} if outcome else {}
        print_json({"type": "end", "state": view.state, **result})


def _event_json(event: Change | AgentState | Dialog | DialogsClosed | Notice | OddBytes) -> dict[str, object]:
    match event:
        case Change(entry, delta, is_replaced):
            return {"event": "entry", "entry": entry.to_json(), "delta": delta, "is_replaced": is_replaced}
        case AgentState(state):
            return {"event": "agent", "state": state}
        case Dialog():
            return {"event": "question", "method": event.method, "title": event.title, "answer": "cancelled"}
        case Notice():
            return {"event": "notice", "method": event.method, "fields": dict(event.fields)}
        case OddBytes(reason):
            return {"event": "odd-bytes", "reason": reason}
        case _:
            return {"event": "questions-closed", "ids": list(event.ids)}


class TextView:
    """For a person: states and notes on stderr, pi's words and tools on stdout, the diff last."""

    def __init__(self) -> None:
        self._out = Console(highlight=False, markup=False, soft_wrap=True)
        self._err = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
        self._labels = {name: state.label for name, state in load_chart("task").states.items()}
        self._status: Status | None = None
        self._entered_s = time.monotonic()
        self._streaming: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_status()

    def recovered(self, report: RecoveryReport) -> None:
        did = "; ".join(report.did) or "nothing was left"
        self._note(f"cleaned up after task {report.task_id}, which the app left in {report.was_in}: {did}", "yellow")

    def begin(self, task_id: str, view: TaskView, app: App) -> None:
        if app.tcg_is_allowed:
            self._note("DEVELOPER SWITCH PUI_ALLOW_TCG=1: emulation is allowed; no isolation boundary", "bold yellow")
        self._note(f"task     {task_id}", "bold")
        for folder in view.folders:
            if isinstance(folder, dict):
                access = "read-only" if folder.get("read_only") else "read/write"
                self._note(f"folder   {clean(str(folder.get('path')))} ({access})")
        if not view.folders:
            self._note("folder   none: whatever pi writes is gone at the end (--folder PATH shares one)", "yellow")
        style = "yellow" if app.model.is_demo else ""
        self._note(f"model    {app.model.label}", style)
        self._note(f"network  {NETWORK_WORDS}")

    def record(self, record: Record) -> None:
        if record.type == "transition":
            self._transition(record.fields)
        elif record.type == "fact":
            self._facts(record.fields.get("facts"))
        elif record.type in {"release-failed", "activity-stuck"}:
            self._note(f"{record.type}: {record.fields.get('name', '')} {record.fields.get('reason', '')}", "red")

    def session_event(self, event: SessionEvent) -> None:
        match event:
            case Change(entry):
                self._stop_status()
                self._change(event, entry)
            case Dialog():
                self._note(f"the guest asks: {scrub_line(event.title)} (nobody is here to answer: cancelled)", "yellow")
            case OddBytes(reason):
                self._note(f"odd bytes from the guest: {scrub_line(reason)}", "yellow")
            case _:
                pass

    def cancelling(self) -> None:
        self._end_line()
        self._note("cancelling …", "yellow")

    def changes(self, folder: Path, diff: FolderDiff) -> None:
        self._end_line()
        self._stop_status()
        if not diff.changes:
            self._out.print(Text(f"\nNothing changed in {clean(str(folder))}", "dim"))
            return
        self._out.print(Text(f"\nChanged in {clean(str(folder))}:", "bold"))
        for change in diff.changes:
            self._out.print(Text(f"  {change.change:<8} {clean(change.path)}"))
            if change.warning:
                self._out.print(Text(f"           ⚠ {clean(change.warning)}", "bold red"))
        for change in diff.changes:
            self._print_diff(change.diff)
        if not diff.is_complete:
            self._out.print(Text("The folder is too large to be compared as a whole.", "yellow"))

    def end(self, view: TaskView) -> None:
        self._stop_status()
        outcome = view.outcome
        if any(visit.state == "setup-required" for visit in view.visits):
            self._note("set-up is required, so nothing was run. `pui doctor` says more; then start again.", "bold red")
        elif outcome is None:
            self._note(f"ended in {view.state}", "bold red")
        elif outcome.result == "completed":
            self._note("done", "bold green")
        else:
            style = "yellow" if outcome.result == "cancelled" else "bold red"
            self._note(f"{outcome.result}: {outcome.code}: {clean(outcome.message)}", style)
            self._note(f"hint: {clean(outcome.hint)}")

    def _transition(self, fields: Mapping[str, JsonValue]) -> None:
        source, target, trigger = str(fields.get("from")), str(fields.get("to")), str(fields.get("trigger"))
        spent_s = time.monotonic() - self._entered_s
        self._entered_s = time.monotonic()
        self._end_line()
        self._stop_status()
        if source not in {"created", "setup-required"}:
            sign, why = ("✓", "") if trigger == "done" else ("✗", f", {trigger}")
            self._err.print(Text(f"  {sign} {self._labels[source]} ({source}{why})  {spent_s:.1f} s", "dim"))
        if target not in {"finished", "stranded", "setup-required"}:
            self._start_status(f"{self._labels[target]} ({target}) …")

    def _start_status(self, text: str) -> None:
        if self._err.is_terminal:
            self._status = self._err.status(Text(text))
            self._status.start()
        else:
            self._err.print(Text(f"  · {text}"))

    def _stop_status(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _facts(self, facts: JsonValue) -> None:
        if not isinstance(facts, dict):
            return
        findings = facts.get("findings")
        for finding in findings if isinstance(findings, list) else []:
            if isinstance(finding, dict):
                self._finding(finding)
        if facts.get("cache"):
            self._note(f"cache    {facts['cache']}")
        if facts.get("pack_trial"):
            self._note(str(facts["pack_trial"]))
        if facts.get("accelerator"):
            self._note(f"machine  {facts['accelerator']}; folders by {facts.get('share')}: {facts.get('share_reason')}")

    def _finding(self, finding: Mapping[str, JsonValue]) -> None:
        style = {"blocker": "bold red", "warning": "yellow"}.get(str(finding.get("severity")), "")
        self._note(f"{finding.get('code')}: {finding.get('message')}", style)
        if finding.get("severity") == "blocker":
            self._note(f"  → {finding.get('hint')}")

    def _change(self, change: Change, entry: Entry) -> None:
        if entry.kind == "tool":
            self._tool(change, entry)
        elif entry.kind in {"text", "thinking"}:
            self._stream(change, entry)
        elif entry.kind != "user":
            self._end_line()
            self._out.print(Text(entry.text, "red" if entry.is_error else "dim"))

    def _stream(self, change: Change, entry: Entry) -> None:
        if self._streaming != entry.key:
            self._end_line()
            self._streaming = entry.key
        text = entry.text if change.is_replaced else change.delta
        self._out.print(Text(text, "dim italic" if entry.kind == "thinking" else ""), end="")
        if entry.is_final:
            self._end_line()

    def _tool(self, change: Change, entry: Entry) -> None:
        self._end_line()
        if not entry.is_final and not change.delta:
            self._out.print(Text.assemble(("▸ ", "cyan"), (entry.title, "bold cyan"), f" {_args(entry.args)}"))
        elif entry.is_final:
            lines = entry.text.splitlines()
            for line in lines[:_OUTPUT_LINES]:
                self._out.print(Text(f"  │ {line}", "dim"))
            if len(lines) > _OUTPUT_LINES:
                self._out.print(Text(f"  │ … {len(lines) - _OUTPUT_LINES} lines more", "dim"))
            sign = ("  ✗ failed", "red") if entry.is_error else ("  ✓", "green")
            spent = "" if entry.duration_ms is None else f" {entry.duration_ms} ms"
            self._out.print(Text.assemble(sign, (spent, "dim")))

    def _end_line(self) -> None:
        if self._streaming is not None:
            self._streaming = None
            self._out.print()

    def _print_diff(self, diff: str) -> None:
        for line in diff.splitlines():
            style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
            self._out.print(Text(clean(line), style))

    def _note(self, text: str, style: str = "") -> None:
        self._stop_status()
        self._err.print(Text(clean(text), style))


def _args(args: Mapping[str, JsonValue]) -> str:
    shown = [value if isinstance(value, str) else json.dumps(value) for value in args.values()]
    return scrub_line("  ".join(shown), 160)
