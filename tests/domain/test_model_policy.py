"""What a guest may ask a model for: exact paths by POST, nothing else; and which addresses a person may name.

In: request lines and addresses. Out: verdicts. Never: the network.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pui.domain.errors import CallerError
from pui.domain.model_policy import (
    DEMO_CHOICE,
    PROVIDERS,
    Allowed,
    ModelChoice,
    Refused,
    check_base_url,
    decide_request,
)


@pytest.mark.parametrize(
    ("provider", "target", "upstream"),
    [
        ("anthropic", "/anthropic/v1/messages?beta=true", "/v1/messages?beta=true"),
        ("anthropic-compatible", "/anthropic-compatible/v1/messages", "/v1/messages"),
        ("openai", "/openai/responses", "/responses"),
        ("openai", "/openai/chat/completions", "/chat/completions"),
        ("demo", "/demo/chat/completions", "/chat/completions"),
    ],
)
def test_what_pi_asks_is_allowed(provider: str, target: str, upstream: str) -> None:
    assert decide_request(PROVIDERS[provider], "POST", target) == Allowed(upstream)


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/openai/responses", 405),
        ("DELETE", "/openai/responses", 405),
        ("GET", "/openai/files", 404),
        ("POST", "/openai/responses/", 404),
        ("POST", "/openai/responses/resp_1/cancel", 404),
        ("POST", "/openai/v1/../responses", 404),
        ("POST", "/openai/%72esponses", 404),
        ("POST", "//openai/responses", 404),
        ("POST", "/openai//responses", 404),
        ("POST", "/anthropic/v1/messages", 404),
        ("POST", "http://evil.example/openai/responses", 404),
        ("POST", "evil.example:443", 404),
        ("POST", "*", 404),
        ("POST", "/openai/responses?a=b#c", 400),
        ("POST", "/openai/responses?u=http://x", 400),
        ("POST", "/openai/responses?" + "a" * 257, 400),
        ("POST", "/openai/responses?a?b", 400),
    ],
)
@pytest.mark.threat("H6")
def test_anything_else_is_refused(method: str, target: str, status: int) -> None:
    verdict = decide_request(PROVIDERS["openai"], method, target)
    assert isinstance(verdict, Refused) and verdict.status == status


@settings(deadline=None)
@given(st.text(max_size=60))
@pytest.mark.threat("H6")
def test_only_listed_paths_ever_pass(rest: str) -> None:
    verdict = decide_request(PROVIDERS["openai"], "POST", "/openai" + rest)
    if isinstance(verdict, Allowed):
        assert verdict.path_and_query.partition("?")[0] in PROVIDERS["openai"].paths


@pytest.mark.parametrize(
    "url", ["https://api.example", "https://api.example:8443/v1", "http://127.0.0.1:8080/v1", "http://[::1]:9/x"]
)
def test_plain_addresses_are_taken(url: str) -> None:
    check_base_url(url)


NO_HOSTS = [
    "http://127.0.0.1/openai/responses",
    "http://2130706433/openai/responses",
    "http://0177.0.0.1/openai/responses",
    "http://0x7f.1/openai/responses",
    "http://[::ffff:127.0.0.1]/openai/responses",
    "http://[64:ff9b::7f00:1]/openai/responses",
    "http://169.254.169.254/openai/responses",
    "http://metadata.internal/openai/responses",
    "http://\u2460\u2461\u2466.0.0.1/openai/responses",
    "https://api.example/openai/responses",
    "//169.254.169.254/openai/responses",
    "\\\\169.254.169.254\\openai\\responses",
    "@127.0.0.1/openai/responses",
    "/@127.0.0.1/openai/responses",
    "/openai/responses@127.0.0.1",
    "/openai/responses\0.example",
    "/openai/responses%00",
    "/openai/responses%2f..%2f..",
    "/openai/responses.",
    "/openai./responses",
    "/openai/respons\u0435s",
    "/OPENAI/responses",
    "127.0.0.1:22",
    "localhost:25",
]


@pytest.mark.parametrize("target", NO_HOSTS)
@pytest.mark.threat("H2", "H3", "H4", "H5", "H7", "H11")
def test_the_guest_never_names_a_host(target: str) -> None:
    """Where a request goes is the person's choice; whatever would name another place is no path of a provider."""
    for kind in PROVIDERS.values():
        for method in ("POST", "CONNECT"):
            assert not isinstance(decide_request(kind, method, target), Allowed)


@pytest.mark.threat("H15")
def test_a_provider_without_paths_allows_nothing() -> None:
    nothing = replace(PROVIDERS["openai"], paths=frozenset())
    assert not isinstance(decide_request(nothing, "POST", "/openai/responses"), Allowed)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.example",
        "http://api.example",
        "http://127.0.0.1.evil.example",
        "ftp://127.0.0.1",
        "https://",
        "https://user:pw@api.example",
        "https://@api.example",
        "https://api.example?x=1",
        "https://api.example/v1?",
        "https://api.example/v1#f",
        "https://api.example/v1/",
        "https://api.example/a/../b",
        "https://api.example:0",
        "https://api.example:99999",
        "https://api.ex ample",
        "https://api.example\\@evil.example",
        "https://api.example\r\nx: y",
        "https://ápi.example",
        "https://[::1",
    ],
)
def test_odd_addresses_are_refused(url: str) -> None:
    with pytest.raises(CallerError) as raised:
        ModelChoice("openai", "m", url)
    assert raised.value.code == "caller.bad_request" and "pw" not in raised.value.message


def test_the_demo_is_labelled() -> None:
    assert DEMO_CHOICE.is_demo and DEMO_CHOICE.label == "demo model (scripted)"
