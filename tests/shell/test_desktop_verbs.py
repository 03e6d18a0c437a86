"""blob.add, file.save, link.open: bounded, named natively, asked about natively.

In: calls, answers. Out: what reached the desktop. Never: a real file or browser.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pui.shell.blobs import COUNT_LIMIT, LIFE_S, TOTAL_LIMIT_BYTES
from pui.shell.verbs_desktop import plain_name
from tests.shell.rig import TOKEN, Rig
from tests.support.simulated import SimulatedClock


class Page:
    def __init__(self) -> None:
        self.clock = SimulatedClock()
        self.rig = Rig(clock=self.clock)
        self.router = self.rig.router()

    async def ask(self, method: str, **params: Any) -> Any:
        await self.clock.advance(0.01)  # within the rate
        reply = await self.router.answer(json.dumps({"t": TOKEN, "id": 1, "method": method, "params": params}))
        assert reply is not None
        error = reply.get("error")
        return error["code"] if isinstance(error, dict) else reply["result"]

    async def blob(self, data: bytes, **more: str) -> Any:
        return await self.ask("blob.add", data_b64=base64.b64encode(data).decode(), **more)


def test_a_blob_grows_and_is_saved_where_the_person_said() -> None:
    async def story() -> None:
        page = Page()
        made = await page.blob(b"one,")
        assert await page.blob(b"two", blob_id=made["blob_id"]) == {"blob_id": made["blob_id"], "size_bytes": 7}
        page.rig.dialogs.files += [None, Path("/home/ada/out.txt")]
        assert await page.ask("file.save", blob_id=made["blob_id"], name="out.txt") == {"saved": None}
        assert await page.ask("file.save", blob_id=made["blob_id"], name="../../.bashrc") == {"saved": "out.txt"}
        assert page.rig.desktop.written == {Path("/home/ada/out.txt"): b"one,two"}
        assert page.rig.dialogs.asked[-1][1] == ("-..-.bashrc",)
        page.rig.dialogs.files.append(Path("/x"))
        assert await page.ask("file.save", blob_id=made["blob_id"], name="x") == "caller.bad_request"

    asyncio.run(story())


def test_blobs_are_bounded_in_bytes_in_number_and_in_time() -> None:
    async def story() -> None:
        page = Page()
        part = b"x" * (180 * 1024)
        made = await page.blob(part)
        while isinstance(more := await page.blob(part, blob_id=made["blob_id"]), dict):
            size = more["size_bytes"]
        assert more == "caller.too_large" and TOTAL_LIMIT_BYTES - len(part) < size <= TOTAL_LIMIT_BYTES
        await page.clock.advance(LIFE_S + 1)
        assert await page.blob(b"x", blob_id=made["blob_id"]) == "caller.bad_request"
        for _ in range(COUNT_LIMIT):
            assert isinstance(await page.blob(b"x"), dict)
        assert await page.blob(b"x") == "caller.too_large"
        assert await page.ask("blob.add", data_b64="not base64!") == "caller.bad_request"
        assert await page.ask("blob.add", data_b64="x" * 250_000) == "caller.bad_request"

    asyncio.run(story())


def test_i6_a_link_is_opened_by_its_place_after_a_native_yes() -> None:
    async def story() -> None:
        page = Page()

        async def links_of(task_id: str, entry_key: str) -> Sequence[str]:
            return ["https://docs.example/a", "file:///etc/passwd"] if (task_id, entry_key) == ("t", "k") else []

        page.rig.desk.links_of = links_of
        page.rig.dialogs.yes += [False, True]
        which = {"task_id": "t", "entry_key": "k"}
        assert await page.ask("link.open", **which, index=0) == {"opened": False}
        assert page.rig.desktop.opened == []
        assert await page.ask("link.open", **which, index=0) == {"opened": True}
        assert page.rig.desktop.opened == ["https://docs.example/a"]
        assert "docs.example" in " ".join(page.rig.dialogs.asked[-1][1])
        assert await page.ask("link.open", **which, index=1) == "link.refused"
        assert await page.ask("link.open", **which, index=2) == "caller.bad_request"
        assert await page.ask("link.open", **which, index=-1) == "caller.bad_request"
        assert await page.ask("link.open", task_id="t", entry_key="other", index=0) == "caller.bad_request"
        assert await page.ask("link.open", **which, index=0, url="https://evil.example") == "caller.bad_request"
        assert len(page.rig.dialogs.asked) == 2 and len(page.rig.desktop.opened) == 1

    asyncio.run(story())


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a/b", "a-b"),
        ("..", "pui"),
        (".hidden", "hidden"),
        ("a\u202eb", "a-U+202E-b"),
        ("con\x00", "con␀"),
        ("  ", "pui"),
    ],
)
def test_a_proposed_name_is_plain(name: str, shown: str) -> None:
    assert plain_name(name) == shown
