"""The pure core: bytes a second of the decoders, microseconds a transition.

In: a recorded session of pi. Out: throughput. Never: I/O while the clock runs.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from pui.domain.chart_names import GUARDS
from pui.domain.events import ActivityDone, Triggered
from pui.domain.jsonl import JsonlDecoder
from pui.domain.machine import ChartMachine
from pui.domain.rpc import PiRecord, RpcClient
from pui.domain.transcript import Transcript
from pui.resources import load_chart
from tests.benchmarks.report import Table
from tests.support.recordings import rows

LEAST_BYTES = 16 << 20
CHUNK_BYTES = 64 * 1024
TRANSITIONS = 20_000
WAY = 7
"""Transitions from created to finished."""


def measure(_pack: Path, rounds: int) -> list[Table]:
    """The least time of all rounds: what the code costs when nothing disturbs it."""
    stream, records = _stream()
    chunks = [stream[at : at + CHUNK_BYTES] for at in range(0, len(stream), CHUNK_BYTES)]
    table = [
        ("json.loads a line (floor)", *_rate(lambda: _plain(stream), stream, records, rounds)),
        ("JSONL: lines within limits", *_rate(lambda: _jsonl(chunks), stream, records, rounds)),
        ("pi RPC: checked records", *_rate(lambda: _rpc(chunks), stream, records, rounds)),
        ("pi RPC into the transcript", *_rate(lambda: _transcript(chunks), stream, records, rounds)),
    ]
    transition_us = _least(_transitions, rounds) / (TRANSITIONS // WAY * WAY) * 1e6
    return [
        Table("decoders", ("what", "MiB/s", "us a record"), table),
        Table("machine", ("what", "us"), [("one transition of the task chart", f"{transition_us:.1f}")]),
    ]


def _stream() -> tuple[bytes, int]:
    """What pi said unasked in a recorded session with the demo model, again and again."""
    written = [row["msg"] for row in rows("demo-model") if row["dir"] == "pi>"]
    lines = [json.dumps(message) for message in written if message["type"] != "response"]
    once = "".join(f"{line}\n" for line in lines).encode()
    times = LEAST_BYTES // len(once) + 1
    return once * times, len(lines) * times


def _rate(work: Callable[[], None], stream: bytes, records: int, rounds: int) -> tuple[str, str]:
    least_s = _least(work, rounds)
    return f"{len(stream) / least_s / (1 << 20):.0f}", f"{least_s / records * 1e6:.1f}"


def _least(work: Callable[[], None], rounds: int) -> float:
    took_s = []
    for _ in range(rounds):
        before_s = time.perf_counter()
        work()
        took_s.append(time.perf_counter() - before_s)
    return min(took_s)


def _plain(stream: bytes) -> None:
    for line in stream.split(b"\n"):
        if line:
            json.loads(line)


def _jsonl(chunks: list[bytes]) -> None:
    decoder = JsonlDecoder()
    for chunk in chunks:
        decoder.feed(chunk)


def _rpc(chunks: list[bytes]) -> None:
    client = RpcClient()
    for chunk in chunks:
        client.feed(chunk)


def _transcript(chunks: list[bytes]) -> None:
    client, transcript = RpcClient(), Transcript()
    for chunk in chunks:
        for event in client.feed(chunk):
            if isinstance(event, PiRecord):
                transcript.add(event)


def _transitions() -> None:
    """The straight way through the task chart, again and again."""
    chart = load_chart("task")
    for _ in range(TRANSITIONS // WAY):
        machine = ChartMachine(chart, GUARDS[chart.id])
        machine.begin()
        steps = [machine.handle(Triggered("start"), {})]
        steps += [machine.handle(ActivityDone(machine.scope), {}) for _ in range(WAY - 1)]
        if any(step.outcome != "moved" for step in steps):
            raise RuntimeError(f"the chart has changed: {[step.outcome for step in steps]}")
