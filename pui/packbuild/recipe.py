"""What goes into a pack, as data; what differs by platform is in targets.py.

In: nothing. Out: constants that the parts of the builder read. Never: logic, I/O, host names.
"""

from __future__ import annotations

from collections.abc import Mapping

RECIPE_REVISION = 3
"""Added to the lock's date in the pack version: raise it when the recipe changes and the lock does not."""

APP_MIN = "0.1.0"
GUEST_PROTOCOL = 1

SUITE = "trixie"
MULTIARCH = "x86_64-linux-gnu"
DEBIAN_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

DEBIAN_PACKAGES: Mapping[str, tuple[str, ...]] = {
    "rootfs": (
        "base-files", "bash", "bzip2", "ca-certificates", "coreutils", "curl", "dash", "debianutils", "diffutils",
        "fd-find", "findutils", "git", "grep", "gzip", "hostname", "less", "libc-bin", "libstdc++6", "mawk",
        "ncurses-base", "ncurses-bin", "netbase", "patch", "perl-base", "procps", "python3", "ripgrep", "sed", "tar",
        "tzdata", "unzip", "util-linux", "xz-utils",
    ),
    "tools": ("binutils-x86-64-linux-gnu", "e2fsprogs", "libarchive13t64"),
    "cross": ("binutils-aarch64-linux-gnu", "python3", "qemu-system-arm", "qemu-utils"),
}  # fmt: skip
"""What apt is asked for, a part each; apt adds the dependencies. The kernel is resolved apart (its own depend on an
initrd builder that we do not need). "tools" and "cross" (for a guest of another processor) run on the builder; QEMU
for the host is in targets.py."""

DROPPED_PACKAGES: frozenset[str] = frozenset({
    "adduser", "debconf", "dpkg", "git-man", "init-system-helpers", "ipxe-qemu", "libasound2-data",
    "libaudit-common", "libaudit1", "libcap-ng0", "libdb5.3t64", "libdebconfclient0", "liberror-perl",
    "libgdbm-compat4t64", "libgdbm6t64", "libpam-modules", "libpam-modules-bin", "libpam-runtime", "libpam0g",
    "libperl5.40", "libsemanage-common", "libsemanage2", "libsepol2", "libsubid5", "libexecs1", "login.defs",
    "logsave", "media-types", "openssl-provider-legacy", "passwd", "perl", "perl-modules-5.40", "readline-common",
    "uidmap",
})  # fmt: skip
"""Dependencies that only maintainer scripts, perl programs or other users of a package need. The builder checks
afterwards that every ELF file finds all its libraries, so a wrong line here fails the build."""

KEPT_IN_PART: Mapping[str, frozenset[str]] = {
    "rootfs": frozenset({"libcap-ng0", "libdb5.3t64", "libgdbm6t64"}),
    "qemu": frozenset({"libcap-ng0", "libdb5.3t64"}),
    "cross": frozenset({"libcap-ng0", "libdb5.3t64", "libgdbm6t64"}),
}
"""Exceptions to DROPPED_PACKAGES for one part."""

NPM_NODE_VERSION = "24"
NPM_PI = "@earendil-works/pi-coding-agent"
NPM_PACKAGES: Mapping[str, tuple[str, str]] = {
    NPM_PI: ("1.5.2", "pi"),
    "jiti": ("2.7.0", "pi"),
    "@silvia-odwyer/photon-node": ("0.3.4", "pi"),
}
"""name: (wanted version: exact, or a major line of which the newest is taken; the part)."""

PYPI_COMPILER = "ziglang"
PYPI_COMPILER_VERSION = "0.17.1"
PYPI_COMPILER_PLATFORM = "manylinux2010_x86_64"

INITRD_MODULES = ("virtio_pci", "virtio_blk", "virtio_console", "crc32c_generic", "ext4")
"""Needed before the root file system is mounted, in load order; what the kernel has built in is left out."""

LATE_MODULES: Mapping[str, tuple[str, ...]] = {"9p": ("9pnet_virtio", "9p"), "virtiofs": ("virtiofs",)}
"""File systems of the workspace mounts: modules that the guest loads when it mounts one."""

GUEST_ID = 1000
GUEST_USER = "agent"
GUEST_PI = "opt/pui/pi"
GUEST_COMPILE_CACHE = "opt/pui/compile-cache"
GUEST_MODULES = "lib/modules/pui"

IMAGE_SIZE_BYTES = 8 << 30
"""Virtual size of the root file system. The image is sparse: unused blocks cost nothing."""
IMAGE_UUID = "7075692d-6261-4365-8000-000000000001"
IMAGE_HASH_SEED = "7075692d-6861-4873-8000-000000000001"

CACHE_UUID = "7075692d-6361-4368-8000-000000000001"

FIRMWARE: Mapping[str, str] = {
    "usr/share/seabios/bios-256k.bin": "bios-256k.bin",
    "usr/share/qemu/qboot.rom": "qboot.rom",
    "usr/share/qemu/pvh.bin": "pvh.bin",
    "usr/share/qemu/linuxboot_dma.bin": "linuxboot_dma.bin",
    "usr/share/qemu/kvmvapic.bin": "kvmvapic.bin",
    "usr/share/OVMF/OVMF_CODE_4M.fd": "OVMF_CODE.fd",
    "usr/share/OVMF/OVMF_VARS_4M.fd": "OVMF_VARS.fd",
}
