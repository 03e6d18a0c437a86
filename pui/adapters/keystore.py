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
from collections.abc import MutableMapping
from pathlib import Path
from urllib.parse import urlsplit

from pui.domain.errors import CallerError, HostError, ModelError
from pui.domain.model_policy import DEMO_CHOICE, PROVIDERS, ModelChoice, ProviderKind, SecretText

ENV_MODEL = "PUI_MODEL"
ENV_BASE_URL = "PUI_MODEL_BASE_URL"
ENV_KEY_FILE = "PUI_API_KEY_FILE"
KEY_LIMIT_BYTES = 4096


def read_model_choice(environ: MutableMapping[str, str]) -> ModelChoice:
    """The person's choice; removes every provider's key from `environ` (give it os.environ, early).

    Raises ModelError("model.no_key"), CallerError("caller.bad_request"), HostError("host.permission").
    """
    keys = {kind.name: environ.pop(kind.key_variable, "") for kind in PROVIDERS.values() if kind.key_variable}
    wanted = environ.get(ENV_MODEL, "")
    base_url, key_file = environ.get(ENV_BASE_URL, "").rstrip("/"), environ.get(ENV_KEY_FILE, "")
    if not wanted:
        if base_url or key_file:
            raise CallerError("caller.bad_request", f"{ENV_MODEL} is needed beside {ENV_BASE_URL} or {ENV_KEY_FILE}")
        wanted = next((name for name, key in keys.items() if key), DEMO_CHOICE.provider)
    provider, _, model = wanted.partition("/")
    kind = PROVIDERS.get(provider)
    if kind is None:
        raise CallerError("caller.bad_request", f"{ENV_MODEL}: unknown provider {provider!r}; known: {_known()}")
    if kind.name == DEMO_CHOICE.provider:
        return DEMO_CHOICE
    return _choice(kind, model, base_url, key_file, keys.get(provider, ""))


def _choice(kind: ProviderKind, model: str, base_url: str, key_file: str, key_text: str) -> ModelChoice:
    address = base_url or kind.base_url
    if not address:
        raise CallerError("caller.bad_request", f"{kind.name} needs an address in {ENV_BASE_URL}")
    if not (model or kind.default_model):
        raise CallerError("caller.bad_request", f"name the model: {ENV_MODEL}={kind.name}/MODEL")
    key = _checked_key(_read_key_file(Path(key_file)), key_file) if key_file else _checked_key(key_text, "environment")
    choice = ModelChoice(kind.name, model or kind.default_model, address, key)
    if not key and urlsplit(address).scheme == "https":
        raise ModelError("model.no_key", f"no key for {kind.name}: set {kind.key_variable or ENV_KEY_FILE}")
    return choice


def _known() -> str:
    return ", ".join(PROVIDERS)


def _read_key_file(path: Path) -> str:
    """The file's text; it must be a regular file that only this user (or root) can read or write."""
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
        return os.read(fd, KEY_LIMIT_BYTES + 1).decode("ascii", "replace")
    finally:
        os.close(fd)


def _checked_key(text: str, source: str) -> SecretText:
    """The key without the space around it. The message names where it came from, never a part of it."""
    key = text.strip()
    if len(key) > KEY_LIMIT_BYTES or not key.isascii() or not key.isprintable() or " " in key:
        raise CallerError("caller.bad_request", f"the key from {source} is not one line of plain characters")
    if not key and source != "environment":
        raise CallerError("caller.bad_request", f"the key file {source} is empty")
    return SecretText(key)
