"""Every provider's key and address: in memory, a private file, the system's keystore or the environment.

In: settings, the environment's keys, what the person sets. Out: a ModelChoice for one launch; what may be shown
(implements ports.ModelChoices and ports.ModelKeys). Never: a key in a message, a log, a repr; a key in a file that
nobody asked for.

A key that was set in this app goes before one of the environment, that before one of the file or the keystore.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from pui.adapters.data_dir import data_in_use
from pui.adapters.keystore import ModelEnvironment, checked_key, read_secret_file
from pui.adapters.os_keystore import OsKeystore
from pui.adapters.packs.keys import write_private_file
from pui.adapters.paths import AppPaths
from pui.domain.errors import CallerError, HostError, ModelError
from pui.domain.events import JsonValue
from pui.domain.model_policy import DEMO_CHOICE, PROVIDERS, ModelChoice, ProviderKind, SecretText, check_base_url
from pui.domain.models_view import KeyPlace, KeySource, ProviderState, key_ending
from pui.domain.settings import ModelName
from pui.domain.strict_json import StrictJsonError, dump_canonical, load_object
from pui.ports.upkeep import SettingsStore

KEYS_SCHEMA = "pui-model-keys-1"
MAX_KEYS_BYTES = 64 * 1024


@dataclass(frozen=True)
class _KeyFile:
    """`keys` by provider; `endings` of the keys that are in the keystore, so that showing them asks it nothing."""

    keys: dict[str, SecretText] = field(default_factory=dict)
    endings: dict[str, str] = field(default_factory=dict)


class ModelKeyring:
    """One per app. Its methods may wait for the keystore: call them from a thread of their own."""

    def __init__(
        self,
        paths: AppPaths,
        settings: SettingsStore,
        environment: ModelEnvironment,
        keystore: OsKeystore | None = None,
    ) -> None:
        self._paths = paths
        self._settings = settings
        self._environment = dict(environment.keys)
        self._named = environment.named
        self._implied = environment.implied
        self._keystore = keystore or OsKeystore()
        self._memory: dict[str, SecretText] = {}
        self._revealed: set[str] = {key.reveal() for key in environment.keys.values()}

    # ports.ModelChoices

    def default(self) -> ModelName:
        """PUI_MODEL, else the setting, else the provider whose key the environment has, else the demo."""
        if self._named is not None:
            return ModelName(self._named.provider, self._named.model)
        chosen = self._settings.current().model
        if chosen is not None:
            return chosen
        if self._implied in self._environment:
            return ModelName(self._implied, PROVIDERS[self._implied].default_model)
        return ModelName(DEMO_CHOICE.provider, DEMO_CHOICE.model)

    def choice(self, provider: str, model: str) -> ModelChoice:
        """See ports.ModelChoices."""
        kind = _kind(provider)
        if kind.name == DEMO_CHOICE.provider:
            return DEMO_CHOICE
        name = model or kind.default_model
        address = self._address(kind)
        if not name:
            raise CallerError("caller.bad_request", f"name a model of {kind.name}")
        if not address:
            raise CallerError("caller.bad_request", f"{kind.name} needs an address", hint="Set it in Settings, Models.")
        key = self._key(kind.name)
        if not key and urlsplit(address).scheme == "https":
            raise ModelError("model.no_key", f"no key for {kind.name} is set")
        return ModelChoice(kind.name, name, address, key)

    # ports.ModelKeys

    def providers(self) -> Sequence[ProviderState]:
        stored = self._read_file()
        return [self._state(kind, stored) for kind in PROVIDERS.values()]

    def places(self, *, may_look: bool = True) -> Sequence[KeyPlace]:
        """See ports.ModelKeys."""
        has_keystore = self._keystore.is_there() if may_look else self._keystore.was_found
        return ("memory", "keystore", "file") if has_keystore else ("memory", "file")

    def set_key(self, provider: str, key: SecretText, place: KeyPlace) -> None:
        """See ports.ModelKeys."""
        kind = _kind(provider)
        if kind.name == DEMO_CHOICE.provider:
            raise CallerError("caller.bad_request", "the demo model needs no key")
        key = checked_key(key.reveal(), "what was typed")
        if place == "keystore":
            self._keystore.write(provider, key)
        self._revealed.add(key.reveal())
        stored = self._read_file()
        was_in_keystore = provider in stored.endings
        _drop(stored, provider)
        if place == "file":
            stored.keys[provider] = key
        if place == "keystore":
            stored.endings[provider] = key_ending(key)
        self._write_file(stored)
        if was_in_keystore and place != "keystore":
            self._keystore.forget(provider)
        self._environment.pop(provider, None)
        self._memory.pop(provider, None)
        if place == "memory":
            self._memory[provider] = key

    def forget_key(self, provider: str) -> None:
        """See ports.ModelKeys."""
        name, stored = _kind(provider).name, self._read_file()
        if name in stored.endings:
            self._keystore.forget(name)
        _drop(stored, name)
        self._write_file(stored)
        self._memory.pop(name, None)
        self._environment.pop(name, None)

    def set_address(self, provider: str, address: str) -> None:
        """See ports.ModelKeys."""
        kind, addresses = _kind(provider), dict(self._settings.current().addresses)
        if kind.name == DEMO_CHOICE.provider:
            raise CallerError("caller.bad_request", "the demo model has no address")
        addresses.pop(kind.name, None)
        if address.strip():
            addresses[kind.name] = address.strip().rstrip("/")
            check_base_url(addresses[kind.name])
        self._settings.change("addresses", dict[str, JsonValue](addresses))
        if self._named is not None and self._named.provider == kind.name:  # what was set later counts
            address_now = addresses.get(kind.name) or kind.base_url
            self._named = replace(self._named, base_url=address_now) if address_now else None

    def secrets(self) -> Sequence[str]:
        """Every key that this app has held in its hands, for whoever keeps them out of the log."""
        return tuple(self._revealed)

    def _address(self, kind: ProviderKind) -> str:
        if self._named is not None and self._named.provider == kind.name:
            return self._named.base_url
        return self._settings.current().addresses.get(kind.name) or kind.base_url

    def _key(self, provider: str) -> SecretText:
        stored = self._read_file()
        key = self._memory.get(provider) or self._environment.get(provider) or stored.keys.get(provider)
        if key is None and provider in stored.endings:
            key = self._keystore.read(provider)
        key = key or SecretText("")
        self._revealed.add(key.reveal())
        return key

    def _state(self, kind: ProviderKind, stored: _KeyFile) -> ProviderState:
        places: tuple[tuple[KeySource, dict[str, SecretText]], ...] = (
            ("memory", self._memory),
            ("environment", self._environment),
            ("file", stored.keys),
        )
        address = self._address(kind)
        for source, keys in places:
            if kind.name in keys:
                return ProviderState(kind.name, source, key_ending(keys[kind.name]), address)
        if kind.name in stored.endings:
            return ProviderState(kind.name, "keystore", stored.endings[kind.name], address)
        return ProviderState(kind.name, address=address)

    def _read_file(self) -> _KeyFile:
        """Raises HostError host.permission for a file that others can read, or that is no file of keys."""
        path = self._paths.model_keys
        if not path.exists():
            return _KeyFile()
        try:
            table = load_object(read_secret_file(path, MAX_KEYS_BYTES + 1), MAX_KEYS_BYTES)
            keys, endings = table.get("keys"), table.get("endings")
            if table.get("schema") != KEYS_SCHEMA or not isinstance(keys, dict) or not isinstance(endings, dict):
                raise StrictJsonError(f"it is not a {KEYS_SCHEMA}")
        except StrictJsonError as error:
            hint = f"Remove {path} and set the keys again."
            raise HostError("host.permission", f"{path} cannot be used: {error}", hint=hint) from None
        found = {name: checked_key(str(key), path.name) for name, key in keys.items() if name in PROVIDERS}
        self._revealed.update(key.reveal() for key in found.values())
        return _KeyFile(found, {name: str(end)[-8:] for name, end in endings.items() if name in PROVIDERS})

    def _write_file(self, stored: _KeyFile) -> None:
        """Nothing is written while there is nothing to keep."""
        path = self._paths.model_keys
        keys: dict[str, JsonValue] = {name: key.reveal() for name, key in stored.keys.items()}
        if not keys and not stored.endings and not path.exists():
            return
        table: dict[str, JsonValue] = {"schema": KEYS_SCHEMA, "keys": keys}
        with data_in_use(self._paths):
            write_private_file(path, dump_canonical(table | {"endings": dict(stored.endings)}), mode=0o600)


def _kind(provider: str) -> ProviderKind:
    if provider not in PROVIDERS:
        known = ", ".join(PROVIDERS)
        raise CallerError("caller.bad_request", f"unknown provider {provider[:40]!r}; known are: {known}")
    return PROVIDERS[provider]


def _drop(stored: _KeyFile, provider: str) -> None:
    stored.keys.pop(provider, None)
    stored.endings.pop(provider, None)
