"""What the agent can and cannot do in a real machine. One machine for each way of sharing folders.

In: commands run as the agent through pi's own `bash`. Out: what the person's disk holds afterwards.
Never: a task of its own for each look.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pui.domain.facts import ShareKind
from pui.domain.guest_config import GuestMount
from pui.supervisor import guest_work
from tests.support.playbook import check_over
from tests.support.real_machine import RealApp, RunningTask, WithoutVirtiofs, begin

pytestmark = pytest.mark.vm


@dataclass
class Guest:
    """A machine that waits for commands; its loop runs only while a test asks it something."""

    kind: str
    runner: asyncio.Runner
    task: RunningTask
    project: Path
    docs: Path
    outside: Path

    def sh(self, command: str) -> tuple[int, str]:
        return self.runner.run(self.task.sh(command))

    def out(self, command: str) -> str:
        code, output = self.sh(command)
        assert code == 0, f"{command}: {code}: {output}"
        return output.strip()


@pytest.fixture(scope="module")
def credulous_guest() -> Iterator[None]:
    """The guest mounts everything read-write, as one whose root was taken over would: read-only is the host's word."""

    def writable(tag: str, path: str, kind: ShareKind, read_only: bool) -> GuestMount:
        return GuestMount(tag, path, kind, False)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guest_work, "GuestMount", writable)
        yield


@pytest.fixture(scope="module", params=["virtiofs", "9p"])
def guest(prepared: RealApp, credulous_guest: None, request: pytest.FixtureRequest) -> Iterator[Guest]:
    project, docs, outside = (prepared.project(name) for name in ("project", "docs", "outside"))
    (outside / "secret.txt").write_text("canary of the host\n")
    (project / "to-passwd").symlink_to("/etc/passwd")
    (project / "to-outside").symlink_to(outside)
    (project / "up").symlink_to("../" + outside.name)
    with prepared.composed() as app, asyncio.Runner() as runner:
        services = app.services
        if request.param == "9p":
            services = replace(services, host=WithoutVirtiofs(services.host))

        async def boot() -> RunningTask:
            task = begin(services, {project: False, docs: True}, "@hang")
            async with AsyncExitStack() as stack:
                stack.push_async_callback(task.finish)
                await task.until_running()
                stack.pop_all()
            return task

        task = runner.run(boot())
        yield Guest(request.param, runner, task, project, docs, outside)
        view = runner.run(task.finish())
        check_over(app.files, task.live.task_id, view)
        assert view.outcome is not None and view.outcome.code == "task.cancelled"


def test_folders_are_shared_in_the_way_that_preflight_chose(guest: Guest) -> None:
    assert guest.task.view.facts["share"] == guest.kind
    assert guest.task.view.facts["share_reason"]
    assert f" /workspace {guest.kind} rw," in guest.out("grep workspace /proc/mounts")


def test_what_the_agent_writes_belongs_to_the_person(guest: Guest) -> None:
    guest.out("echo new > made.txt && chmod 750 made.txt && mkdir -p sub && echo x >> README.md && mv made.txt sub/")
    for name in ("sub", "sub/made.txt", "README.md"):
        status = (guest.project / name).stat()
        assert (status.st_uid, status.st_gid) == (os.getuid(), os.getgid()), name
    # 9p keeps the guest's mode in an attribute: the person's own tools see a plain file (threats.md, Mount)
    on_the_host = {"virtiofs": 0o750, "9p": 0o644}[guest.kind]
    assert (guest.project / "sub/made.txt").stat().st_mode & 0o777 == on_the_host
    assert (guest.project / "README.md").read_text().endswith("hello\nx\n")
    assert guest.out("stat -c %u:%g:%a sub/made.txt") == "1000:1000:750"


def test_what_the_person_writes_is_seen(guest: Guest) -> None:
    (guest.project / "from-host.txt").write_text("hi\n")
    assert guest.out("cat from-host.txt && stat -c %u from-host.txt") == "hi\n1000"


def test_deleting_while_reading_the_directory_leaves_nothing(guest: Guest) -> None:
    many = guest.project / "many"
    many.mkdir()
    for number in range(500):
        (many / f"file-{number}").touch()
    assert guest.out("ls many | wc -l") == "500"
    guest.out("rm -rf many")
    assert not many.exists()


@pytest.mark.threat("G7", "G8")
def test_a_read_only_folder_stays_so_whatever_is_tried(guest: Guest) -> None:
    """threats.md, G7: the guest itself believes that it may write."""
    folder = f"/folders/{guest.docs.name}"
    assert f" {folder} {guest.kind} rw," in guest.out("cat /proc/mounts")
    assert "hello" in guest.out(f"cat {folder}/README.md")
    for attempt in (
        f"touch {folder}/new",
        f"echo x >> {folder}/README.md",
        f"rm -f {folder}/README.md",
        f"chmod 777 {folder}/README.md",
        f"mv {folder}/README.md {folder}/gone",
        f"mount -o remount,rw {folder}",
        f"ln {folder}/README.md /workspace/hard",
    ):
        assert guest.sh(attempt)[0] != 0, attempt
    assert [path.name for path in guest.docs.iterdir()] == ["README.md"]
    assert (guest.docs / "README.md").read_text() == "# A sample\n\nhello\n"


@pytest.mark.threat("G1", "G3")
def test_links_lead_to_the_guests_own_files(guest: Guest) -> None:
    """threats.md, G1 and G3: the server never follows a link or `..` out of the share."""
    if guest.kind == "virtiofs":
        assert guest.out("cat to-passwd") == guest.out("cat /etc/passwd") != Path("/etc/passwd").read_text().strip()
    else:  # mapped-xattr does not show the person's links at all
        assert guest.sh("cat to-passwd")[0] != 0
    for path in ("to-outside/secret.txt", "up/secret.txt", f"../{guest.outside.name}/secret.txt"):
        assert guest.sh(f"cat {path}")[0] != 0, path
    assert guest.out("cd .. && pwd") == "/"


@pytest.mark.threat("G1")
def test_a_link_made_in_the_guest_is_not_followed_on_the_host(guest: Guest) -> None:
    guest.out(f"ln -s {guest.outside}/secret.txt planted")
    assert guest.sh("cat planted")[0] != 0 and guest.sh("echo x > planted")[0] != 0
    assert (guest.outside / "secret.txt").read_text() == "canary of the host\n"


@pytest.mark.threat("G5", "G6")
def test_special_files_do_not_appear_on_the_host_with_power(guest: Guest) -> None:
    """threats.md, G5 and G6."""
    guest.sh("mknod device c 1 3; cp /bin/true tool && chmod 4755 tool")
    assert not (guest.project / "device").exists() or not (guest.project / "device").is_char_device()
    assert (guest.project / "tool").stat().st_uid == os.getuid()
    assert "nosuid" in guest.out("grep ' /workspace ' /proc/mounts")


@pytest.mark.threat("H1", "H13", "H14")
def test_there_is_no_network(guest: Guest) -> None:
    assert guest.out("ls /sys/class/net") == "lo"
    assert guest.out("grep -c : /proc/net/dev") == "1"
    assert guest.sh("timeout 5 bash -c 'exec 3<>/dev/tcp/10.0.2.2/80'")[0] != 0


def test_pi_is_an_ordinary_user(guest: Guest) -> None:
    assert guest.out("id -u; id -g; id -G").split() == ["1000", "1000", "1000"]
    assert guest.out("stat -c %u /proc/$PPID") == "1000"
    assert guest.out("grep -E '^CapEff|^CapPrm|^NoNewPrivs' /proc/self/status").split() == [
        "CapPrm:", "0" * 16, "CapEff:", "0" * 16, "NoNewPrivs:", "1",
    ]  # fmt: skip


def test_the_agent_cannot_speak_for_pi(guest: Guest) -> None:
    """pi-rpc.md section 5: with one uid and pipes of pi's own a command could forge records."""
    for attempt in (
        "ls /proc/1/fd",
        "cat /proc/1/environ",
        "echo x > /proc/$PPID/fd/1",
        "echo x > /dev/virtio-ports/pui.rpc",
        "echo x > /dev/virtio-ports/pui.ctl",
        "echo x > /dev/virtio-ports/pui.model",
        "echo x > /dev/vda",
        "echo x > /sbin/pui-init",
        "touch /opt/pui/pi/x",
    ):
        assert guest.sh(attempt)[0] != 0, attempt


def test_a_signal_opens_no_inspector(guest: Guest) -> None:
    guest.sh("kill -USR1 $PPID; sleep 1")
    assert guest.sh("timeout 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/9229'")[0] != 0
    assert guest.out("stat -c %U /proc/$PPID") == "agent"


def test_only_the_model_relay_listens(guest: Guest) -> None:
    listening = guest.out("cat /proc/net/tcp /proc/net/tcp6 | awk '$4 == \"0A\" {print $2}'").split()
    assert listening == ["0100007F:1F99"]
