"""The settings file and the right to work in the data folder.

In: a private data folder. Out: values that last, damaged files set aside. Never: the person's own folder.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pui.adapters.data_dir import DataLease, data_in_use
from pui.adapters.paths import AppPaths
from pui.adapters.settings_file import SettingsFile
from pui.domain.errors import CallerError, HostError, SetupError
from pui.domain.settings import Settings


@pytest.fixture
def paths(tmp_path: Path) -> AppPaths:
    return AppPaths(tmp_path / "data", tmp_path / "cache", tmp_path / "run")


def test_a_change_lasts_and_another_app_sees_it(paths: AppPaths) -> None:
    said: list[str] = []
    one, other = SettingsFile(paths, said.append), SettingsFile(paths, said.append)
    assert one.current() == other.current() == Settings()
    assert not paths.settings.exists()
    assert one.change("theme", "dark").theme == "dark"
    assert other.current().theme == "dark"
    assert other.change("text_scale", 120).theme == "dark"
    assert (one.current().text_scale, said) == (120, [])
    assert paths.settings.stat().st_mode & 0o777 == 0o600
    with pytest.raises(CallerError):
        one.change("theme", "blue")
    assert other.current().theme == "dark"
    paths.settings.unlink()
    assert one.current() == Settings()


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[1]", b"x" * 100_000])
def test_a_damaged_file_is_set_aside_and_said(paths: AppPaths, data: bytes) -> None:
    said: list[str] = []
    paths.data.mkdir(mode=0o700)
    paths.settings.write_bytes(data)
    store = SettingsFile(paths, said.append)
    assert store.current() == Settings()
    assert len(said) == 1
    assert "settings.json.unreadable" in said[0]
    assert (paths.data / "settings.json.unreadable").read_bytes() == data
    assert store.change("theme", "light") == SettingsFile(paths, said.append).current()
    assert len(said) == 1


def test_a_value_of_another_version_is_said_and_replaced_by_the_default(paths: AppPaths) -> None:
    said: list[str] = []
    paths.data.mkdir(mode=0o700)
    paths.settings.write_text('{"schema": "pui-settings-1", "theme": "sepia", "text_scale": 90}')
    assert SettingsFile(paths, said.append).current() == Settings(text_scale=90)
    assert "theme" in said[0]


def test_many_work_in_the_folder_and_one_moves_it_alone(paths: AppPaths) -> None:
    first, second = DataLease(paths), DataLease(paths)
    with pytest.raises(HostError, match="another pui is running"), first.alone():
        pass
    second.close()
    with first.alone():
        for refused in (lambda: DataLease(paths), lambda: SettingsFile(paths, print).change("theme", "dark")):
            with pytest.raises(HostError, match="is being moved"):
                refused()
    DataLease(paths).close()
    first.close()
    first.close()


def test_after_a_move_the_old_folder_takes_nothing_more(paths: AppPaths, tmp_path: Path) -> None:
    lease = DataLease(paths)
    paths.moved_to.write_text(f"{tmp_path}/elsewhere")
    with pytest.raises(SetupError) as refused, data_in_use(paths):
        pass
    assert refused.value.code == "data.moved"
    lease.close()
