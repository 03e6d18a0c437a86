"""The orders a guest gets: literal, complete, in order, and without a real key.

In: a GuestSetup. Out: control lines. Never: a guest.
"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pui.domain.demo_extension import COMMAND, SOURCE
from pui.domain.guest_config import (
    GuestMount,
    GuestSetup,
    models_json,
    pi_argv,
    plan_guest_config,
    settings_json,
)
from pui.domain.handshake import HOST_LINE_LIMIT_BYTES, CtlCommand
from pui.domain.model_policy import DEMO_CHOICE, ModelChoice, SecretText

KEY = "sk-canary-1"
OPENAI = ModelChoice("openai", "gpt-x", "https://api.example/v1", SecretText(KEY))
MOUNTS = (GuestMount("pui0", "/workspace", "virtiofs", False), GuestMount("pui1", "/folders/ref", "9p", True))


def _setup(model: ModelChoice = DEMO_CHOICE) -> GuestSetup:
    return GuestSetup("pui-1", 1_700_000_000_000_000_000, b"\x01\xff", MOUNTS, "/workspace", model, SecretText("tok"))


def _value(command: CtlCommand, key: str) -> object:
    return dict(command.pairs)[key]


def test_orders_come_in_the_order_of_the_protocol_and_start_once() -> None:
    verbs = [command.verb for command in plan_guest_config(_setup())]
    assert verbs == sorted(verbs, key=["config", "mount", "file", "env", "start"].index)
    assert verbs.count("start") == 1 and verbs.count("mount") == 2


def test_the_first_orders_and_the_last_are_these_bytes() -> None:
    lines = [command.line(number) for number, command in enumerate(plan_guest_config(_setup()), start=1)]
    assert lines[:3] == [
        b"config id=1 hostname=pui-1 clock_ns=1700000000000000000 entropy=01ff\n",
        b"mount id=2 tag=pui0 path=/workspace type=virtiofs ro=0\n",
        b"mount id=3 tag=pui1 path=/folders/ref type=9p ro=1\n",
    ]
    assert (
        lines[-1]
        == (
            f"start id={len(lines)} argv=/usr/bin/node argv=--disable-sigusr1 argv=/opt/pui/pi/dist/bundle/cli.js "
            "argv=--mode argv=rpc argv=--offline argv=--session-dir argv=/home/agent/.pi/sessions argv=--provider "
            "argv=demo argv=--model argv=demo-1 argv=--no-mcp argv=--no-approve cwd=/workspace uid=1000 gid=1000\n"
        ).encode()
    )
    assert all(len(line) <= HOST_LINE_LIMIT_BYTES for line in lines)


def test_trust_is_a_persons_choice() -> None:
    assert pi_argv(DEMO_CHOICE, project_is_trusted=True)[-1] == "--approve"


def test_a_built_in_provider_is_only_re_routed() -> None:
    assert models_json(OPENAI, SecretText("tok")) == {
        "providers": {"openai": {"baseUrl": "http://127.0.0.1:8089/openai", "apiKey": "tok"}}
    }


@pytest.mark.parametrize(
    ("provider", "api"), [("openai-compatible", "openai-completions"), ("anthropic-compatible", "anthropic-messages")]
)
def test_another_provider_is_described_whole(provider: str, api: str) -> None:
    choice = ModelChoice(provider, "org/m", "https://api.example")
    found = models_json(choice, SecretText("tok"))["providers"][provider]  # type: ignore[index,call-overload]
    assert found["api"] == api and found["models"][0]["id"] == "org/m"  # type: ignore[index,call-overload]
    assert ("compat" in found) is (api == "openai-completions")  # type: ignore[operator]


def test_the_guest_gets_files_its_user_may_read_and_nobody_else() -> None:
    files = [command for command in plan_guest_config(_setup()) if command.verb == "file"]
    assert [_value(file, "path") for file in files] == [
        "/home/agent/.pi/agent/models.json",
        "/home/agent/.pi/agent/settings.json",
    ]
    assert {(_value(file, "mode"), _value(file, "owner"), _value(file, "append")) for file in files} == {
        ("600", "agent", 0)
    }
    data = _value(files[1], "data")
    assert isinstance(data, bytes) and json.loads(data) == settings_json()


@pytest.mark.parametrize(
    ("model", "has_person", "is_there"), [(DEMO_CHOICE, True, True), (DEMO_CHOICE, False, False), (OPENAI, True, False)]
)
def test_only_a_person_with_the_demo_model_gets_the_demo_extension(
    model: ModelChoice, has_person: bool, is_there: bool
) -> None:
    commands = plan_guest_config(replace(_setup(model), has_person=has_person))
    paths = [str(_value(command, "path")) for command in commands if command.verb == "file"]
    assert ("/home/agent/.pi/agent/extensions/pui-demo.js" in paths) is is_there
    assert f'"{COMMAND}"'.encode() in SOURCE and b"emo" in SOURCE


def test_pi_is_kept_from_the_network_and_has_no_key() -> None:
    commands = plan_guest_config(_setup(OPENAI))
    env = {_value(command, "name"): _value(command, "value") for command in commands if command.verb == "env"}
    assert env["PI_OFFLINE"] == env["PI_SKIP_VERSION_CHECK"] == "1" and env["PI_TELEMETRY"] == "0"
    assert env["NODE_COMPILE_CACHE"] == "/opt/pui/compile-cache"
    assert not [name for name in env if "KEY" in str(name)]
    assert KEY.encode() not in b"".join(command.line(1) for command in commands)
