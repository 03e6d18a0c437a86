"""Hostile values, environments and companions of QEMU's command line.

In: paths and names that look like syntax. Out: arguments in which they stay values. Never: QEMU
(tests/vm boots the real one with such a path).
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import PurePosixPath, PureWindowsPath

import pytest

from pui.domain.launch_plan import (
    LaunchPlan,
    ListenerFd,
    ListenPath,
    MountServerSocket,
    NamedPipe,
    ProbeInputs,
    ShareInput,
    plan_launch,
    plan_probe,
)
from pui.domain.platforms import find_platform
from pui.domain.qemu_args import overlay_argv, qemu_argv, qemu_env, virtiofsd_argv
from pui.domain.qemu_args.channels import chardev_option
from pui.domain.qemu_args.syntax import json_option, key_value_option
from tests.support.launch_inputs import CHANNELS, INPUTS, LINUX, SHARE

P = PurePosixPath
PACK = P("/data/pack")
HOSTILE = [
    "/a,b",
    "/a,readonly=off",
    "/a b",
    "/a\nb",
    '/a"b\\c',
    "/-leading",
    "/прое́кт-😀",
    "/a=b,,c",
    "/json:{}",
    "/a%sb$(c)`d`",
]


def _plan(path: str) -> LaunchPlan:
    place = P(path)
    inputs = replace(
        INPUTS,
        share_kind="9p",
        pack_root=place,
        base_image=place / "base",
        overlay=place / "overlay",
        serial_log=place / "log",
        qmp=ListenPath(place / "qmp"),
        shares=(ShareInput("pui0", place, True),),
    )
    return plan_launch(inputs)


def _values(argv: tuple[str, ...], option: str) -> list[str]:
    return [argv[index + 1] for index, word in enumerate(argv) if word == option]


def _parsed(option: str) -> dict[str, str]:
    """key=value options as QEMU's own parser reads them: a doubled comma is a comma (util/qemu-option.c)."""
    marked = option.replace(",,", "\0")
    pairs = (word.partition("=") for word in marked.split(",")[1:])
    return {key: value.replace("\0", ",") for key, _, value in pairs}


@pytest.mark.parametrize("path", HOSTILE)
@pytest.mark.threat("E11")
def test_a_path_is_never_syntax(path: str) -> None:
    plain, argv = qemu_argv(_plan("/plain")), qemu_argv(_plan(path))
    assert len(argv) == len(plain)
    for before, after in zip(plain, argv, strict=True):
        assert before == after or "/plain" in before
    files = [json.loads(text) for text in _values(argv, "-blockdev")]
    assert [item.get("filename") for item in files] == [f"{path}/base", None, f"{path}/overlay", None]
    folder = _parsed(_values(argv, "-fsdev")[0])
    assert (folder["path"], folder["readonly"]) == (path, "on")
    places = [_parsed(text).get("path") for text in _values(argv, "-chardev")]
    assert places[:2] == [f"{path}/qmp", f"{path}/log"]


@pytest.mark.parametrize("path", HOSTILE)
@pytest.mark.threat("E11")
def test_companions_get_paths_as_they_are(path: str) -> None:
    share = ShareInput("pui0", P(path), True, MountServerSocket(P("/run/s"), 7))
    assert f"--shared-dir={path}" in virtiofsd_argv(PACK, LINUX, share)
    assert overlay_argv(PACK, LINUX, P(path), P(path))[-2:] == (path, path)


@pytest.mark.threat("H13", "H14")
def test_no_network_and_no_default_device() -> None:
    argv = qemu_argv(_plan("/p"))
    assert not [word for word in argv if word.startswith(("-net", "-nic")) or "virtio-net" in word]
    assert {"-nodefaults", "-no-user-config", "-no-reboot", "-sandbox"} <= set(argv)


def test_overlay_argv() -> None:
    assert overlay_argv(PACK, LINUX, PACK / "guest/base.qcow2", P("/t/overlay.qcow2")) == (
        "/data/pack/qemu/lib/ld.so",
        "--inhibit-cache",
        "--library-path",
        "/data/pack/qemu/lib",
        "/data/pack/qemu/bin/qemu-img",
        "create",
        "-q",
        "-f",
        "qcow2",
        "-F",
        "qcow2",
        "-b",
        "/data/pack/guest/base.qcow2",
        "/t/overlay.qcow2",
    )


def test_virtiofsd_argv() -> None:
    head = (
        "/data/pack/qemu/lib/ld.so",
        "--inhibit-cache",
        "--library-path",
        "/data/pack/qemu/lib",
        "/data/pack/qemu/bin/virtiofsd",
        "--fd=20",
        "--shared-dir=/home/ann/project",
    )
    tail = ("--seccomp=kill", "--cache=auto", "--inode-file-handles=never", "--log-level=warn")
    assert virtiofsd_argv(PACK, LINUX, SHARE) == (*head, "--sandbox=none", *tail)
    read_only = replace(SHARE, read_only=True)
    assert virtiofsd_argv(PACK, LINUX, read_only, "chroot") == (*head, "--sandbox=chroot", *tail, "--readonly")


def test_a_share_without_a_socket_has_no_server() -> None:
    with pytest.raises(ValueError, match="no mount server"):
        virtiofsd_argv(PACK, LINUX, replace(SHARE, socket=None))


def test_environments_are_small_and_explicit() -> None:
    assert qemu_env(plan_launch(INPUTS)) == {"LC_ALL": "C", "QEMU_MODULE_DIR": "/data/pack/qemu/modules"}
    windows = ProbeInputs(
        PureWindowsPath("C:\\pack"),
        find_platform("windows", "x86_64"),
        "whpx",
        NamedPipe("q"),
        PureWindowsPath("C:\\log"),
        system_root="C:\\Windows",
    )
    assert qemu_env(plan_probe(windows)) == {
        "LC_ALL": "C",
        "QEMU_MODULE_DIR": "C:\\pack\\qemu\\modules",
        "SystemRoot": "C:\\Windows",
    }


def test_endpoints() -> None:
    assert chardev_option("x", ListenerFd(7)) == "socket,id=x,fd=7,server=on,wait=off"
    assert chardev_option("x", ListenPath(P("/a,b"))) == "socket,id=x,path=/a,,b,server=on,wait=off"
    assert chardev_option("x", NamedPipe("pui-1")) == "pipe,id=x,path=pui-1"


def test_a_machine_without_shares() -> None:
    argv = qemu_argv(plan_launch(replace(INPUTS, share_kind=None, shares=())))
    assert "-fsdev" not in argv
    assert not [word for word in argv if "vhost-user" in word or "memory-backend" in word]
    assert len(_values(argv, "-chardev")) == len(CHANNELS) + 2


def test_syntax() -> None:
    assert key_value_option("file", {"id": "a", "path": ","}) == "file,id=a,path=,,"
    assert json_option({"a": 'x"y', "b": None, "c": True, "d": 7}) == '{"a":"x\\"y","b":null,"c":true,"d":7}'
