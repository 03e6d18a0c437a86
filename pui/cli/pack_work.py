"""The acts on packs of adapters/packs/operations.py for a command: where they work, and their steps on a terminal.

In: the app's folders, flags. Out: operations, a bar or lines on stderr. Never: an act of its own.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pui.adapters.clock import SystemClock
from pui.adapters.packs.life import PackLife
from pui.adapters.packs.operations import PackOperations, Surroundings
from pui.adapters.packs.this_app import this_app
from pui.adapters.packs.web import Web
from pui.adapters.paths import ENV_CHANNEL, AppPaths
from pui.adapters.settings_file import SettingsFile
from pui.cli.output import ByteProgress, note
from pui.compose import channel_of, pack_operations
from pui.domain.channel import Pace
from pui.domain.pack_job import Step
from pui.resources import load_chart, packaged_root

RATE_LINE_S = 5.0


def open_life(paths: AppPaths) -> PackLife:
    """The packs of these folders, with their chart and the real clock."""
    return PackLife(paths, this_app(), load_chart("pack"), SystemClock())


def open_operations(
    paths: AppPaths, *, channel: str | None = None, trust_environment: bool = False, quiet: bool = False
) -> PackOperations:
    """`channel` goes before the environment, that before the setting. `quiet`: nothing is said by the way."""
    settings = SettingsFile(paths, _nothing if quiet else note)
    address = channel_of(settings, {ENV_CHANNEL: channel} if channel else os.environ)
    around = Surroundings(address, packaged_root(), Web(trust_environment=trust_environment))
    return pack_operations(paths, open_life(paths), settings, around)


class ShownSteps:
    """ports.StepReport for a terminal; a pipe gets a few lines."""

    def __init__(self, progress: ByteProgress, *, quiet: bool) -> None:
        self._progress = progress
        self._quiet = quiet
        self._pace = Pace()
        self._last = Step("waiting")
        self._last_s = time.monotonic()

    def __call__(self, step: Step) -> None:
        if step.note and step.note != self._last.note and not self._quiet:
            note(step.note)
        if step.phase != self._last.phase:
            self._pace = Pace()
        self._last = step
        if step.total_bytes:
            self._progress.update(step.done_bytes, step.total_bytes, step.phase)
            self._show_pace(step)

    def check(self) -> None:
        """Ctrl-C stops a command."""

    def _show_pace(self, step: Step) -> None:
        """A bar shows rate and time left by itself."""
        now_s = time.monotonic()
        self._pace.add(now_s, step.done_bytes)
        rate, left_s = self._pace.bytes_per_s, self._pace.left_s(step.total_bytes)
        is_due = now_s - self._last_s >= RATE_LINE_S and not (self._quiet or sys.stderr.isatty())
        if rate and left_s is not None and is_due:
            self._last_s = now_s
            note(f"  {rate / 2**20:.1f} MiB/s, {left_s:.0f} s left")


@contextmanager
def shown_steps(label: str, *, quiet: bool) -> Iterator[ShownSteps]:
    """Steps on stderr while something is done."""
    with ByteProgress(label, quiet=quiet) as progress:
        yield ShownSteps(progress, quiet=quiet)


def _nothing(sentence: str) -> None:
    """--json prints one object and nothing beside it."""
