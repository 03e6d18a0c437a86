"""Programs beside QEMU: the mount server and the image tool.

In: paths, a share. Out: argument lists, program first. Never: a format that a tool guesses.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Literal

from pui.domain import pack_layout
from pui.domain.launch_plan import ShareInput
from pui.domain.platforms import Platform
from pui.domain.qemu_args.syntax import program_argv

MountServerSandbox = Literal["none", "namespace", "chroot"]


def virtiofsd_argv(
    pack_root: PurePath, platform: Platform, share: ShareInput, sandbox: MountServerSandbox = "none"
) -> tuple[str, ...]:
    """The mount server of one share (Rust virtiofsd 1.13); it inherits the listening socket. One server a share.

    `sandbox`: "none" is what an unprivileged user can have; the others need a user namespace. Without a socket in
    `share` it is a bug (ValueError): 9p needs no server.
    """
    if share.socket is None:
        raise ValueError("a share without a socket has no mount server")
    return (
        *program_argv(pack_root, platform, pack_layout.VIRTIOFSD),
        f"--fd={share.socket.listener_fd}",
        f"--shared-dir={share.host_path}",
        f"--sandbox={sandbox}",
        "--seccomp=kill",
        "--cache=auto",
        "--inode-file-handles=never",
        "--log-level=warn",
        *(("--readonly",) if share.read_only else ()),
    )


def overlay_argv(pack_root: PurePath, platform: Platform, base_image: PurePath, overlay: PurePath) -> tuple[str, ...]:
    """A fresh overlay of the base's size. Both formats are named: an image's own word is never taken."""
    formats = ("-f", "qcow2", "-F", "qcow2", "-b", str(base_image))
    return (*program_argv(pack_root, platform, pack_layout.QEMU_IMG), "create", "-q", *formats, str(overlay))
