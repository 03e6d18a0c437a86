"""`pui cache` as a person types it.

In: arguments, volumes on disk. Out: what is printed. Never: a machine.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pui.adapters.paths import app_paths
from pui.adapters.qemu.cache_volumes import CacheFolder
from pui.cli.app import run
from pui.domain import pack_layout
from tests.support.machines import fake_installed_pack


def test_list_and_clear(data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack = fake_installed_pack(tmp_path / "pack")
    (pack.root / pack_layout.CACHE_TEMPLATE).parent.mkdir(parents=True, exist_ok=True)
    (pack.root / pack_layout.CACHE_TEMPLATE).write_bytes(b"x" * 4096)
    with CacheFolder(app_paths()).hold(pack, tmp_path):
        assert run(["cache", "clear"]) == 0
        assert "being used by a task and was kept" in capsys.readouterr().out
    assert run(["cache", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["volumes"][0]["size_bytes"] == 4096
    assert run(["cache", "clear", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["removed"]) == 1
    assert run(["cache", "list"]) == 0
    assert "0 cache volumes" in capsys.readouterr().out
