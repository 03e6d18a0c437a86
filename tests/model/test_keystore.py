"""Where the key comes from, and that it stays nowhere else.

In: environments and key files. Out: a ModelChoice or a named error. Never: the key in a message.
"""

from __future__ import annotations

import copy
import os
import pickle
from pathlib import Path

import pytest

from pui.adapters.keystore import read_model_choice
from pui.domain.errors import PuiError
from pui.domain.model_policy import DEMO_CHOICE

KEY = "sk-canary-0123456789"


def _key_file(folder: Path, text: str = KEY + "\n", mode: int = 0o600) -> str:
    path = folder / "key"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def _refusal(environ: dict[str, str]) -> PuiError:
    with pytest.raises(PuiError) as raised:
        read_model_choice(environ)
    assert KEY not in f"{raised.value!r} {raised.value} {raised.value.hint} {raised.value.detail}"
    return raised.value


def test_without_anything_it_is_the_demo() -> None:
    assert read_model_choice({"HOME": "/x"}) is DEMO_CHOICE
    assert read_model_choice({"PUI_MODEL": "demo"}) is DEMO_CHOICE


def test_a_key_in_the_environment_is_taken_out_of_it() -> None:
    environ = {"ANTHROPIC_API_KEY": KEY, "OPENAI_API_KEY": "sk-other", "HOME": "/x"}
    choice = read_model_choice(environ)
    assert environ == {"HOME": "/x"}
    assert (choice.provider, choice.base_url) == ("anthropic", "https://api.anthropic.com")
    assert choice.key.reveal() == KEY


def test_the_demo_takes_keys_out_too() -> None:
    environ = {"OPENAI_API_KEY": KEY, "PUI_MODEL": "demo"}
    read_model_choice(environ)
    assert "OPENAI_API_KEY" not in environ


def test_provider_model_and_address_can_be_named(tmp_path: Path) -> None:
    environ = {
        "PUI_MODEL": "openai-compatible/org/model:7b",
        "PUI_MODEL_BASE_URL": "https://models.example/v1/",
        "PUI_API_KEY_FILE": _key_file(tmp_path),
    }
    choice = read_model_choice(environ)
    assert (choice.model, choice.base_url) == ("org/model:7b", "https://models.example/v1")
    assert choice.key.reveal() == KEY
    assert choice.label == "org/model:7b (openai-compatible at models.example)"


def test_the_file_comes_before_the_environment(tmp_path: Path) -> None:
    environ = {"PUI_MODEL": "openai/gpt-x", "OPENAI_API_KEY": "sk-env", "PUI_API_KEY_FILE": _key_file(tmp_path)}
    assert read_model_choice(environ).key.reveal() == KEY


def test_a_server_on_this_computer_needs_no_key() -> None:
    choice = read_model_choice(
        {"PUI_MODEL": "openai-compatible/llama", "PUI_MODEL_BASE_URL": "http://127.0.0.1:8080/v1"}
    )
    assert not choice.key


def test_one_providers_key_never_goes_to_another() -> None:
    environ = {
        "OPENAI_API_KEY": KEY,
        "PUI_MODEL": "openai-compatible/x",
        "PUI_MODEL_BASE_URL": "https://models.example/v1",
    }
    assert _refusal(environ).code == "model.no_key"


@pytest.mark.parametrize(
    ("environ", "code"),
    [
        ({"PUI_MODEL": "anthropic"}, "model.no_key"),
        ({"PUI_MODEL": "skynet/t-800"}, "caller.bad_request"),
        ({"PUI_MODEL": "openai-compatible/x"}, "caller.bad_request"),
        ({"PUI_MODEL": "openai-compatible", "PUI_MODEL_BASE_URL": "http://localhost/v1"}, "caller.bad_request"),
        ({"PUI_MODEL_BASE_URL": "https://models.example"}, "caller.bad_request"),
        ({"PUI_MODEL": "openai/bad name", "OPENAI_API_KEY": KEY}, "caller.bad_request"),
        ({"OPENAI_API_KEY": KEY + "\nx: y"}, "caller.bad_request"),
        ({"OPENAI_API_KEY": KEY + "é"}, "caller.bad_request"),
        ({"PUI_MODEL": "openai", "PUI_API_KEY_FILE": "/nonexistent/key"}, "host.permission"),
    ],
)
def test_a_choice_that_cannot_be_is_named(environ: dict[str, str], code: str) -> None:
    assert _refusal(environ).code == code


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_key_file_others_can_use_is_refused(tmp_path: Path, mode: int) -> None:
    fault = _refusal({"PUI_MODEL": "openai", "PUI_API_KEY_FILE": _key_file(tmp_path, mode=mode)})
    assert fault.code == "host.permission" and "chmod 600" in fault.hint


def test_a_key_file_that_is_empty_or_no_file_is_refused(tmp_path: Path) -> None:
    assert _refusal({"PUI_MODEL": "openai", "PUI_API_KEY_FILE": _key_file(tmp_path, "\n")}).code == "caller.bad_request"
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo, 0o600)
    assert _refusal({"PUI_MODEL": "openai", "PUI_API_KEY_FILE": str(fifo)}).code == "host.permission"


def test_a_key_shows_itself_nowhere() -> None:
    choice = read_model_choice({"OPENAI_API_KEY": KEY})
    shown = f"{choice!r} {choice} {choice.key!r} {choice.key} {vars(choice)} {choice.label}"
    assert KEY not in shown
    with pytest.raises(TypeError):
        pickle.dumps(choice.key)
    with pytest.raises(TypeError):
        copy.copy(choice.key)
