"""Which outcome a step of the task chart means.

In: the states before and after, the event that moved. Out: an Outcome, or nothing when the task goes on. Never: I/O.
"""

from __future__ import annotations

from collections.abc import Mapping

from pui.domain.errors import CODES
from pui.domain.events import ActivityDone, ActivityFailed, Event, JsonValue, TimedOut, Triggered
from pui.domain.journal import Outcome

ENDING_STATES = frozenset({"teardown", "finished", "stranded"})

TIMEOUT_CODES = {"qemu-launch": "launch.timeout", "handshake": "guest.handshake_timeout"}


def decide_outcome(source: str, target: str | None, event: Event, facts: Mapping[str, JsonValue]) -> Outcome | None:
    """The outcome when the step leads out of the task's working states; None when it goes on.

    `facts` are the journal's: a guest that never said hello did not boot. Only the first outcome of a task counts
    (the caller keeps it): what teardown brings later changes nothing.
    """
    if target not in ENDING_STATES:
        return None
    match event:
        case ActivityDone():
            return Outcome("completed")
        case Triggered("finish"):
            return Outcome("completed")
        case Triggered():
            return _outcome("cancelled", "task.cancelled", f"cancelled in the state {source}")
        case TimedOut():
            code = _timeout_code(source, facts)
            return _outcome("failed", code, f"the state {source} took longer than its limit")
        case ActivityFailed(_, code, message, hint, _):
            return Outcome("failed", code, message, hint or CODES[code].hint)


def _timeout_code(source: str, facts: Mapping[str, JsonValue]) -> str:
    if source == "handshake" and "guest" not in facts:
        return "guest.boot_timeout"
    return TIMEOUT_CODES.get(source, "task.timed_out")


def _outcome(result: str, code: str, message: str) -> Outcome:
    return Outcome(result, code, message, CODES[code].hint)
