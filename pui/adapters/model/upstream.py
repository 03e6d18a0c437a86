"""The one real model provider of a task, over HTTPS, by httpx.

In: a ModelChoice with its key; an allowed path with body. Out: status, safe headers, bytes without the key.
Never: another host, a redirect, a proxy of the environment; the key in an exception, a log or an answer.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import httpx

from pui.adapters.model.http_server import Answer, CutConnection, GuestRequest, plain_answer
from pui.domain.model_policy import ModelChoice
from pui.domain.redact import Redactor, redact

CONNECT_TIMEOUT_S = 15.0
READ_TIMEOUT_S = 600.0
WRITE_TIMEOUT_S = 60.0
CONNECTION_LIMIT = 64
ERROR_BODY_LIMIT_BYTES = 1_048_576

# What a guest may say to the provider beside the body; everything else is ours or dropped.
REQUEST_HEADERS = frozenset({"content-type", "accept", "anthropic-version", "anthropic-beta", "openai-beta"})
RESPONSE_HEADERS = frozenset({"content-type", "cache-control", "retry-after", "retry-after-ms", "request-id"})
RESPONSE_PREFIXES = ("x-ratelimit-", "anthropic-ratelimit-", "x-request-id", "x-should-retry")


class Upstream:
    """One provider at one address."""

    def __init__(self, choice: ModelChoice) -> None:
        self._choice = choice
        self._key = choice.key.reveal().encode()
        # At DEBUG httpcore logs response headers as they come, and a provider may repeat the key in one.
        logging.getLogger("httpcore").setLevel(logging.WARNING)
        self._client = httpx.AsyncClient(
            follow_redirects=False,
            trust_env=False,
            timeout=httpx.Timeout(
                connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S, write=WRITE_TIMEOUT_S, pool=CONNECT_TIMEOUT_S
            ),
            limits=httpx.Limits(max_connections=CONNECTION_LIMIT),
        )

    async def close(self) -> None:
        """Ends every connection. Idempotent."""
        await self._client.aclose()

    @asynccontextmanager
    async def respond(self, request: GuestRequest, path_and_query: str) -> AsyncIterator[Answer]:
        """The provider's answer; 502 with words when there is none. Leaving the context ends the request."""
        outgoing = self._client.build_request(
            "POST",
            self._choice.base_url + path_and_query,
            content=request.body,
            headers=self._headers(request),
        )
        try:
            response = await self._client.send(outgoing, stream=True)
        except httpx.HTTPError as fault:
            yield plain_answer(502, f"the model provider could not be reached ({type(fault).__name__})")
            return
        try:
            yield await self._answer(response)
        finally:
            await response.aclose()

    def _headers(self, request: GuestRequest) -> dict[bytes, bytes]:
        kept = {n.encode("ascii"): v.encode("latin-1") for n, v in request.headers if n in REQUEST_HEADERS}
        kept |= {b"accept-encoding": b"identity", b"user-agent": b"pui"}
        if self._key:
            name = self._choice.kind.key_header
            kept[name.encode("ascii")] = b"Bearer " + self._key if name == "authorization" else self._key
        return kept

    async def _answer(self, response: httpx.Response) -> Answer:
        status = response.status_code
        if 300 <= status < 400 or status < 200:
            return plain_answer(502, f"the model provider answered {status}, which pui does not follow")
        headers = [
            (name, redact(value.encode(), self._key).decode("latin-1"))
            for name, value in response.headers.items()
            if name in RESPONSE_HEADERS or name.startswith(RESPONSE_PREFIXES)
        ]
        return Answer(status, headers, self._body(response))

    async def _body(self, response: httpx.Response) -> AsyncGenerator[bytes, None]:
        """The body as it comes, decoded, without the key; an error's body is cut at 1 MiB."""
        redactor, size_bytes = Redactor(self._key), 0
        try:
            async for chunk in response.aiter_bytes():
                size_bytes += len(chunk)
                if piece := redactor.feed(chunk):
                    yield piece
                if response.is_error and size_bytes > ERROR_BODY_LIMIT_BYTES:
                    return
        except httpx.HTTPError as fault:
            raise CutConnection from fault
        if rest := redactor.finish():
            yield rest
