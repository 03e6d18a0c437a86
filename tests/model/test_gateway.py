"""The gateway as a guest meets it: token, paths, limits, the demo, broken clients.

In: HTTP over a relay and a socket pair. Out: answers. Never: the network.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import httpx
import pytest

from pui.adapters.model import http_server
from pui.adapters.model.gateway import HttpModelGateway
from pui.domain.errors import ProtocolError
from pui.domain.model_policy import DEMO_CHOICE, ModelChoice, SecretText
from pui.domain.mux import OPEN, frame
from tests.model.rig import AUTH, TOKEN, Rig, channel_pair, rig

URL = "/demo/chat/completions"


def _body(prompt: str) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": prompt}], "tools": [{}], "stream": True}


def _with_rig(act: Callable[[Rig], Awaitable[None]], choice: ModelChoice = DEMO_CHOICE) -> None:
    async def run() -> None:
        async with rig(choice) as made:
            await act(made)

    asyncio.run(run())


async def _raw(port: int, data: bytes) -> bytes:
    """What comes back for bytes that no HTTP library would send; reads to the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    await writer.drain()
    try:
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionResetError:
        return b"reset"
    finally:
        writer.close()


def _text(stream: str) -> str:
    events = [json.loads(line[6:]) for line in stream.split("\n") if line.startswith("data: {")]
    deltas = [choice["delta"] for event in events for choice in event["choices"]]
    return "".join(delta.get("content") or "" for delta in deltas)


def test_the_demo_streams_an_answer_over_the_port() -> None:
    async def act(made: Rig) -> None:
        response = await made.client.post(URL, json=_body("@text"), headers=AUTH)
        assert response.status_code == 200 and response.headers["content-type"] == "text/event-stream"
        assert _text(response.text) == "Demo model: only text, no tool."
        assert response.text.endswith("data: [DONE]\n\n")
        assert made.gateway.is_demo and made.gateway.label == "demo model (scripted)"

    _with_rig(act)


@pytest.mark.parametrize("headers", [AUTH, {"x-api-key": TOKEN}])
def test_either_header_carries_the_token(headers: dict[str, str]) -> None:
    async def act(made: Rig) -> None:
        assert (await made.client.post(URL, json=_body("@text"), headers=headers)).status_code == 200

    _with_rig(act)


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Basic x"}, {"authorization": "Bearer task-token-2"}, {"x-api-key": TOKEN + "x"}],
)
@pytest.mark.threat("H19")
def test_without_the_token_nothing_is_answered(headers: dict[str, str]) -> None:
    async def act(made: Rig) -> None:
        response = await made.client.post(URL, json=_body("@text"), headers=headers)
        assert response.status_code == 401 and "own task" in response.json()["error"]["message"]

    _with_rig(act)


def test_an_empty_token_opens_nothing() -> None:
    async def run() -> None:
        host, guest = await channel_pair()
        gateway = HttpModelGateway(DEMO_CHOICE, SecretText(""))
        request = http_server.GuestRequest("POST", URL, [("authorization", "Bearer ")], b"{}")
        async with gateway._respond(request) as answer:
            assert answer.status == 401
        await asyncio.gather(host.close(), guest.close())

    asyncio.run(run())


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", URL, 405), ("HEAD", URL, 405), ("POST", "/demo/files", 404), ("CONNECT", "evil.example:443", 404)],
)
def test_other_requests_are_refused(method: str, path: str, status: int) -> None:
    async def act(made: Rig) -> None:
        data = f"{method} {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {TOKEN}\r\nconnection: close\r\n\r\n"
        assert (await _raw(made.port, data.encode())).startswith(f"HTTP/1.1 {status} ".encode())
        assert (await made.client.post(URL, json=_body("@text"), headers=AUTH)).status_code == 200

    _with_rig(act)


def test_many_requests_on_one_connection_and_many_connections() -> None:
    async def act(made: Rig) -> None:
        for _ in range(3):
            assert (await made.client.post(URL, json=_body("@text"), headers=AUTH)).status_code == 200
        sent = [made.client.post(URL, json=_body("@biglines"), headers=AUTH) for _ in range(20)]
        answers = await asyncio.gather(*sent)
        assert {len(_text(answer.text)) for answer in answers} == {300_000}

    _with_rig(act)


def test_expect_and_chunked_bodies_are_understood() -> None:
    async def act(made: Rig) -> None:
        body = json.dumps(_body("@text")).encode()
        head = f"POST {URL} HTTP/1.1\r\nhost: x\r\nx-api-key: {TOKEN}\r\nconnection: close\r\nexpect: 100-continue\r\n"
        chunks = f"transfer-encoding: chunked\r\n\r\n{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
        answer = await _raw(made.port, head.encode() + chunks)
        assert answer.startswith((b"HTTP/1.1 100", b"HTTP/1.1 200")) and b"[DONE]" in answer
        reader, writer = await asyncio.open_connection("127.0.0.1", made.port)
        writer.write(head.encode() + f"content-length: {len(body)}\r\n\r\n".encode())
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
        writer.write(body)
        assert b"[DONE]" in await reader.read()
        writer.close()

    _with_rig(act)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b" 400 "),
        (b"GET / HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n", b" 400 "),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", b" 400 "),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n", b" 413 "),
        (b"POST / HTTP/1.1\r\nhost: x\r\n" + b"a: b\r\n" * 200 + b"\r\n", b" 431 "),
        (b"POST / HTTP/1.1\r\nhost: x\r\na: " + b"b" * 120_000 + b"\r\n\r\n", b" 431 "),
        (b"HEAD / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nno length\r\n", b" 400 "),
    ],
)
@pytest.mark.threat("H10", "H12")
def test_what_is_not_a_good_request_is_refused_and_only_that_connection_ends(data: bytes, status: bytes) -> None:
    async def act(made: Rig) -> None:
        assert status in (await _raw(made.port, data)).split(b"\r\n")[0]
        assert (await made.client.post(URL, json=_body("@text"), headers=AUTH)).status_code == 200

    _with_rig(act)


@pytest.mark.threat("H17")
def test_bodies_of_all_connections_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    budget = http_server.BodyBudget(10)
    assert budget.take(10) and not budget.take(1)
    budget.give_back(10)
    assert budget.take(10)

    async def act(made: Rig) -> None:
        made.gateway._budget = http_server.BodyBudget(1000)
        big = {**_body("@text"), "pad": "x" * 2000}
        assert (await made.client.post(URL, json=big, headers=AUTH)).status_code == 503
        assert (await made.client.post(URL, json=_body("@text"), headers=AUTH)).status_code == 200

    _with_rig(act)


@pytest.mark.threat("H17")
def test_a_slow_request_and_an_idle_connection_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "READ_DEADLINE_S", 0.1)
    monkeypatch.setattr(http_server, "IDLE_DEADLINE_S", 0.1)

    async def act(made: Rig) -> None:
        assert await _raw(made.port, b"") == b""
        assert b" 408 " in await _raw(made.port, b"POST / HTTP/1.1\r\nho")
        head = f"POST {URL} HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\nabc"
        assert b" 408 " in await _raw(made.port, head.encode())

    _with_rig(act)


@pytest.mark.parametrize(("prompt", "status"), [("@e500", 500), ("@e429 please", 429), ("no messages", 400)])
def test_the_demos_errors(prompt: str, status: int) -> None:
    async def act(made: Rig) -> None:
        body = _body(prompt) if prompt[0] == "@" else {"x": 1}
        response = await made.client.post(URL, json=body, headers=AUTH)
        assert response.status_code == status and response.json()["error"]["message"]

    _with_rig(act)


def test_a_cut_answer_is_seen_as_cut() -> None:
    async def act(made: Rig) -> None:
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await made.client.post(URL, json=_body("@cut"), headers=AUTH)
        assert (await made.client.post(URL, json=_body("@text"), headers=AUTH)).status_code == 200

    _with_rig(act)


def test_a_client_that_leaves_a_hanging_answer_frees_its_stream() -> None:
    async def act(made: Rig) -> None:
        for _ in range(70):  # more than the 64 streams there may be at one time
            async with made.client.stream("POST", URL, json=_body("@hang"), headers=AUTH) as response:
                async for piece in response.aiter_text():
                    assert "waiting" in piece
                    break

    _with_rig(act)


@pytest.mark.threat("F13")
def test_a_reader_that_stops_does_not_stop_the_others() -> None:
    async def act(made: Rig) -> None:
        async with made.client.stream("POST", URL, json=_body("@biglines"), headers=AUTH) as slow:
            assert slow.status_code == 200
            quick = await made.client.post(URL, json=_body("@text"), headers=AUTH)
            assert quick.status_code == 200
            assert len(_text((await slow.aread()).decode())) == 300_000

    _with_rig(act)


def test_a_broken_frame_ends_serve_by_name() -> None:
    async def run() -> None:
        host, guest = await channel_pair()
        gateway = HttpModelGateway(DEMO_CHOICE, SecretText(TOKEN))
        serving = asyncio.create_task(gateway.serve(host))
        await guest.write(frame(1, OPEN) * 2)
        with pytest.raises(ProtocolError) as raised:
            await serving
        assert raised.value.code == "protocol.remote"
        await gateway.close()
        await asyncio.gather(host.close(), guest.close())

    asyncio.run(run())


@pytest.mark.threat("H18")
def test_close_ends_serve_with_answers_still_open() -> None:
    async def act(made: Rig) -> None:
        async with made.client.stream("POST", URL, json=_body("@hang"), headers=AUTH):
            await made.gateway.close()
            await asyncio.wait_for(made.serving, 10)

    _with_rig(act)
