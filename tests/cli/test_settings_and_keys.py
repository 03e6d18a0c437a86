"""In: the words a person types. Out: settings and keys that last, exit codes. Never: a key in an argument or shown."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from pui.cli.app import run

KEY = "canary-0123456789abcd"


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_settings_by_hand(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["settings"]) == 0
    shown = capsys.readouterr().out
    assert "update_interval_h  24" in shown
    assert f"data folder        {data_dir}" in shown
    assert run(["settings", "set", "update_interval_h", "6"]) == 0
    assert run(["settings", "set", "update_check", "off"]) == 0
    assert run(["settings", "set", "model", "openai/some-model"]) == 0
    capsys.readouterr()
    assert run(["settings", "get", "update_interval_h"]) == 0
    assert run(["settings", "get", "update_check"]) == 0
    assert run(["settings", "get", "model"]) == 0
    assert capsys.readouterr().out == "6\noff\nopenai/some-model\n"
    assert run(["settings", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["update_interval_h"] == 6


@pytest.mark.parametrize(
    "words", [["set", "theme"], ["get"], ["set", "theme", "blue"], ["get", "nonsense"], ["list", "theme"]]
)
def test_wrong_settings(data_dir: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["settings", *words]) == 2
    assert "error caller.bad_request" in capsys.readouterr().err
    assert not (data_dir / "settings.json").exists()


def test_keys_by_hand(data_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, KEY + "\n")
    assert run(["key", "set", "openai", "--keep", "file"]) == 0
    assert run(["key"]) == 0
    assert run(["key", "address", "openai-compatible", "http://localhost:1/v1"]) == 0
    assert run(["key", "list", "--json"]) == 0
    told = capsys.readouterr()
    assert "set, ends …abcd (file)" in told.out
    assert KEY not in told.out + told.err
    assert "http://localhost:1/v1" in told.out
    assert run(["key", "forget", "openai"]) == 0
    assert KEY not in (data_dir / "model-keys.json").read_text()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["set", "openai", "--keep", "file"], "\n"),
        (["set", "demo", "--keep", "file"], KEY),
        (["set", "nobody", "--keep", "file"], KEY),
        (["set"], KEY),
        (["forget"], ""),
        (["list", "openai"], ""),
        (["set", "openai", KEY, "--keep", "file"], ""),
    ],
)
def test_wrong_keys(
    data_dir: Path, words: list[str], text: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    typed(monkeypatch, text)
    assert run(["key", *words]) == 2
    shown = capsys.readouterr()
    assert "error caller.bad_request" in shown.err
    assert KEY not in shown.err
    assert not (data_dir / "model-keys.json").exists()
