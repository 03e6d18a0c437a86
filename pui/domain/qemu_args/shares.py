"""Shared folders as devices.

In: SharePlan. Out: arguments. Never: a folder that the guest could make writable (read-only is the host's).
"""

from __future__ import annotations

from pui.domain.events import JsonValue
from pui.domain.launch_plan import SharePlan
from pui.domain.qemu_args.syntax import json_option, key_value_option, on_off


def share_args(share: SharePlan) -> tuple[str, ...]:
    """The device of one share and its host end."""
    return _virtiofs_args(share) if share.kind == "virtiofs" else _ninep_args(share)


def _virtiofs_args(share: SharePlan) -> tuple[str, ...]:
    """QEMU connects to the mount server; read-only is an option of the server (companions.virtiofsd_argv)."""
    chardev = key_value_option("socket", {"id": share.backend_id, "path": str(share.socket_path)})
    device: dict[str, JsonValue] = {
        "driver": "vhost-user-fs-pci",
        "id": share.device_id,
        "chardev": share.backend_id,
        "tag": share.tag,
        "queue-size": 1024,
    }
    return ("-chardev", chardev, "-device", json_option(device))


def _ninep_args(share: SharePlan) -> tuple[str, ...]:
    """mapped-xattr: owner, mode and special files of the guest become attributes; nothing setuid, no device node and
    no symbolic link of the guest becomes one on the host. Without fmode and dmode new files would be 0600 for the
    person. multidevs=remap keeps inode numbers apart across mounts."""
    fields = {
        "id": share.backend_id,
        "path": str(share.host_path),
        "security_model": "mapped-xattr",
        "fmode": "0644",
        "dmode": "0755",
        "multidevs": "remap",
        "readonly": on_off(share.read_only),
    }
    device: dict[str, JsonValue] = {
        "driver": "virtio-9p-pci",
        "id": share.device_id,
        "fsdev": share.backend_id,
        "mount_tag": share.tag,
        "disable-legacy": "on",
    }
    return ("-fsdev", key_value_option("local", fields), "-device", json_option(device))
