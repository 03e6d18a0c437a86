"""A gateway behind a relay, and a provider on loopback, for the tests of this folder.

In: a ModelChoice. Out: a port to call as pi does. Never: a host beyond loopback.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from pui.adapters.model.gateway import HttpModelGateway
from pui.domain.model_policy import ModelChoice, SecretText
from pui.ports import ModelGateway
from tests.support.guest_relay import GuestRelay, SocketChannel

TOKEN = "task-token-1"
AUTH = {"authorization": f"Bearer {TOKEN}"}


def _as_port(gateway: HttpModelGateway) -> ModelGateway:
    """The type checker's proof that the gateway is what the supervisor expects."""
    return gateway


async def channel_pair() -> tuple[SocketChannel, SocketChannel]:
    """Host end and guest end of a port."""
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    return (
        SocketChannel(*await asyncio.open_connection(sock=ours)),
        SocketChannel(*await asyncio.open_connection(sock=theirs)),
    )


@dataclass
class Rig:
    """`client` speaks to the relay's port; `gateway` is served on the other end."""

    port: int
    client: httpx.AsyncClient
    gateway: HttpModelGateway
    serving: asyncio.Task[None]


@asynccontextmanager
async def rig(choice: ModelChoice) -> AsyncIterator[Rig]:
    """A running gateway; ends as a task does: the port closes, then the gateway."""
    host, guest = await channel_pair()
    gateway = HttpModelGateway(choice, SecretText(TOKEN), pace=0.0)
    serving = asyncio.create_task(_as_port(gateway).serve(host))
    try:
        async with GuestRelay(guest) as relay:
            url = f"http://127.0.0.1:{relay.port}"
            async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as client:
                yield Rig(relay.port, client, gateway, serving)
    finally:
        await guest.close()
        await asyncio.wait_for(serving, 10)
        await gateway.close()
        await host.close()


@dataclass
class Provider:
    """A loopback provider: `requests` holds head and body of each request, `answer` writes the reply."""

    answer: Callable[[asyncio.StreamWriter], Awaitable[None]]
    requests: list[tuple[str, bytes]] = field(default_factory=list)
    gone: int = 0
    base_url: str = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Provider]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/base"
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            size = next(line for line in head.lower().split("\r\n") if line.startswith("content-length"))
            self.requests.append((head, await reader.readexactly(int(size.partition(":")[2]))))
            await self.answer(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.gone += 1
        finally:
            writer.close()


def reply(status: str, body: bytes, *headers: str) -> Callable[[asyncio.StreamWriter], Awaitable[None]]:
    """A whole answer with content-length."""

    async def write(writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *headers, "", ""]
        writer.write("\r\n".join(lines).encode() + body)
        await writer.drain()

    return write
