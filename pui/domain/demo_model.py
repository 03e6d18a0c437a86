"""A small scripted model that speaks chat-completions: the default without a key, and the tests' model.

In: the body of a request. Out: a DemoResponse: status, headers and the steps of its body. Never: I/O, waiting, state.
A person gets the script of demo_script.py; `@name` in the last prompt picks a scenario (SCENARIOS): most are for tests,
`@work`, `@slow` and `@markdown` show a person what steering, stopping and a formatted answer are like.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pui.domain.demo_script import DemoMessage, Turn, next_message, parse_turn
from pui.domain.events import JsonValue
from pui.domain.json_guard import JsonFault, parse_json
from pui.domain.model_policy import DEMO_MODEL

_PIECE_CHARS = 24
_PACE_S = 0.02
_BIG_LINE_CHARS = 300_000
_WORK_ROUNDS = 5
_MARKDOWN = """\
# Demo model: how a text looks

A script wrote this. It has **bold**, *italic*, `code` and [a link](https://example.org/demo).

1. first
2. second
   - inner

| what | how many |
| --- | ---: |
| lines | 3 |

```python
def greet(name: str) -> str:
    return f"hello {name}"
```

> Quoted. <b>Not bold</b>, because markup of the guest is text.
"""


@dataclass(frozen=True)
class Pause:
    """Wait before the next step."""

    delay_s: float


@dataclass(frozen=True)
class Hang:
    """Send nothing more and keep the connection open until the other side goes."""


@dataclass(frozen=True)
class Cut:
    """End the connection at once, in the middle."""


Step = bytes | Pause | Hang | Cut


@dataclass(frozen=True)
class DemoResponse:
    """What to answer; `steps` are done in order."""

    status: int
    headers: tuple[tuple[str, str], ...]
    steps: tuple[Step, ...]


def demo_response(body: bytes) -> DemoResponse:
    """The answer to one chat-completions request; 400 for a body that is none."""
    parsed = parse_json(body)
    if isinstance(parsed, JsonFault):
        return error_response(400, f"the request is {parsed.reason}")
    messages = parsed.value.get("messages")
    if not isinstance(messages, list):
        return error_response(400, "the request has no messages")
    turn = parse_turn(messages)
    named = _SCENARIO.search(turn.prompt)
    if named and named[1] in SCENARIOS:
        return SCENARIOS[named[1]](turn)
    if not parsed.value.get("tools"):
        return _stream(DemoMessage("I am the demo model, a script; without tools I can do nothing."))
    return _stream(next_message(turn), call_number=turn.call_count)


def error_response(status: int, message: str, headers: Mapping[str, str] | None = None) -> DemoResponse:
    """A JSON error in the shape that both kinds of client read."""
    body: JsonValue = {"type": "error", "error": {"type": "pui_error", "message": message}}
    pairs = (("content-type", "application/json"), *(headers or {}).items())
    return DemoResponse(status, pairs, (json.dumps(body).encode(),))


_SSE_HEADERS = (("content-type", "text/event-stream"), ("cache-control", "no-cache"))


def _stream(message: DemoMessage, *, call_number: int = 0, pace_s: float = _PACE_S) -> DemoResponse:
    steps: list[Step] = [_chunk({"role": "assistant", "content": ""})]
    for at in range(0, len(message.text), _PIECE_CHARS):
        steps += [_chunk({"content": message.text[at : at + _PIECE_CHARS]}), Pause(pace_s)]
    if message.tool:
        steps += _tool_chunks(message, call_number)
    return DemoResponse(200, _SSE_HEADERS, (*steps, *_ending("tool_calls" if message.tool else "stop")))


def _tool_chunks(message: DemoMessage, call_number: int) -> list[Step]:
    args = json.dumps(message.args)
    head: JsonValue = {"name": message.tool, "arguments": ""}
    first: JsonValue = {"index": 0, "id": f"call_demo_{call_number}", "type": "function", "function": head}
    steps: list[Step] = [_chunk({"tool_calls": [first]})]
    for at in range(0, len(args), 4 * _PIECE_CHARS):
        part: JsonValue = {"index": 0, "function": {"arguments": args[at : at + 4 * _PIECE_CHARS]}}
        steps.append(_chunk({"tool_calls": [part]}))
    return steps


def _ending(reason: str) -> Sequence[Step]:
    usage: JsonValue = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    return _event([{"index": 0, "delta": {}, "finish_reason": reason}]), _event([], usage), b"data: [DONE]\n\n"


def _chunk(delta: JsonValue) -> bytes:
    return _event([{"index": 0, "delta": delta, "finish_reason": None}])


def _event(choices: JsonValue, usage: JsonValue = None) -> bytes:
    value: dict[str, JsonValue] = {"id": "chatcmpl-demo", "object": "chat.completion.chunk", "created": 0}
    value |= {"model": DEMO_MODEL, "choices": choices}
    if usage is not None:
        value["usage"] = usage
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def _text_scenario(_turn: Turn) -> DemoResponse:
    return _stream(DemoMessage("Demo model: only text, no tool."))


def _tools_scenario(turn: Turn) -> DemoResponse:
    if turn.calls:
        return _stream(DemoMessage(f"Demo model: the tool said {turn.calls[-1].result.strip()!r}."))
    call = DemoMessage("Demo model: one tool call.", "bash", {"command": "echo demo"})
    return _stream(call, call_number=turn.call_count)


def _hang_scenario(_turn: Turn) -> DemoResponse:
    return DemoResponse(200, _SSE_HEADERS, (_chunk({"role": "assistant", "content": "waiting "}), Hang()))


def _slow_scenario(_turn: Turn) -> DemoResponse:
    return _stream(DemoMessage("Demo model: slowly, word by word. " * 14), pace_s=0.25)


def _work_scenario(turn: Turn) -> DemoResponse:
    """Five tool calls of some seconds each: time to steer, to queue, to watch output as it comes, to stop."""
    done = len(turn.calls)
    if done >= _WORK_ROUNDS:
        return _stream(DemoMessage(f"Demo model: all {_WORK_ROUNDS} rounds are done; a script counted them."))
    command = f"for i in 1 2 3 4; do echo round {done + 1}, step $i; sleep 1; done"
    text = f"Demo model: round {done + 1} of {_WORK_ROUNDS}."
    return _stream(DemoMessage(text, "bash", {"command": command}), call_number=turn.call_count)


def _markdown_scenario(_turn: Turn) -> DemoResponse:
    return _stream(DemoMessage(_MARKDOWN))


def _cut_scenario(_turn: Turn) -> DemoResponse:
    return DemoResponse(200, _SSE_HEADERS, (_chunk({"role": "assistant", "content": "partial "}), Cut()))


def _biglines_scenario(_turn: Turn) -> DemoResponse:
    big = _chunk({"role": "assistant", "content": "x" * _BIG_LINE_CHARS})
    return DemoResponse(200, _SSE_HEADERS, (big, *_ending("stop")))


def _long_scenario(_turn: Turn) -> DemoResponse:
    return _stream(DemoMessage("Demo model: many small pieces.\n" * 400), pace_s=0.0)


SCENARIOS: Mapping[str, Callable[[Turn], DemoResponse]] = {
    "text": _text_scenario,
    "tools": _tools_scenario,
    "hang": _hang_scenario,
    "slow": _slow_scenario,
    "work": _work_scenario,
    "markdown": _markdown_scenario,
    "e500": lambda _turn: error_response(500, "demo model: an error as asked"),
    "e429": lambda _turn: error_response(429, "demo model: too many requests, as asked", {"retry-after": "1"}),
    "cut": _cut_scenario,
    "biglines": _biglines_scenario,
    "long": _long_scenario,
}
_SCENARIO = re.compile(r"(?<!\S)@([a-z0-9]+)(?!\S)")
