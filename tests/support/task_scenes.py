"""Scenes of one open task for the page: a long conversation, questions of the guest, changes, diagnostics, charts.

In: nothing. Out: ScriptedBridge objects and the shapes of docs/bridge.md that a task's view asks for.
Never: a chart that is not the real one: drawings come from statecharts/ through chart_view.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pui.domain.chart_trace import trace_of
from pui.domain.chart_view import chart_view
from pui.domain.journal import Record
from pui.resources import load_chart
from tests.support.scenes import HOSTILE, NO_JAIL, eight_tasks, hello, now_ms, scripted
from tests.support.scripted_bridge import Params, Refusal, ScriptedBridge

TASK = "t-work"
_PATCH = """--- a/totals.py
+++ b/totals.py
@@ -12,9 +12,10 @@ class Invoice:
     lines: list[Line]

     def total(self) -> float:
-        return sum(line.price * line.count for line in self.lines)
+        cents = sum(line.price_cents * line.count for line in self.lines)
+        return cents / 100

     def tax(self) -> float:
-        return round(self.total() * 0.19, 2)
+        return round(self.total() * TAX_RATE, 2)

     def __len__(self) -> int:
"""

ANSWER = """The basket test is flaky because **two timers race**: `useBasket` schedules a refresh on mount, and the
test's own clock advances before it is registered. See [the explanation of fake timers](https://example.org/timers) and
<https://example.org/act>.

### What I changed

1. The refresh now waits for the first render.
2. The test advances the clock *after* `findByText`:

```ts
it("shows the total", async () => {
  const clock = useFakeClock();
  render(<Basket lines={lines} />);
  expect(await screen.findByText("12.00 €")).toBeVisible();
  clock.advance(REFRESH_MS); // only now: the timer exists
});
```

| run | before | after |
|:----|-------:|------:|
| 1–50 | 7 failed | 0 failed |
| 51–100 | 4 failed | 0 failed |

- [x] basket test
- [ ] checkout test (same pattern, not touched)

> The checkout test has the same shape. I left it alone because you asked for the basket only.
"""


def entry(key: int, kind: str, text: str = "", **more: Any) -> dict[str, Any]:
    return {
        "key": key, "kind": kind, "text": text, "title": "", "args": {}, "is_error": False, "is_final": True,
        "duration_ms": None, "at_ms": now_ms() - 600_000 + key * 4000, "diff": "", "links": [], **more,
    }  # fmt: skip


def conversation() -> list[dict[str, Any]]:
    """One of each kind of card."""
    thinking = "**Finding the race**\n\nThe test passes alone and fails in a run, so something is shared: timers."
    listing = "basket.test.tsx\nbasket.tsx\ncheckout.test.tsx\ntimers.ts\n"
    failing = "FAIL basket.test.tsx\n  ● shows the total\n    expected 12.00 €, got 0.00 €\n"
    links = ["https://example.org/timers", "https://example.org/act"]
    return [
        entry(1, "user", "The basket test fails about one run in ten. Find out why and fix it, nothing else.\n[image]"),
        entry(2, "thinking", thinking),
        entry(3, "text", "I will look at the test and run it many times to see the failure."),
        entry(4, "tool", listing, title="bash", args={"command": "ls src/basket"}, duration_ms=38),
        entry(5, "tool", "export function Basket() {…}", title="read", args={"path": "src/basket/basket.tsx",
              "offset": 40, "limit": 60}, duration_ms=4),
        entry(6, "tool", failing, title="bash", args={"command": "for i in $(seq 50); do npx vitest run basket; done",
              "timeout": 600}, duration_ms=74_210, is_error=True),
        entry(7, "tool", "Successfully replaced 2 block(s).", title="edit", args={"path": "src/totals.py"},
              duration_ms=6, diff=_PATCH),
        entry(8, "tool", "", title="write", args={"path": "src/basket/clock.ts",
              "content": "export const REFRESH_MS = 250;\n"}, duration_ms=3),
        entry(9, "notice", "Trying again (1 of 3): 529 overloaded"),
        entry(10, "text", ANSWER, links=links),
        entry(11, "user", "Good. Also look at the checkout test, please."),
        entry(12, "thinking", "The checkout test uses the same helper."),
    ]  # fmt: skip


def streaming() -> list[dict[str, Any]]:
    live = "✓ checkout › shows the address (12 ms)\n✓ checkout › adds the shipping (9 ms)\n… 14 more\n"
    return [
        *conversation(),
        entry(13, "tool", live, title="bash", args={"command": "npx vitest run checkout --reporter verbose"},
              is_final=False, at_ms=now_ms() - 7000),
    ]  # fmt: skip


def panel(**more: Any) -> dict[str, Any]:
    tokens = {"input": 182_400, "output": 9_120, "cache_read": 151_000, "cache_write": 20_100, "total": 362_620}
    return {
        "state": "streaming", "label": "Working", "is_busy": True,
        "model": {"provider": "anthropic", "id": "claude-opus-5-5", "name": "Claude Opus 5.5"},
        "thinking_level": "medium", "thinking_levels": ["off", "low", "medium", "high"],
        "queue": {"steering": [], "follow_up": []},
        "stats": {"tokens": tokens, "cost_usd": 0.87, "messages": 24,
                  "context": {"tokens": 96_400, "window": 200_000, "percent": 48.2}},
        "retry": None, "is_compacting": False, "dialogs": [], "statuses": [], "widgets": [], "title": "",
        "editor_text": None, "unsupported": [], "odd_lines": 0, **more,
    }  # fmt: skip


def idle_panel(**more: Any) -> dict[str, Any]:
    return panel(**{"state": "idle", "label": "Idle", "is_busy": False, **more})


def dialog(method: str, **more: Any) -> dict[str, Any]:
    return {"id": f"d-{method}", "method": method, "title": "Which branch shall I use?", "message": "", "options": [],
            "initial_text": "", "timeout_ms": None, "opened_ms": now_ms() - 3000, **more}  # fmt: skip


def busy_panel() -> dict[str, Any]:
    """Everything at once that an extension and a queue can show."""
    queue = {"steering": ["Use the existing fake clock, do not write a new one"],
             "follow_up": ["Then run the whole suite once", "Write two lines for the changelog"]}  # fmt: skip
    return panel(
        queue=queue,
        retry={"attempt": 2, "max_attempts": 5, "error": "529 overloaded", "until_ms": now_ms() + 14_000},
        stats={**panel()["stats"], "context": {"tokens": 171_000, "window": 200_000, "percent": 85.5}},
        statuses=[{"key": "lint", "text": "eslint: 0 problems"}],
        widgets=[{"key": "plan", "lines": ["[x] basket", "[ ] checkout", "[ ] changelog"], "placement": "aboveEditor"}],
        title="pi: storefront",
        unsupported=["An extension asked for “custom”, which only a terminal can show."],
    )


def asking_panel() -> dict[str, Any]:
    options = ["main", "fix/basket-timers", "a new branch"]
    ask = dialog("select", options=options, timeout_ms=60_000, message="The work tree is clean on all three.")
    return panel(state="waiting-for-answer", label="Asking you", dialogs=[ask])


_AT_NS = 1_000_000
_WAY = (
    ("start", "preflight", 2), ("done", "overlay-prep", 320), ("done", "qemu-launch", 41), ("done", "handshake", 402),
    ("done", "running", 1874),
)  # fmt: skip


def records(*, is_over: bool = False) -> list[Record]:
    """A journal with events, the transitions they caused, facts and one refused trigger."""
    at = (now_ms() - 9 * 60_000) * _AT_NS
    found = [Record(1, at, "created", None, {"spec": {"prompt": "Find why the basket test is flaky"}, "app": {}})]

    def add(record_type: str, cause: int | None, wait_ms: int, **fields: Any) -> int:
        last = found[-1]
        found.append(Record(last.seq + 1, last.at_ns + wait_ms * _AT_NS, record_type, cause, fields))
        return last.seq + 1

    state, cause = "created", 1
    way = [*_WAY, *([("finish", "teardown", 400_000), ("done", "finished", 310)] if is_over else [])]
    for trigger, target, wait_ms in way:
        event = add("event", cause, wait_ms, name=trigger, state=state)
        cause = add("transition", event, 1, **{"from": state, "to": target, "trigger": trigger, "guard": None})
        state = target
        if target == "qemu-launch":
            add("acquired", cause, 200, name="qemu", kind="process", pid=4711)
        if target == "handshake":
            add("fact", cause, 900, facts={"guest_kernel": "6.12.9", "accelerator": "kvm"})
            add("rejected", add("event", None, 30, name="retry", state=state), 1, trigger="retry", state=state)
    return found


def record_json(record: Record) -> dict[str, Any]:
    head = {"seq": record.seq, "at_ms": record.at_ns // _AT_NS, "type": record.type, "cause": record.cause}
    return {**head, **record.fields}


def detail(journal: list[Record]) -> dict[str, Any]:
    moves = [record for record in journal if record.type == "transition"]
    visits = [{"state": r.fields["to"], "entered_ms": r.at_ns // _AT_NS, "trigger": r.fields["trigger"], "seq": r.seq}
              for r in moves]  # fmt: skip
    return {
        "prompt": "Find why the basket test is flaky", "memory_mib": 2048, "cpu_count": 2, "thinking": "medium",
        "cache": True, "guest_kernel": "6.12.9", "pack_id": "linux-x86_64-2026112303-1688af0d3ffc", "jail": {**NO_JAIL},
        "share_reason": "virtiofsd is there", "disk_use_bytes": 48_300_000, "findings": [], "visits": visits,
        "held": [], "facts": {"accelerator": "kvm"}, "recovery": [],
    }  # fmt: skip


def changes() -> dict[str, Any]:
    def change(path: str, kind: str, diff: str, added: int, removed: int, warning: str = "") -> dict[str, Any]:
        words = {"path": path, "change": kind, "diff": diff, "warning": warning}
        return {**words, "added": added, "removed": removed}

    hook = "--- /dev/null\n+++ b/hook\n@@ -0,0 +1,3 @@\n+#!/bin/sh\n+exec npx lint-staged\n+# added by the agent\n"
    long = "@@ -1,400 +1,400 @@\n" + "".join(f"-const before{n} = {n};\n+const after{n} = {n};\n" for n in range(400))
    storefront = [
        change(".git/hooks/pre-commit", "added", hook, 3, 0, "git runs this on your computer at the next commit"),
        change("package.json", "changed", '@@ -8,1 +8,1 @@\n-    "test": "vitest"\n+    "test": "vitest run"\n', 1, 1,
               "npm runs its scripts on your computer"),
        change("src/basket/basket.tsx", "changed", _PATCH, 3, 2),
        change("src/basket/clock.ts", "added", "@@ -0,0 +1,1 @@\n+export const REFRESH_MS = 250;\n", 1, 0),
        change("src/basket/generated/table.ts", "changed", long, 400, 400),
        change("src/old/basket-legacy.tsx", "removed", "@@ -1,2 +0,0 @@\n-export {};\n-// gone\n", 0, 2),
        change("assets/logo.png", "changed", "", 0, 0),
    ]  # fmt: skip
    path = "/home/ada/src/"
    folders = [
        {"name": "storefront", "path": f"{path}storefront", "read_only": False, "is_complete": True,
         "changes": storefront},
        {"name": "field-notes", "path": f"{path}field-notes", "read_only": False, "is_complete": False,
         "changes": [change("2026/november.md", "changed", _PATCH, 3, 2)]},
    ]  # fmt: skip
    return {"folders": folders, "at_ms": now_ms() - 4000, "is_final": False}


def diagnostics() -> dict[str, Any]:
    start = now_ms() - 500_000
    stages = [("qemu", 0, 180), ("firmware", 180, 95), ("init", 275, 640), ("modules", 915, 210),
              ("root", 1125, 84), ("spawn", 1209, 512), ("answer", 1721, 155)]  # fmt: skip
    serial = "".join(f"[    {n / 50:.6f}] virtio_blk virtio{n}: [vda] {n * 512} 512-byte logical blocks\n"
                     for n in range(120))  # fmt: skip
    events = [{"at_ms": start + 40, "name": "RESUME", "text": ""},
              {"at_ms": start + 700, "name": "VSERPORT_CHANGE", "text": '{"open": true, "id": "pui.rpc"}'}]  # fmt: skip
    return {
        "boot": [{"stage": name, "at_ms": start + at, "spent_ms": spent} for name, at, spent in stages],
        "states": [{"state": "preflight", "label": "Checking this computer", "spent_ms": 320},
                   {"state": "overlay-prep", "label": "Preparing the disk", "spent_ms": 41},
                   {"state": "qemu-launch", "label": "Starting the machine", "spent_ms": 402},
                   {"state": "handshake", "label": "Waiting for pi", "spent_ms": 1874}],
        "serial": serial, "qemu_log": "qemu-system-x86_64: warning: host doesn't support requested feature\n",
        "qmp_events": events, "app_log": "", "files": [{"name": "journal.jsonl", "size_bytes": 4120},
                                                      {"name": "serial.log", "size_bytes": 18_233},
                                                      {"name": "transcript.jsonl", "size_bytes": 90_412}],
    }  # fmt: skip


def chart(params: Params, journal: list[Record]) -> dict[str, Any]:
    if params["chart"] == "pack":
        return chart_view(load_chart("pack"), None, "Runtime pack")
    if params["chart"] == "agent":
        return chart_view(load_chart("agent"), None, "pi")
    return chart_view(load_chart("task"), trace_of(journal), "Task")


def opened(
    task_id: str = TASK,
    *,
    entries: list[dict[str, Any]] | None = None,
    agent: dict[str, Any] | None = None,
    row: dict[str, Any] | None = None,
    page: dict[str, Any] | None = None,
) -> ScriptedBridge:
    """A daily user's page whose task `task_id` can be opened with these entries and this panel."""
    page = page or hello(tasks=eight_tasks())
    for known in page["tasks"]:
        if known["task_id"] == task_id:
            known.update(row or {})
    rows = {known["task_id"]: known for known in page["tasks"]}
    said = entries if entries is not None else conversation()
    journal = records(is_over=rows[task_id]["is_over"])
    bridge = scripted(page)

    def open_task(params: Params) -> dict[str, Any]:
        if params["task_id"] not in rows:
            raise Refusal("caller.bad_request", "There is no such task.")
        tail = said[-params["tail"] :]
        shown = agent if agent is not None else panel()
        return {"row": rows[params["task_id"]], "detail": detail(journal), "agent": shown, "entries": tail,
                "first_key": tail[0]["key"] if tail else None, "has_earlier": len(tail) < len(said),
                "cursor": bridge.cursor}  # fmt: skip

    def earlier(params: Params) -> dict[str, Any]:
        before = [one for one in said if one["key"] < params["before_key"]]
        return {"entries": before[-params["limit"] :], "has_earlier": len(before) > params["limit"]}

    def later_records(params: Params) -> dict[str, Any]:
        found = [record_json(r) for r in journal if r.seq > params["after_seq"]][: params["limit"]]
        return {"records": found, "last_seq": journal[-1].seq}

    bridge.answer("task.open", open_task)
    bridge.answer("task.entries", earlier)
    bridge.answer("task.journal", later_records)
    bridge.answer("task.changes", lambda _params: changes())
    bridge.answer("task.diagnostics", lambda _params: diagnostics())
    bridge.answer("task.bundle", lambda _params: {"saved": "pui-task.zip"})
    bridge.answer("chart.get", lambda params: chart(params, journal))
    _answer_agent(bridge)
    return bridge


def _answer_agent(bridge: ScriptedBridge) -> None:
    models = [{"provider": "anthropic", "id": "claude-opus-5-5", "name": "Claude Opus 5.5"},
              {"provider": "anthropic", "id": "claude-haiku-5-5", "name": "Claude Haiku 5.5"},
              {"provider": "openai", "id": "gpt-6.1-sol", "name": "GPT-6.1 Sol"}]  # fmt: skip
    commands = [{"name": "review", "description": "Review the last change", "source": "prompt"},
                {"name": "changelog", "description": "Write a line for the changelog", "source": "skill"},
                {"name": "mcp", "description": "Model context servers", "source": "extension"}]  # fmt: skip
    files = ["src/basket/basket.tsx", "src/basket/basket.test.tsx", "src/my notes.md"]
    queue = {"steering": ["Use the existing fake clock"], "follow_up": ["Then run the whole suite"]}
    bridge.answer("agent.send", lambda params: {"disposition": "queued" if params["how"] != "prompt" else "started"})
    bridge.answer("agent.abort", lambda _params: {"queue": queue})
    bridge.answer("agent.models", lambda _params: {"models": models})
    bridge.answer("agent.commands", lambda _params: {"commands": commands})
    bridge.answer("agent.files", lambda params: {"files": [name for name in files if params["query"] in name]})
    for verb in ("queue", "answer", "set_model", "set_thinking", "compact"):
        bridge.answer(f"agent.{verb}", lambda _params: {})
    blobs: list[Params] = []

    def add_blob(params: Params) -> dict[str, Any]:
        blobs.append(params)
        return {"blob_id": params.get("blob_id", f"b{len(blobs)}"), "size_bytes": len(params["data_b64"])}

    bridge.answer("blob.add", add_blob)
    bridge.answer("file.save", lambda params: {"saved": params["name"]})
    bridge.answer("link.open", lambda _params: {"opened": True})


def long_conversation(count: int) -> list[dict[str, Any]]:
    """`count` entries as a long task has them: prompts, thinking, tools, answers with code."""
    found = []
    for key in range(1, count + 1):
        kind = ("user", "thinking", "tool", "tool", "text")[key % 5]
        text = {"user": f"Step {key}: go on.", "thinking": "It is the same pattern again. " * 6,
                "tool": f"line of output {key}\n" * (key % 30), "text": ANSWER if key % 50 == 4 else f"Step {key}. "
                "The rest follows the same rule, so I keep the naming and move on to the next file."}[kind]  # fmt: skip
        more: dict[str, Any] = {"title": "bash", "args": {"command": f"make step-{key}"}} if kind == "tool" else {}
        found.append(entry(key, kind, text, duration_ms=120 if kind == "tool" else None, **more))
    return found


def hostile_entries(texts: list[str]) -> list[dict[str, Any]]:
    """Every kind of card filled with each of these texts."""
    found: list[dict[str, Any]] = []
    for text in texts:
        for kind in ("user", "text", "thinking", "tool", "error", "notice"):
            args = {text: text, "command": text, "path": text}
            found.append(entry(len(found) + 1, kind, text, title=text, args=args if kind == "tool" else {}, links=[]))
        diff = f"@@ -1 +1 @@\n-a\n+{text}"
        found.append(entry(len(found) + 1, "tool", text, title="edit", args={"path": text}, diff=diff))
    return found


def hostile_panel(text: str = HOSTILE) -> dict[str, Any]:
    asks = [dialog(method, title=text, message=text, options=[text, f"{text} 2"], initial_text=text)
            for method in ("select", "confirm", "input", "editor")]  # fmt: skip
    return panel(
        label=text, dialogs=asks, statuses=[{"key": text, "text": text}], title=text, unsupported=[text],
        widgets=[{"key": text, "lines": [text, text], "placement": "aboveEditor"}],
        editor_text={"seq": 1, "text": text}, queue={"steering": [text], "follow_up": [text]},
        model={"provider": text, "id": text, "name": text},
        retry={"attempt": 1, "max_attempts": 2, "error": text, "until_ms": now_ms() + 9000},
    )  # fmt: skip


TASK_SCENES: dict[str, Callable[[], ScriptedBridge]] = {
    "work": lambda: opened(entries=streaming()),
    "idle": lambda: opened(agent=idle_panel(), row={"agent_state": "idle", "agent_label": "Idle", "needs_you": "turn"}),
    "queue": lambda: opened(entries=streaming(), agent=busy_panel()),
    "asks": lambda: opened(entries=streaming(), agent=asking_panel()),
    "done": lambda: opened("t-done", agent=panel(state="exited", label="Ended", is_busy=False)),
    "failed": lambda: opened("t-failed", agent=panel(state="exited", label="Ended", is_busy=False)),
    "boot": lambda: opened("t-boot", entries=[], agent=panel(state="starting", label="Starting", is_busy=False)),
    "long": lambda: opened(entries=long_conversation(5000)),
}
