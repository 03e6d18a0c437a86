"""What is shown of keys: never more than an ending, of a short key nothing.

In: provider states. Out: the ModelsView. Never: a whole key.
"""

from __future__ import annotations

from typing import Any

from pui.domain.model_policy import PROVIDERS, SecretText
from pui.domain.models_view import LABELS, ProviderState, key_ending, models_view
from pui.domain.settings import ModelName


def test_only_the_ending_of_a_long_key_is_shown() -> None:
    assert key_ending(SecretText("sk-canary-0123456789")) == "6789"
    assert key_ending(SecretText("short-key")) == ""
    assert key_ending(SecretText("")) == ""


def test_the_view_has_each_provider_with_its_models() -> None:
    states = [
        ProviderState("demo"),
        ProviderState("openai", "memory", "6789", "https://api.openai.com/v1"),
        ProviderState("openai-compatible", address="http://127.0.0.1:1/v1"),
    ]
    view: dict[str, Any] = models_view(states, ModelName("openai", "own-model"), ["memory", "file"])
    demo, openai, local = view["providers"]
    assert demo["needs_key"] is False
    assert openai["key"] == {"is_set": True, "ending": "6789", "source": "memory"}
    assert openai["models"] == [PROVIDERS["openai"].default_model, "own-model"]
    assert (local["needs_key"], local["models"], local["key"]["is_set"]) == (False, [], False)
    assert view["key_stores"] == ["memory", "file"]
    assert set(LABELS) == set(PROVIDERS)
