"""The computers that packs are built for: one table of what must hold for each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pui.domain.errors import PuiError
from pui.domain.platforms import PLATFORMS, pack_platform
from pui.packbuild import build, kernel
from pui.packbuild.inputs import PACKAGED_LOCK
from pui.packbuild.lock import Lock, LockedInput, check_lock, parse_lock, render_lock
from pui.packbuild.resolve import debian_wishes
from pui.packbuild.targets import TARGETS, buildable, find_target
from pui.packbuild.tools import CROSS_PROGRAMS, programs

LOCK = parse_lock(PACKAGED_LOCK.read_bytes())

# platform: guest's processor, QEMU's package, Debian's processor name, a foreign guest?, words of the refusal
TABLE = {
    "linux-x86_64": ("x86_64", "qemu-system-x86", "amd64", False, ""),
    "linux-aarch64": ("aarch64", "qemu-system-arm", "arm64", True, ""),
    "macos-arm64": ("aarch64", "", "arm64", True, "QEMU for macOS on arm64 with hvf"),
    "macos-x86_64": ("x86_64", "", "amd64", False, "QEMU for macOS on x86_64"),
    "windows-x86_64": ("x86_64", "", "amd64", False, "QEMU for Windows on x86_64 with whpx"),
}


def test_the_table_is_complete_and_every_platform_is_one_that_runs_pui() -> None:
    assert set(TABLE) == set(TARGETS)
    assert set(TARGETS) <= {pack_platform(os, arch) for os, arch in PLATFORMS}


@pytest.mark.parametrize("platform", TABLE)
def test_what_a_platform_is_built_from(platform: str, tmp_path: Path) -> None:
    guest, qemu, debian, is_foreign, words = TABLE[platform]
    target = TARGETS[platform]
    assert (target.guest, target.arch.debian, target.is_foreign) == (guest, debian, is_foreign)
    if not words:
        assert find_target(platform) == target
        assert target.qemu_package == qemu
        return
    out = tmp_path / "out"
    with pytest.raises(PuiError, match=f"no pack for {platform} can be built, an input is missing: {words}") as caught:
        build.build_pack(build.BuildOptions(out, tmp_path / "c", tmp_path / "k", platform=platform), lambda step: None)
    assert caught.value.code == "pack.build"
    assert not list(tmp_path.iterdir())


def test_an_unknown_platform_is_named() -> None:
    with pytest.raises(PuiError, match="no pack for 'beos-ppc'") as caught:
        find_target("beos-ppc")
    assert "linux-aarch64" in caught.value.hint


@pytest.mark.parametrize("target", buildable(), ids=lambda target: target.platform)
def test_the_one_lock_has_every_part_of_the_platform(target: object) -> None:
    row = find_target(getattr(target, "platform", ""))
    lock = LOCK.narrowed(row.lock_suffixes)
    parts = {part for item in lock.inputs for part in item.parts}
    assert parts == {"rootfs", "qemu", "kernel", "node", "pi", "compiler", "tools"} | (
        {"cross"} if row.is_foreign else set()
    )
    inside = [item for item in lock.inputs if not item.is_build_only]
    assert {item.architecture for item in inside} == {row.arch.debian, "all", ""}
    assert {item.architecture for item in lock.inputs if item.is_build_only} <= {"amd64", "all", ""}
    assert [item.name for item in lock.of_part("node")] == [row.arch.npm_node]
    assert lock.one("python3").architecture == row.arch.debian
    assert lock.one(row.qemu_package).version == lock.one("qemu-utils").version
    assert parse_lock(render_lock(lock)).narrowed(row.lock_suffixes) == lock


def test_every_platform_has_the_same_pi_and_node() -> None:
    locks = [LOCK.narrowed(target.lock_suffixes) for target in buildable()]
    nodes = {lock.one(target.arch.npm_node).version for lock, target in zip(locks, buildable(), strict=True)}
    assert len(nodes) == 1
    assert len({lock.of_part("pi") for lock in locks}) == 1


def test_narrowing_drops_what_belongs_to_others() -> None:
    here = LockedInput("debian", "a", "1", "p/a_1_arm64.deb", 1, "a" * 64, ("rootfs@aarch64", "tools"))
    there = LockedInput("debian", "a", "1", "p/a_1_amd64.deb", 1, "b" * 64, ("rootfs@x86_64",))
    lock = Lock("2026-01-02T03:04:05Z", (there, here))
    assert parse_lock(render_lock(lock)) == lock
    assert lock.narrowed(frozenset({"aarch64"})).inputs == (replace(here, parts=("rootfs", "tools")),)
    assert lock.narrowed(frozenset()).inputs == (replace(here, parts=("tools",)),)


def test_one_package_twice_for_one_processor_is_refused() -> None:
    item = {"kind": "debian", "name": "a", "version": "1", "size": 1, "sha256": "a" * 64, "parts": ["tools"]}
    document = {"schema": "pui-versions-lock-1", "created": "2026-01-02T03:04:05Z"}
    two = [{**item, "path": "p/a_1_amd64.deb"}, {**item, "path": "p/a_1_arm64.deb"}]
    assert check_lock({**document, "inputs": two}) == []
    assert check_lock({**document, "inputs": [two[0], {**two[0], "path": "p/a_2_amd64.deb"}]}) == ["a is listed twice"]
    assert check_lock({**document, "inputs": [{**two[0], "parts": ["attic@aarch64"]}]})


def test_apt_is_asked_for_each_processor() -> None:
    assert set(debian_wishes("x86_64")) == {"rootfs@x86_64", "qemu@linux-x86_64", "tools", "cross@aarch64"}
    assert set(debian_wishes("aarch64")) == {"rootfs@aarch64", "qemu@linux-aarch64"}


def test_files_of_the_guest_are_stripped_by_its_own_strip() -> None:
    strips = {platform: programs(TARGETS[platform].arch)["strip"] for platform in ("linux-x86_64", "linux-aarch64")}
    assert strips["linux-x86_64"] == "usr/bin/x86_64-linux-gnu-strip"
    assert strips["linux-aarch64"] == "usr/bin/aarch64-linux-gnu-strip"
    assert "qemu-img" in CROSS_PROGRAMS


def test_an_arm64_image_is_started_as_it_is() -> None:
    image = bytes(0x38) + b"ARMd" + bytes(600)
    assert kernel.bootable_kernel(image) == image
    with pytest.raises(PuiError, match="not a bzImage"):
        kernel.bootable_kernel(bytes(1000))


@pytest.mark.parametrize(
    ("os", "arch", "name"),
    [("linux", "aarch64", "linux-aarch64"), ("macos", "aarch64", "macos-arm64"), ("macos", "x86_64", "macos-x86_64")],
)
def test_what_a_pack_calls_a_computer(os: str, arch: str, name: str) -> None:
    assert pack_platform(os, arch) == name
