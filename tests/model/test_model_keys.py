"""Keys of providers: where each is kept, which one counts, and that none of them shows.

In: a private folder, an environment, a keystore in memory. Out: choices with their key. Never: a key that is shown.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import structlog
from keyring.backend import KeyringBackend

from pui.adapters.keystore import read_model_environment
from pui.adapters.model_keys import ModelKeyring
from pui.adapters.os_keystore import OsKeystore
from pui.adapters.paths import AppPaths
from pui.adapters.settings_file import SettingsFile
from pui.domain.errors import PuiError
from pui.domain.model_policy import DEMO_CHOICE, SecretText
from pui.domain.models_view import KeyPlace, ProviderState, models_view
from pui.domain.settings import ModelName
from pui.logs import close_log, open_log

KEY, OTHER = "canary-0123456789abcd", "canary-second-key-wxyz"


class KeystoreInMemory(KeyringBackend):
    """A keystore as the library gives it; `is_locked` makes it refuse, quoting the key as bad ones do."""

    priority = 5  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.is_locked = False

    def get_password(self, service: str, username: str) -> str | None:
        self._open("reading")
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._open(password)
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._open("deleting")
        del self.kept[service, username]

    def _open(self, detail: str) -> None:
        if self.is_locked:
            raise RuntimeError(f"locked: {detail}")


class Rig:
    def __init__(self, base: Path) -> None:
        self.paths = AppPaths(base / "data", base / "cache", base / "run")
        self.backend = KeystoreInMemory()
        self.settings = SettingsFile(self.paths, print)

    def keyring(self, **environ: str) -> ModelKeyring:
        return ModelKeyring(self.paths, self.settings, read_model_environment(environ), OsKeystore(self.backend))

    def state(self, keyring: ModelKeyring, provider: str = "openai") -> ProviderState:
        return next(state for state in keyring.providers() if state.name == provider)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def key_of(keyring: ModelKeyring, provider: str = "openai") -> str:
    return keyring.choice(provider, "").key.reveal()


@pytest.mark.parametrize("place", ["memory", "file", "keystore"])
def test_a_key_is_kept_where_the_person_said_and_nowhere_else(rig: Rig, place: KeyPlace) -> None:
    keyring = rig.keyring()
    keyring.set_key("openai", SecretText(KEY), place)
    assert key_of(keyring) == KEY
    assert rig.state(keyring) == ProviderState("openai", place, "abcd", "https://api.openai.com/v1")
    holds = [path for path in rig.paths.data.rglob("*") if path.is_file() and KEY in path.read_text()]
    assert holds == ([rig.paths.model_keys] if place == "file" else [])
    assert bool(rig.backend.kept) == (place == "keystore")
    if rig.paths.model_keys.exists():
        assert rig.paths.model_keys.stat().st_mode & 0o777 == 0o600
    later = rig.keyring()
    assert rig.state(later).source == ("" if place == "memory" else place)
    later.forget_key("openai")
    assert rig.state(rig.keyring()).source == ""
    assert rig.backend.kept == {}


def test_a_key_that_is_set_anew_leaves_no_copy_behind(rig: Rig) -> None:
    keyring = rig.keyring(OPENAI_API_KEY=OTHER)
    assert (key_of(keyring), rig.state(keyring).source) == (OTHER, "environment")
    places: tuple[KeyPlace, ...] = ("file", "keystore", "memory", "file")
    for place in places:
        keyring.set_key("openai", SecretText(KEY), place)
        assert (key_of(keyring), rig.state(keyring).source) == (KEY, place)
        assert bool(rig.backend.kept) == (place == "keystore")
        in_file = rig.paths.model_keys.exists() and KEY in rig.paths.model_keys.read_text()
        assert in_file == (place == "file")


def test_the_environment_goes_before_the_file(rig: Rig) -> None:
    rig.keyring().set_key("openai", SecretText(KEY), "file")
    assert key_of(rig.keyring(OPENAI_API_KEY=OTHER)) == OTHER
    assert key_of(rig.keyring()) == KEY


def test_which_model_a_task_gets(rig: Rig) -> None:
    assert rig.keyring().default() == ModelName("demo", "demo-1")
    assert rig.keyring(OPENAI_API_KEY=KEY).default().provider == "openai"
    rig.settings.change("model", {"provider": "anthropic", "model": "one"})
    assert rig.keyring(OPENAI_API_KEY=KEY).default() == ModelName("anthropic", "one")
    named = rig.keyring(PUI_MODEL="openai/two", OPENAI_API_KEY=KEY)
    assert named.default() == ModelName("openai", "two")
    assert named.choice("openai", "two").key.reveal() == KEY
    assert named.choice("demo", "") is DEMO_CHOICE


def refusal(keyring: ModelKeyring, provider: str, model: str = "") -> PuiError:
    with pytest.raises(PuiError) as raised:
        keyring.choice(provider, model)
    return raised.value


def test_what_is_missing_is_named(rig: Rig) -> None:
    keyring = rig.keyring()
    assert refusal(keyring, "openai").code == "model.no_key"
    assert refusal(keyring, "nobody").code == "caller.bad_request"
    assert "needs an address" in refusal(keyring, "openai-compatible", "some").message
    keyring.set_address("openai-compatible", "http://127.0.0.1:8080/v1/")
    assert "name a model" in refusal(keyring, "openai-compatible").message
    choice = keyring.choice("openai-compatible", "some")
    assert (choice.base_url, bool(choice.key)) == ("http://127.0.0.1:8080/v1", False)
    for address in ("http://far.example/v1", "https://u:p@h", "nonsense"):
        with pytest.raises(PuiError):
            keyring.set_address("openai-compatible", address)
    keyring.set_address("openai-compatible", "")
    assert "needs an address" in refusal(keyring, "openai-compatible", "some").message
    for provider in ("demo", "nobody"):
        with pytest.raises(PuiError):
            keyring.set_key(provider, SecretText(KEY), "memory")
        with pytest.raises(PuiError):
            keyring.set_address(provider, "https://h")


def test_an_address_of_the_environment_holds_until_another_is_set(rig: Rig) -> None:
    keyring = rig.keyring(PUI_MODEL="openai/x", PUI_MODEL_BASE_URL="https://inner.example/v1", OPENAI_API_KEY=KEY)
    assert keyring.choice("openai", "").base_url == "https://inner.example/v1"
    keyring.set_address("openai", "https://other.example/v1")
    assert keyring.choice("openai", "").base_url == "https://other.example/v1"
    keyring.set_address("openai", "")
    assert keyring.choice("openai", "").base_url == "https://api.openai.com/v1"


@pytest.mark.parametrize("text", [KEY + " two words", "ünlaut" * 4, "", "x" * 5000])
def test_what_is_no_key_is_refused_without_quoting_it(rig: Rig, text: str) -> None:
    keyring = rig.keyring()
    with pytest.raises(PuiError) as raised:
        keyring.set_key("openai", SecretText(text), "file")
    shown = f"{raised.value!r} {raised.value} {raised.value.hint} {raised.value.detail}"
    assert not text or text not in shown
    assert not rig.paths.model_keys.exists()


@pytest.mark.parametrize("content", ["", "{}", '{"schema": "pui-model-keys-1", "keys": [], "endings": {}}', "\x00"])
def test_a_damaged_file_of_keys_is_named_and_not_replaced(rig: Rig, content: str) -> None:
    keyring = rig.keyring()
    keyring.set_key("openai", SecretText(KEY), "file")
    rig.paths.model_keys.write_text(content)
    with pytest.raises(PuiError, match="cannot be used") as raised:
        keyring.providers()
    assert str(rig.paths.model_keys) in raised.value.hint
    assert rig.paths.model_keys.read_text() == content


def test_a_file_that_others_can_read_is_refused(rig: Rig) -> None:
    keyring = rig.keyring()
    keyring.set_key("openai", SecretText(KEY), "file")
    rig.paths.model_keys.chmod(0o644)
    assert refusal(keyring, "openai").code == "host.permission"


def test_a_locked_keystore_is_named_and_the_key_not_quoted(rig: Rig) -> None:
    keyring = rig.keyring()
    keyring.set_key("openai", SecretText(KEY), "keystore")
    rig.backend.is_locked = True
    assert rig.state(keyring).ending == "abcd", "showing it asks the keystore nothing"
    for act in (
        lambda: keyring.choice("openai", ""),
        lambda: keyring.set_key("anthropic", SecretText(OTHER), "keystore"),
        lambda: keyring.forget_key("openai"),
    ):
        with pytest.raises(PuiError) as raised:
            act()
        assert raised.value.code == "host.permission"
        assert raised.value.__suppress_context__
        assert OTHER not in f"{raised.value} {raised.value.detail} {raised.value.hint}"
    assert rig.state(keyring).source == "keystore"
    assert rig.state(keyring, "anthropic").source == ""


def test_without_a_keystore_there_is_no_such_place(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    bare = OsKeystore()
    keyring = ModelKeyring(rig.paths, rig.settings, read_model_environment({}), bare)
    assert ("keystore" in keyring.places()) == bare.is_there()
    if not bare.is_there():
        with pytest.raises(PuiError, match="no keystore"):
            keyring.set_key("openai", SecretText(KEY), "keystore")


def test_no_key_in_repr_view_or_log(rig: Rig, tmp_path: Path) -> None:
    keyring = rig.keyring(OPENAI_API_KEY=OTHER)
    handler = open_log(tmp_path / "pui.jsonl", keyring.secrets)
    try:
        keyring.set_key("anthropic", SecretText(KEY), "memory")
        structlog.get_logger().info("careless", text=f"the key {KEY} and {OTHER}", more=[{"k": KEY}])
    finally:
        close_log(handler)
    logged = (tmp_path / "pui.jsonl").read_text()
    assert "careless" in logged
    view: dict[str, Any] = models_view(keyring.providers(), keyring.default(), keyring.places())
    shown = logged + repr(keyring.choice("anthropic", "")) + repr(keyring.providers()) + json.dumps(view) + repr(view)
    assert KEY not in shown
    assert OTHER not in shown
