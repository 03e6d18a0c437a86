"""The settings: exact both ways, every odd value refused by name, nothing unknown carried along.

In: values of a page, a terminal, a file. Out: Settings or a named refusal. Never: a file.
"""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest

from pui.domain.errors import CallerError
from pui.domain.settings import (
    KEYS,
    MAX_SETTINGS_BYTES,
    ModelName,
    Settings,
    changed,
    changed_by_text,
    parse_settings,
    render_settings,
    settings_view,
)

GOOD: dict[str, Any] = {
    "theme": "dark",
    "contrast": "high",
    "text_scale": 200,
    "motion": "reduced",
    "language": "pt-BR",
    "network": "offline",
    "memory_mib": 1024,
    "cpu_count": 4,
    "thinking": "xhigh",
    "model": {"provider": "openai", "model": "some-model"},
    "cache": False,
    "channel": "https://packs.example/channel/",
    "update_check": False,
    "update_interval_h": 720,
    "update_on_metered": True,
    "update_download": False,
    "notify_needs_you": False,
    "notify_done": False,
    "notify_failed": False,
    "disk_limit_bytes": 5 << 30,
    "addresses": {"openai-compatible": "http://127.0.0.1:8080/v1"},
}
BAD: dict[str, list[Any]] = {
    "theme": ["blue", 1, None],
    "text_scale": [79, 201, "100", True, 100.5],
    "language": ["english", "../x", None],
    "model": [
        {"provider": "nobody", "model": "x"},
        {"provider": "openai"},
        "openai",
        {"provider": "openai", "model": 1},
    ]
    + [{"provider": "openai", "model": "x y"}, {"provider": "openai", "model": "x", "key": "y"}, ["openai", "x"]],
    "cache": [1, "true", None],
    "channel": ["ftp://x/", "http://packs.example/", "https://", "https://u:p@h/", "https://h/?q", "https://h:x/", 5]
    + ["https://h/#f", "https://h/a b", "https://h/\n", "https://[h/", "https://h/" + "x" * 2000],
    "update_interval_h": [0, 721],
    "disk_limit_bytes": [0, -1, 1 << 60, "5"],
    "addresses": [{"openai": "http://far.example"}, {"demo": "https://h"}, {"nobody": "https://h"}, [], {"openai": 1}],
}


def test_every_setting_has_a_check_a_good_value_and_comes_back_from_its_file() -> None:
    assert set(KEYS) == {entry.name for entry in fields(Settings)} == set(GOOD)
    settings = Settings()
    for key, value in GOOD.items():
        settings = changed(settings, key, value)
        assert getattr(settings, key) != getattr(Settings(), key), key
    assert parse_settings(render_settings(settings)) == (settings, ())
    assert parse_settings(render_settings(Settings())) == (Settings(), ())


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in BAD.items() for value in values])
def test_an_odd_value_is_refused_and_left_out_of_a_file(key: str, value: Any) -> None:
    with pytest.raises(CallerError, match=key):
        changed(Settings(), key, value)
    if not isinstance(value, float):
        table = json.loads(render_settings(Settings())) | {key: value, "theme": "light" if key != "theme" else value}
        settings, said = parse_settings(json.dumps(table).encode())
        assert len(said) == 1
        assert key in said[0]
        assert settings.theme == ("system" if key == "theme" else "light")


def test_an_unknown_key_is_named_and_kept_out() -> None:
    with pytest.raises(CallerError, match="no setting 'nonsense'"):
        changed(Settings(), "nonsense", 1)
    table = json.loads(render_settings(Settings())) | {"nonsense": 1}
    settings, said = parse_settings(json.dumps(table).encode())
    assert settings == Settings()
    assert "nonsense" in said[0]
    assert b"nonsense" not in render_settings(settings)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"schema": "pui-settings-2"}', b"\xff", b" " * MAX_SETTINGS_BYTES + b"{}"]
)
def test_something_else_than_settings_is_refused(data: bytes) -> None:
    with pytest.raises(CallerError, match="the settings are refused"):
        parse_settings(data)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("model", "openai/org/name", ModelName("openai", "org/name")),
        ("model", "anthropic", ModelName("anthropic", "claude-opus-5-5")),
        ("model", "none", None),
        ("thinking", "off", "off"),
        ("update_check", "off", False),
        ("update_check", "true", True),
        ("disk_limit_bytes", "none", None),
        ("disk_limit_bytes", str(2 << 30), 2 << 30),
        ("channel", "none", ""),
        ("theme", "dark", "dark"),
    ],
)
def test_what_a_person_types(key: str, text: str, value: object) -> None:
    assert getattr(changed_by_text(Settings(), key, text), key) == value


def test_the_view_shows_the_model_that_a_new_task_gets_and_no_address_of_a_provider() -> None:
    settings = changed(Settings(), "addresses", {"openai": "https://inner.example/v1"})
    view = settings_view(settings, ModelName("demo", "demo-1"), "/data")
    assert view["model"] == {"provider": "demo", "model": "demo-1"}
    assert view["data_dir"] == "/data"
    assert "inner.example" not in json.dumps(view)
    assert set(view) == {entry.name for entry in fields(Settings)} - {"addresses"} | {"data_dir"}
