"""The host's half of a task: overlay, mount servers, sockets, QEMU.

In: the pack, the verdict of preflight, the chosen folders. Out: a machine whose monitor has answered, and endpoints.
Never: a byte of the guest (guest_work.py), a release.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pui.domain.errors import LaunchError
from pui.domain.events import JsonValue
from pui.domain.facts import AcceleratorName, HostFacts, ShareKind
from pui.domain.launch_plan import (
    PORT_NAMES,
    ChannelInput,
    LaunchInputs,
    LaunchPlan,
    ListenerFd,
    MountServerSocket,
    ShareInput,
    plan_launch,
)
from pui.domain.pack_layout import BASE_IMAGE
from pui.domain.platforms import Platform, find_platform
from pui.domain.preflight import PreflightVerdict
from pui.domain.task import TaskSpec, mount_tag
from pui.domain.task_files import OVERLAY, QEMU_LOG, SERIAL_LOG, virtiofsd_log
from pui.ports import CacheVolume, ChosenFolder, InstalledPack, Process, ProcessIdentity, SocketEndpoint, VirtualMachine
from pui.supervisor.recovery import identity_record
from pui.supervisor.resources import Resource, ResourceStack
from pui.supervisor.services import Services
from pui.supervisor.watching import while_all_live

STOP_GRACE_S = 2.0
NO_CACHE = CacheVolume(None, "")

Facts = Mapping[str, JsonValue]
Release = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Ground:
    """What preflight found usable."""

    pack: InstalledPack
    platform: Platform
    accelerator: AcceleratorName
    share_kind: ShareKind | None
    folders: tuple[ChosenFolder, ...]


class MachineWork:
    """Activities prepare_overlay and launch_qemu, and what they leave for the guest's half."""

    def __init__(
        self,
        task_id: str,
        spec: TaskSpec,
        services: Services,
        resources: ResourceStack,
    ) -> None:
        self._task_id = task_id
        self._spec = spec
        self._services = services
        self._resources = resources
        self._ground: Ground | None = None
        self._servers: dict[str, Process] = {}
        self._vm: VirtualMachine | None = None
        self.cache = NO_CACHE
        self.endpoints: dict[str, SocketEndpoint] = {}

    def use(
        self, pack: InstalledPack, facts: HostFacts, verdict: PreflightVerdict, folders: tuple[ChosenFolder, ...]
    ) -> None:
        """Keep what preflight found, when it found an accelerator."""
        if verdict.accelerator is not None:
            self._ground = Ground(
                pack, find_platform(facts.os, facts.arch), verdict.accelerator, verdict.share, folders
            )

    @property
    def ground(self) -> Ground:
        """Raises AssertionError when preflight did not pass: the chart does not allow that."""
        if self._ground is None:
            raise AssertionError("no machine without a passed preflight")
        return self._ground

    @property
    def vm(self) -> VirtualMachine:
        """Raises AssertionError before launch_qemu."""
        if self._vm is None:
            raise AssertionError("no machine was launched")
        return self._vm

    async def prepare_overlay(self, cause: int) -> Facts:
        """Hold the pack, make the private folder for sockets and the fresh overlay."""
        services, pack = self._services, self.ground.pack
        lock = ExitStack()
        lock.enter_context(services.pack_lock.hold(pack.pack_id))
        self._resources.push(Resource("pack-lock", "lock", _releasing(lock.close)), cause)
        files = services.files
        self._push_path("runtime-dir", cause, lambda: files.remove_runtime_dir(self._task_id))
        files.runtime_dir(self._task_id)
        overlay = files.path(self._task_id, OVERLAY)
        self._push_path("overlay", cause, lambda: files.remove_work_files(self._task_id))
        await services.disks.create_overlay(pack, overlay)
        return await self._take_cache(cause)

    async def _take_cache(self, cause: int) -> Facts:
        """The cache volume of the workspace folder, when the person asked for it; held until the machine is gone."""
        volumes, ground = self._services.cache_volumes, self.ground
        if volumes is None or not (self._spec.cache and ground.folders):
            return {}
        held = ExitStack()
        self._resources.push(Resource("cache-volume", "lock", _releasing(held.close)), cause)
        self.cache = await asyncio.to_thread(held.enter_context, volumes.hold(ground.pack, ground.folders[0].path))
        return {"cache": self.cache.note}

    def drop_cache(self) -> None:
        """The guest could not use the cache volume: the next task begins a new one."""
        if self._services.cache_volumes is not None:
            self._services.cache_volumes.drop(self.cache)
        self.cache = NO_CACHE

    async def launch_qemu(self, cause: int) -> Facts:
        """Mount servers, sockets, QEMU. Returns the machine's pid."""
        shares = [await self._start_share(index, cause) for index in range(len(self.ground.folders))]
        directory = self._services.files.runtime_dir(self._task_id)
        qmp = self._listen(directory, "qmp", cause)
        self.endpoints = {name: self._listen(directory, name.removeprefix("pui."), cause) for name in PORT_NAMES}
        plan = plan_launch(self._inputs(tuple(shares), qmp))
        log_path = self._services.files.path(self._task_id, QEMU_LOG)
        servers = [self.mount_server_ended(tag) for tag in self._servers]
        pid = await while_all_live(self._start_qemu(plan, qmp, log_path, cause), servers)
        for endpoint in (qmp, *self.endpoints.values()):
            self._services.transport.unlisten(endpoint)
        return {"qemu_pid": pid}

    async def _start_qemu(self, plan: LaunchPlan, qmp: SocketEndpoint, log_path: Path, cause: int) -> int:
        """No await between the start and the resource: a cancellation finds QEMU either not started or held."""
        vm = await self._services.hypervisor.start(plan, qmp=qmp, log_path=log_path)
        self._vm = vm
        self._push_process("qemu", vm.identity, _quitting(vm), cause)
        return vm.identity.pid

    async def machine_ended(self) -> None:
        """Raises LaunchError when QEMU ends."""
        code = await self.vm.wait()
        raise LaunchError("launch.qemu_exit", f"QEMU ended with {code}", detail=self.vm.log_tail())

    async def machine_in_trouble(self) -> None:
        """Raises LaunchError for a trouble that QEMU reports by itself and would stay in."""
        reason = await self.vm.trouble()
        raise LaunchError("launch.qemu_exit", f"QEMU reports: {reason}", detail=self.vm.log_tail())

    def watches(self) -> list[Awaitable[None]]:
        """What must not end while the machine is needed. For one use each."""
        servers = [self.mount_server_ended(tag) for tag in self._servers]
        return [self.machine_ended(), self.machine_in_trouble(), *servers]

    async def mount_server_ended(self, tag: str) -> None:
        """Raises LaunchError when the mount server of `tag` ends."""
        server = self._servers[tag]
        code = await server.wait()
        message = f"the mount server of {tag} ended with {code}"
        raise LaunchError("launch.mount_server", message, detail=server.log_tail())

    async def _start_share(self, index: int, cause: int) -> ShareInput:
        folder, tag, ground = self.ground.folders[index], mount_tag(index), self.ground
        if ground.share_kind != "virtiofs":
            return ShareInput(tag, folder.path, folder.read_only)
        directory = self._services.files.runtime_dir(self._task_id)
        endpoint = self._listen(directory, f"fs-{tag}", cause)
        socket = MountServerSocket(endpoint.path, endpoint.listener_fd)
        share = ShareInput(tag, folder.path, folder.read_only, socket)
        log_path = self._services.files.path(self._task_id, virtiofsd_log(tag))
        server = await self._services.mount_servers.start(ground.pack, share, log_path)
        self._servers[tag] = server
        self._push_process(f"mount-server-{tag}", server.identity, _stopping(server), cause)
        self._services.transport.unlisten(endpoint)
        return share

    def _inputs(self, shares: tuple[ShareInput, ...], qmp: SocketEndpoint) -> LaunchInputs:
        ground, files = self.ground, self._services.files
        channels = tuple(ChannelInput(name, ListenerFd(end.listener_fd)) for name, end in self.endpoints.items())
        return LaunchInputs(
            pack_root=ground.pack.root,
            platform=ground.platform,
            accelerator=ground.accelerator,
            share_kind=ground.share_kind,
            task_id=self._task_id,
            memory_mib=self._spec.memory_mib,
            cpu_count=self._spec.cpu_count,
            base_image=ground.pack.root / BASE_IMAGE,
            overlay=files.path(self._task_id, OVERLAY),
            shares=shares,
            channels=channels,
            qmp=ListenerFd(qmp.listener_fd),
            serial_log=files.path(self._task_id, SERIAL_LOG),
            cache_volume=self.cache.path,
        )

    def _listen(self, directory: Path, name: str, cause: int) -> SocketEndpoint:
        transport = self._services.transport
        endpoint = transport.listen(directory, name)
        release = _releasing(lambda: transport.unlisten(endpoint))
        self._resources.push(Resource(f"socket-{name}", "socket", release, {"path": str(endpoint.path)}), cause)
        return endpoint

    def _push_path(self, name: str, cause: int, remove: Callable[[], object]) -> None:
        self._resources.push(Resource(name, "path", _releasing(remove)), cause)

    def _push_process(self, name: str, identity: ProcessIdentity, release: Release, cause: int) -> None:
        self._resources.push(Resource(name, "process", release, identity_record(identity)), cause)


def _releasing(act: Callable[[], object]) -> Release:
    """A release from a plain function."""

    async def release() -> None:
        act()

    return release


def _quitting(vm: VirtualMachine) -> Release:
    async def release() -> None:
        await vm.quit(STOP_GRACE_S)

    return release


def _stopping(process: Process) -> Release:
    async def release() -> None:
        await process.stop(STOP_GRACE_S)

    return release
