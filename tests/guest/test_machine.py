"""The guest program as PID 1 of a real machine: orders, who may do what, reconnects, the end.

In: the installed pack. Out: verdicts. Never: pi itself (tests/vm), timed asserts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pui.adapters.paths import app_paths
from pui.domain.handshake import CtlEvent, ErrorReply, Exited, Hello, Mark, Ok, StderrData
from tests.guest.machine import Machine

pytestmark = pytest.mark.vm

AGENT = Path(__file__).with_name("agent_script.py")


def _pack() -> Path:
    paths = app_paths()
    if not paths.active_pack.is_file():
        pytest.fail('no runtime pack is installed: `pui pack build --install`, or deselect by -m "not vm"')
    return paths.packs_dir / paths.active_pack.read_text().strip()


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("share")
    folder.chmod(0o755)  # the agent's uid must reach it
    (folder / "hello.txt").write_text("from the host")
    (folder / "link").symlink_to("/etc")
    return folder


@pytest.fixture(scope="module")
def machine(share: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Configured, with the script in place of pi running. The tests below use it in any order, the last ends it."""
    booted = Machine(_pack(), tmp_path_factory.mktemp("vm"), share)
    try:
        booted.port("rpc")
        booted.hello()
        assert isinstance(
            booted.ask("config", hostname="task-1", clock_ns=1_800_000_000 * 10**9, entropy="ab" * 32), Ok
        )
        assert isinstance(booted.ask("mount", tag="ws", path="/workspace", type="9p", ro=1), Ok)
        assert isinstance(booted.ask("file", path="/run/pui/agent.py", data=AGENT.read_bytes(), mode="644"), Ok)
        assert isinstance(booted.ask("env", name="GREETING", value="two words"), Ok)
        _check_failed_starts(booted)
        argv = (("argv", "/usr/bin/python3"), ("argv", "/run/pui/agent.py"))
        assert isinstance(booted.ask("start", argv, cwd="/workspace", uid=1000, gid=1000), Ok)
        yield booted
    finally:
        booted.close()


def _check_failed_starts(machine: Machine) -> None:
    """A start that fails leaves no child and can be tried again."""
    missing = machine.ask("start", (("argv", "/no/such"),), cwd="/")
    assert isinstance(missing, ErrorReply)
    assert missing.code == "ENOENT"
    as_root = machine.ask("start", (("argv", "/bin/bash"),), cwd="/", uid=0)
    assert isinstance(as_root, ErrorReply)
    assert as_root.code == "bad_value"


def _shell(machine: Machine, command: str) -> str:
    port = machine.port("rpc")
    port.sendall(json.dumps({"run": command}).encode() + b"\n")
    answer = b""
    while not answer.endswith(b"\n"):
        part = port.recv(65536)
        assert part, machine.console()
        answer += part
    return str(json.loads(answer)["out"])


def test_the_marks_are_in_order(machine: Machine) -> None:
    _shell(machine, "true")
    machine.ask("ping")
    marks = [event for event in machine.seen if isinstance(event, Mark)][:8]
    assert [mark.stage for mark in marks] == [
        *("init", "modules", "root", "pid1", "ports", "configured", "spawn", "first_byte")
    ]
    assert [mark.uptime_ms for mark in marks] == sorted(mark.uptime_ms for mark in marks)


def test_the_agent_is_nobody_special(machine: Machine) -> None:
    said = _shell(
        machine, "id -u; id -g; id -G; grep -E 'NoNewPrivs|CapEff|SigIgn|SigBlk' /proc/self/status; pwd; umask"
    )
    assert said.split() == [
        *("1000", "1000", "1000", "SigBlk:", "0" * 16, "SigIgn:"),
        *(said.split()[6], "CapEff:", "0" * 16, "NoNewPrivs:", "1", "/workspace", "0022"),
    ]


def test_the_environment_is_what_was_given(machine: Machine) -> None:
    names = {line.split("=")[0] for line in _shell(machine, "tr '\\0' '\\n' < /proc/$PPID/environ").split("\n") if line}
    assert names == {"PATH", "HOME", "USER", "LANG", "TMPDIR", "GREETING"}
    assert _shell(machine, "echo $GREETING") == "two words\n"


def test_the_agent_holds_three_descriptors(machine: Machine) -> None:
    assert _shell(machine, "ls /proc/$PPID/fd").split()[:3] == ["0", "1", "2"]
    assert "vport" not in _shell(machine, "ls -l /proc/$PPID/fd")


@pytest.mark.parametrize(
    "command",
    [
        "echo x > /proc/$PPID/fd/1",
        "echo x > /dev/virtio-ports/pui.ctl",
        "cat /dev/virtio-ports/pui.rpc",
        "cat /proc/1/environ",
        "kill -9 1",
        "echo x > /workspace/file",
        "echo x > /run/pui/agent.py",
        "cat /dev/vda",
    ],
)
def test_the_agent_may_not(machine: Machine, command: str) -> None:
    said = _shell(machine, f"{command}; echo code $?")
    assert any(reason in said for reason in ("Permission denied", "not permitted", "Read-only")), said


def test_the_machine_is_configured(machine: Machine, share: Path) -> None:
    assert _shell(machine, "cat /proc/sys/kernel/hostname") == "task-1\n"
    assert 1_800_000_000 <= int(_shell(machine, "date +%s")) < 1_800_001_000
    assert _shell(machine, "cat /workspace/hello.txt") == "from the host"
    options = _shell(machine, "grep ' /workspace ' /proc/mounts").split()[3].split(",")
    assert {"ro", "nosuid", "nodev"} <= set(options)
    assert _shell(machine, "stat -c %a /tmp /dev/shm").split() == ["1777", "1777"]
    assert _shell(machine, "cat /sys/class/net/lo/operstate; ls /sys/class/net").split()[1:] == ["lo"]


@pytest.mark.parametrize(
    ("verb", "keys", "code"),
    [
        ("mount", {"tag": "ws", "path": "/workspace/link/x", "type": "9p"}, "ENOTDIR"),
        ("mount", {"tag": "ws", "path": "/mnt/a", "type": "vfat"}, "bad_value"),
        ("mount", {"tag": "no-such-disk", "path": "/mnt/a", "type": "ext4"}, "ENODEV"),
        ("mount", {"tag": "none", "path": "/mnt/b", "type": "9p"}, "ENOENT"),
        ("mount", {"tag": "none", "path": "/mnt/c", "type": "virtiofs"}, "EINVAL"),
        ("file", {"path": "/workspace/link/x", "data": "x"}, "ENOTDIR"),
        ("file", {"path": "/workspace/new", "data": "x"}, "EROFS"),
        ("file", {"path": "/run/x", "data": "x", "mode": "4755"}, "bad_value"),
        ("file", {"path": "/run/x", "data": "x", "owner": "other"}, "bad_value"),
        ("config", {"hostname": "x" * 64}, "bad_value"),
        ("config", {"entropy": "abc"}, "bad_value"),
        ("config", {"clock_ns": "-1"}, "bad_value"),
        ("env", {"name": "A=B", "value": "x"}, "bad_value"),
        ("start", {"argv": "/bin/bash", "cwd": "/"}, "bad_state"),
        ("nonsense", {}, "unknown_verb"),
    ],
)
def test_an_order_that_cannot_be_met_is_named(machine: Machine, verb: str, keys: dict[str, str], code: str) -> None:
    said = machine.ask(verb, tuple(keys.items()))
    assert isinstance(said, ErrorReply)
    assert said.code == code, said


def test_ping_tells_the_health(machine: Machine) -> None:
    said = machine.ask("ping")
    assert isinstance(said, Ok)
    assert said.values["agent"] == "running"
    assert int(said.values["mem_available_kib"]) > 100_000
    assert float(said.values["load"]) >= 0


@pytest.fixture(scope="module")
def returned(machine: Machine) -> tuple[str, str, list[CtlEvent]]:
    """The agent's pid before and after the host left both ports and came back, and what the guest said then.

    A fixture of the module, since the new connections outlive the test.
    """
    before = _shell(machine, "echo $PPID")
    machine.leave("rpc")
    machine.leave("ctl")
    seen_before = len(machine.seen)
    assert isinstance(machine.ask("ping"), Ok)  # sent at once: the first order after a return must not be lost
    return before, _shell(machine, "echo $PPID"), machine.seen[seen_before:]


def test_the_agent_outlives_a_host_that_goes_away(returned: tuple[str, str, list[CtlEvent]]) -> None:
    before, after, _ = returned
    assert before == after


def test_a_host_that_comes_back_is_greeted_again(returned: tuple[str, str, list[CtlEvent]]) -> None:
    _, _, said = returned
    assert sum(isinstance(event, Hello) for event in said) == 1
    assert [event.stage for event in said if isinstance(event, Mark)][:5] == [
        "init",
        "modules",
        "root",
        "pid1",
        "ports",
    ]


def test_the_end_is_told_and_the_machine_goes_off(machine: Machine) -> None:
    assert isinstance(machine.ask("stop"), Ok)
    assert machine.wait_for(Exited) == Exited(7, None, 0)
    assert machine.wait_for(StderrData) == StderrData(b"stdin ended\n")
    assert isinstance(machine.ask("poweroff"), Ok)
    assert machine.process.wait(60) == 0


def test_a_probe_prints_its_line_and_ends(share: Path, tmp_path: Path) -> None:
    probe = Machine(_pack(), tmp_path, share, append="pui.mode=probe")
    try:
        assert probe.process.wait(120) == 0
        assert "pui-probe: ok" in probe.console()
    finally:
        probe.close()


def test_without_a_root_device_it_says_so_and_ends(share: Path, tmp_path: Path) -> None:
    lost = Machine(_pack(), tmp_path, share, append="pui.root=/dev/nothing")
    try:
        assert lost.process.wait(120) == 0
        assert "pui-init: the root device did not appear within 10 s: /dev/nothing" in lost.console()
    finally:
        lost.close()
