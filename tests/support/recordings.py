"""Recorded sessions with a real pi, made replayable.

In: tests/data/pi-rpc/*.jsonl. Out: a client that asked what was asked then, and pi's bytes with its ids put in.
Never: a change of anything but ids.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pui.domain.errors import ProtocolError
from pui.domain.rpc import RpcClient, RpcEvent

FOLDER = Path(__file__).parent.parent / "data" / "pi-rpc"
NAMES = sorted(path.stem for path in FOLDER.glob("*.jsonl"))


def rows(name: str) -> list[dict[str, Any]]:
    """The rows of a recording; LF alone ends a row (U+2028 occurs inside)."""
    text = (FOLDER / f"{name}.jsonl").read_bytes().decode()
    return [json.loads(line) for line in text.split("\n") if line]


@dataclass
class Replay:
    """Plays one recording into a fresh client; `step` 0 feeds whole lines, else that many bytes at a time."""

    name: str
    step: int = 0
    client: RpcClient = field(default_factory=RpcClient)
    events: list[RpcEvent] = field(default_factory=list)
    asked: int = 0
    received: int = 0

    def run(self) -> list[RpcEvent]:
        ids: dict[Any, str] = {}
        for row in rows(self.name):
            message = row["msg"]
            if row["dir"] == ">pi":
                self._ask(message, ids)
            elif row["dir"] == "pi>":
                self._hear(dict(message), ids)
        return self.events

    def _ask(self, message: dict[str, Any], ids: dict[Any, str]) -> None:
        fields = {key: value for key, value in message.items() if key not in ("id", "type")}
        try:
            sent = self.client.command(message.get("type", ""), **fields)
        except ProtocolError:
            return  # a line the recorder sent to see pi's reaction; ours refuses to
        self.asked += 1
        ids[message.get("id")] = sent.id

    def _hear(self, message: dict[str, Any], ids: dict[Any, str]) -> None:
        if message.get("type") == "response" and message.get("id") in ids:
            message["id"] = ids[message["id"]]
        self.received += 1
        data = json.dumps(message, ensure_ascii=False).encode() + b"\n"
        step = self.step or len(data)
        for at in range(0, len(data), step):
            self.events += self.client.feed(data[at : at + step])
