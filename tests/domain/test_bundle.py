"""What a bundle and the diagnostics view hold, and above all what they do not.

In: journals and logs with private and hostile words. Out: verdicts. Never: a file.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from pui.domain.bundle_plan import BundleInput, Member, plan_bundle
from pui.domain.diagnostics_view import TaskLogTails, app_log_text, diagnostics_view
from pui.domain.journal import Record
from pui.domain.private_words import PrivateWords
from pui.domain.qmp import QmpEvent
from pui.domain.qmp_log import LINE_LIMIT_CHARS, event_line, parse_qmp_log
from pui.resources import load_chart

CHART = load_chart("task")
WORDS = PrivateWords("/home/ada", "ada", "analytical", ("known-key-1",))
KEY = "sk-ant-" + "Zz9" * 10
RECORDS = (
    Record(
        1,
        1000,
        "created",
        None,
        {
            "spec": {"prompt": "sell the engine", "mounts": [{"folder": "/srv/secret-client/app"}]},
            "folders": [{"path": "/srv/secret-client/app"}, {"path": "/srv/secret-client/app2"}, {"path": "/"}],
            "title": "sell it",
        },
    ),
    Record(2, 2000, "transition", None, {"from": "created", "to": "preflight", "trigger": "start"}),
    Record(3, 3000, "outcome", 2, {"result": "failed", "code": "x", "message": f"/home/ada/x of ada: {KEY}"}),
)
TAILS = TaskLogTails(
    serial=b"\x1b[31mlogin as ada on analytical known-key-1\r\n\xff\x00",
    qemu=b"cannot open /srv/secret-client/app2/x",
    qmp=b'{"at_us":5000000,"event":"SHUTDOWN","data":{"guest":true}}\nrubbish\n{"event":1}\n',
    app=b'{"task_id": "t-1", "event": "mine"}\n{"task_id": "t-2", "event": "other"}\n',
    files=(("serial.log", 10),),
)


def bundle(*, transcript: bytes | None = None) -> dict[str, Member]:
    view = diagnostics_view("t-1", RECORDS, CHART, TAILS)
    other = {"virtiofsd-pui0.log": b"ran in /home/ada"}
    given = BundleInput("t-1", RECORDS, view, TAILS, other, transcript, ("pui 1", "on analytical"))
    return {member.name: member for member in plan_bundle(given, WORDS)}


def test_nothing_private_is_in_any_member() -> None:
    texts = "\n".join(member.text for member in bundle().values())
    for private in ("secret-client", "/home/ada", "ada ", "analytical", KEY, "known-key-1", "sell"):
        assert private not in texts, private
    assert "[folder 1]" in texts and "[folder 2]/x" in texts


def test_the_conversation_comes_only_when_it_is_asked_for() -> None:
    without, asked = bundle(), bundle(transcript=b'{"entry":{"text":"hello ' + KEY.encode() + b'"}}\n')
    assert "transcript.jsonl" not in without and "Not inside: the conversation" in without["README.txt"].text
    assert "hello" in asked["transcript.jsonl"].text and KEY not in asked["transcript.jsonl"].text
    assert "sell the engine" in asked["journal.jsonl"].text
    assert "Not inside: the changes" in asked["README.txt"].text and "transcript.jsonl" in asked["README.txt"].text


def test_the_first_member_names_every_other_one() -> None:
    members = bundle()
    assert next(iter(members)) == "README.txt"
    assert all(name in members["README.txt"].text for name in list(members)[1:])
    assert {"journal.jsonl", "serial.log", "qemu.log", "qmp.txt", "app.log", "virtiofsd-pui0.log"} <= set(members)


def test_a_journal_stays_one_that_can_be_read() -> None:
    lines = bundle()["journal.jsonl"].text.splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [1, 2, 3]


def test_the_view_is_scrubbed_and_bounded() -> None:
    view: Any = diagnostics_view("t-1", RECORDS, CHART, TAILS)
    assert view["serial"] == "login as ada on analytical known-key-1\n\ufffd\u2400"
    assert view["qmp_events"] == [{"at_ms": 5000, "name": "SHUTDOWN", "text": '{"guest": true}'}]
    assert view["app_log"] == '{"task_id": "t-1", "event": "mine"}'
    assert {state["state"] for state in view["states"]} == {"created", "preflight"}
    many = TaskLogTails(qmp=b'{"at_us":1,"event":"E"}\n' * 5000, files=(("f", 1),) * 5000, app=TAILS.app * 9000)
    full: Any = diagnostics_view("t-1", RECORDS, CHART, many)
    assert len(json.dumps(full)) < 160_000


@pytest.mark.parametrize("task_id", ["", "t", 't-1"'])
def test_a_line_of_the_log_belongs_to_exactly_one_task(task_id: str) -> None:
    assert app_log_text(TAILS.app, task_id) == ""


def test_an_event_is_cut_when_it_is_long_and_comes_back() -> None:
    long = event_line(QmpEvent("A" * 100, {"x": "y" * 5000}, 7000))
    assert len(json.dumps(long)) < LINE_LIMIT_CHARS + 200
    (event,) = parse_qmp_log(json.dumps(long).encode())
    assert (event.at_ms, event.name) == (7, "A" * 64)
    hostile = event_line(QmpEvent("E", {"\u202e": "\x1b[31m"}, 1))
    (event,) = parse_qmp_log(json.dumps(hostile).encode())
    assert "\x1b" not in event.text and "\u202e" not in event.text
