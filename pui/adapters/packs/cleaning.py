"""Removes what nobody needs: staging folders of installers that died, packs that are neither active nor previous.

In: the folders, under the installer's lock. Out: the names of what was removed. Never: a pack that is in use.
"""

from __future__ import annotations

import secrets

from pui.adapters.packs.file_ops import FileOps, opened_folder, remove_tree, sync_folder
from pui.adapters.packs.locks import pack_removal
from pui.adapters.packs.slots import is_pack_id, read_slot
from pui.adapters.paths import AppPaths
from pui.domain.errors import SetupError


def clean_staging(ops: FileOps, paths: AppPaths) -> tuple[str, ...]:
    """Whoever holds the lock is the only installer alive, so all that lies here is rubbish. Raises OSError."""
    names = sorted(path.name for path in paths.staging_dir.iterdir())
    with opened_folder(paths.staging_dir) as at:
        for name in names:
            remove_tree(ops, name, at)
    return tuple(names)


def remove_pack(ops: FileOps, paths: AppPaths, pack_id: str) -> None:
    """One rename takes the pack away, then its files go. Raises SetupError pack.in_use, pack.missing; OSError."""
    root = paths.packs_dir / pack_id
    name = f"{pack_id}.{secrets.token_hex(4)}"
    with pack_removal(root):
        ops.rename(root, paths.staging_dir / name)
        sync_folder(ops, paths.packs_dir)
    with opened_folder(paths.staging_dir) as at:
        remove_tree(ops, name, at)


def remove_unused(ops: FileOps, paths: AppPaths, trouble: list[str]) -> tuple[str, ...]:
    """Packs beyond active and previous. One that a task still uses stays until the next install; what the system
    refuses is told in `trouble`, for the new pack is in place already."""
    kept = {read_slot(paths.active_pack), read_slot(paths.previous_pack)}
    removed: list[str] = []
    for root in sorted(paths.packs_dir.iterdir()):
        if root.name in kept or not is_pack_id(root.name):
            continue
        try:
            remove_pack(ops, paths, root.name)
            removed.append(root.name)
        except SetupError as error:
            trouble.append(error.message)
        except OSError as error:
            trouble.append(f"pack {root.name} could not be removed: {error.strerror}")
    return tuple(removed)
