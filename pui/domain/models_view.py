"""What a person is shown of providers, models and keys.

In: which keys are set and where, addresses, the default model. Out: the ModelsView of docs/bridge.md.
Never: more of a key than its last four characters; a whole short key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pui.domain.events import JsonValue
from pui.domain.model_policy import DEMO_PROVIDER, PROVIDERS, ProviderKind, SecretText
from pui.domain.settings import ModelName

KeyPlace = Literal["memory", "file", "keystore"]
KeySource = Literal["", "memory", "file", "keystore", "environment"]

MIN_SHOWN_KEY_CHARS = 16
"""Of a shorter key the last four characters would be too much of it."""
_ENDING_CHARS = 4

LABELS = {
    "demo": "Demo (scripted, no key)",
    "anthropic": "Anthropic",
    "openai": "OpenAI",
    "openai-compatible": "OpenAI-compatible server",
    "anthropic-compatible": "Anthropic-compatible server",
}


@dataclass(frozen=True)
class ProviderState:
    """`ending` is what may be shown of the key, "" for none or a short one; `address` "" when one has to be named."""

    name: str
    source: KeySource = ""
    ending: str = ""
    address: str = ""

    @property
    def kind(self) -> ProviderKind:
        return PROVIDERS[self.name]


def key_ending(key: SecretText) -> str:
    """The last four characters of a key that is long enough to show them."""
    text = key.reveal()
    return text[-_ENDING_CHARS:] if len(text) >= MIN_SHOWN_KEY_CHARS else ""


def models_view(
    states: Sequence[ProviderState], default: ModelName, places: Sequence[KeyPlace]
) -> dict[str, JsonValue]:
    """ModelsView of docs/bridge.md."""
    return {
        "providers": [_provider(state, default) for state in states],
        "default": {"provider": default.provider, "model": default.model},
        "key_stores": list(places),
    }


def _provider(state: ProviderState, default: ModelName) -> dict[str, JsonValue]:
    kind = state.kind
    models = [kind.default_model] if kind.default_model else []
    if default.provider == kind.name and default.model not in models:
        models.append(default.model)
    return {
        "name": kind.name,
        "label": LABELS[kind.name],
        "needs_key": kind.name != DEMO_PROVIDER and not state.address.startswith("http://"),
        "key": {"is_set": bool(state.source), "ending": state.ending, "source": state.source},
        "address": state.address,
        "models": list(models),
        "default_model": kind.default_model,
    }
