"""What Linux says about this computer.

In: /proc, /sys, the device of KVM. Out: readings; the row of the platform table. Never: a verdict (that takes a boot).
"""

from __future__ import annotations

import errno
import hashlib
import os
import platform as this_python
from dataclasses import dataclass
from pathlib import Path

from pui.domain.facts import AcceleratorStatus
from pui.domain.platforms import Platform, find_platform

KVM_DEVICE = Path("/dev/kvm")
_OS_NAMES = {"Linux": "linux", "Darwin": "macos", "Windows": "windows"}
_ARCH_NAMES = {"x86_64": "x86_64", "AMD64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
_ABSENT = (errno.ENOENT, errno.ENODEV, errno.ENXIO)


@dataclass(frozen=True)
class HostReading:
    """Sizes are of this moment; the rest changes with a restart at the earliest."""

    kernel_release: str
    boot_id: str
    cpu_model: str
    cpu_flags_sha256: str
    cpu_count: int
    memory_total_mib: int
    memory_available_mib: int
    disk_free_bytes: int
    user_id: int
    group_ids: tuple[int, ...]
    device_identities: tuple[str, ...]


def this_platform() -> Platform:
    """The row of this computer. Raises SetupError("pack.incompatible")."""
    system, machine = this_python.system(), this_python.machine()
    return find_platform(_OS_NAMES.get(system, system), _ARCH_NAMES.get(machine, machine))


def read_host(data_dir: Path) -> HostReading:
    """`data_dir` is where tasks lie; it need not exist yet."""
    cpu = _pairs(Path("/proc/cpuinfo"))
    total, available = _memory_mib()
    flags = cpu.get("flags") or cpu.get("Features", "")
    return HostReading(
        kernel_release=os.uname().release,
        boot_id=_text(Path("/proc/sys/kernel/random/boot_id")),
        cpu_model=(cpu.get("model name") or "unknown processor")[:200],
        cpu_flags_sha256=hashlib.sha256(flags.encode()).hexdigest(),
        cpu_count=len(os.sched_getaffinity(0)),
        memory_total_mib=total,
        memory_available_mib=available,
        disk_free_bytes=_disk_free_bytes(data_dir),
        user_id=os.geteuid(),
        group_ids=tuple(sorted(set(os.getgroups()))),
        device_identities=(_device_identity(KVM_DEVICE),),
    )


def kvm_access() -> tuple[AcceleratorStatus | None, str]:
    """`missing` or `denied` with a reason; None when the device opens, which proves nothing yet."""
    try:
        os.close(os.open(KVM_DEVICE, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        if error.errno in _ABSENT:
            return "missing", f"{KVM_DEVICE} is not there"
        if error.errno in (errno.EACCES, errno.EPERM):
            return "denied", f"{KVM_DEVICE} may not be opened by this user"
        return "broken", f"{KVM_DEVICE} does not open: {error.strerror}"
    return None, ""


def _device_identity(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        return f"{path} absent"
    rdev = f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"
    return f"{path} rdev={rdev} mode={found.st_mode & 0o7777:04o} uid={found.st_uid} gid={found.st_gid}"


def _memory_mib() -> tuple[int, int]:
    """Total and available; a limit of our control group counts where it is lower (containers)."""
    found = _pairs(Path("/proc/meminfo"))
    total, available = (int(found[name].split()[0]) // 1024 for name in ("MemTotal", "MemAvailable"))
    group = Path("/sys/fs/cgroup") / _text(Path("/proc/self/cgroup")).rpartition("::")[2].strip("/")
    limit, used = (_text(group / name) for name in ("memory.max", "memory.current"))
    if limit.isdigit() and used.isdigit():
        total = min(total, int(limit) >> 20)
        available = min(available, max(int(limit) - int(used), 0) >> 20)
    return total, available


def _disk_free_bytes(folder: Path) -> int:
    """Free for this user at the nearest folder that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def _pairs(path: Path) -> dict[str, str]:
    """`name : value` lines; the first of a name counts (all processors are alike for us)."""
    found: dict[str, str] = {}
    for line in _text(path).splitlines():
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), value.strip())
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
