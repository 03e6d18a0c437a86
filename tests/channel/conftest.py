"""In: a temporary folder. Out: a ChannelRig with version 1 published and its root trusted. Never: a shared key."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.channel_rig import ChannelRig


@pytest.fixture
def rig(tmp_path: Path) -> ChannelRig:
    made = ChannelRig(tmp_path)
    made.publish(1)
    made.trust()
    return made
