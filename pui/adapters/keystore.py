"""Which model a person chose and where its key comes from: the environment, or a private file.

In: the environment, read once. Out: a ModelChoice. Never: a key left in the environment for our children, in an
argument list, in a message; a key file that others can read.

`PUI_MODEL` is `provider/model` or `provider`; `PUI_MODEL_BASE_URL` another address of that provider;
`PUI_API_KEY_FILE` a file that holds the key alone, before the provider's own variable (ANTHROPIC_API_KEY,
OPENAI_API_KEY). Without any of them: the demo model.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pui.domain.errors import CallerError, HostError, ModelError
from pui.domain.model_policy import DEMO_CHOICE, PROVIDERS, ModelChoice, ProviderKind, SecretText

ENV_MODEL = "PUI_MODEL"
ENV_BASE_URL = "PUI_MODEL_BASE_URL"
ENV_KEY_FILE = "PUI_API_KEY_FILE"
KEY_LIMIT_BYTES = 4096


@dataclass(frozen=True)
class ModelEnvironment:
    """What the environment says about models. `named` is the choice of PUI_MODEL, `implied` the first provider whose
    key is there ("" for none), `keys` every provider's key."""

    named: ModelChoice | None
    implied: str
    keys: Mapping[str, SecretText]


def read_model_choice(environ: MutableMapping[str, str]) -> ModelChoice:
    """The choice by the environment alone; removes every provider's key from `environ`.

    Raises ModelError("model.no_key"), CallerError("caller.bad_request"), HostError("host.permission").
    """
    found = read_model_environment(environ)
    if (named := found.named) is not None:
        if not named.is_demo and not named.key and urlsplit(named.base_url).scheme == "https":
            variable = named.kind.key_variable or ENV_KEY_FILE
            raise ModelError("model.no_key", f"no key for {named.provider}: set {variable}")
        return named
    if not found.implied:
        return DEMO_CHOICE
    kind = PROVIDERS[found.implied]
    return ModelChoice(kind.name, kind.default_model, kind.base_url, found.keys[kind.name])


def read_model_environment(environ: MutableMapping[str, str]) -> ModelEnvironment:
    """Removes every provider's key from `environ` (give it os.environ, early). A key may be missing.

    Raises CallerError("caller.bad_request"), HostError("host.permission").
    """
    texts = {kind.name: environ.pop(kind.key_variable, "") for kind in PROVIDERS.values() if kind.key_variable}
    keys = {name: checked_key(text, "environment") for name, text in texts.items() if text.strip()}
    wanted = environ.get(ENV_MODEL, "")
    base_url, key_file = environ.get(ENV_BASE_URL, "").rstrip("/"), environ.get(ENV_KEY_FILE, "")
    if not wanted:
        if base_url or key_file:
            raise CallerError("caller.bad_request", f"{ENV_MODEL} is needed beside {ENV_BASE_URL} or {ENV_KEY_FILE}")
        return ModelEnvironment(None, next(iter(keys), ""), keys)
    provider, _, model = wanted.partition("/")
    kind = PROVIDERS.get(provider)
    if kind is None:
        raise CallerError("caller.bad_request", f"{ENV_MODEL}: unknown provider {provider!r}; known: {_known()}")
    if kind.name == DEMO_CHOICE.provider:
        return ModelEnvironment(DEMO_CHOICE, "", keys)
    named = _choice(kind, model, base_url, key_file, keys.get(provider, SecretText("")))
    return ModelEnvironment(named, "", keys | ({provider: named.key} if named.key else {}))


def _choice(kind: ProviderKind, model: str, base_url: str, key_file: str, env_key: SecretText) -> ModelChoice:
    address = base_url or kind.base_url
    if not address:
        raise CallerError("caller.bad_request", f"{kind.name} needs an address in {ENV_BASE_URL}")
    if not (model or kind.default_model):
        raise CallerError("caller.bad_request", f"name the model: {ENV_MODEL}={kind.name}/MODEL")
    key = checked_key(_read_key_file(Path(key_file)), key_file) if key_file else env_key
    return ModelChoice(kind.name, model or kind.default_model, address, key)


def _known() -> str:
    return ", ".join(PROVIDERS)


def _read_key_file(path: Path) -> str:
    return read_secret_file(path, KEY_LIMIT_BYTES + 1).decode("ascii", "replace")


def read_secret_file(path: Path, limit_bytes: int) -> bytes:
    """At most `limit_bytes` of a regular file that only this user (or root) can read or write.

    Raises HostError("host.permission").
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as fault:
        raise HostError("host.permission", f"the key file {path} cannot be read: {fault.strerror}") from fault
    try:
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode):
            raise HostError("host.permission", f"the key file {path} is not a regular file")
        if facts.st_mode & 0o077 or facts.st_uid not in (os.geteuid(), 0):
            raise HostError(
                "host.permission", f"others can read the key file {path}", hint=f"Run `chmod 600 {path}` and own it."
            )
        return os.read(fd, limit_bytes)
    finally:
        os.close(fd)


def checked_key(text: str, source: str) -> SecretText:
    """The key without the space around it. The message names where it came from, never a part of it."""
    key = text.strip()
    if len(key) > KEY_LIMIT_BYTES or not key.isascii() or not key.isprintable() or " " in key:
        raise CallerError("caller.bad_request", f"the key from {source} is not one line of plain characters")
    if not key and source != "environment":
        raise CallerError("caller.bad_request", f"the key file {source} is empty")
    return SecretText(key)
