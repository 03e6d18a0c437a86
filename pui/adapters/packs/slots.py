"""The small text files beside the packs: which one is active, which was before, the highest version ever installed.

In: their paths. Out: ids and versions, or SetupError pack.corrupt. Never: a write in place.
"""

from __future__ import annotations

import errno
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from pui.adapters.packs.file_ops import (
    FileOps,
    mapped_os_errors,
    opened_folder,
    read_file,
    remove_tree,
    sync_folder,
    write_new_file,
)
from pui.adapters.paths import AppPaths
from pui.domain.errors import SetupError
from pui.domain.events import JsonValue
from pui.domain.strict_json import StrictJsonError, dump_canonical, load_object

FLOOR_SCHEMA = "pui-pack-floor-1"
_PACK_ID = re.compile(r"[a-z0-9]{1,20}-[a-z0-9_]{1,20}-[0-9]{1,16}-[0-9a-f]{12}")
LIMIT_BYTES = 64 * 1024
_NO_SMALL_FILE = (errno.EFBIG, errno.EINVAL, errno.ELOOP, errno.ENXIO)  # too long, no regular file, a link


def is_pack_id(text: str) -> bool:
    return _PACK_ID.fullmatch(text) is not None


def read_slot(path: Path) -> str | None:
    """The pack id in `path`, None when there is no such file. Raises SetupError pack.corrupt, HostError."""
    text = _read(path)
    if text is None:
        return None
    pack_id = text.decode("utf-8", "replace").removesuffix("\n")
    if not is_pack_id(pack_id):
        raise SetupError("pack.corrupt", f"{path} does not hold a pack id", hint="Install the pack again.")
    return pack_id


def render_slot(pack_id: str) -> bytes:
    return f"{pack_id}\n".encode()


def write_slots(ops: FileOps, paths: AppPaths, slots: Mapping[Path, str | None]) -> None:
    """Changes slots in the order given, each by one rename; None removes one. The caller holds the installer's lock.

    All drafts are durable before the first rename. Raises OSError.
    """
    name = f"slots.{secrets.token_hex(4)}"
    with opened_folder(paths.staging_dir) as staging:
        try:
            ops.make_folder(name, staging, 0o700)
            drafts = paths.staging_dir / name
            with opened_folder(drafts) as at:
                for path, pack_id in slots.items():
                    if pack_id is not None:
                        write_new_file(ops, path.name, at, render_slot(pack_id))
            for path, pack_id in slots.items():
                _change_slot(ops, drafts, path, is_removal=pack_id is None)
        finally:
            remove_tree(ops, name, staging)


def _change_slot(ops: FileOps, drafts: Path, path: Path, *, is_removal: bool) -> None:
    with opened_folder(path.parent) as at:
        if not is_removal:
            ops.rename(drafts / path.name, path)
        elif path.exists():
            ops.remove_file(path.name, at)
        ops.sync(at)


def write_floors(ops: FileOps, paths: AppPaths, target: Path, floors: Mapping[str, int]) -> None:
    """Replaces a file of floors, atomically and durably. The caller holds the installer's lock. Raises OSError."""
    name = f"{target.name}.{secrets.token_hex(4)}"
    with opened_folder(paths.staging_dir) as at:
        write_new_file(ops, name, at, render_floors(floors))
    ops.rename(paths.staging_dir / name, target)
    sync_folder(ops, target.parent)


def raise_floor(ops: FileOps, paths: AppPaths, platform: str, version: int) -> int:
    """Packs of `platform` below `version` need words of insistence from now on; returns the floor that holds.

    A floor is never lowered. The caller holds the installer's lock. Raises SetupError pack.corrupt, OSError.
    """
    floors = dict(read_floors(paths.security_floor))
    floor = max(version, floors.get(platform, 0))
    if floors.get(platform) != floor:
        floors[platform] = floor
        write_floors(ops, paths, paths.security_floor, floors)
    return floor


def installed_floors(paths: AppPaths) -> Mapping[str, int]:
    """Highest version ever installed, by platform: what is written down, and the active pack, for an install that dies
    may have made it active and not have come to the writing. Raises SetupError pack.corrupt, HostError."""
    floors = dict(read_floors(paths.version_floor))
    try:
        active = read_slot(paths.active_pack)
    except SetupError:
        active = None  # unreadable: the next install mends it
    if active is not None:
        platform, version, _ = active.rsplit("-", 2)
        floors[platform] = max(int(version), floors.get(platform, 0))
    return floors


def read_floors(path: Path) -> Mapping[str, int]:
    """A file of versions by platform. Raises SetupError pack.corrupt, HostError."""
    data = _read(path)
    if data is None:
        return {}
    try:
        table = load_object(data, LIMIT_BYTES)
        floors = table.get("floors")
        if table.get("schema") != FLOOR_SCHEMA or not isinstance(floors, dict):
            raise StrictJsonError("it has another form")
        return {name: _version(value) for name, value in floors.items()}
    except StrictJsonError as error:
        hint = "Remove the file to forget which versions were installed, then install the newest pack."
        raise SetupError("pack.corrupt", f"{path} cannot be read: {error}", hint=hint) from error


def render_floors(floors: Mapping[str, int]) -> bytes:
    values: dict[str, JsonValue] = dict(floors)
    return dump_canonical({"schema": FLOOR_SCHEMA, "floors": values})


def _version(value: JsonValue) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise StrictJsonError("a version is not a whole number")
    return value


def _read(path: Path) -> bytes | None:
    with mapped_os_errors(f"reading {path}"):
        try:
            return read_file(path, LIMIT_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno not in _NO_SMALL_FILE:
                raise
            hint = "Remove it, then install the pack again."
            raise SetupError("pack.corrupt", f"{path} is not a small file of pui's", hint=hint) from error
