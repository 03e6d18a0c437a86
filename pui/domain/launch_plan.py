"""Which devices a machine gets, with which ids: from checked inputs to a frozen plan.

In: the pack's folder, the platform's row, the task's limits, paths and endpoints made by adapters.
Out: LaunchPlan; `qemu_args` renders it to command lines.
Never: I/O, a guess, a name that came from a guest or a repository (ids and tags are made here).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from pui.domain.errors import CallerError
from pui.domain.facts import AcceleratorName, ShareKind
from pui.domain.kernel_cmdline import probe_cmdline, task_cmdline
from pui.domain.platforms import Platform, accelerator_option, cpu_model

PORT_NAMES = ("pui.ctl", "pui.rpc", "pui.model")
"""The virtio-serial ports of a task, in this order (pui/guest/protocol.md)."""

CACHE_TAG = "pui-cache"
"""Serial of the cache volume's disk, by which the guest finds it."""

PROBE_MEMORY_MIB = 128
EMULATED_CPU_COUNT = 1
"""Processors of an emulated machine, whatever was asked for.

With two, QEMU 10.0's threaded emulation failed in about one boot of a hundred (an assertion, or a disk read that is
never answered); with one, in none of 80 (docs/performance.md).
"""
SERIAL_LIMIT_BYTES = 1 << 20
"""The supervisor watches the size of the serial log and, past this limit, detaches it (qmp.mute_serial_command).

QEMU's file chardev has no limit of its own, a file size limit of the process would also hit the overlay, and a ring
buffer in QEMU's memory is lost when QEMU dies, which is when the log is wanted most.
"""

_TAG = re.compile(r"[a-z0-9]{1,36}")
_TASK_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,47}")
_PIPE_NAME = re.compile(r"[A-Za-z0-9._-]{1,128}")


@dataclass(frozen=True)
class ListenerFd:
    """A listening socket that QEMU inherits under this descriptor number."""

    fd: int


@dataclass(frozen=True)
class ListenPath:
    """QEMU makes and listens on this unix socket itself."""

    path: PurePath


@dataclass(frozen=True)
class NamedPipe:
    r"""QEMU makes the Windows pipe `\\.\pipe\<name>` and waits at its start until we connect: the monitor first, then
    the ports in the order of PORT_NAMES."""

    name: str


Endpoint = ListenerFd | ListenPath | NamedPipe


@dataclass(frozen=True)
class MountServerSocket:
    """Where a virtiofsd listens: it inherits `listener_fd`, QEMU connects to `path`."""

    path: PurePath
    listener_fd: int


@dataclass(frozen=True)
class ShareInput:
    """A folder of the host (absolute, resolved, allowed by mount_policy). `socket` is needed for virtiofs, None for 9p.

    `tag` is task.mount_tag(n). `read_only` is enforced by the device (9p) or the mount server (virtiofs), whatever the
    guest's kernel says (CVE-2026-46695 is what happens otherwise).
    """

    tag: str
    host_path: PurePath
    read_only: bool
    socket: MountServerSocket | None = None


@dataclass(frozen=True)
class ChannelInput:
    """The host end of one virtio-serial port; `name` is one of PORT_NAMES."""

    name: str
    endpoint: Endpoint


@dataclass(frozen=True)
class LaunchInputs:
    """All that plan_launch needs, everything resolved: absolute paths, open descriptors, proved accelerator.

    `share_kind` is None only without shares. `system_root` is Windows' own folder (%SystemRoot%), "" elsewhere.
    """

    pack_root: PurePath
    platform: Platform
    accelerator: AcceleratorName
    share_kind: ShareKind | None
    task_id: str
    memory_mib: int
    cpu_count: int
    base_image: PurePath
    overlay: PurePath
    shares: tuple[ShareInput, ...]
    channels: tuple[ChannelInput, ...]
    qmp: Endpoint
    serial_log: PurePath
    system_root: str = ""
    cache_volume: PurePath | None = None


@dataclass(frozen=True)
class ProbeInputs:
    """All that plan_probe needs. The verdict comes from the serial log and the monitor."""

    pack_root: PurePath
    platform: Platform
    accelerator: AcceleratorName
    qmp: Endpoint
    serial_log: PurePath
    system_root: str = ""


@dataclass(frozen=True)
class DiskPlan:
    """The two layers of the root disk, both qcow2, both opened explicitly; the base read-only.

    `cache_volume` is a second disk, a qcow2 without a backing file that outlives the task."""

    base_image: PurePath
    overlay: PurePath
    file_locking: Literal["on", "auto"]
    cache_volume: PurePath | None = None


@dataclass(frozen=True)
class SharePlan:
    """A share with the ids of its devices."""

    kind: ShareKind
    device_id: str
    backend_id: str
    tag: str
    host_path: PurePath
    read_only: bool
    socket_path: PurePath | None


@dataclass(frozen=True)
class PortPlan:
    """A virtio-serial port with the ids of its devices; `number` counts from 1 (0 is the console's)."""

    number: int
    name: str
    device_id: str
    backend_id: str
    endpoint: Endpoint


@dataclass(frozen=True)
class LaunchPlan:
    """A whole machine. A probe machine has no disk, no shares and no ports.

    `shares_memory`: the guest's memory is a memfd that mount servers map (virtiofs needs it).
    """

    mode: Literal["task", "probe"]
    pack_root: PurePath
    platform: Platform
    name: str
    accelerator: str
    cpu: str
    cpu_count: int
    memory_mib: int
    shares_memory: bool
    append: str
    disk: DiskPlan | None
    shares: tuple[SharePlan, ...]
    ports: tuple[PortPlan, ...]
    qmp: Endpoint
    serial_log: PurePath
    system_root: str


def plan_launch(inputs: LaunchInputs) -> LaunchPlan:
    """The plan of a task's machine. Raises CallerError("caller.bad_request") for inputs that do not fit together."""
    _require(bool(_TASK_ID.fullmatch(inputs.task_id)), f"{inputs.task_id!r} is not a task id")
    _require(tuple(channel.name for channel in inputs.channels) == PORT_NAMES, f"channels are not {PORT_NAMES}")
    _check_paths(inputs.pack_root, inputs.base_image, inputs.overlay, inputs.serial_log)
    _check_paths(*filter(None, [inputs.cache_volume]))
    _check_machine(inputs.platform, inputs.accelerator, (inputs.qmp, *(c.endpoint for c in inputs.channels)))
    shares = tuple(_plan_share(inputs, index) for index in range(len(inputs.shares)))
    _require(len({share.tag for share in shares}) == len(shares), "two shares have the same tag")
    return LaunchPlan(
        mode="task",
        pack_root=inputs.pack_root,
        platform=inputs.platform,
        name=f"pui-{inputs.task_id}",
        accelerator=accelerator_option(inputs.accelerator, inputs.platform.arch),
        cpu=cpu_model(inputs.accelerator, inputs.platform.arch),
        cpu_count=EMULATED_CPU_COUNT if inputs.accelerator == "tcg" else inputs.cpu_count,
        memory_mib=inputs.memory_mib,
        shares_memory=any(share.kind == "virtiofs" for share in shares),
        append=task_cmdline(inputs.platform, inputs.accelerator),
        disk=DiskPlan(inputs.base_image, inputs.overlay, inputs.platform.file_locking, inputs.cache_volume),
        shares=shares,
        ports=tuple(_plan_port(channel, number) for number, channel in enumerate(inputs.channels, 1)),
        qmp=inputs.qmp,
        serial_log=inputs.serial_log,
        system_root=inputs.system_root,
    )


def plan_probe(inputs: ProbeInputs) -> LaunchPlan:
    """The plan of a probe machine: the task's kernel and initrd, nothing else. Raises as plan_launch does."""
    _check_paths(inputs.pack_root, inputs.serial_log)
    _check_machine(inputs.platform, inputs.accelerator, (inputs.qmp,))
    return LaunchPlan(
        mode="probe",
        pack_root=inputs.pack_root,
        platform=inputs.platform,
        name=f"pui-probe-{inputs.accelerator}",
        accelerator=accelerator_option(inputs.accelerator, inputs.platform.arch),
        cpu=cpu_model(inputs.accelerator, inputs.platform.arch),
        cpu_count=1,
        memory_mib=PROBE_MEMORY_MIB,
        shares_memory=False,
        append=probe_cmdline(inputs.platform, inputs.accelerator),
        disk=None,
        shares=(),
        ports=(),
        qmp=inputs.qmp,
        serial_log=inputs.serial_log,
        system_root=inputs.system_root,
    )


def _plan_share(inputs: LaunchInputs, index: int) -> SharePlan:
    share, kind = inputs.shares[index], inputs.share_kind
    if kind is None or kind not in inputs.platform.share_kinds:
        raise CallerError("caller.bad_request", f"{kind} does not exist on {inputs.platform.os}")
    _require(bool(_TAG.fullmatch(share.tag)), f"{share.tag!r} is not a mount tag")
    _require((share.socket is not None) == (kind == "virtiofs"), "virtiofs needs a socket, 9p has none")
    _check_paths(share.host_path)
    socket_path = None
    if share.socket is not None:
        _check_paths(share.socket.path)
        socket_path = share.socket.path
    return SharePlan(
        kind, f"share{index}", f"share{index}-backend", share.tag, share.host_path, share.read_only, socket_path
    )


def _plan_port(channel: ChannelInput, number: int) -> PortPlan:
    short = channel.name.removeprefix("pui.")
    return PortPlan(number, channel.name, f"port-{short}", f"port-{short}-backend", channel.endpoint)


def _check_machine(platform: Platform, accelerator: AcceleratorName, endpoints: tuple[Endpoint, ...]) -> None:
    _require(accelerator in (platform.accelerator, "tcg"), f"{accelerator} does not exist on {platform.os}")
    for endpoint in endpoints:
        _check_endpoint(platform, endpoint)


def _check_endpoint(platform: Platform, endpoint: Endpoint) -> None:
    is_pipe = isinstance(endpoint, NamedPipe)
    _require(is_pipe == (platform.channel_kind == "named-pipe"), f"{endpoint} does not fit {platform.os}")
    if isinstance(endpoint, ListenerFd):
        _require(endpoint.fd > 2, f"descriptor {endpoint.fd} is a standard stream")
    elif isinstance(endpoint, ListenPath):
        _check_paths(endpoint.path)
    else:
        _require(bool(_PIPE_NAME.fullmatch(endpoint.name)), f"{endpoint.name!r} is not a pipe name")


def _check_paths(*paths: PurePath) -> None:
    for path in paths:
        _require(path.is_absolute(), f"{str(path)!r} is not an absolute path")
        _require(_is_passable(str(path)), f"{str(path)!r} cannot be passed to another program")


def _is_passable(text: str) -> bool:
    """NUL ends an argument; a lone surrogate is a byte that is not UTF-8, which JSON cannot carry to QEMU."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise CallerError("caller.bad_request", message)
