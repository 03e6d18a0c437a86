"""What a person does, step by step, when this computer cannot run tasks yet: plain words for each system.

In: the operating system, the code of a finding. Out: steps in order. Never: a look at the computer, a promise.
"""

from __future__ import annotations

from collections.abc import Mapping

from pui.domain.facts import OsName

_FIRMWARE = (
    "Restart the computer and open the firmware set-up (BIOS, UEFI): often F2, F10, F12 or Del right after the start.",
    "Turn on hardware virtualization, save and restart. Its name is Intel Virtualization Technology (VT-x) or AMD SVM; "
    "it is often below Advanced, CPU Configuration or Security.",
)
_NESTED = (
    "If this computer is itself a virtual machine: its operator has to allow nested virtualization. VMware: "
    "«Virtualize Intel VT-x/EPT or AMD-V/RVI»; VirtualBox: «Enable Nested VT-x/AMD-V»; Hyper-V: "
    "ExposeVirtualizationExtensions; KVM: the CPU model host-passthrough; clouds: a machine type that offers it, or "
    "a bare-metal one."
)
_AGAIN = "Come back here and press «Check again»: pui boots a tiny machine to prove it."

STEPS: Mapping[tuple[OsName, str], tuple[str, ...]] = {
    ("linux", "accel.missing"): (
        "See whether the processor offers it: `grep -Ec '(vmx|svm)' /proc/cpuinfo` in a terminal. A number above 0: go "
        "on with the kernel module below. 0: it is off in the firmware, or hidden from this machine.",
        *_FIRMWARE,
        "Load the kernel module: `sudo modprobe kvm_intel` (Intel) or `sudo modprobe kvm_amd` (AMD). Then "
        "`ls -l /dev/kvm` shows the device.",
        _NESTED,
        _AGAIN,
    ),
    ("linux", "accel.denied"): (
        "See which group owns the device: `ls -l /dev/kvm`. Most distributions use the group kvm.",
        "Join that group: `sudo usermod -aG kvm $USER`.",
        "Log out and in again (or restart): a session keeps the groups that it began with. `id` shows them.",
        "In a container the device has to be passed in by whoever starts it (`--device /dev/kvm`).",
        _AGAIN,
    ),
    ("linux", "accel.broken"): (
        "End other virtual machines (VirtualBox and VMware cannot always share the processor with KVM).",
        _NESTED,
        "If this is a physical computer: install pending kernel and firmware updates, then restart.",
        "`journalctl -k --grep kvm` shows what the kernel has to say.",
        _AGAIN,
    ),
    ("macos", "accel.missing"): (
        "pui needs macOS 11 or newer: see the Apple menu, About This Mac.",
        "`sysctl kern.hv_support` in Terminal has to say 1. A 0 means that this Mac cannot run virtual machines.",
        _NESTED,
        _AGAIN,
    ),
    ("macos", "accel.denied"): (
        "Install pui from its signed package: QEMU needs the hypervisor entitlement, which a copy of it loses.",
        "On a managed Mac, ask its administrator to allow virtualization.",
        _AGAIN,
    ),
    ("macos", "accel.broken"): (
        "End other virtual machines and emulators, then restart the Mac.",
        "Install pending macOS updates.",
        _AGAIN,
    ),
    ("windows", "accel.missing"): (
        "Open Task Manager, Performance, CPU: «Virtualization» has to say «Enabled».",
        *_FIRMWARE,
        "Open «Turn Windows features on or off», tick «Windows Hypervisor Platform» and «Virtual Machine Platform». "
        "Restart when Windows asks for it.",
        _NESTED,
        _AGAIN,
    ),
    ("windows", "accel.denied"): (
        "On a managed computer, ask its administrator to allow «Windows Hypervisor Platform».",
        "Otherwise open «Turn Windows features on or off», tick «Windows Hypervisor Platform» and restart.",
        _AGAIN,
    ),
    ("windows", "accel.broken"): (
        "Install pending Windows updates and restart.",
        "Update or end other virtualization programs (old VirtualBox or VMware versions do not share the processor).",
        _AGAIN,
    ),
}
_ANYWHERE: Mapping[str, tuple[str, ...]] = {
    "host.memory": ("End programs or tasks that you do not need, or give new tasks less memory in Settings.", _AGAIN),
    "host.disk_full": (
        "Free some space on the disk of the data folder: finished tasks and old packs can be removed in pui.",
        "Or move the data folder to a larger disk: Settings, Data folder.",
        _AGAIN,
    ),
    "pack.missing": (
        "Install the runtime: from the channel, by building it on this computer, or from a file that you were given.",
        "pui checks its signature and every byte, then boots a machine to try it.",
    ),
    "pack.corrupt": ("Repair writes only the broken files anew; then a machine is booted to try it.",),
    "pack.unhealthy": (
        "Try it again: the computer may merely have been busy.",
        "Go back to the previous runtime, or install another one.",
    ),
    "pack.untrusted": (
        "Use a runtime of your channel, or trust the key of whoever made it only if you know them.",
        "`pui pack list` shows whom you trust.",
    ),
}


def steps_for(os: OsName, code: str) -> tuple[str, ...]:
    """Nothing for a code whose hint says it all."""
    return STEPS.get((os, code)) or _ANYWHERE.get(code, ())
