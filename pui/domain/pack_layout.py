"""Where things are inside a runtime pack (POSIX paths relative to the pack's folder).

In: nothing. Out: constants shared by the builder, the launch plan and the store. Never: I/O.
"""

from __future__ import annotations

QEMU_LOADER = "qemu/lib/ld.so"
QEMU_LIB_DIR = "qemu/lib"
QEMU_MODULE_DIR = "qemu/modules"
QEMU_SYSTEM = "qemu/bin/qemu-system"
QEMU_IMG = "qemu/bin/qemu-img"
VIRTIOFSD = "qemu/bin/virtiofsd"
FIRMWARE_DIR = "qemu/share"
KERNEL = "kernel/vmlinux"
INITRD = "kernel/initrd.img"
BASE_IMAGE = "guest/base.qcow2"
CACHE_TEMPLATE = "guest/cache.qcow2"
"""An empty file system; each cache volume begins as a copy of it."""
CACHE_VOLUME_BYTES = 8 << 30
"""Virtual size of the template and so of every cache volume."""
CA_CERTIFICATES = "certs/ca-certificates.crt"
LICENCES = "LICENCES.txt"
SBOM = "sbom.cdx.json"
LOCK = "versions.lock"
"""The inputs of this very pack: what `pui pack verify --rebuild` builds from."""

ALWAYS_HASHED = (QEMU_LOADER, QEMU_SYSTEM, QEMU_IMG, VIRTIOFSD, KERNEL, INITRD)
