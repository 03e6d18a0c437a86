"""The way to a real provider: one address, our key, nothing of it back.

In: a provider on loopback. Out: what it saw, what the guest saw. Never: a key in either place it must not be.
"""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import Awaitable, Callable

import httpx
import pytest

from pui.domain.model_policy import ModelChoice, SecretText
from tests.model.rig import AUTH, TOKEN, Provider, Rig, reply, rig

KEY = "sk-canary-0123456789abcdef"
Writer = Callable[[asyncio.StreamWriter], Awaitable[None]]


def _ask(
    answer: Writer, act: Callable[[Rig, Provider], Awaitable[None]], provider_name: str = "openai-compatible"
) -> Provider:
    async def run() -> Provider:
        async with Provider(answer).running() as provider:
            choice = ModelChoice(provider_name, "m", provider.base_url, SecretText(KEY))
            async with rig(choice) as made:
                await act(made, provider)
            return provider

    return asyncio.run(run())


async def _post(made: Rig, **more: str) -> httpx.Response:
    url = "/openai-compatible/chat/completions"
    return await made.client.post(url, json={"model": "m"}, headers={**AUTH, **more})


@pytest.mark.threat("H8")
def test_the_key_goes_up_and_the_guests_headers_do_not() -> None:
    async def act(made: Rig, _provider: Provider) -> None:
        more = {
            "host": "evil.example",
            "cookie": "c=1",
            "x-forwarded-for": "1.2.3.4",
            "openai-beta": "b",
            "x-api-key": TOKEN,
        }
        assert (await _post(made, **more)).json() == {"ok": 1}

    provider = _ask(reply("200 OK", b'{"ok": 1}', "content-type: application/json", "set-cookie: s=1"), act)
    ((head, body),) = provider.requests
    assert head.startswith("POST /base/chat/completions HTTP/1.1\r\n") and body == b'{"model":"m"}'
    assert f"authorization: Bearer {KEY}\r\n" in head and "openai-beta: b\r\n" in head
    assert not [word for word in (TOKEN, "cookie", "1.2.3.4", "x-api-key", "python-httpx") if word in head]
    assert "evil.example" not in head and "host: 127.0.0.1" in head.lower()


def test_anthropic_gets_its_own_header() -> None:
    async def act(made: Rig, _provider: Provider) -> None:
        url = "/anthropic-compatible/v1/messages?beta=true"
        await made.client.post(url, json={}, headers={"x-api-key": TOKEN, "anthropic-version": "2023-06-01"})

    provider = _ask(reply("200 OK", b"{}"), act, "anthropic-compatible")
    head = provider.requests[0][0]
    assert head.startswith("POST /base/v1/messages?beta=true ") and f"x-api-key: {KEY}\r\n" in head
    assert "anthropic-version: 2023-06-01" in head and "authorization" not in head and TOKEN not in head


@pytest.mark.parametrize("status", ["200 OK", "401 Unauthorized", "500 Oops"])
def test_a_key_that_comes_back_is_removed_from_body_and_headers(status: str) -> None:
    async def act(made: Rig, _provider: Provider) -> None:
        response = await _post(made)
        assert response.status_code == int(status[:3])
        assert response.text == "your key [key removed] is bad"
        assert response.headers["request-id"] == "[key removed]"

    _ask(reply(status, f"your key {KEY} is bad".encode(), f"request-id: {KEY}", "content-type: text/plain"), act)


def test_a_key_cut_over_two_pieces_of_a_stream_is_removed() -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: " + KEY[:9].encode())
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(KEY[9:].encode() + b"\n\n")
        await writer.drain()

    async def act(made: Rig, _provider: Provider) -> None:
        assert (await _post(made)).text == "data: [key removed]\n\n"

    _ask(answer, act)


def test_pieces_arrive_as_they_come() -> None:
    async def act(made: Rig, _provider: Provider) -> None:
        url = "/openai-compatible/chat/completions"
        async with made.client.stream("POST", url, json={}, headers=AUTH) as response:
            pieces = response.aiter_bytes()
            assert await anext(pieces) == b"data: 1\n\n"
            may_go_on.set()
            assert await anext(pieces) == b"data: 2\n\n"

    may_go_on = asyncio.Event()

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\ndata: 1\n\n")
        await writer.drain()
        await may_go_on.wait()
        writer.write(b"data: 2\n\n")
        await writer.drain()

    _ask(answer, act)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
@pytest.mark.threat("H9")
def test_a_redirect_is_not_followed(status: str) -> None:
    async def act(made: Rig, provider: Provider) -> None:
        response = await _post(made)
        assert response.status_code == 502 and "does not follow" in response.json()["error"]["message"]
        assert len(provider.requests) == 1

    _ask(reply(status, b"", "location: http://127.0.0.1:1/steal"), act)


def test_a_compressed_answer_is_passed_on_plain() -> None:
    async def act(made: Rig, _provider: Provider) -> None:
        response = await _post(made)
        assert response.text == "key: [key removed]" and "content-encoding" not in response.headers

    _ask(reply("200 OK", gzip.compress(f"key: {KEY}".encode()), "content-encoding: gzip"), act)


def test_a_provider_that_is_not_there_is_a_502_with_words() -> None:
    async def run() -> None:
        async with Provider(reply("200 OK", b"")).running() as provider:
            choice = ModelChoice("openai-compatible", "m", provider.base_url, SecretText(KEY))
        async with rig(choice) as made:
            response = await _post(made)
            assert response.status_code == 502 and "ConnectError" in response.json()["error"]["message"]

    asyncio.run(run())


def test_garbage_from_the_provider_is_a_502() -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"not http at all\r\n\r\n")
        await writer.drain()

    async def act(made: Rig, _provider: Provider) -> None:
        assert (await _post(made)).status_code == 502

    _ask(answer, act)


def test_an_answer_cut_by_the_provider_is_cut_for_the_guest() -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
        await writer.drain()

    async def act(made: Rig, _provider: Provider) -> None:
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await _post(made)

    _ask(answer, act)


@pytest.mark.threat("H17")
def test_an_error_body_is_bounded() -> None:
    async def act(made: Rig, _provider: Provider) -> None:
        response = await _post(made)
        assert response.status_code == 500 and len(response.content) < 2_000_000

    _ask(reply("500 Oops", b"x" * 8_000_000), act)


def test_back_pressure_reaches_the_provider() -> None:
    sent_bytes = 0

    async def answer(writer: asyncio.StreamWriter) -> None:
        nonlocal sent_bytes
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(1024):
            writer.write(b"x" * 65_536)
            await writer.drain()
            sent_bytes += 65_536

    async def act(made: Rig, _provider: Provider) -> None:
        url = "/openai-compatible/chat/completions"
        async with made.client.stream("POST", url, json={}, headers=AUTH) as response:
            assert response.status_code == 200
            before = -1
            while before != sent_bytes:  # until nothing moves any more
                before = sent_bytes
                await asyncio.sleep(0.3)
            assert sent_bytes < 32 << 20

    _ask(answer, act)


def test_a_guest_that_leaves_ends_the_providers_request() -> None:
    left = asyncio.Event()

    async def answer(writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n" if not left.is_set() else b".")
                await writer.drain()
                await asyncio.sleep(0.01)
                left.set()
        except ConnectionError:
            ended.set()

    ended = asyncio.Event()

    async def act(made: Rig, _provider: Provider) -> None:
        url = "/openai-compatible/chat/completions"
        async with made.client.stream("POST", url, json={}, headers=AUTH) as response:
            assert response.status_code == 200
        await asyncio.wait_for(ended.wait(), 10)

    _ask(answer, act)


def test_a_header_that_is_not_ascii_harms_nobody() -> None:
    async def act(made: Rig, provider: Provider) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", made.port)
        head = f"POST /openai-compatible/chat/completions HTTP/1.1\r\nhost: x\r\nx-api-key: {TOKEN}\r\n"
        writer.write(head.encode() + b"accept: \xff\xe9\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}")
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        writer.close()
        assert (await _post(made)).status_code == 200

    _ask(reply("200 OK", b"{}"), act)


def test_the_key_is_in_no_log_repr_or_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[str] = []

    async def act(made: Rig, _provider: Provider) -> None:
        response = await _post(made)
        gateway = made.gateway
        seen.extend(
            [response.text, str(response.headers), repr(gateway), repr(gateway._upstream), repr(gateway._choice)]
        )

    _ask(reply("401 Unauthorized", KEY.encode(), f"retry-after: {KEY}"), act)
    assert caplog.records
    assert KEY not in caplog.text + "".join(seen)
    assert not [record for record in caplog.records if KEY in str(record.args)]
