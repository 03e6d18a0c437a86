"""The folders that the page may name, by opaque ids, and the native questions before one is used.

In: ids and wishes from verbs, answers of native dialogs. Out: mount requests for tasks, JSON for the page.
Never: a path from the page; a folder that the mount policy refuses; a wider use than the person has said yes to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pui.domain.errors import CallerError
from pui.domain.events import JsonValue
from pui.domain.folder_grants import FolderGrant, checked_last, folder_to_json, same_folder, with_use
from pui.domain.scrub import scrub_line
from pui.domain.task import MountRequest
from pui.ports import ChosenFolder, Clock, Dialogs, Folders, GrantFile

ID_BYTES = 8
_MS = 1_000_000


class FolderBook:
    """Every method belongs to the supervisor's loop. `on_change` is called after each change of the list."""

    def __init__(
        self,
        file: GrantFile,
        policy: Folders,
        dialogs: Dialogs,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._file = file
        self._policy = policy
        self._dialogs = dialogs
        self._clock = clock
        self._random_bytes = random_bytes
        self._grants: dict[str, FolderGrant] | None = None
        self.on_change: Callable[[], None] = lambda: None

    async def rows(self) -> list[JsonValue]:
        """Folders of docs/bridge.md, last used first."""
        grants = sorted((await self._loaded()).values(), key=lambda grant: grant.used_ms, reverse=True)
        exist = await asyncio.to_thread(lambda: [Path(grant.path).is_dir() for grant in grants])
        return [folder_to_json(grant, is_there) for grant, is_there in zip(grants, exist, strict=True)]

    async def choose(self, read_only: bool) -> JsonValue:
        """Ask natively for a folder; its row, or None. Raises CallerError("mount.refused"), ("caller.declined")."""
        path = await self._dialogs.choose_folder("Choose a folder for the task's machine")
        return None if path is None else await self.add(path, read_only)

    async def add(self, path: Path, read_only: bool, *, is_asked: bool = False) -> JsonValue:
        """Grant a folder that the person has named natively; its row. With `is_asked` warnings need no further yes."""
        chosen = await self._judge(path, read_only)
        if not is_asked and (chosen.warnings or chosen.path != path):
            lines = [f"{chosen.path}", *chosen.warnings]
            if chosen.path != path:
                lines.insert(1, f"You chose {path}, which leads there.")
            await self._ask("Use this folder?", lines, "Use it")
        grants = await self._loaded()
        known = next((grant for grant in grants.values() if grant.path == str(chosen.path)), None)
        grant = self._new_grant(chosen, read_only) if known is None else self._renewed(known, chosen)
        grant = with_use(grant, read_only, self._now_ms())
        await self._keep(grants | {grant.id: grant})
        return folder_to_json(grant, exists=True)

    async def forget(self, folder_id: str) -> None:
        """Raises CallerError("caller.bad_request") for an unknown id."""
        grants = dict(await self._loaded())
        self._find(grants, folder_id)
        del grants[folder_id]
        await self._keep(grants)

    async def mounts_for(self, choices: Sequence[tuple[str, bool]]) -> tuple[MountRequest, ...]:
        """Mount requests for (folder id, read_only), in order; asks natively for what was not granted before.

        Raises CallerError: caller.bad_request for an unknown id, mount.refused, caller.declined.
        """
        mounts = []
        for folder_id, read_only in choices:
            grant = self._find(await self._loaded(), folder_id)
            chosen = await self._judge(Path(grant.path), read_only)
            grant = await self._widened(grant, chosen, read_only)
            await self._keep(await self._loaded() | {grant.id: with_use(grant, read_only, self._now_ms())})
            mounts.append(MountRequest(Path(grant.path), read_only))
        return tuple(mounts)

    async def grant_again(self, mounts: Sequence[MountRequest]) -> None:
        """The folders of an earlier task, judged as they are now; asks natively where the grant has changed or gone.

        Raises CallerError: mount.refused, caller.declined.
        """
        for mount in mounts:
            path, grants = Path(mount.folder), await self._loaded()
            known = next((grant for grant in grants.values() if grant.path == str(path)), None)
            if known is not None:
                await self.mounts_for([(known.id, mount.read_only)])
                continue
            chosen = await self._judge(path, mount.read_only)
            await self._ask("Use this folder again?", [str(chosen.path), *chosen.warnings], "Use it")
            await self.add(path, mount.read_only, is_asked=True)

    async def remember(self, folder_ids: Sequence[str], last: Mapping[str, JsonValue]) -> None:
        """Keep the last choices (network, model, thinking, memory_mib, cpu_count) of a task for its folders."""
        grants = dict(await self._loaded())
        for folder_id in folder_ids:
            grants[folder_id] = replace(self._find(grants, folder_id), last=checked_last(last))
        await self._keep(grants)

    async def _widened(self, grant: FolderGrant, chosen: ChosenFolder, read_only: bool) -> FolderGrant:
        if not same_folder(grant, chosen.device, chosen.inode) or str(chosen.path) != grant.path:
            lines = [f"{chosen.path}", "This is not the folder that you allowed earlier: it was replaced or moved."]
            await self._ask("Use this folder?", [*lines, *chosen.warnings], "Use it")
            grant = self._renewed(grant, chosen)
        if not read_only and not grant.may_write:
            lines = [f"{chosen.path}", "So far tasks may only read it.", *chosen.warnings]
            await self._ask("Let the task change files in this folder?", lines, "Let it write")
        return grant

    async def _ask(self, title: str, lines: Sequence[str], yes: str) -> None:
        if not await self._dialogs.confirm(title, [scrub_line(line, 600) for line in lines], yes):
            raise CallerError("caller.declined", "the folder was not granted")

    async def _judge(self, path: Path, read_only: bool) -> ChosenFolder:
        (chosen,) = await asyncio.to_thread(self._policy.decide, [MountRequest(path, read_only)], ())
        return chosen

    async def _loaded(self) -> dict[str, FolderGrant]:
        if self._grants is None:
            self._grants = {grant.id: grant for grant in await asyncio.to_thread(self._file.load)}
        return self._grants

    async def _keep(self, grants: dict[str, FolderGrant]) -> None:
        self._grants = grants
        await asyncio.to_thread(self._file.save, tuple(grants.values()))
        self.on_change()

    def _find(self, grants: Mapping[str, FolderGrant], folder_id: str) -> FolderGrant:
        if folder_id not in grants:
            raise CallerError("caller.bad_request", "there is no such folder in the list")
        return grants[folder_id]

    def _new_grant(self, chosen: ChosenFolder, read_only: bool) -> FolderGrant:
        folder_id = self._random_bytes(ID_BYTES).hex()
        return FolderGrant(
            id=folder_id,
            path=str(chosen.path),
            device=chosen.device,
            inode=chosen.inode,
            may_write=not read_only,
            read_only=read_only,
            used_ms=self._now_ms(),
            warnings=chosen.warnings,
        )

    def _renewed(self, grant: FolderGrant, chosen: ChosenFolder) -> FolderGrant:
        """The identity as it is now; what was granted to another folder under this path does not pass over."""
        keeps = same_folder(grant, chosen.device, chosen.inode) and grant.may_write
        return replace(
            grant,
            path=str(chosen.path),
            device=chosen.device,
            inode=chosen.inode,
            may_write=keeps,
            warnings=chosen.warnings,
        )

    def _now_ms(self) -> int:
        return self._clock.now_ns() // _MS
