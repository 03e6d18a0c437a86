"""The verbs of runtime packs.

In: the desk. Out: verbs, `pack` events. Never: a path, an address or a fingerprint taken from the page: they are
asked natively.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from pui.domain.channel_root import check_fingerprint, root_sentences
from pui.domain.events import JsonValue
from pui.shell.desk import Desk
from pui.shell.verbs import OPAQUE_ID, Handle, Verb, choice_schema, count_schema, object_schema, text_schema
from pui.supervisor.pack_board import PackBoard

ROOT_SUFFIXES = (".json",)
PACK_SUFFIXES = (".pui-bundle", ".tar.zst", ".envelope.json")
VERSION_LIMIT = 2**53
WORDS_LIMIT_CHARS = 400


def pack_verbs(desk: Desk) -> tuple[Verb, ...]:
    """pack.*; without upkeep none."""
    if (upkeep := desk.upkeep) is None:
        return ()
    board, nothing = upkeep.packs, object_schema({})
    usable = _UsablePack(lambda: upkeep.setup.start(refresh=False))

    def told(view: dict[str, JsonValue]) -> None:
        desk.tell("pack", packs=view)
        usable.follow(view)

    board.listen(told)

    async def install(source: str) -> JsonValue:
        if source == "build":
            return {"job_id": board.build()}
        if source == "channel":
            return {"job_id": board.update("install")}
        file = await desk.dialogs.choose_file("Install a runtime from a file", PACK_SUFFIXES)
        return {"job_id": None if file is None else board.install_file(file)}

    async def roll_back(words: str | None = None) -> JsonValue:
        return {"job_id": board.roll_back(words)}

    async def check() -> JsonValue:
        await board.check()
        return await board.view()

    async def skip(version: int | None) -> JsonValue:
        return await board.skip(version)

    async def cancel(job_id: str) -> JsonValue:
        board.jobs.cancel(job_id)
        return {}

    async def set_channel() -> JsonValue:
        lines = ["Updates come from this address. It begins with https://. Empty: no updates.", _TRUST_WORDS]
        address = await desk.dialogs.ask_text("Address of the channel", lines, upkeep.settings.current().channel)
        if address is not None:
            await asyncio.to_thread(upkeep.settings.change, "channel", address.strip())
            await board.begin_anew()
        return await board.view()

    async def trust_root() -> JsonValue:
        await _trust_root(desk, board)
        return await board.view()

    desk.greet("packs", board.view)
    words = {"anyOf": [text_schema(WORDS_LIMIT_CHARS), {"type": "null"}]}
    version = {"anyOf": [count_schema(0, VERSION_LIMIT), {"type": "null"}]}
    return (
        Verb("pack.install", object_schema({"source": choice_schema("channel", "build", "file")}), install),
        Verb("pack.check", nothing, check),
        Verb("pack.update", nothing, _job(board.update)),
        Verb("pack.repair", nothing, _job(board.repair)),
        Verb("pack.verify", nothing, _job(board.verify)),
        Verb("pack.clean", nothing, _job(board.clean)),
        Verb("pack.try", nothing, _job(board.try_pack)),
        Verb("pack.rollback", object_schema({"words": words}, optional=["words"]), roll_back),
        Verb("pack.skip", object_schema({"version": version}), skip),
        Verb("pack.cancel", object_schema({"job_id": OPAQUE_ID}), cancel),
        Verb("pack.set_channel", nothing, set_channel),
        Verb("pack.trust_root", nothing, trust_root),
    )


async def _trust_root(desk: Desk, board: PackBoard) -> None:
    """The file, then what the operator told, then the question: the file's own fingerprint is not shown before the
    person has entered the other one, so that it cannot be copied from there."""
    dialogs = desk.dialogs
    if (file := await dialogs.choose_file("The root of a channel (root.json)", ROOT_SUFFIXES)) is None:
        return
    offered = await board.read_root(file)
    told = await dialogs.ask_text("Fingerprint of the root", _FINGERPRINT_WORDS)
    if told is None or not told.strip():
        return
    check_fingerprint(offered.data, told)
    now = datetime.fromtimestamp(desk.clock.now_ns() / 1e9, UTC)
    if await dialogs.confirm("Trust this channel?", root_sentences(offered, now), "Trust it"):
        await board.trust_root(offered.data, offered.facts.fingerprint)


class _UsablePack:
    """Looks anew at this computer when another pack is in use, or the same one in another state, and no job runs:
    "no runtime is installed" must not stay on the page of somebody who has just installed it."""

    def __init__(self, look: Callable[[], object]) -> None:
        self._look = look
        self._known: JsonValue = None
        self._is_known = False

    def follow(self, view: dict[str, JsonValue]) -> None:
        active, job = view.get("active"), view.get("job")
        now: JsonValue = [active.get("pack_id"), active.get("state")] if isinstance(active, dict) else None
        if not self._is_known:
            self._known, self._is_known = now, True
        if now == self._known or (isinstance(job, dict) and job.get("state") == "running"):
            return
        self._known = now
        self._look()


_TRUST_WORDS = "A channel is used only once its root is trusted: «Trust a channel…» beside this button."
_FINGERPRINT_WORDS = (
    "Type or paste the fingerprint that the channel's operator told you: 64 hex digits.",
    "It must come by another way than the file: from the operator's lips, a letter, a page of another server.",
)


def _job(begin: Callable[[], str]) -> Handle:
    async def start() -> JsonValue:
        return {"job_id": begin()}

    return start
