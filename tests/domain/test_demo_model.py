"""The scripted demo model: what it says for each state of a conversation, and its scenarios.

In: chat-completions requests. Out: the steps of an answer. Never: a wait.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pui.domain.demo_model import SCENARIOS, Cut, DemoResponse, Hang, Pause, demo_response
from pui.domain.demo_script import NOTE_FILE, DemoMessage, next_message, parse_turn

Exchange = tuple[str, dict[str, Any], str]
LOOK: Exchange = ("bash", {"command": "ls"}, "README.md\nmain.py\nsrc/\n.git/\ndata.json\n")


def _messages(prompt: str, *exchanges: Exchange) -> list[Any]:
    messages: list[Any] = [{"role": "system", "content": "s"}, {"role": "user", "content": prompt}]
    for number, (tool, args, result) in enumerate(exchanges):
        function = {"name": tool, "arguments": json.dumps(args)}
        call = {"id": f"c{number}", "type": "function", "function": function}
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": f"c{number}", "content": result})
    return messages


def _next(prompt: str, *exchanges: Exchange) -> DemoMessage:
    return next_message(parse_turn(_messages(prompt, *exchanges)))


def _edit(prompt: str, path: str, content: str, look: Exchange = LOOK) -> tuple[str, str]:
    message = _next(prompt, look, ("read", {"path": path}, content))
    assert message.tool == "edit" and message.args is not None and message.args["path"] == path
    edits: Any = message.args["edits"]
    assert len(edits) == 1 and content.find(edits[0]["oldText"]) == content.rfind(edits[0]["oldText"]) >= 0
    return edits[0]["oldText"], edits[0]["newText"]


@pytest.mark.parametrize(
    ("prompt", "path"),
    [
        ("fix it", "README.md"),
        ("look at main.py please", "main.py"),
        ("mend src/deep/a.ts now", "src/deep/a.ts"),
        ("mend src/../../etc/a.py now", "README.md"),
        ("mend other/a.py now", "README.md"),
        ("change data.json", "README.md"),
    ],
)
def test_it_reads_the_file_that_fits_the_prompt(prompt: str, path: str) -> None:
    message = _next(prompt, LOOK)
    assert (message.tool, message.args) == ("read", {"path": path})


def test_without_a_text_file_it_writes_a_new_one_then_checks_and_ends() -> None:
    look: Exchange = ("bash", {}, "data.json\nphoto.png\n")
    write = _next("hi", look)
    assert write.tool == "write" and write.args is not None and write.args["path"] == NOTE_FILE
    wrote: Exchange = ("write", dict(write.args), "Successfully wrote to demo-note.md")
    check = _next("hi", look, wrote)
    assert check.tool == "bash" and check.args is not None and NOTE_FILE in str(check.args["command"])
    assert _next("hi", look, wrote, ("bash", dict(check.args), "ok")).tool == ""


def test_it_adds_a_labelled_note_after_the_last_line() -> None:
    old, new = _edit("make it nicer", "README.md", "# T\n\nlast\n")
    assert old == "last" and new.startswith("last\n\n## Note by the demo model\n")
    assert 'You asked: "make it nicer"' in new and "README.md, main.py, src/" in new


def test_the_anchor_grows_until_it_is_unique() -> None:
    assert _edit("x", "README.md", "end\nmiddle\nend\n")[0] == "middle\nend"
    assert _edit("x", "README.md", "a\na\na\n")[0] == "a\na\na"


@pytest.mark.parametrize(
    ("path", "start"), [("main.py", "# demo model"), ("a.js", "// demo model"), ("conf.toml", "# demo model")]
)
def test_a_note_in_source_is_a_comment(path: str, start: str) -> None:
    old, new = _edit(f"see {path}", path, "one\n", ("bash", {}, f"{path}\n"))
    assert new.startswith(f"one\n{start}") and new.count("\n") == 1


@pytest.mark.parametrize(
    "prompt",
    ["replace 'old' with 'new'", 'Please change "old" to "new"!', "rename `old` into `new`", "replace “old” by “new”"],
)
def test_a_replacement_is_granted(prompt: str) -> None:
    assert _edit(prompt, "README.md", "the old way\n") == ("old", "new")


def test_a_replacement_that_is_not_unique_becomes_a_note() -> None:
    assert "Note by the demo model" in _edit("replace 'a' with 'b'", "README.md", "a a\n")[1]


def test_a_quoted_addition_is_added_as_it_is() -> None:
    assert _edit("add the line 'Hello there'", "README.md", "x\n") == ("x", "x\nHello there")


@pytest.mark.parametrize("content", ["", "\n\n", "one\n[Showing lines 1-1 of 9]"])
def test_a_file_it_cannot_see_whole_is_appended_to_by_bash(content: str) -> None:
    message = _next("say 'x'; rm -rf $HOME", LOOK, ("read", {"path": "main.py"}, content))
    assert message.tool == "bash" and message.args is not None
    command = str(message.args["command"])
    assert command.startswith("printf '%s\\n' '") and command.endswith(" >> main.py")


def test_the_end_tells_that_it_was_a_demo_and_what_was_done() -> None:
    read: Exchange = ("read", {"path": "main.py"}, "x\n")
    edit: Exchange = ("edit", {"path": "main.py"}, "Successfully replaced 1 block(s)")
    check = _next("p", LOOK, read, edit)
    assert check.tool == "bash" and check.args is not None and "ast.parse" in str(check.args["command"])
    end = _next("p", LOOK, read, edit, ("bash", dict(check.args), "ok"))
    assert end.tool == "" and "no intelligence" in end.text and "- edit: main.py" in end.text


def test_a_failed_edit_is_told_and_ends_it() -> None:
    end = _next("p", LOOK, ("read", {"path": "a.md"}, "x"), ("edit", {"path": "a.md"}, "Could not find the text"))
    assert end.tool == "" and "failed" in end.text


def test_a_new_prompt_starts_the_script_anew() -> None:
    messages = _messages("one", LOOK) + [{"role": "user", "content": [{"type": "text", "text": "two"}]}]
    turn = parse_turn(messages)
    assert (turn.prompt, turn.calls, turn.call_count) == ("two", (), 1)


def _events(response: DemoResponse) -> list[dict[str, Any]]:
    text = b"".join(step for step in response.steps if isinstance(step, bytes)).decode()
    return [json.loads(line[6:]) for line in text.split("\n") if line.startswith("data: {")]


def _request(prompt: str, *exchanges: Exchange) -> DemoResponse:
    return demo_response(json.dumps({"messages": _messages(prompt, *exchanges), "tools": [{}]}).encode())


def test_a_message_becomes_a_stream_of_chunks() -> None:
    response = _request("hi", LOOK)
    deltas = [event["choices"][0]["delta"] for event in _events(response) if event["choices"]]
    calls = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    assert calls[0]["id"] == "call_demo_1" and calls[0]["function"]["name"] == "read"
    assert json.loads("".join(call["function"]["arguments"] for call in calls)) == {"path": "README.md"}
    assert _events(response)[-2]["choices"][0]["finish_reason"] == "tool_calls"
    assert response.steps[-1] == b"data: [DONE]\n\n" and any(isinstance(step, Pause) for step in response.steps)


def test_without_tools_it_only_talks() -> None:
    response = demo_response(json.dumps({"messages": _messages("summarize")}).encode())
    assert not [event for event in _events(response) if "tool_calls" in str(event)]


@pytest.mark.parametrize(
    ("name", "status", "last"),
    [("hang", 200, Hang), ("cut", 200, Cut), ("e500", 500, bytes), ("e429", 429, bytes), ("long", 200, bytes)],
)
def test_scenarios_are_picked_by_name(name: str, status: int, last: type) -> None:
    response = _request(f"please @{name} now")
    assert response.status == status and isinstance(response.steps[-1], last)


def test_the_tools_scenario_calls_once_and_ends() -> None:
    assert "tool_calls" in str(_events(_request("@tools")))
    assert "tool_calls" not in str(_events(_request("@tools", ("bash", {}, "demo\n"))))


def test_the_work_scenario_takes_five_rounds_and_gives_way_to_a_steer() -> None:
    rounds: list[Exchange] = []
    for number in range(1, 6):
        assert f"round {number}, step" in str(_request("@work", *rounds).steps)
        rounds.append(("bash", {}, "done"))
    assert "tool_calls" not in str(_events(_request("@work", *rounds)))
    messages = [*_messages("@work", *rounds[:2]), {"role": "user", "content": "@text please"}]
    steered = demo_response(json.dumps({"messages": messages, "tools": [{}]}).encode())
    assert "only text" in str(steered.steps)


def test_the_markdown_scenario_says_that_a_script_wrote_it() -> None:
    said = "".join(
        event["choices"][0]["delta"].get("content") or ""
        for event in _events(_request("@markdown"))
        if event["choices"]
    )
    assert said.startswith("# Demo model") and "A script wrote this" in said and "```python" in said


@pytest.mark.parametrize("prompt", ["mail me@text.example", "@textual", "x@text", "@nobody"])
def test_other_words_pick_no_scenario(prompt: str) -> None:
    assert "fixed script" in "".join(
        event["choices"][0]["delta"].get("content") or "" for event in _events(_request(prompt)) if event["choices"]
    )
    assert len(SCENARIOS) == 11


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"messages":{}}', b"\xff"])
def test_a_bad_request_is_a_400(body: bytes) -> None:
    assert demo_response(body).status == 400


_VALUE = st.recursive(
    st.none() | st.text(max_size=8) | st.sampled_from(["user", "assistant", "tool", "c0"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "text", "tool_calls", "tool_call_id", "id", "function", "name"]), inner
        )
    ),
    max_leaves=15,
)


@settings(deadline=None)
@given(st.lists(_VALUE, max_size=6))
def test_f11_any_conversation_gets_an_answer(messages: list[Any]) -> None:
    assert demo_response(json.dumps({"messages": messages, "tools": [1]}).encode()).status == 200
