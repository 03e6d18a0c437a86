"""Fixtures of the stories.

In: nothing. Out: `base`, `folder`, short waits where a wait is not on the task's clock. Never: a real pack.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pui.supervisor import guest_work
from tests.support.app_process import Base, processes_of
from tests.support.machines import short_folder


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a guest to power off."""
    monkeypatch.setattr(guest_work, "POWER_OFF_LIMIT_S", 0.3)


@pytest.fixture
def base() -> Iterator[Base]:
    """Folders for one app over a fake pack. At the end no process names them any more."""
    with short_folder() as folder:
        yield Base(folder)
        assert processes_of(folder) == {}


@pytest.fixture
def folder() -> Iterator[Path]:
    """For the files of one simulated world; short, because a simulated socket has the limit of a real one."""
    with short_folder() as found:
        yield found
