"""In: a temporary folder. Out: a ChannelRig with version 1 published and its root trusted. Never: a shared folder."""

from __future__ import annotations

import shutil
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
