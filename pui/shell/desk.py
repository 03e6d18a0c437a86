"""What verbs work with: one value that is handed to each `xxx_verbs(desk)`.

In: the parts of the app, put together by compose.py. Out: the same by name, and what the page is greeted with.
Never: a decision, an adapter's class.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pui.domain.events import JsonValue
from pui.ports import Clock, Desktop, Dialogs
from pui.shell.archive import Archive
from pui.shell.blobs import Blobs
from pui.shell.event_feed import Event, EventFeed
from pui.shell.folder_book import FolderBook
from pui.supervisor.attention import Attention
from pui.supervisor.board import TaskBoard
from pui.supervisor.neighbours import Neighbours
from pui.supervisor.services import Services
from pui.supervisor.supervisor import Supervisor
from pui.supervisor.upkeep import Upkeep
from pui.supervisor.watching import log_fault

Carrier = Literal["window", "browser"]
Greeting = Callable[[], Awaitable[JsonValue]]
LinkSource = Callable[[str, str], Awaitable[Sequence[str]]]


async def no_links(_task_id: str, _entry_key: str) -> Sequence[str]:
    """Until the verbs of tasks put their own in place."""
    return ()


@dataclass(frozen=True)
class AppFacts:
    """`platform` as platforms.py writes it; `notes` are sentences for the person; `data_dir` is shown, never asked."""

    version: str
    platform: str
    carrier: Carrier
    is_emulation_allowed: bool
    notes: list[str]
    data_dir: Path


@dataclass
class Desk:
    """`open_tasks`: tasks that the page shows; only their `entry`, `agent`, `record` and `notice` events are sent.

    `attention` notifies the person; None where nobody is to be notified. `to_front` shows the window: a click did it.
    `upkeep` brings the verbs of settings, models, set-up and packs; without it there are none of them.
    `board` is what is shown of tasks and done to them. `links_of` gives the links of one entry, extracted on this side
    (docs/bridge.md, link.open). `greetings`: parts of the answer to app.hello (tasks, settings, setup, packs, models,
    folders). Each `xxx_verbs(desk)` puts its own parts there by `desk.greet(name, function)`.
    """

    supervisor: Supervisor
    services: Services
    facts: AppFacts
    dialogs: Dialogs
    clock: Clock
    blobs: Blobs
    desktop: Desktop
    folders: FolderBook
    archive: Archive
    upkeep: Upkeep | None = None
    attention: Attention | None = None
    to_front: Callable[[], None] = lambda: None
    links_of: LinkSource = no_links
    events: EventFeed = field(default_factory=EventFeed)
    open_tasks: set[str] = field(default_factory=set)
    greetings: dict[str, Greeting] = field(default_factory=dict)
    board: TaskBoard = field(init=False)
    _neighbours: Neighbours | None = field(init=False, default=None)
    _settling: asyncio.Task[None] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.board = TaskBoard(self.supervisor, self.services)

    def begin(self) -> None:
        """Once the page can be shown, on the supervisor's loop: what runs in the background starts."""
        self._settling = asyncio.create_task(self.board.settle_changes(), name="settle-changes")
        self._settling.add_done_callback(log_fault("changes of earlier tasks were not compared"))
        self._neighbours = Neighbours(self.supervisor, self.services, self.board)
        self._neighbours.is_followed = lambda: self.events.is_followed
        self._neighbours.start()
        if self.attention is not None:
            self.attention.open_task = self._open_task
            self.attention.is_followed = lambda: self.events.is_followed
            self.attention.start(self.board)
        if self.upkeep is not None:
            self.upkeep.watch.start()

    async def close(self) -> None:
        """Ends what runs in the background, and the machines that it started. Tasks are the supervisor's to end."""
        if self._settling is not None:
            self._settling.cancel()
            await asyncio.gather(self._settling, return_exceptions=True)
        if self._neighbours is not None:
            await self._neighbours.close()
        if self.attention is not None:
            await self.attention.close()
        if self.upkeep is not None:
            await self.upkeep.close()

    def tell(self, event_type: str, **fields: JsonValue) -> None:
        """Send an event to the page, on the supervisor's loop. Its fields are scrubbed already (docs/bridge.md)."""
        event: Event = {"type": event_type, **fields}
        self.events.append(event)

    def _open_task(self, task_id: str) -> None:
        self.tell("open", task_id=task_id)
        self.to_front()

    def greet(self, name: str, part: Greeting) -> None:
        """app.hello's answer gets the key `name`; `part` is asked at each hello. Raises ValueError if it is taken."""
        if name in self.greetings:
            raise ValueError(f"{name} is greeted twice")
        self.greetings[name] = part
