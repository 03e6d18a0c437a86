"""What is remembered of updates, in one file.

In: the app's folders. Out: an UpdateState (implements ports.UpdateRecord). Never: a failure because it is damaged: then
nothing is known, and the next check writes it anew.
"""

from __future__ import annotations

from pui.adapters.data_dir import data_in_use
from pui.adapters.packs.file_ops import read_file
from pui.adapters.packs.keys import write_private_file
from pui.adapters.paths import AppPaths
from pui.domain.errors import CallerError
from pui.domain.update_policy import MAX_UPDATES_BYTES, UpdateState, parse_updates, render_updates


class UpdateFile:
    """ports.UpdateRecord."""

    def __init__(self, paths: AppPaths) -> None:
        self._paths = paths

    def read(self) -> UpdateState:
        try:
            return parse_updates(read_file(self._paths.updates, MAX_UPDATES_BYTES))
        except (OSError, CallerError):
            return UpdateState()

    def write(self, state: UpdateState) -> None:
        """Raises HostError, SetupError data.moved."""
        with data_in_use(self._paths):
            write_private_file(self._paths.updates, render_updates(state))
