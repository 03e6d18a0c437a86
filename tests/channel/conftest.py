"""In: a temporary folder. Out: a ChannelRig with version 1 published and its root trusted. Never: a shared folder."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.channel_rig import ChannelRig


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once: its many syncs are slow on a busy disk. Tests get copies."""
    made = ChannelRig(tmp_path_factory.mktemp("channel"))
    made.publish(1)
    made.trust()
    return made.base


@pytest.fixture
def rig(published: Path, tmp_path: Path) -> ChannelRig:
    shutil.copytree(published, tmp_path, dirs_exist_ok=True)
    return ChannelRig(tmp_path)


@pytest.fixture
def quick_dir(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: what a kill leaves is the same, and a sync costs nothing."""
    memory = Path("/dev/shm")  # noqa: S108 - the folder below it has a name of its own
    with tempfile.TemporaryDirectory(prefix="pui-", dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)
