"""One job on the packs of this computer, as a person watches it: its phase, its bytes, how it ended.

In: what a worker reports. Out: a Job and its JSON (docs/bridge.md). Never: I/O, a clock, a decision about a pack.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pui.domain.bridge_call import error_to_json
from pui.domain.errors import PuiError
from pui.domain.events import JsonValue
from pui.domain.scrub import scrub_line

JobKind = Literal["install", "build", "update", "repair", "verify", "rollback", "clean", "try", "move"]
JobState = Literal["running", "done", "failed", "cancelled"]
Phase = Literal[
    "waiting",
    "checking",
    "downloading",
    "building",
    "installing",
    "repairing",
    "verifying",
    "switching",
    "cleaning",
    "trying",
    "copying",
]

PHASE_LABELS: dict[Phase, str] = {
    "waiting": "Waiting",
    "checking": "Asking the channel",
    "downloading": "Downloading",
    "building": "Building on this computer",
    "installing": "Checking and unpacking",
    "repairing": "Mending what is broken",
    "verifying": "Checking every byte",
    "switching": "Going back to the previous pack",
    "cleaning": "Removing what nobody needs",
    "trying": "Booting a machine to try it",
    "copying": "Copying to the new place",
}
CANCELLED_CODES = frozenset({"job.cancelled", "fetch.cancelled"})
NOTE_LIMIT_CHARS = 400


@dataclass(frozen=True)
class Step:
    """What a worker reports: `total_bytes` 0 when it cannot count; `note` is one sentence."""

    phase: Phase
    done_bytes: int = 0
    total_bytes: int = 0
    note: str = ""


@dataclass(frozen=True)
class Job:
    """`rate_bytes_s` and `left_s` are None until they are known; `started_ms` is Unix time."""

    job_id: str
    kind: JobKind
    started_ms: int
    state: JobState = "running"
    step: Step = Step("waiting")
    rate_bytes_s: float | None = None
    left_s: float | None = None
    can_cancel: bool = True
    error: PuiError | None = None
    note: str = ""

    @property
    def is_over(self) -> bool:
        return self.state != "running"


def state_of_error(error: PuiError) -> JobState:
    """A job that the person stopped has not failed."""
    return "cancelled" if error.code in CANCELLED_CODES else "failed"


def job_view(job: Job) -> dict[str, JsonValue]:
    """Job of docs/bridge.md."""
    return {
        "job_id": job.job_id,
        "kind": job.kind,
        "phase": job.step.phase,
        "phase_label": PHASE_LABELS[job.step.phase],
        "done_bytes": job.step.done_bytes,
        "total_bytes": job.step.total_bytes or None,
        "rate_bytes_s": None if job.rate_bytes_s is None else round(job.rate_bytes_s),
        "left_s": None if job.left_s is None else round(job.left_s),
        "started_ms": job.started_ms,
        "state": job.state,
        "can_cancel": job.can_cancel and not job.is_over,
        "error": None if job.error is None else error_to_json(job.error),
        "note": scrub_line(job.note if job.is_over else job.step.note, NOTE_LIMIT_CHARS),
    }
