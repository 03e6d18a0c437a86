"""What a person has chosen for the whole app: each value typed, bounded, with a default.

In: the bytes of the settings file, one key and value to change. Out: frozen Settings, their JSON, sentences about what
was not understood. Never: I/O, a key of a model (those have a store of their own), a value that was not checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Literal, get_args
from urllib.parse import urlsplit

from pui.domain.errors import CallerError, PuiError
from pui.domain.events import JsonValue
from pui.domain.model_policy import DEMO_PROVIDER, PROVIDERS, ModelChoice, check_base_url
from pui.domain.strict_json import StrictJsonError, dump_canonical, load_object
from pui.domain.task import CPU_COUNT, CPU_RANGE, MEMORY_MIB, MEMORY_RANGE_MIB

SETTINGS_SCHEMA = "pui-settings-1"
MAX_SETTINGS_BYTES = 64 * 1024

Theme = Literal["system", "light", "dark"]
Contrast = Literal["normal", "high"]
Motion = Literal["system", "reduced"]
Network = Literal["model", "offline"]
Thinking = Literal["off", "minimal", "low", "medium", "high", "xhigh", "max"]

TEXT_SCALE_RANGE = (80, 200)
UPDATE_INTERVAL_RANGE_H = (1, 720)
DISK_LIMIT_RANGE_BYTES = (1 << 30, 1 << 50)
MAX_CHANNEL_CHARS = 2000
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class ModelName:
    """A provider and one of its models; "" as the model means the provider's default."""

    provider: str
    model: str


@dataclass(frozen=True)
class Settings:
    """`text_scale` in percent. `model` None: nobody has chosen one. `disk_limit_bytes` bounds what packs take up.

    `notify_*`: what is told on the desktop while the person looks elsewhere.

    `addresses` are base URLs by provider, `channel` the address that updates come from ("": none).
    """

    theme: Theme = "system"
    contrast: Contrast = "normal"
    text_scale: int = 100
    motion: Motion = "system"
    language: str = "en"
    network: Network = "model"
    memory_mib: int = MEMORY_MIB
    cpu_count: int = CPU_COUNT
    thinking: Thinking = "medium"
    model: ModelName | None = None
    cache: bool = True
    channel: str = ""
    update_check: bool = True
    update_interval_h: int = 24
    update_on_metered: bool = False
    update_download: bool = True
    disk_limit_bytes: int | None = None
    notify_needs_you: bool = True
    notify_done: bool = True
    notify_failed: bool = True
    addresses: Mapping[str, str] = field(default_factory=dict)


# One check a value: JSON in, the typed value out, or a ValueError that says what is allowed.

_Check = Callable[[JsonValue], object]


def _one_of(literal: object) -> _Check:
    allowed = get_args(literal)

    def check(value: JsonValue) -> object:
        if not isinstance(value, str) or value not in allowed:
            raise ValueError(f"is one of {', '.join(allowed)}")
        return value

    return check


def _whole(limits: tuple[int, int]) -> _Check:
    low, high = limits

    def check(value: JsonValue) -> object:
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"is a whole number from {low} to {high}")
        return value

    return check


def _switch(value: JsonValue) -> object:
    if type(value) is not bool:
        raise ValueError("is true or false")
    return value


def _or_none(check: _Check) -> _Check:
    return lambda value: None if value is None else check(value)


def _language(value: JsonValue) -> object:
    if not isinstance(value, str) or _LANGUAGE.fullmatch(value) is None:
        raise ValueError("is a language such as en or pt-BR")
    return value


def _model(value: JsonValue) -> object:
    """{provider, model}; an empty model is the provider's default one."""
    if value is None:
        return None
    provider, model = (value.get("provider"), value.get("model")) if isinstance(value, dict) else (None, None)
    kind = PROVIDERS.get(provider) if isinstance(provider, str) else None
    if kind is None or not isinstance(model, str) or not isinstance(value, dict) or len(value) != 2:
        raise ValueError(f"is a provider ({', '.join(PROVIDERS)}) and a model")
    name = model or kind.default_model
    try:
        ModelChoice(kind.name, name, kind.base_url or "https://any.example")
    except CallerError as error:
        raise ValueError(f"is not usable: {error.message}") from error
    return ModelName(kind.name, name)


def _channel(value: JsonValue) -> object:
    """The address of a channel. What may be fetched from is judged once more by whoever fetches."""
    if value == "":
        return ""
    if not isinstance(value, str) or len(value) > MAX_CHANNEL_CHARS or not value.isascii() or not value.isprintable():
        raise ValueError("is an address")
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError("is an address") from error
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    if not is_safe or not host or parts.username or parts.password or parts.query or parts.fragment or " " in value:
        raise ValueError("is a plain https:// address (http:// only for this computer)")
    return value


def _addresses(value: JsonValue) -> object:
    if not isinstance(value, dict):
        raise ValueError("is a table of addresses by provider")
    found: dict[str, str] = {}
    for name, address in value.items():
        if name not in PROVIDERS or name == DEMO_PROVIDER or not isinstance(address, str):
            raise ValueError("is a table of addresses by provider")
        try:
            check_base_url(address)
        except CallerError as error:
            raise ValueError(f"is not usable: {error.message}") from error
        found[name] = address
    return found


_CHECKS: Mapping[str, _Check] = {
    "theme": _one_of(Theme),
    "contrast": _one_of(Contrast),
    "text_scale": _whole(TEXT_SCALE_RANGE),
    "motion": _one_of(Motion),
    "language": _language,
    "network": _one_of(Network),
    "memory_mib": _whole(MEMORY_RANGE_MIB),
    "cpu_count": _whole(CPU_RANGE),
    "thinking": _one_of(Thinking),
    "model": _model,
    "cache": _switch,
    "channel": _channel,
    "update_check": _switch,
    "update_interval_h": _whole(UPDATE_INTERVAL_RANGE_H),
    "update_on_metered": _switch,
    "update_download": _switch,
    "disk_limit_bytes": _or_none(_whole(DISK_LIMIT_RANGE_BYTES)),
    "notify_needs_you": _switch,
    "notify_done": _switch,
    "notify_failed": _switch,
    "addresses": _addresses,
}
KEYS = tuple(_CHECKS)
NATIVE_KEYS = frozenset({"channel", "addresses"})
"""Addresses: the page may not set them, they are asked in a native dialog (threats.md, Bridge)."""


def changed(settings: Settings, key: str, value: JsonValue) -> Settings:
    """The settings with one value replaced. Raises CallerError("caller.bad_request")."""
    check = _CHECKS.get(key)
    if check is None:
        raise CallerError("caller.bad_request", f"there is no setting {key[:40]!r}", hint="`pui settings list`")
    try:
        return replace(settings, **{key: check(value)})  # type: ignore[arg-type]  # the check made its type
    except ValueError as error:
        raise CallerError("caller.bad_request", f"the setting {key} {error}", hint="`pui settings list`") from error


def changed_by_text(settings: Settings, key: str, text: str) -> Settings:
    """The same for what a person types: numbers and true/false are read as such, `none` clears, PROVIDER/MODEL.

    Raises CallerError("caller.bad_request").
    """
    words: Mapping[str, JsonValue] = {"true": True, "on": True, "false": False, "off": False, "none": None}
    value: JsonValue = text
    if key == "model" and text != "none":
        provider, _, model = text.partition("/")
        value = {"provider": provider, "model": model}
    elif text.isascii() and text.isdigit() and len(text) < 20:
        value = int(text)
    elif text in words and not (key == "thinking" and text == "off"):
        value = "" if key == "channel" else words[text]
    return changed(settings, key, value)


def settings_to_json(settings: Settings) -> dict[str, JsonValue]:
    """Every value by its key, as the file holds it."""
    found: dict[str, JsonValue] = {}
    for entry in fields(settings):
        value = getattr(settings, entry.name)
        if isinstance(value, ModelName):
            value = {"provider": value.provider, "model": value.model}
        found[entry.name] = dict(value) if isinstance(value, Mapping) else value
    return found


def settings_view(settings: Settings, default: ModelName, data_dir: str) -> dict[str, JsonValue]:
    """Settings of docs/bridge.md: `default` is the model that a new task gets; addresses are in the ModelsView."""
    found = settings_to_json(settings)
    del found["addresses"]
    found["model"] = {"provider": default.provider, "model": default.model}
    return found | {"data_dir": data_dir}


def render_settings(settings: Settings) -> bytes:
    """The settings file."""
    return dump_canonical({"schema": SETTINGS_SCHEMA, **settings_to_json(settings)})


def parse_settings(data: bytes) -> tuple[Settings, tuple[str, ...]]:
    """The settings and a sentence for each value that was left out: an unknown key, a value that is not allowed.

    Raises CallerError("caller.bad_request") for bytes that are no settings file at all.
    """
    try:
        table = load_object(data, MAX_SETTINGS_BYTES)
        if table.get("schema") != SETTINGS_SCHEMA:
            raise StrictJsonError(f"it is not a {SETTINGS_SCHEMA}")
    except StrictJsonError as error:
        raise CallerError("caller.bad_request", f"the settings are refused: {error}") from error
    settings, left_out = Settings(), []
    for key, value in table.items():
        if key == "schema":
            continue
        try:
            settings = changed(settings, key, value)
        except PuiError as error:
            left_out.append(f"{error.message}; the default is used")
    return settings, tuple(left_out)
