"""The machine itself: board, processor, memory, kernel, serial console, random numbers, monitor, sandbox.

In: LaunchPlan. Out: the whole argument list of QEMU and its environment.
Never: a network device, a display, a default device.
"""

from __future__ import annotations

from pui.domain import pack_layout
from pui.domain.launch_plan import LaunchPlan
from pui.domain.qemu_args.channels import chardev_option, ports_args
from pui.domain.qemu_args.disks import disk_args
from pui.domain.qemu_args.shares import share_args
from pui.domain.qemu_args.syntax import json_option, key_value_option, program_argv

_SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"


def qemu_argv(plan: LaunchPlan) -> tuple[str, ...]:
    """The full command, program first. Descriptors named in it must be inherited under the same numbers."""
    return (
        *program_argv(plan.pack_root, plan.platform, pack_layout.QEMU_SYSTEM),
        *_base_args(plan),
        *_sandbox_args(plan),
        *_machine_args(plan),
        *_kernel_args(plan),
        *_monitor_args(plan),
        *_serial_args(plan),
        *_random_args(),
        *(disk_args(plan.disk) if plan.disk else ()),
        *ports_args(plan.ports),
        *(argument for share in plan.shares for argument in share_args(share)),
    )


def qemu_env(plan: LaunchPlan) -> dict[str, str]:
    """The whole environment of QEMU. Modules (accelerators among them) come from the pack alone."""
    env = {"LC_ALL": "C", "QEMU_MODULE_DIR": str(plan.pack_root / pack_layout.QEMU_MODULE_DIR)}
    # Windows programs cannot load system libraries without it.
    return env | ({"SystemRoot": plan.system_root} if plan.system_root else {})


def _base_args(plan: LaunchPlan) -> tuple[str, ...]:
    """No default device, no configuration file, no display; a reset of the guest ends QEMU."""
    name = key_value_option(f"guest={plan.name}", {"debug-threads": "on"})
    firmware = str(plan.pack_root / pack_layout.FIRMWARE_DIR)
    return ("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-name", name, "-L", firmware)


def _sandbox_args(plan: LaunchPlan) -> tuple[str, ...]:
    return ("-sandbox", _SANDBOX) if plan.platform.has_sandbox else ()


def _machine_args(plan: LaunchPlan) -> tuple[str, ...]:
    machine, memory = plan.platform.machine, f"{plan.memory_mib}M"
    head: tuple[str, ...] = ()
    if plan.shares_memory:
        size_bytes = plan.memory_mib << 20
        backend = json_option({"qom-type": "memory-backend-memfd", "id": "ram", "size": size_bytes, "share": True})
        head, machine = ("-object", backend), f"{machine},memory-backend=ram"
    processor = ("-accel", plan.accelerator, "-cpu", plan.cpu, "-smp", str(plan.cpu_count))
    return (*head, "-machine", machine, *processor, "-m", memory)


def _kernel_args(plan: LaunchPlan) -> tuple[str, ...]:
    kernel, initrd = plan.pack_root / pack_layout.KERNEL, plan.pack_root / pack_layout.INITRD
    return ("-kernel", str(kernel), "-initrd", str(initrd), "-append", plan.append)


def _monitor_args(plan: LaunchPlan) -> tuple[str, ...]:
    return ("-chardev", chardev_option("qmp", plan.qmp), "-mon", "chardev=qmp,mode=control")


def _serial_args(plan: LaunchPlan) -> tuple[str, ...]:
    """A fresh file each start. launch_plan.SERIAL_LIMIT_BYTES says how it is bounded."""
    chardev = key_value_option("file", {"id": "serial", "path": str(plan.serial_log), "append": "off"})
    if not plan.platform.serial_driver:
        return ("-chardev", chardev, "-serial", "chardev:serial")
    device = json_option({"driver": plan.platform.serial_driver, "id": "console", "chardev": "serial"})
    return ("-chardev", chardev, "-device", device)


def _random_args() -> tuple[str, ...]:
    """Seeds the guest's random numbers from the host's."""
    backend = json_option({"qom-type": "rng-builtin", "id": "entropy"})
    return ("-object", backend, "-device", json_option({"driver": "virtio-rng-pci", "id": "random", "rng": "entropy"}))
