"""The guest's part, scripted: answers on `pui.ctl`, plays pi on `pui.rpc`, asks a model on `pui.model`.

In: bytes of the host, a FakeScript. Out: what a guest would do next: bytes to send, a pause, its end.
Never: code of pui: the protocol is written here a second time, so that a misreading in one place is noticed.
Source: pui/guest/protocol.md, docs/rpc.md of pi, recordings in tests/data/pi-rpc.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

RECORDINGS = Path(__file__).parents[1] / "data" / "pi-rpc"
PHASES = ("start", "qmp", "boot", "hello", "configured", "rpc", "prompt", "settled")
FIRST_MS = 1_795_702_473_809
"""pi's time of its first message."""
MODEL_REQUEST = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:8089\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n%s"
)


@dataclass(frozen=True)
class FakeScript:
    """What goes wrong, and where. The default is a machine that works.

    `exit_in`, `hang_in`: a name of PHASES (start: the process; qmp: before the greeting; boot: before hello; hello:
    after hello, before any order is answered; configured: pi was started and says nothing; rpc: in the middle of the
    answer to get_state; prompt: in the middle of a run; settled: right after the run). `exit_signal` instead of
    `exit_code` when it is not 0.
    `garbage_on`, `oversized_on`: names of channels (qmp, ctl, rpc, model) that babble when the host connects.
    `ignores`: any of quit, sigterm. `half_lines`: every answer comes in two pieces. `pause_ms`: before each record.
    `refuses`: verbs of pui.ctl that are answered with an error; `refuses_tags`: mounts; `refuses_commands`: commands of
    pi. `recording`: what a prompt plays. `stays_busy`: the run of a prompt goes on until it is aborted, messages are
    queued meanwhile. `tells`: lines of JSON that pi says in the middle of a run.
    `keeps_session`: each prompt leaves two entries in pi's session, which goes on from a session file, and the run says
    the prompt and its time as they stand there; `odd_entries`: JSON that get_entries answers instead.
    `writes`: file name -> text that "pi" puts into the workspace (9p only: the fake knows its path).
    `model_body`: when not empty, a run first sends this to the model port and waits for the end of the answer.
    `probe`: what a probe machine does: ok, hang, panic, internal-error, exit.
    `status`: QEMU's run state, taken on `status_after_s` after the start (0: it is so from the beginning).
    """

    exit_in: str = ""
    exit_code: int = 1
    exit_signal: int = 0
    hang_in: str = ""
    garbage_on: tuple[str, ...] = ()
    oversized_on: tuple[str, ...] = ()
    oversized_bytes: int = 9 * 1024 * 1024
    ignores: tuple[str, ...] = ()
    half_lines: bool = False
    hello_delay_s: float = 0.0
    pause_ms: int = 0
    refuses: tuple[str, ...] = ()
    refuses_tags: tuple[str, ...] = ()
    recording: str = "demo-faux"
    stays_busy: bool = False
    tells: tuple[str, ...] = ()
    refuses_commands: tuple[str, ...] = ()
    keeps_session: bool = False
    odd_entries: str = ""
    writes: dict[str, str] = field(default_factory=dict)
    model_body: str = ""
    probe: str = "ok"
    status: str = "running"
    status_after_s: float = 0.0
    stderr: str = ""
    overlay_error: str = ""
    overlay_hangs: bool = False
    mount_server_error: str = ""
    mount_server_error_ro: str = ""
    mount_server_babbles: bool = False

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> FakeScript:
        loaded = json.loads(text)
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in loaded.items()}
        return cls(**fields)


@dataclass(frozen=True)
class Send:
    """Bytes for the host on one channel."""

    channel: str
    data: bytes


@dataclass(frozen=True)
class Reached:
    """A phase was reached: the runner looks into the script whether this is the place of a fault."""

    phase: str


@dataclass(frozen=True)
class PowerOff:
    """The machine ends well."""


Action = Send | Reached | PowerOff


def recorded_run(name: str) -> list[dict[str, Any]]:
    """The records that pi sent for the first prompt of a recording, its response first, agent_settled last."""
    rows = [json.loads(row) for row in (RECORDINGS / f"{name}.jsonl").read_bytes().split(b"\n") if row]
    start = next(i for i, row in enumerate(rows) if row["dir"] == ">pi" and row["msg"].get("type") == "prompt")
    run: list[dict[str, Any]] = []
    for row in rows[start + 1 :]:
        if row["dir"] == "pi>" and isinstance(row["msg"], dict) and row["msg"].get("type") != "extension_ui_request":
            run.append(row["msg"])
            if row["msg"].get("type") == "agent_settled":
                break
    return run


def state_data() -> dict[str, Any]:
    return {
        "model": {"id": "demo-1", "name": "Demo", "provider": "pui"},
        "thinkingLevel": "off",
        "isStreaming": False,
        "isCompacting": False,
        "steeringMode": "one-at-a-time",
        "followUpMode": "one-at-a-time",
        "sessionId": "00000000-0000-4000-8000-000000000001",
        "autoCompactionEnabled": True,
        "messageCount": 0,
        "pendingMessageCount": 0,
    }


ANSWERS: dict[str, Any] = {
    "get_session_stats": {
        "totalMessages": 13,
        "tokens": {"input": 600, "output": 120, "cacheRead": 7, "cacheWrite": 0, "total": 727},
        "cost": 0.25,
        "contextUsage": {"tokens": 120, "contextWindow": 128000, "percent": 0.09375},
    },
    "get_available_thinking_levels": {"levels": ["off", "low", "high"]},
    "get_available_models": {
        "models": [
            {"id": "demo-1", "name": "Demo", "provider": "pui"},
            {"id": "demo-2", "name": "Demo\u202e two", "provider": "pui"},
            {"id": "other", "name": "Other", "provider": "elsewhere"},
            7,
        ]
    },
    "get_commands": {"commands": [{"name": "llama", "description": "a\nb", "source": "extension"}, None]},
    "set_model": {"id": "demo-2", "name": "Demo two", "provider": "pui"},
}
"""What pi says to a command that changes nothing here."""


class FakeGuest:
    """One guest. Feed it what the host sent; do what it returns, in order."""

    def __init__(self, script: FakeScript, workspace: Path | None = None) -> None:
        self.script = script
        self.orders: list[tuple[str, dict[str, list[str]]]] = []
        self.prompts: list[str] = []
        self.is_started = False
        self._workspace = workspace
        self._ctl, self._rpc = b"", b""
        self._has_asked_model = False
        self.commands: list[dict[str, Any]] = []
        self.is_busy = False
        self.queue: dict[str, list[str]] = {"steering": [], "followUp": []}
        self._waiting: list[Action] = []
        self.entries: list[dict[str, Any]] = []
        self._files: dict[str, str] = {}

    # pui.ctl

    def ctl_connected(self) -> list[Action]:
        """hello comes once the ports are open, and again at each connection."""
        hello = {"proto": 1, "guest": "fake", "kernel": "6.12.0-fake", "uptime_ms": 1200}
        marks = [self._ctl_line("mark", stage=stage, uptime_ms=ms) for stage, ms in (("init", 900), ("ports", 1190))]
        return [Reached("boot"), self._ctl_line("hello", **hello), *marks, Reached("hello")]

    def ctl_received(self, data: bytes) -> list[Action]:
        self._ctl += data
        *lines, self._ctl = self._ctl.split(b"\n")
        return [action for line in lines for action in self._order(line.decode("ascii"))]

    def _order(self, line: str) -> list[Action]:
        verb, *words = line.split(" ")
        values: dict[str, list[str]] = {}
        for word in words:
            key, _, value = word.partition("=")
            values.setdefault(key, []).append(unquote_to_bytes(value).decode("utf-8", "replace"))
        self.orders.append((verb, values))
        number = int(values["id"][0])
        if verb in self.script.refuses or set(values.get("tag", ())) & set(self.script.refuses_tags):
            return [self._ctl_line("error", id=number, code="refused", message=f"the script refuses {verb}")]
        return [self._ctl_line("ok", id=number, **self._answer_values(verb)), *self._after(verb, values)]

    def _answer_values(self, verb: str) -> dict[str, object]:
        if verb != "ping":
            return {}
        agent = "running" if self.is_started else "none"
        return {"uptime_ms": 2000, "mem_available_kib": 400_000, "load": "0.10", "agent": agent}

    def _load_session(self, text: str, cwd: str) -> None:
        """As pi does it: a header whose folder exists, then the entries."""
        header, *self.entries = [json.loads(line) for line in text.split("\n") if line]
        assert (header["type"], header["version"], header["cwd"]) == ("session", 3, cwd), header

    def _say_entry(self, role: str, text: str) -> None:
        parent = self.entries[-1]["id"] if self.entries else None
        entry = {
            "type": "message",
            "id": f"e{len(self.entries)}",
            "parentId": parent,
            "timestamp": "2026-11-26T14:00:00.000Z",
        }
        message = {"role": role, "content": [{"type": "text", "text": text}], "timestamp": FIRST_MS + len(self.entries)}
        self.entries.append(entry | {"message": message})

    def _entries_since(self, since: str | None) -> dict[str, Any]:
        if self.script.odd_entries:
            return {"entries": json.loads(self.script.odd_entries), "leafId": None}
        ids = [entry["id"] for entry in self.entries]
        first = 0 if since is None else ids.index(since) + 1
        return {"entries": self.entries[first:], "leafId": ids[-1] if ids else None}

    def _after(self, verb: str, values: dict[str, list[str]]) -> list[Action]:
        if verb == "file":
            self._files[values["path"][0]] = self._files.get(values["path"][0], "") + values.get("data", [""])[0]
        if verb == "start":
            self.is_started = True
            argv = values["argv"]
            if "--session" in argv:
                self._load_session(self._files[argv[argv.index("--session") + 1]], values["cwd"][0])
            marks: list[Action] = [self._ctl_line("mark", stage="spawn", uptime_ms=1300)]
            return [*marks, Reached("configured"), *self.rpc_received(b"")]
        if verb == "stop":
            self.is_started = False
            return [self._ctl_line("exited", code=0, stderr_dropped=0)]
        return [PowerOff()] if verb == "poweroff" else []

    @staticmethod
    def _ctl_line(verb: str, **values: object) -> Send:
        words = [verb, *(f"{key}={quote(str(value), safe='-._~/')}" for key, value in values.items())]
        return Send("ctl", " ".join(words).encode("ascii") + b"\n")

    # pui.rpc

    def rpc_received(self, data: bytes) -> list[Action]:
        """Until pi was started its stdin only fills."""
        self._rpc += data
        if not self.is_started:
            return []
        *lines, self._rpc = self._rpc.split(b"\n")
        return [action for line in lines for action in self._command(line)]

    def _command(self, line: bytes) -> list[Action]:
        command = json.loads(line)
        self.commands.append(command)
        kind, number = command.get("type"), command.get("id")
        if kind == "get_state":
            whole = self._response(kind, number, state_data()).data
            return [Send("rpc", whole[:20]), Reached("rpc"), Send("rpc", whole[20:])]
        if kind in self.script.refuses_commands:
            return [
                self._rpc_line(
                    {"id": number, "type": "response", "command": kind, "success": False, "error": "no\u202e"}
                )
            ]
        if self.is_busy and kind in ("prompt", "steer", "follow_up"):
            return self._queue(command)
        if kind == "prompt":
            return self._prompt(command)
        if kind == "get_entries" and (self.entries or self.script.odd_entries):
            return [self._response(kind, number, self._entries_since(command.get("since")))]
        if kind == "clear_queue":
            was, self.queue = self.queue, {"steering": [], "followUp": []}
            return [self._rpc_line({"type": "queue_update", **self.queue}), self._response(kind, number, was)]
        if kind == "abort":
            self.is_busy = False
            return [self._response(kind, number), self._rpc_line({"type": "agent_settled", "aborted": True})]
        return [self._response(str(kind), number, ANSWERS.get(str(kind)))]

    def _queue(self, command: dict[str, Any]) -> list[Action]:
        """While a run goes on: as pi does it with a streamingBehavior; without one a prompt is refused."""
        if command["type"] == "prompt" and command.get("streamingBehavior") not in ("steer", "followUp"):
            refused = {"id": command.get("id"), "type": "response", "command": "prompt", "success": False}
            return [self._rpc_line(refused | {"error": "Agent is already processing."})]
        follows = command["type"] == "follow_up" or command.get("streamingBehavior") == "followUp"
        self.queue["followUp" if follows else "steering"].append(command["message"])
        update = self._rpc_line({"type": "queue_update", **self.queue})
        return [update, self._response(command["type"], command.get("id"), {"disposition": "queued"})]

    def _prompt(self, command: dict[str, Any]) -> list[Action]:
        self.prompts.append(command["message"])
        if self.script.keeps_session:
            self._say_entry("user", command["message"])
            self._say_entry("assistant", "done")
        records = recorded_run(self.script.recording)
        records[0]["id"] = command.get("id")
        for record in records if self.script.keeps_session else []:
            if record.get("message", {}).get("role") == "user":
                record["message"] = self.entries[-2]["message"]
        half = len(records) // 2
        actions: list[Action] = [self._rpc_line(record) for record in records[:half]]
        actions += [Send("rpc", text.encode() + b"\n") for text in self.script.tells]
        if self.script.stays_busy:
            self.is_busy = True
            return [*self._edit(), *actions]
        actions += [Reached("prompt"), *(self._rpc_line(record) for record in records[half:]), Reached("settled")]
        if not self.script.model_body:
            return self._edit() + actions
        self._waiting = actions
        body = self.script.model_body.encode()
        return [self._frame(1, b""), self._frame(2, MODEL_REQUEST % (len(body), body)), self._frame(3, b"")]

    def _edit(self) -> list[Action]:
        for name, text in self.script.writes.items():
            assert self._workspace is not None, "the fake knows a 9p workspace only"
            (self._workspace / name).write_text(text)
        return []

    def _response(self, command: str, number: object, data: object = None) -> Send:
        record = {"id": number, "type": "response", "command": command, "success": True}
        return self._rpc_line(record if data is None else {**record, "data": data})

    @staticmethod
    def _rpc_line(record: dict[str, Any]) -> Send:
        return Send("rpc", json.dumps(record).encode() + b"\n")

    # pui.model

    @staticmethod
    def _frame(kind: int, payload: bytes) -> Send:
        return Send("model", (1).to_bytes(4, "big") + bytes([kind, 0]) + len(payload).to_bytes(2, "big") + payload)

    def model_received(self, data: bytes) -> list[Action]:
        """Any FIN or RESET (a frame of type 3 or 4 with no payload) lets the run go on; the answer is not judged."""
        is_over = data[-8:-2].endswith((b"\x03\x00", b"\x04\x00")) and data[-2:] == b"\0\0"
        if not is_over or not self._waiting:
            return []
        actions, self._waiting = self._waiting, []
        return self._edit() + actions
