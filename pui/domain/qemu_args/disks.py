"""The disks: a read-only base with the task's overlay, and the cache volume; each layer and each driver named.

In: DiskPlan. Out: arguments. Never: a format that QEMU guesses, a backing file that an image names.
"""

from __future__ import annotations

from pui.domain.events import JsonValue
from pui.domain.launch_plan import CACHE_TAG, DiskPlan
from pui.domain.qemu_args.syntax import json_option


def disk_args(disk: DiskPlan) -> tuple[str, ...]:
    """Four nodes (two files, two images) and the device. `backing` names a node, so the names inside the images are
    never followed (threats.md, qcow2)."""
    nodes = (_base_file(disk), _base_image(), _overlay_file(disk), _overlay_image())
    return (*_nodes(*nodes), "-device", _device("root-disk", "overlay"), *_cache_args(disk))


def _nodes(*nodes: dict[str, JsonValue]) -> tuple[str, ...]:
    return tuple(argument for node in nodes for argument in ("-blockdev", json_option(node)))


def _base_file(disk: DiskPlan) -> dict[str, JsonValue]:
    return {
        "driver": "file",
        "node-name": "base-file",
        "filename": str(disk.base_image),
        "read-only": True,
        "locking": disk.file_locking,
    }


def _base_image() -> dict[str, JsonValue]:
    return {"driver": "qcow2", "node-name": "base", "file": "base-file", "read-only": True, "backing": None}


# The overlay is thrown away at teardown and never reused after a crash, so the guest's flushes need not reach the
# disk: no-flush. Discards shrink the file on the host.
def _overlay_file(disk: DiskPlan) -> dict[str, JsonValue]:
    return {
        "driver": "file",
        "node-name": "overlay-file",
        "filename": str(disk.overlay),
        "locking": disk.file_locking,
        "discard": "unmap",
        "cache": {"no-flush": True},
    }


def _overlay_image() -> dict[str, JsonValue]:
    return {
        "driver": "qcow2",
        "node-name": "overlay",
        "file": "overlay-file",
        "backing": "base",
        "discard": "unmap",
        "cache": {"no-flush": True},
    }


def _cache_args(disk: DiskPlan) -> tuple[str, ...]:
    """Flushes reach the disk: it is used again. Its header was checked; no backing file that it names is followed."""
    if disk.cache_volume is None:
        return ()
    file: dict[str, JsonValue] = {
        "driver": "file",
        "node-name": "cache-file",
        "filename": str(disk.cache_volume),
        "locking": disk.file_locking,
        "discard": "unmap",
    }
    image: dict[str, JsonValue] = {
        "driver": "qcow2",
        "node-name": "cache",
        "file": "cache-file",
        "backing": None,
        "discard": "unmap",
    }
    return (*_nodes(file, image), "-device", _device("cache-disk", "cache", serial=CACHE_TAG))


def _device(device_id: str, drive: str, *, serial: str = "") -> str:
    """A full host disk pauses the machine (BLOCK_IO_ERROR with nospace) instead of breaking the guest's file system."""
    fields: dict[str, JsonValue] = {
        "driver": "virtio-blk-pci",
        "id": device_id,
        "drive": drive,
        **({"serial": serial} if serial else {}),
        "disable-legacy": "on",
        "werror": "enospc",
        "rerror": "report",
    }
    return json_option(fields)
