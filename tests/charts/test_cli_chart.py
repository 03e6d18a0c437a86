"""`pui chart` as a person uses it: exit codes, words, files.

In: argument lists. Out: verdicts. Never: the person's own data folder.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from pui.cli import chart
from pui.domain.errors import CallerError, HostError
from pui.resources import data


def run(*arguments: str) -> int:
    top = argparse.ArgumentParser(prog="pui")
    chart.add_parser(top.add_subparsers())
    parsed = top.parse_args(["chart", *arguments])
    return int(parsed.handler(parsed))


def write_journal(data_dir: Path, *, torn: bool = False) -> None:
    folder = data_dir / "tasks" / "abc"
    folder.mkdir(parents=True)
    lines = [
        {"seq": 1, "at_ns": 1_000_000_000, "type": "created", "cause": None},
        {"seq": 2, "at_ns": 1_250_000_000, "type": "transition", "cause": 1, "from": "created", "to": "preflight"}
        | {"trigger": "start", "guard": None, "scope": 2},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "journal.jsonl").write_text(text + ('{"seq": 3' if torn else ""))


def test_check_of_the_own_charts_is_clean(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check") == 0
    assert [line.split(": ")[1] for line in capsys.readouterr().out.splitlines()] == [
        "10 states, no fault",
        "9 states, no fault",
        "6 states, no fault",
        "5 states, no fault",
    ]


def test_check_tells_every_fault_of_every_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = json.loads((data("statecharts") / "agent.json").read_text())
    broken["states"]["idle"]["on"]["exited"] = "gone"
    (tmp_path / "one.json").write_text(json.dumps(broken))
    (tmp_path / "two.json").write_text("{")
    assert run("check", str(tmp_path / "one.json"), str(tmp_path / "two.json")) == 1
    out = capsys.readouterr().out
    assert "one.json#/states/idle/on/exited: unknown-state: 'gone' is not a state of this chart" in out
    assert "two.json#: not-json:" in out


def test_render_refuses_a_faulty_chart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.json").write_text("[]")
    assert run("render", str(tmp_path / "x.json"), "--format", "svg") == 1
    assert "bad-value" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("kind", "start"), [("mermaid", "stateDiagram-v2"), ("svg", "<svg "), ("html", "<!doctype html>")]
)
def test_render_prints_or_writes(kind: str, start: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("render", "task", "--format", kind) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(start)
    assert run("render", "task", "--format", kind, "--out", str(tmp_path / "out")) == 0
    assert (tmp_path / "out").read_text() == printed


@pytest.mark.parametrize("arguments", [[], ["task", "--docs", "x"]])
def test_render_wants_a_chart_or_a_folder(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("render", *arguments) == 2
    assert "either a CHART or --docs" in capsys.readouterr().err


def test_render_docs_writes_both_files(tmp_path: Path) -> None:
    assert run("render", "--docs", str(tmp_path)) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["statecharts.md", "task-states.svg"]


def test_an_unknown_chart_is_named() -> None:
    with pytest.raises(CallerError, match="cannot read nothing"):
        run("render", "nothing")


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="cannot write"):
        run("render", "task", "--out", str(tmp_path / "absent" / "x.svg"))


@pytest.mark.parametrize(
    ("kind", "part"),
    [("text", "1  +250 ms  start  preflight"), ("mermaid", "(1) start"), ("svg", "task abc"), ("html", "<pre>")],
)
def test_trace_reads_the_journal(kind: str, part: str, data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_journal(data_dir)
    assert run("trace", "abc", "--format", kind) == 0
    assert part in capsys.readouterr().out


def test_trace_of_a_torn_journal_says_so(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_journal(data_dir, torn=True)
    assert run("trace", "abc") == 0
    assert "the last line of the journal is cut" in capsys.readouterr().err


@pytest.mark.parametrize("task", ["zzz", "../abc", ""])
def test_trace_of_no_task_is_refused(task: str, data_dir: Path) -> None:
    write_journal(data_dir)
    with pytest.raises(CallerError, match="there is no task"):
        run("trace", task)
