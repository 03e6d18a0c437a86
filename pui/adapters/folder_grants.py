"""The file with the folders that the person has let pui use.

In: grants. Out: grants, as they were last written. Never: a grant out of a damaged file: it is set aside.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import structlog

from pui.adapters.paths import AppPaths, own_dir
from pui.adapters.private_file import read_private, write_private
from pui.domain.folder_grants import FILE_LIMIT_BYTES, FolderGrant, parse_grants, render_grants
from pui.domain.strict_json import StrictJsonError


class FolderGrantFile:
    """ports.GrantFile."""

    def __init__(self, paths: AppPaths) -> None:
        self._path = paths.folder_grants
        self._folder = paths.data

    def load(self) -> tuple[FolderGrant, ...]:
        data = read_private(self._path, FILE_LIMIT_BYTES)
        if data is None:
            return ()
        try:
            return parse_grants(data)
        except StrictJsonError as error:
            structlog.get_logger().warning("the file of folders was damaged and is set aside", reason=str(error))
            os.replace(self._path, self._path.with_suffix(".damaged"))  # noqa: PTH105 - as in file_ops
            return ()

    def save(self, grants: Sequence[FolderGrant]) -> None:
        own_dir(self._folder)
        write_private(self._path, render_grants(grants))
