"""Launch inputs for tests: one task a platform, always the same names.

In: operating system, architecture, accelerator. Out: inputs that fit together. Never: a path of this computer.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath, PureWindowsPath

from pui.domain.facts import AcceleratorName, ArchName
from pui.domain.launch_plan import (
    PORT_NAMES,
    ChannelInput,
    LaunchInputs,
    ListenerFd,
    MountServerSocket,
    NamedPipe,
    ProbeInputs,
    ShareInput,
)
from pui.domain.platforms import find_platform

P = PurePosixPath
W = PureWindowsPath
LINUX = find_platform("linux", "x86_64")
CHANNELS = tuple(ChannelInput(name, ListenerFd(number)) for number, name in enumerate(PORT_NAMES, 10))
SHARE = ShareInput("pui0", P("/home/ann/project"), False, MountServerSocket(P("/run/p/fs-pui0.sock"), 20))
DOCS = ShareInput("pui1", P("/home/ann/docs, old"), True, MountServerSocket(P("/run/p/fs-pui1.sock"), 21))
NINEP_SHARES = (replace(SHARE, socket=None), replace(DOCS, socket=None))

INPUTS = LaunchInputs(
    pack_root=P("/data/pack"),
    platform=LINUX,
    accelerator="kvm",
    share_kind="virtiofs",
    task_id="t-1",
    memory_mib=768,
    cpu_count=2,
    base_image=P("/data/pack/guest/base.qcow2"),
    overlay=P("/data/t-1/overlay.qcow2"),
    shares=(SHARE,),
    channels=CHANNELS,
    qmp=ListenerFd(9),
    serial_log=P("/data/t-1/serial.log"),
)
PROBE = ProbeInputs(P("/data/pack"), LINUX, "tcg", ListenerFd(9), P("/run/p/serial.log"))


def linux_inputs(arch: ArchName, accelerator: AcceleratorName) -> LaunchInputs:
    """KVM with virtiofs, one share read-only; TCG with 9p, one share read-only."""
    inputs = replace(INPUTS, platform=find_platform("linux", arch), accelerator=accelerator)
    if accelerator == "kvm":
        return replace(inputs, shares=(SHARE, DOCS))
    return replace(inputs, share_kind="9p", shares=NINEP_SHARES)


def macos_inputs(arch: ArchName) -> LaunchInputs:
    """HVF with 9p, one share read-only."""
    platform = find_platform("macos", arch)
    return replace(INPUTS, platform=platform, accelerator="hvf", share_kind="9p", shares=NINEP_SHARES)


def windows_inputs(arch: ArchName) -> LaunchInputs:
    """WHPX, named pipes, no share: none is known for Windows yet."""
    return LaunchInputs(
        pack_root=W(r"C:\data\pack"),
        platform=find_platform("windows", arch),
        accelerator="whpx",
        share_kind=None,
        task_id="t-1",
        memory_mib=768,
        cpu_count=2,
        base_image=W(r"C:\data\pack\guest\base.qcow2"),
        overlay=W(r"C:\data\t-1\overlay.qcow2"),
        shares=(),
        channels=tuple(ChannelInput(name, NamedPipe(f"pui-t-1-{name}")) for name in PORT_NAMES),
        qmp=NamedPipe("pui-t-1-qmp"),
        serial_log=W(r"C:\data\t-1\serial.log"),
        system_root=r"C:\Windows",
    )
