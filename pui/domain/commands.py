"""Orders that the task's machine gives to its runner.

In: nothing. Out: frozen values. Never: behaviour.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StartActivity:
    """Run the activity `activity` for the visit `scope` of a state."""

    activity: str
    scope: int


@dataclass(frozen=True)
class CancelActivity:
    """Cancel the activity of `scope` and wait until it is gone."""

    scope: int


@dataclass(frozen=True)
class StartTimer:
    """Report TimedOut(scope) after `delay_ms` (before scaling)."""

    delay_ms: int
    scope: int


@dataclass(frozen=True)
class CancelTimer:
    """Forget the timer of `scope`."""

    scope: int


Command = StartActivity | CancelActivity | StartTimer | CancelTimer
