"""In: tmp_path. Out: a PackShop. Never: the person's own folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.pack_shop import PackShop


@pytest.fixture
def shop(tmp_path: Path) -> PackShop:
    return PackShop(tmp_path)
