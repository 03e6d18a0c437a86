"""What a task holds, and its release in reverse order.

In: a resource with the coroutine that releases it. Out: `acquired` and `released` records. Never: a release by anyone
but the teardown activity, an exception that stops the releases after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from pui.domain.errors import PuiError
from pui.domain.events import JsonValue
from pui.supervisor.task_journal import TaskJournal

RELEASE_LIMIT_S = 8.0


@dataclass(frozen=True)
class Resource:
    """Something that outlives a state. `release` is idempotent and works on a half-made resource.

    `record` is what recovery needs after a crash: `kind` and, for a process, pid, start_ticks, executable; for a
    path, path.
    """

    name: str
    kind: str
    release: Callable[[], Awaitable[None]]
    record: Mapping[str, JsonValue] = field(default_factory=dict)


class ResourceStack:
    """Resources of one task in the order they were acquired."""

    def __init__(self, journal: TaskJournal) -> None:
        self._journal = journal
        self._held: list[Resource] = []

    @property
    def names(self) -> tuple[str, ...]:
        """Names of what is held, first acquired first."""
        return tuple(resource.name for resource in self._held)

    def push(self, resource: Resource, cause: int | None) -> None:
        """Hold it from now on. For a path: push before making it. For a process: right after its start.

        When the record cannot be written the resource is held all the same, so that teardown releases it.
        """
        self._held.append(resource)
        fields: dict[str, JsonValue] = {"name": resource.name, "kind": resource.kind}
        self._journal.write("acquired", cause, fields | dict(resource.record))

    async def release_all(self, cause: int | None) -> list[str]:
        """Release everything in reverse order; returns a sentence per failure. Each release has its own deadline."""
        failures: list[str] = []
        while self._held:
            resource = self._held[-1]
            fault = await _release(resource)
            self._held.pop()
            self._note(resource.name, fault, cause)
            failures += [f"{resource.name}: {fault}"] if fault else []
        return failures

    def _note(self, name: str, fault: str, cause: int | None) -> None:
        if fault:
            self._journal.write("release-failed", cause, {"name": name, "reason": fault})
        else:
            self._journal.write("released", cause, {"name": name})


async def _release(resource: Resource) -> str:
    """The reason why it failed, or an empty text. A release must not end the releases that follow."""
    try:
        async with asyncio.timeout(RELEASE_LIMIT_S):
            await resource.release()
    except TimeoutError:
        return f"not released within {RELEASE_LIMIT_S:g} s"
    except (PuiError, OSError) as fault:
        return str(fault)
    except Exception as fault:  # a bug in one release may not keep the others from running; it is recorded
        return f"bug.unexpected: {fault!r}"
    return ""
