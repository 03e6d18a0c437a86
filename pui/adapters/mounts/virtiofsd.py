"""Mount servers for virtiofs, and the proof that they work here.

In: a share, the listening socket that pui made. Out: a running virtiofsd; a ShareVerdict.
Never: a poll for readiness (it accepts on our own socket), a server that runs with the host's capabilities.
"""

from __future__ import annotations

import asyncio
import struct
import tempfile
from pathlib import Path

from pui.adapters.paths import virtiofsd_socket
from pui.domain.errors import LaunchError, PuiError
from pui.domain.facts import ShareVerdict
from pui.domain.launch_plan import MountServerSocket, ShareInput
from pui.domain.platforms import Platform
from pui.domain.qemu_args import virtiofsd_argv
from pui.domain.task_files import virtiofsd_log
from pui.ports import ByteChannel, InstalledPack, Process, ProcessStarter, Transport

PROBE_LIMIT_S = 10.0

# vhost-user (QEMU docs/interop/vhost-user.rst): request, flags (version 1; bit 2 = reply), size of what follows.
_HEADER = struct.Struct("<III")
_GET_FEATURES = 1
_VERSION = 1
_REPLY = 1 << 2


class VirtiofsdServers:
    """ports.MountServers."""

    def __init__(self, starter: ProcessStarter, platform: Platform) -> None:
        self._starter = starter
        self._platform = platform

    async def start(self, pack: InstalledPack, share: ShareInput, log_path: Path) -> Process:
        """In a user namespace where the host user's files belong to uid 1000, as the guest's agent expects.

        It serves one connection and ends with it. Close the app's copy of the listener (Transport.unlisten) before
        QEMU starts: otherwise a server that dies early leaves QEMU waiting on a socket that nobody serves.
        """
        return await _start(self._starter, pack.root, self._platform, share, log_path)


async def _start(
    starter: ProcessStarter, pack_root: Path, platform: Platform, share: ShareInput, log_path: Path
) -> Process:
    if share.socket is None:
        raise ValueError("a share without a socket has no mount server")
    try:
        return await starter.start(
            virtiofsd_argv(pack_root, platform, share),
            env={"LC_ALL": "C"},
            log_path=log_path,
            pass_fds=[share.socket.listener_fd],
            as_guest_user=True,
        )
    except PuiError as error:
        message = f"the mount server of {share.tag} did not start: {error.message}"
        raise LaunchError("launch.mount_server", message, hint=error.hint, detail=error.detail) from error


async def probe_virtiofs(
    pack_root: Path, platform: Platform, starter: ProcessStarter, transport: Transport, directory: Path
) -> ShareVerdict:
    """Whether this pack's mount server works on this computer, read/write and read-only.

    Really starts one on an empty folder and asks it for its features, as QEMU would. `directory` is a private folder
    for its socket and log.
    """
    if "virtiofs" not in platform.share_kinds:
        return ShareVerdict("virtiofs", False, f"virtiofs does not exist on {platform.os}")
    for read_only in (False, True):
        mode = "read-only" if read_only else "read/write"
        try:
            async with asyncio.timeout(PROBE_LIMIT_S):
                await _try_one(pack_root, platform, starter, transport, directory, read_only)
        except TimeoutError:
            return ShareVerdict("virtiofs", False, f"virtiofsd ({mode}) did not answer within {PROBE_LIMIT_S:g} s")
        except PuiError as error:
            return ShareVerdict("virtiofs", False, f"virtiofsd ({mode}): {_last_line(error)}")
    return ShareVerdict("virtiofs", True, "virtiofsd of the pack answers, read/write and read-only")


async def _try_one(
    pack_root: Path,
    platform: Platform,
    starter: ProcessStarter,
    transport: Transport,
    directory: Path,
    read_only: bool,
) -> None:
    tag = "probero" if read_only else "proberw"
    endpoint = transport.listen(directory, virtiofsd_socket(tag))
    with tempfile.TemporaryDirectory(dir=directory) as empty:
        share = ShareInput(tag, Path(empty), read_only, MountServerSocket(endpoint.path, endpoint.listener_fd))
        try:
            server = await _start(starter, pack_root, platform, share, directory / virtiofsd_log(tag))
        finally:
            transport.unlisten(endpoint)
        try:
            channel = await transport.connect(endpoint, PROBE_LIMIT_S)
            try:
                await _ask_features(channel, server)
            finally:
                await channel.close()
        finally:
            await server.stop(1.0)


async def _ask_features(channel: ByteChannel, server: Process) -> None:
    await channel.write(_HEADER.pack(_GET_FEATURES, _VERSION, 0))
    answer = b""
    while len(answer) < _HEADER.size:
        if not (data := await channel.read()):
            code = await server.wait()
            raise LaunchError("launch.mount_server", f"it ended with {code}", detail=server.log_tail())
        answer += data
    request, flags, size_bytes = _HEADER.unpack_from(answer)
    if request != _GET_FEATURES or not flags & _REPLY or size_bytes != 8:
        raise LaunchError("launch.mount_server", "it gave an answer that is not vhost-user")


def _last_line(error: PuiError) -> str:
    lines = [line.strip() for line in error.detail.splitlines() if line.strip()]
    return f"{error.message}: {lines[-1][:300]}" if lines else error.message
