"""Which model a task may use and which HTTP requests a model needs: everything else is refused.

In: a provider's name, a request line of the guest. Out: a ModelChoice; where a request goes, or why it does not.
Never: I/O; a key in a repr, an error or an upstream address chosen by the guest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pui.domain.errors import CallerError

DEMO_PROVIDER = "demo"
DEMO_MODEL = "demo-1"
_QUERY = re.compile(r"[A-Za-z0-9._~=&-]{0,256}")
_MODEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,127}")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class SecretText:
    """A text that shows itself only to `reveal`: repr, str, format and pickling do not."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one place that needs it."""
        return self._text

    def __repr__(self) -> str:
        return "SecretText(…)" if self._text else "SecretText()"

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self._text)

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a secret is not copied")


@dataclass(frozen=True)
class ProviderKind:
    """How one provider is spoken to.

    `api` is pi's name of the protocol, `paths` what a model needs below the base URL, all by POST. `key_header` is how
    the gateway shows the real key. `base_url` "" means that a person has to name one. `is_built_in`: pi's own catalog
    has this provider, so models.json only re-routes it.
    """

    name: str
    api: str
    paths: frozenset[str]
    key_header: str
    base_url: str
    default_model: str
    key_variable: str = ""
    is_built_in: bool = True


_CHAT = frozenset({"/chat/completions"})
_OPENAI = _CHAT | {"/responses"}

PROVIDERS: Mapping[str, ProviderKind] = {
    kind.name: kind
    for kind in (
        ProviderKind(DEMO_PROVIDER, "openai-completions", _CHAT, "", "", DEMO_MODEL, is_built_in=False),
        ProviderKind(
            "anthropic",
            "anthropic-messages",
            frozenset({"/v1/messages"}),
            "x-api-key",
            "https://api.anthropic.com",
            "claude-opus-5-5",
            "ANTHROPIC_API_KEY",
        ),
        ProviderKind(
            "openai",
            "openai-responses",
            _OPENAI,
            "authorization",
            "https://api.openai.com/v1",
            "gpt-6.1-sol",
            "OPENAI_API_KEY",
        ),
        ProviderKind("openai-compatible", "openai-completions", _OPENAI, "authorization", "", "", is_built_in=False),
        ProviderKind(
            "anthropic-compatible",
            "anthropic-messages",
            frozenset({"/v1/messages"}),
            "x-api-key",
            "",
            "",
            is_built_in=False,
        ),
    )
}


def check_model_name(provider: str, model: str) -> None:
    """Raises CallerError("caller.bad_request") for a provider that pui does not know or an odd model id."""
    if provider not in PROVIDERS:
        raise CallerError("caller.bad_request", f"unknown provider {provider!r}; known are: {', '.join(PROVIDERS)}")
    if not _MODEL_ID.fullmatch(model):
        raise CallerError("caller.bad_request", f"{model!r} is not a model name")


@dataclass(frozen=True)
class ModelChoice:
    """One task's model: provider kind, model id, the one upstream and its key.

    `base_url` has no final slash and is "" for the demo. Raises CallerError("caller.bad_request") when built wrong:
    unknown provider, odd model id, a base URL that is not https (http only for loopback) or carries user, query or
    fragment.
    """

    provider: str
    model: str
    base_url: str = ""
    key: SecretText = field(default_factory=lambda: SecretText(""), compare=False)

    def __post_init__(self) -> None:
        check_model_name(self.provider, self.model)
        if not self.is_demo:
            check_base_url(self.base_url)

    @property
    def kind(self) -> ProviderKind:
        return PROVIDERS[self.provider]

    @property
    def is_demo(self) -> bool:
        return self.provider == DEMO_PROVIDER

    @property
    def label(self) -> str:
        """What a person is shown."""
        if self.is_demo:
            return "demo model (scripted)"
        return f"{self.model} ({self.provider} at {urlsplit(self.base_url).hostname})"


DEMO_CHOICE = ModelChoice(DEMO_PROVIDER, DEMO_MODEL)


def check_base_url(base_url: str) -> None:
    """Raises CallerError("caller.bad_request") unless `base_url` is one plain upstream address."""
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError as fault:
        raise _bad_url(base_url, "is not an address") from fault
    host = parts.hostname or ""
    if not base_url.isascii() or not base_url.isprintable() or " " in base_url or "\\" in base_url:
        raise _bad_url(base_url, "has characters that an address may not have")
    if parts.username is not None or parts.password is not None or "?" in base_url or "#" in base_url:
        raise _bad_url("…", "may carry no user, password, query or fragment")
    if not (_HOST.fullmatch(host) or _HOST.fullmatch(f"[{host}]")) or port == 0:
        raise _bad_url(base_url, "names no host")
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOOPBACK):
        raise _bad_url(base_url, "has to begin with https:// (http:// only for this computer)")
    if parts.path.endswith("/") or ".." in parts.path.split("/"):
        raise _bad_url(base_url, "may not end with a slash or climb with ..")


def _bad_url(base_url: str, reason: str) -> CallerError:
    return CallerError("caller.bad_request", f"the model's address {base_url!r} {reason}")


@dataclass(frozen=True)
class Allowed:
    """The request may go to base URL + `path_and_query`."""

    path_and_query: str


@dataclass(frozen=True)
class Refused:
    """The request may not: HTTP status and words for the guest."""

    status: int
    reason: str


def decide_request(kind: ProviderKind, method: str, target: str) -> Allowed | Refused:
    """Whether a model of `kind` needs `method target` (origin form, below /<provider>). Paths match exactly."""
    path, _, query = target.partition("?")
    prefix = f"/{kind.name}"
    if not path.startswith(prefix + "/") or path.removeprefix(prefix) not in kind.paths:
        return Refused(404, "this path is not one that a model needs")
    if method != "POST":
        return Refused(405, "only POST is allowed here")
    if not _QUERY.fullmatch(query):
        return Refused(400, "an odd query")
    return Allowed(path.removeprefix(prefix) + (f"?{query}" if query else ""))
