"""I8: the server of the page gives its files to its own page only, and nothing else to anybody.

In: real requests on loopback. Out: assertions on status and headers. Never: a browser (tests of the carriers have one).
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from pui.domain.bridge_call import CALL_LIMIT_BYTES
from pui.resources import data
from pui.shell.page_server import PageServer, bind_loopback
from pui.shell.page_site import PageSession, PageSite, module_preloads, page_files, security_headers
from pui.shell.router import Router
from pui.shell.table import verb_table
from tests.shell.rig import Rig

PAGE = Path(__file__).parents[1] / "support" / "page"


class Served:
    """A site that listens, and a client of it."""

    def __init__(self, site: PageSite, session: PageSession, rig: Rig, client: httpx.AsyncClient) -> None:
        self.site, self.session, self.rig, self.client = site, session, rig, client

    async def status(self, method: str, path: str, **options: object) -> int:
        answer = await self.client.request(method, self.site.origin + path, **options)  # type: ignore[arg-type]
        return answer.status_code

    async def call(self, token: str = "", **headers: str) -> httpx.Response:
        sent = {"origin": self.site.origin, "content-type": "application/json"} | headers
        body = json.dumps({"t": token or self.session.token, "id": 1, "method": "app.hello", "params": {}})
        return await self.client.post(self.site.origin + "/rpc", content=body, headers=sent)


@asynccontextmanager
async def served(*, with_calls: bool = True, folder: Path = PAGE) -> AsyncIterator[Served]:
    rig, numbers = Rig(), iter(range(100))
    session = PageSession("k" * 43, lambda: f"token{next(numbers)}")
    listener = bind_loopback()
    router = Router(verb_table(rig.desk), lambda: session.token, rig.clock) if with_calls else None
    feed = rig.desk.events if with_calls else None
    site = PageSite(page_files(folder), session, listener.getsockname()[1], router, feed)
    server = PageServer(listener, site.respond)
    await server.start()
    async with httpx.AsyncClient(trust_env=False) as client:
        yield Served(site, session, rig, client)
    rig.desk.events.close()
    await server.close()


def test_i8_the_index_needs_its_capability_and_carries_the_policy() -> None:
    async def scenario() -> None:
        async with served() as at:
            for query in ("", "?k=", "?k=wrong", "?k=" + "k" * 42, "?K=" + "k" * 43):
                assert await at.status("GET", "/" + query) == 403
            answer = await at.client.get(at.site.address)
            assert answer.status_code == 200 and 'content="token0"' in answer.text
            policy = answer.headers["content-security-policy"]
            for part in ("default-src 'none'", "script-src 'self'", "frame-src 'none'", "connect-src 'self'"):
                assert part in policy
            assert "require-trusted-types-for 'script'" in policy and "unsafe" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert "camera=()" in answer.headers["permissions-policy"]
            assert answer.headers["cross-origin-opener-policy"] == "same-origin"

    asyncio.run(scenario())


def test_i8_the_window_has_the_same_policy_but_for_openers_and_connections() -> None:
    browser, window = dict(security_headers("browser")), dict(security_headers("window"))
    assert browser.pop("cross-origin-opener-policy") == "same-origin"
    policy = browser.pop("content-security-policy")
    assert window.pop("content-security-policy") == policy.replace("connect-src 'self'", "connect-src 'none'")
    assert "sandbox allow-scripts allow-same-origin allow-forms" in policy, "the window opens nothing"
    assert window == browser


@pytest.mark.parametrize("host", ["localhost:{port}", "127.0.0.1", "evil.example:{port}", "127.0.0.1:{port}.evil", ""])
def test_i8_a_foreign_host_gets_nothing(host: str) -> None:
    async def scenario() -> None:
        async with served() as at:
            port = at.site.origin.rpartition(":")[2]
            answer = await at.client.get(at.site.address, headers={"host": host.format(port=port)})
            assert answer.status_code in (400, 403) and answer.content == b""

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "path",
    [
        "/../pui/__main__.py",
        "/%2e%2e/pui/__main__.py",
        "/..%2fpui/__main__.py",
        "//etc/passwd",
        "/page.js/../../conftest.py",
        "/%00",
        "/page.js%00",
        "/.hidden",
        "/link.js",
        "/nothing",
    ],
)
def test_i8_nothing_but_the_files_of_the_page(path: str, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<p>the page</p>")
    (tmp_path / ".hidden").write_text("secret")
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "link.js").symlink_to(tmp_path / "secret")

    async def raw(at: Served) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(at.site.origin.rpartition(":")[2]))
        host = at.site.origin.removeprefix("http://")
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    async def scenario() -> None:
        async with served(folder=tmp_path) as at:
            answer = await raw(at)
            assert answer.split(b" ", 2)[1] in (b"404", b"403", b"400") and b"secret" not in answer

    asyncio.run(scenario())


def test_i8_a_call_needs_origin_type_and_the_token_of_the_newest_page() -> None:
    async def scenario() -> None:
        async with served() as at:
            await at.client.get(at.site.address)
            answer = await at.call()
            assert answer.json()["ok"] and answer.json()["result"]["carrier"] == "browser"
            assert (await at.call(origin="http://evil.example")).status_code == 403
            assert (await at.call(origin="null")).status_code == 403
            body = json.dumps({"t": at.session.token, "id": 1, "method": "app.hello"})
            without = {"content-type": "application/json"}
            assert await at.status("POST", "/rpc", content=body, headers=without) == 403
            assert (await at.call(**{"content-type": "text/plain"})).status_code == 403
            assert (await at.call(**{"sec-fetch-site": "cross-site"})).status_code == 403
            old = at.session.token
            await at.client.get(at.site.address)
            assert (await at.call()).json()["ok"]
            assert (await at.call(token=old)).status_code == 403
            newest = at.session.token
            assert await at.status("GET", f"/events?after=0&t={old}") == 403
            assert await at.status("GET", f"/events?after=x&t={newest}") == 400
            assert await at.status("PUT", "/rpc") == 405
            body = b"x" * (CALL_LIMIT_BYTES + 10)
            headers = {"origin": at.site.origin, "content-type": "application/json"}
            assert await at.status("POST", "/rpc", content=body, headers=headers) == 413

    asyncio.run(scenario())


def test_the_server_of_the_window_has_no_route_for_calls_and_events() -> None:
    async def scenario() -> None:
        async with served(with_calls=False) as at:
            answer = await at.client.get(at.site.address)
            assert "connect-src 'none'" in answer.headers["content-security-policy"]
            assert (await at.call()).status_code == 405
            assert await at.status("GET", f"/events?after=0&t={at.session.token}") == 404

    asyncio.run(scenario())


def test_events_follow_as_a_stream_and_a_second_page_takes_over() -> None:
    async def scenario() -> None:
        async with served() as at:
            await at.client.get(at.site.address)
            cursor = (await at.call()).json()["result"]["cursor"]
            url = f"{at.site.origin}/events?after={cursor}&t={at.session.token}"
            async with at.client.stream("GET", url) as stream:
                lines = stream.aiter_lines()
                at.rig.desk.tell("toast", level="info", text="\u2028")
                found = await _data(lines)
                assert found == [{"seq": 1, "type": "toast", "level": "info", "text": "\u2028"}]
                await at.client.get(at.site.address)
                at.rig.desk.tell("toast", level="info", text="for the next page")
                assert [line async for line in lines if line.startswith("data")] == []

    asyncio.run(scenario())


async def _data(lines: AsyncIterator[str]) -> object:
    async for line in lines:
        if line.startswith("data: "):
            return json.loads(line.removeprefix("data: "))
    return None


def test_an_answer_leaves_at_once_and_in_one_piece() -> None:
    """Without TCP_NODELAY, or in two writes, each file waits 40 ms for the other side's delayed ACK."""
    said: list[int] = []

    async def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said.append(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    async def scenario() -> None:
        listener = bind_loopback()
        async with await asyncio.start_server(accept, sock=listener):
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            await reader.read()
            writer.close()
            await writer.wait_closed()
        assert len(said) == 1
        assert said[0] != 0
        async with served() as site:
            port = int(site.site.origin.rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.setblocking(False)
                loop = asyncio.get_running_loop()
                await loop.sock_sendall(connection, f"GET /page.js HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
                first = await loop.sock_recv(connection, 65_536)
        assert first.endswith((PAGE / "page.js").read_bytes())

    asyncio.run(scenario())


def test_the_index_asks_for_the_first_view_at_once_and_for_no_other() -> None:
    """Waves of files found one after the other, and files that are not shown, are what the start would wait for."""
    files = page_files(data("ui"))
    asked = set(re.findall(r'modulepreload" href="([^"]+)"', module_preloads(files, files["/index.html"].read_text())))
    asked |= set(re.findall(r'modulepreload" href="([^"]+)"', files["/index.html"].read_text()))
    assert {"/js/frame.js", "/js/places.js", "/js/palette.js", "/js/views/tasks.js", "/vendor/preact.js"} <= asked
    assert {path for path in asked if path.startswith("/js/views/")} == {"/js/views/tasks.js"}
    assert not {"/vendor/marked.js", "/vendor/purify.js", "/vendor/highlight.js"} & asked
