"""The settings of one user, in one file.

In: the app's folders, a value to change. Out: Settings; the file replaced atomically (implements ports.SettingsStore).
Never: a start that fails because the file is damaged (it is set aside and said), a key of a model.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from pui.adapters.data_dir import data_in_use
from pui.adapters.packs.file_ops import mapped_os_errors, read_file
from pui.adapters.packs.keys import write_private_file
from pui.adapters.paths import AppPaths
from pui.domain.errors import PuiError
from pui.domain.events import JsonValue
from pui.domain.settings import MAX_SETTINGS_BYTES, Settings, changed, parse_settings, render_settings

UNREADABLE_SUFFIX = ".unreadable"


class SettingsFile:
    """`note` gets a sentence about what was not understood."""

    def __init__(self, paths: AppPaths, note: Callable[[str], None]) -> None:
        self._paths = paths
        self._note = note
        self._settings = Settings()
        self._seen: tuple[int, int, int] | None = None

    def current(self) -> Settings:
        """As the file says now; another pui may have changed it. Raises HostError host.permission."""
        path = self._paths.settings
        with mapped_os_errors(f"looking at {path}"):
            try:
                found = path.lstat()
            except FileNotFoundError:
                self._settings, self._seen = Settings(), None
                return self._settings
        seen = (found.st_ino, found.st_size, found.st_mtime_ns)
        if seen != self._seen:
            self._settings, self._seen = self._read(), seen
        return self._settings

    def change(self, key: str, value: JsonValue) -> Settings:
        """See ports.SettingsStore."""
        return self.replace(changed(self.current(), key, value))

    def replace(self, settings: Settings) -> Settings:
        """All of them. Raises HostError, SetupError data.moved."""
        with data_in_use(self._paths):
            write_private_file(self._paths.settings, render_settings(settings), mode=0o600)
        return self.current()

    def _read(self) -> Settings:
        path = self._paths.settings
        try:
            with mapped_os_errors(f"reading {path}"):
                settings, left_out = parse_settings(read_file(path, MAX_SETTINGS_BYTES))
        except PuiError as error:
            self._set_aside(error)
            return Settings()
        for sentence in left_out:
            self._note(f"{path}: {sentence}")
        return settings

    def _set_aside(self, error: PuiError) -> None:
        path = self._paths.settings
        aside = path.with_name(path.name + UNREADABLE_SUFFIX)
        try:
            os.replace(path, aside)  # noqa: PTH105 - the same call, without a copy of a Path
        except OSError as fault:
            self._note(f"{path} cannot be used and not be moved ({fault.strerror}): {error.message}; defaults are used")
            return
        self._note(f"{error.message}; the file is now {aside.name} and defaults are used")
