"""The launch plan: ids, choices, and refusal of inputs that do not fit together.

In: inputs of a Linux task and their mutations. Out: the plan or a CallerError. Never: QEMU.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Any

import pytest

from pui.domain.errors import CallerError, SetupError
from pui.domain.launch_plan import (
    ChannelInput,
    LaunchInputs,
    ListenerFd,
    ListenPath,
    MountServerSocket,
    NamedPipe,
    ProbeInputs,
    plan_launch,
    plan_probe,
)
from pui.domain.platforms import ACCELERATOR_OPTIONS, CPU_MODELS, PLATFORMS, find_platform
from tests.support.launch_inputs import CHANNELS, INPUTS, PROBE, SHARE

P = PurePosixPath


def test_devices_have_ids_of_our_own() -> None:
    plan = plan_launch(INPUTS)
    assert [(port.number, port.name, port.device_id, port.backend_id) for port in plan.ports] == [
        (1, "pui.ctl", "port-ctl", "port-ctl-backend"),
        (2, "pui.rpc", "port-rpc", "port-rpc-backend"),
        (3, "pui.model", "port-model", "port-model-backend"),
    ]
    assert [(share.device_id, share.backend_id, share.tag) for share in plan.shares] == [
        ("share0", "share0-backend", "pui0")
    ]
    assert (plan.name, plan.cpu, plan.accelerator, plan.shares_memory) == ("pui-t-1", "host", "kvm", True)


def test_only_virtiofs_shares_the_memory() -> None:
    ninep = replace(INPUTS, share_kind="9p", shares=(replace(SHARE, socket=None),))
    assert not plan_launch(ninep).shares_memory
    assert not plan_launch(replace(INPUTS, share_kind=None, shares=())).shares_memory


def test_a_probe_machine_has_nothing_to_lose() -> None:
    plan = plan_probe(PROBE)
    assert (plan.mode, plan.disk, plan.shares, plan.ports, plan.memory_mib) == ("probe", None, (), (), 128)
    assert plan.append.endswith("pui.mode=probe")


def _share(**changes: Any) -> LaunchInputs:
    return replace(INPUTS, shares=(replace(SHARE, **changes),))


BAD: dict[str, LaunchInputs] = {
    "task id empty": replace(INPUTS, task_id=""),
    "task id with a comma": replace(INPUTS, task_id="a,b"),
    "task id with a line end": replace(INPUTS, task_id="a\n"),
    "task id like an option": replace(INPUTS, task_id="-a"),
    "channel missing": replace(INPUTS, channels=CHANNELS[:2]),
    "channels in another order": replace(INPUTS, channels=CHANNELS[::-1]),
    "relative pack": replace(INPUTS, pack_root=P("pack")),
    "relative overlay": replace(INPUTS, overlay=P("-x")),
    "relative base": replace(INPUTS, base_image=P("base")),
    "relative log": replace(INPUTS, serial_log=P("log")),
    "nul in a path": replace(INPUTS, overlay=P("/a\0b")),
    "path not unicode": replace(INPUTS, overlay=P("/a\udcff")),
    "accelerator of another system": replace(INPUTS, accelerator="hvf"),
    "standard stream": replace(INPUTS, qmp=ListenerFd(2)),
    "pipe on linux": replace(INPUTS, qmp=NamedPipe("x")),
    "relative socket": replace(INPUTS, qmp=ListenPath(P("qmp.sock"))),
    "channel endpoint": replace(INPUTS, channels=(*CHANNELS[:2], ChannelInput("pui.model", ListenerFd(0)))),
    "no share kind": replace(INPUTS, share_kind=None),
    "share kind of no system": replace(INPUTS, share_kind="9p", platform=find_platform("windows", "x86_64")),
    "virtiofs without a socket": _share(socket=None),
    "9p with a socket": replace(INPUTS, share_kind="9p"),
    "tag with a comma": _share(tag="a,b"),
    "tag too long": _share(tag="a" * 37),
    "tag twice": replace(INPUTS, shares=(SHARE, SHARE)),
    "relative folder": _share(host_path=P("project")),
    "relative mount server": _share(socket=MountServerSocket(P("fs.sock"), 20)),
}


@pytest.mark.parametrize("name", BAD)
def test_inputs_that_do_not_fit_are_refused(name: str) -> None:
    with pytest.raises(CallerError) as caught:
        plan_launch(BAD[name])
    assert caught.value.code == "caller.bad_request"


@pytest.mark.parametrize(
    "changes",
    [
        {"pack_root": P("pack")},
        {"serial_log": P("log")},
        {"accelerator": "whpx"},
        {"qmp": NamedPipe("x")},
    ],
)
def test_probe_inputs_that_do_not_fit_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(CallerError):
        plan_probe(replace(PROBE, **changes))


@pytest.mark.parametrize("name", ["a b", "a\\b", "", "x" * 129, "a,b"])
def test_pipe_names(name: str) -> None:
    windows = find_platform("windows", "x86_64")
    root: PurePath = PureWindowsPath("C:\\pack")
    probe = ProbeInputs(root, windows, "whpx", NamedPipe("pui-1.qmp"), PureWindowsPath("C:\\log"))
    assert plan_probe(probe).qmp == NamedPipe("pui-1.qmp")
    with pytest.raises(CallerError):
        plan_probe(replace(probe, qmp=NamedPipe(name)))


def test_every_platform_has_a_row_and_a_processor() -> None:
    assert len(PLATFORMS) == 6
    for (_, arch), row in PLATFORMS.items():
        assert CPU_MODELS[(row.accelerator, row.arch)]
        assert CPU_MODELS[("tcg", row.arch)]
        assert row.arch == arch
    assert "kernel-irqchip" not in ACCELERATOR_OPTIONS.get(("whpx", "aarch64"), "")
    with pytest.raises(SetupError, match="plan9"):
        find_platform("plan9", "x86_64")
