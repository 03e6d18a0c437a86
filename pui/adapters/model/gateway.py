"""The model gateway of one task: checks who asks and what, then answers by script or asks the one upstream.

In: the port `pui.model`; a ModelChoice; the task's token. Out: HTTP answers to the guest.
Never: an address or a key from the guest; a request without the token; a body or a key in a log.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

from pui.adapters.model.http_server import (
    Answer,
    BodyBudget,
    CutConnection,
    GuestRequest,
    HttpConnection,
    plain_answer,
)
from pui.adapters.model.streams import MuxStream, StreamHub
from pui.domain.demo_model import Cut, DemoResponse, Hang, Pause, demo_response
from pui.domain.errors import OutcomeUnknownError
from pui.domain.model_policy import ModelChoice, Refused, SecretText, decide_request
from pui.ports import ByteChannel

if TYPE_CHECKING:
    from pui.adapters.model.upstream import Upstream


def _upstream(choice: ModelChoice) -> Upstream:
    from pui.adapters.model.upstream import (
        Upstream,
    )  # late: httpx is slow to import, and the window waits for this module

    return Upstream(choice)


class HttpModelGateway:
    """Implements ports.ModelGateway. `token` is what the guest has to show; `pace` scales the demo's pauses."""

    def __init__(self, choice: ModelChoice, token: SecretText, *, pace: float = 1.0) -> None:
        self._choice = choice
        self._token = token
        self._pace = pace
        self._upstream = None if choice.is_demo else _upstream(choice)
        self._budget = BodyBudget()
        self._serving: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"HttpModelGateway({self.label})"

    @property
    def label(self) -> str:
        return self._choice.label

    @property
    def is_demo(self) -> bool:
        return self._choice.is_demo

    async def serve(self, channel: ByteChannel) -> None:
        """Until the channel or the gateway closes. Raises ProtocolError("protocol.remote") on a broken frame.

        A channel that breaks while an answer is written is an end like any other: answers are not commands.
        """
        run = asyncio.ensure_future(self._run(channel))
        self._serving.add(run)
        try:
            await asyncio.wait({run})
            if not run.cancelled():
                run.result()
        finally:
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
            self._serving.discard(run)

    async def close(self) -> None:
        """Ends every `serve` and the upstream's connections. Idempotent."""
        for run in tuple(self._serving):
            run.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        if self._upstream:
            await self._upstream.close()

    async def _run(self, channel: ByteChannel) -> None:
        hub = StreamHub(channel, self._serve_stream)
        try:
            await hub.run()
        except ExceptionGroup as group:
            fault = _first(group)
            if not isinstance(fault, OutcomeUnknownError):
                raise fault from None

    async def _serve_stream(self, stream: MuxStream) -> None:
        await HttpConnection(stream, self._respond, self._budget).serve()

    def _respond(self, request: GuestRequest) -> AbstractAsyncContextManager[Answer]:
        if not self._is_authorized(request):
            return _whole(plain_answer(401, "this gateway serves its own task only"))
        verdict = decide_request(self._choice.kind, request.method, request.target)
        if isinstance(verdict, Refused):
            return _whole(plain_answer(verdict.status, verdict.reason))
        if self._upstream:
            return self._upstream.respond(request, verdict.path_and_query)
        return _whole(self._demo_answer(demo_response(request.body)))

    def _is_authorized(self, request: GuestRequest) -> bool:
        token = self._token.reveal().encode()
        shown = (request.header("authorization").removeprefix("Bearer "), request.header("x-api-key"))
        matches = [hmac.compare_digest(candidate.encode(), token) for candidate in shown]
        return bool(token) and any(matches)

    def _demo_answer(self, response: DemoResponse) -> Answer:
        return Answer(response.status, response.headers, self._demo_body(response))

    async def _demo_body(self, response: DemoResponse) -> AsyncGenerator[bytes, None]:
        for step in response.steps:
            if isinstance(step, bytes):
                yield step
            elif isinstance(step, Pause):
                await asyncio.sleep(step.delay_s * self._pace)
            elif isinstance(step, Hang):
                await asyncio.Event().wait()
            elif isinstance(step, Cut):
                raise CutConnection


@asynccontextmanager
async def _whole(answer: Answer) -> AsyncIterator[Answer]:
    yield answer


def _first(group: BaseExceptionGroup[Exception]) -> Exception:
    """The first real exception: a task group wraps the one that ended it."""
    found = group.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found
