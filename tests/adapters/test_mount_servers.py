"""Mount servers start on our socket, prove themselves, and their end is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from pui.adapters.mounts.ninep import probe_ninep
from pui.adapters.mounts.virtiofsd import VirtiofsdServers, probe_virtiofs
from pui.adapters.qemu.img import QemuImages
from pui.domain.errors import HostError, LaunchError, PuiError
from pui.domain.facts import ShareVerdict
from pui.domain.launch_plan import MountServerSocket, ShareInput
from pui.domain.platforms import find_platform
from pui.ports import Process
from tests.support.fake_guest import FakeScript
from tests.support.machines import LINUX, Bench, fake_installed_pack, short_folder


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as made:
        yield made


async def started(bench: Bench, shared: Path) -> Process:
    endpoint = bench.transport.listen(bench.folder / "run", "fs-pui0")
    share = ShareInput("pui0", shared, False, MountServerSocket(endpoint.path, endpoint.listener_fd))
    try:
        servers = VirtiofsdServers(bench.starter, LINUX)
        return await servers.start(fake_installed_pack(bench.pack_root), share, bench.folder / "fs.log")
    finally:
        bench.transport.unlisten(endpoint)


def test_a_server_serves_one_connection_and_ends_with_it(folder: Path) -> None:
    async def main() -> int:
        bench = Bench(folder)
        server = await started(bench, folder)
        client = await bench.transport.connect(bench.endpoint_at("fs-pui0"), 5.0)
        assert server.exit_code is None
        await client.close()
        return await server.wait()

    assert asyncio.run(main()) == 0


def test_the_end_of_a_server_is_told_with_its_last_line(folder: Path) -> None:
    async def main() -> tuple[int, str]:
        server = await started(Bench(folder, FakeScript(mount_server_error="virtiofsd: bad day")), folder)
        return await server.wait(), server.log_tail()

    assert asyncio.run(main()) == (1, "virtiofsd: bad day\n")


def test_a_server_that_cannot_be_executed_is_named(folder: Path) -> None:
    bench = Bench(folder)
    (bench.pack_root / "qemu/lib/ld.so").unlink()
    with pytest.raises(LaunchError) as caught:
        asyncio.run(started(bench, folder))
    assert caught.value.code == "launch.mount_server"


def virtiofs_verdict(bench: Bench) -> ShareVerdict:
    (bench.folder / "probe").mkdir(mode=0o700)
    verdict = asyncio.run(
        probe_virtiofs(bench.pack_root, LINUX, bench.starter, bench.transport, bench.folder / "probe")
    )
    assert not [name for name in (bench.folder / "probe").iterdir() if name.is_dir()], "the empty folder stayed"
    return verdict


def test_virtiofs_works_when_the_server_answers_in_both_modes(folder: Path) -> None:
    assert virtiofs_verdict(Bench(folder)).works


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"mount_server_error": "libc.so.6: version not found"}, "(read/write): it ended with 1: libc.so.6: version"),
        ({"mount_server_error_ro": "unexpected argument '--readonly'"}, "(read-only): it ended with 1: unexpected"),
        ({"mount_server_babbles": True}, "not vhost-user"),
    ],
    ids=["dies", "no-read-only", "babbles"],
)
def test_virtiofs_does_not_work_for_a_named_reason(folder: Path, fault: dict[str, str], words: str) -> None:
    verdict = virtiofs_verdict(Bench(folder, FakeScript(**fault)))  # type: ignore[arg-type]
    assert not verdict.works
    assert words in verdict.reason


def test_shares_that_a_platform_has_not_are_not_tried(folder: Path) -> None:
    windows = find_platform("windows", "x86_64")
    bench = Bench(folder)
    assert not asyncio.run(probe_virtiofs(folder, windows, bench.starter, bench.transport, folder)).works
    assert not asyncio.run(probe_ninep(folder, windows, bench.starter, folder / "log")).works


def create(bench: Bench, overlay: Path) -> None:
    asyncio.run(QemuImages(bench.starter, LINUX).create_overlay(fake_installed_pack(bench.pack_root), overlay))


def test_an_overlay_is_made_over_the_packs_base(folder: Path) -> None:
    bench = Bench(folder)
    create(bench, folder / "overlay.qcow2")
    assert (folder / "overlay.qcow2").read_bytes().endswith(bytes(bench.pack_root / "guest/base.qcow2"))


@pytest.mark.parametrize(
    ("text", "error", "code"),
    [
        ("qemu-img: o.qcow2: No space left on device", HostError, "host.disk_full"),
        ("qemu-img: could not open base", LaunchError, "launch.overlay"),
    ],
)
def test_an_overlay_that_cannot_be_made_is_named_and_gone(
    folder: Path, text: str, error: type[PuiError], code: str
) -> None:
    with pytest.raises(error) as caught:
        create(Bench(folder, FakeScript(overlay_error=text)), folder / "overlay.qcow2")
    assert (caught.value.code, text in caught.value.detail) == (code, True)
    assert not (folder / "overlay.qcow2").exists()


@pytest.mark.threat("D5")
def test_an_overlay_is_never_used_twice(folder: Path) -> None:
    (folder / "overlay.qcow2").write_text("old")
    with pytest.raises(LaunchError, match="exists already"):
        create(Bench(folder), folder / "overlay.qcow2")
    assert (folder / "overlay.qcow2").read_text() == "old"


def test_a_cancelled_overlay_is_gone(folder: Path) -> None:
    async def main() -> None:
        bench = Bench(folder, FakeScript(overlay_hangs=True))
        images = QemuImages(bench.starter, LINUX)
        making = asyncio.create_task(
            images.create_overlay(fake_installed_pack(bench.pack_root), folder / "overlay.qcow2")
        )
        while not (folder / "overlay.qcow2").exists():  # noqa: ASYNC110, ASYNC240 - the child makes it
            await asyncio.sleep(0.01)
        making.cancel()
        with pytest.raises(asyncio.CancelledError):
            await making

    asyncio.run(main())
    assert not (folder / "overlay.qcow2").exists()
