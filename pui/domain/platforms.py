"""What QEMU needs on each kind of computer: one table, read by the launch plan and the preflight.

In: operating system, processor architecture, accelerator. Out: rows of the table.
Never: a look at the computer; never a choice that depends on one user's computer (that is host facts).

Proved on real machines so far: linux x86_64 (TCG). The other rows follow QEMU's documentation and are held by golden
tests only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pui.domain.errors import SetupError
from pui.domain.facts import AcceleratorName, ArchName, OsName, ShareKind

ChannelKind = Literal["listener-fd", "socket-path", "named-pipe"]


@dataclass(frozen=True)
class Platform:
    """One row. `accelerator` is the native one; `share_kinds` in order of preference.

    `channel_kind`: how the host ends of ports are handed to QEMU. `executable_suffix` follows the names of
    pack_layout. `uses_pack_loader`: programs of the pack start through its own ld.so. `has_sandbox`: QEMU has seccomp.
    `has_memfd`: memory that a mount server can share. `file_locking`: QEMU's Windows file driver refuses "on", though
    Windows itself keeps a second writer out. `machine` is the value of -machine, `console` the kernel's name
    of the serial port, `serial_driver` its device where the machine has none built in ("" = built in).
    """

    os: OsName
    arch: ArchName
    accelerator: AcceleratorName
    machine: str
    console: str
    serial_driver: str
    channel_kind: ChannelKind
    share_kinds: tuple[ShareKind, ...]
    executable_suffix: str
    uses_pack_loader: bool
    has_sandbox: bool
    has_memfd: bool
    file_locking: Literal["on", "auto"]


# q35: no display port, PS/2, SATA or SMBus controller: less for a guest to attack and less for a kernel to look for.
_Q35 = "q35,vmport=off,i8042=off,sata=off,smbus=off,usb=off,graphics=off,dump-guest-core=off"
_VIRT = "virt,usb=off,graphics=off,dump-guest-core=off"


def _platform(os: OsName, arch: ArchName) -> Platform:
    is_x86 = arch == "x86_64"
    accelerators: dict[OsName, AcceleratorName] = {"linux": "kvm", "macos": "hvf", "windows": "whpx"}
    shares: dict[OsName, tuple[ShareKind, ...]] = {"linux": ("virtiofs", "9p"), "macos": ("9p",), "windows": ()}
    return Platform(
        os=os,
        arch=arch,
        accelerator=accelerators[os],
        machine=_Q35 if is_x86 else _VIRT,
        console="ttyS0" if is_x86 else "ttyAMA0",
        serial_driver="isa-serial" if is_x86 else "",
        channel_kind="named-pipe" if os == "windows" else "listener-fd",
        share_kinds=shares[os],
        executable_suffix=".exe" if os == "windows" else "",
        uses_pack_loader=os == "linux",
        has_sandbox=os == "linux",
        has_memfd=os == "linux",
        file_locking="auto" if os == "windows" else "on",
    )


def jail_words(platform: Platform) -> str:
    """What holds QEMU in instead of a jail, which no platform has: the one sentence for journal and page."""
    if platform.has_sandbox:
        return "QEMU runs with its seccomp sandbox and without capabilities"
    return "QEMU runs as any other program of yours"


PLATFORMS: dict[tuple[str, str], Platform] = {
    (os, arch): _platform(os, arch) for os in ("linux", "macos", "windows") for arch in ("x86_64", "aarch64")
}

# `max` hangs or crashes WHPX, so a plain model that every processor since 2011 has (no AVX, no XSAVE). On aarch64 TCG
# the architected pointer authentication is costly, the implementation-defined one is QEMU's fast hash. On
# x86_64 TCG four levels of page tables instead of five save about a tenth of the work until pi answers: 14.5 s of
# processor time against 16.4 for max and qemu64 and 17.5 for Nehalem (QEMU 10.0, medians of 3 interleaved rounds on a
# busy machine; less than max in each round). erms and fsrm would have the kernel clear and copy pages by `rep movsb`,
# which QEMU emulates byte by byte; pku is one more register to switch, and QEMU forgets its translations of addresses
# whenever it changes (figures: docs/performance.md).
CPU_MODELS: dict[tuple[AcceleratorName, ArchName], str] = {
    ("kvm", "x86_64"): "host",
    ("kvm", "aarch64"): "host",
    ("hvf", "x86_64"): "host",
    ("hvf", "aarch64"): "host",
    ("whpx", "x86_64"): "Westmere",
    ("whpx", "aarch64"): "host",
    ("tcg", "x86_64"): "max,la57=off,erms=off,fsrm=off,pku=off",
    ("tcg", "aarch64"): "max,pauth-impdef=on",
}

# Windows' hypervisor has no complete interrupt controller of its own on x86; on aarch64 the option breaks the start.
ACCELERATOR_OPTIONS: dict[tuple[AcceleratorName, ArchName], str] = {
    ("whpx", "x86_64"): "whpx,kernel-irqchip=off",
    ("tcg", "x86_64"): "tcg,thread=multi",
    ("tcg", "aarch64"): "tcg,thread=multi",
}


def pack_platform(os: str, arch: str) -> str:
    """The name that packs for this computer carry; Apple's own word for its processor on macOS."""
    return f"{os}-arm64" if (os, arch) == ("macos", "aarch64") else f"{os}-{arch}"


def find_platform(os: str, arch: str) -> Platform:
    """The row of a computer. Raises SetupError("pack.incompatible") for one that pui does not know."""
    if (os, arch) not in PLATFORMS:
        raise SetupError("pack.incompatible", f"pui does not run on {os} on {arch}")
    return PLATFORMS[(os, arch)]


def cpu_model(accelerator: AcceleratorName, arch: ArchName) -> str:
    """The value of -cpu, chosen per accelerator."""
    return CPU_MODELS[(accelerator, arch)]


def accelerator_option(accelerator: AcceleratorName, arch: ArchName) -> str:
    """The value of -accel."""
    return ACCELERATOR_OPTIONS.get((accelerator, arch), accelerator)
