"""Which data folder counts: the named one, and where it was moved to.

In: pointers. Out: the last folder of the chain or a named refusal. Never: a pointer of somebody else followed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pui.adapters.paths import app_paths, data_chain
from pui.domain.errors import PuiError


def chain(*folders: Path) -> dict[str, str]:
    for folder, target in zip(folders, folders[1:], strict=False):
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "moved-to").write_text(f"{target}\n")
    folders[-1].mkdir(mode=0o700, exist_ok=True)
    return {"PUI_DATA_DIR": str(folders[0])}


def test_pointers_are_followed(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a", "b with space", "c")]
    env = chain(*folders)
    assert data_chain(env) == tuple(folders)
    assert app_paths(env).data == folders[-1]
    assert app_paths({"PUI_DATA_DIR": str(folders[2])}).data == folders[2]
    assert app_paths({"PUI_DATA_DIR": str(tmp_path / "absent")}).data == tmp_path / "absent"


def refusal(env: dict[str, str]) -> PuiError:
    with pytest.raises(PuiError) as raised:
        app_paths(env)
    return raised.value


def test_what_is_not_followed(tmp_path: Path) -> None:
    env = chain(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b").rmdir()
    assert refusal(env).code == "data.missing"
    assert str(tmp_path / "a" / "moved-to") in refusal(env).message
    chain(tmp_path / "a", tmp_path / "b", tmp_path / "a")
    assert "in a circle" in refusal(env).message
    pointer = tmp_path / "a" / "moved-to"
    pointer.write_text("relative/b")
    assert "no absolute path" in refusal(env).message
    pointer.write_text(f"{tmp_path}/b")
    pointer.chmod(0o666)
    assert refusal(env).code == "host.permission"
    pointer.unlink()
    pointer.symlink_to(tmp_path / "b" / "moved-to")
    assert refusal(env).code == "host.permission"
    pointer.unlink()
    pointer.write_bytes(b"/" * 5000)
    assert refusal(env).code == "host.permission"
