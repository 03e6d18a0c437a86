"""Finds out what this computer can do, by doing it: boots a probe machine per accelerator, starts a mount server.

In: an installed pack, this computer. Out: HostFacts, cached with all that they depend on.
Never: a verdict from a device file that merely opens, a boot without a deadline, a process or file left behind.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pui.adapters.host.linux import HostReading, kvm_access, read_host
from pui.adapters.mounts.ninep import probe_ninep
from pui.adapters.mounts.virtiofsd import probe_virtiofs
from pui.adapters.paths import SOCKET_QMP, AppPaths, own_dir, private_dir
from pui.adapters.process import run_to_end, start_ticks_of
from pui.adapters.qemu.hypervisor import QemuHypervisor, QemuMachine
from pui.domain import pack_layout
from pui.domain.errors import PuiError
from pui.domain.facts import (
    AcceleratorName,
    AcceleratorVerdict,
    HostFacts,
    ProbeDependencies,
    ShareVerdict,
    cache_key,
    facts_from_json,
    facts_to_json,
)
from pui.domain.launch_plan import ListenerFd, ProbeInputs, plan_probe
from pui.domain.platforms import Platform
from pui.domain.probe_verdict import PROBE_LINE, SERIAL_READ_BYTES, ProbeRun, judge_probe
from pui.domain.qemu_args.syntax import program_argv
from pui.domain.task_files import QEMU_LOG, SERIAL_LOG
from pui.ports import Clock, InstalledPack, ProcessStarter, Transport

PROBE_LIMITS_S: dict[AcceleratorName, float] = {"kvm": 5.0, "tcg": 30.0}
"""A probe boots in 0.2 s on KVM and in about 1 s under TCG; a broken KVM hangs for ever (guest.md, section 1)."""
UNUSABLE_VERDICT_LIFE_S = 3600
"""A cached «does not work» is asked again after this: the computer may merely have been busy."""
_SERIAL_POLL_S = 0.02
_QUIT_GRACE_S = 0.5
_VERSION = re.compile(r"version (\d+\.\d+(?:\.\d+)?)")


_FOLDER = re.compile(r"probe-(\d+)-(\d+)-[0-9a-f]+")


def _new_folder_name() -> str:
    """Names its owner by pid and start time, so that a later app knows whether it is still in use."""
    return f"probe-{os.getpid()}-{start_ticks_of(os.getpid())}-{secrets.token_hex(2)}"


def remove_stale_folders(runtime: Path) -> None:
    """What apps left that were killed while they probed; a folder whose app lives is kept."""
    for folder in runtime.iterdir():
        owner = _FOLDER.fullmatch(folder.name)
        if owner is not None and not _is_running(int(owner[1]), int(owner[2])):
            shutil.rmtree(folder, ignore_errors=True)


def _is_running(pid: int, start_ticks: int) -> bool:
    try:
        return start_ticks_of(pid) == start_ticks
    except OSError:
        return False


@dataclass(frozen=True)
class ProbeSettings:
    """What the probe is told. `note` gets a sentence about something odd that was mended (a broken cache file)."""

    app_version: str
    tcg_is_allowed: bool
    note: Callable[[str], None]


class LinuxHostProbe:
    """ports.HostProbe."""

    def __init__(
        self,
        starter: ProcessStarter,
        transport: Transport,
        paths: AppPaths,
        platform: Platform,
        clock: Clock,
        settings: ProbeSettings,
    ) -> None:
        self._starter = starter
        self._transport = transport
        self._paths = paths
        self._platform = platform
        self._clock = clock
        self._settings = settings

    async def probe(self, pack: InstalledPack, *, refresh: bool = False) -> HostFacts:
        """See ports.HostProbe. Verdicts that still hold are kept; only what is missing is tried."""
        host = read_host(self._paths.data)
        key = cache_key(self._dependencies(pack, host))
        cached = None if refresh else self._read_cache(key)
        wanted = self._accelerators()
        if cached is not None and all(cached.accelerator(name) for name in wanted):
            return replace(
                cached,
                memory_total_mib=host.memory_total_mib,
                memory_available_mib=host.memory_available_mib,
                disk_free_bytes=host.disk_free_bytes,
                from_cache=True,
            )
        facts = await self._try_everything(pack, host, wanted, cached)
        self._write_cache(facts, key)
        return facts

    def _accelerators(self) -> tuple[AcceleratorName, ...]:
        native = self._platform.accelerator
        return (native, "tcg") if self._settings.tcg_is_allowed else (native,)

    async def _try_everything(
        self, pack: InstalledPack, host: HostReading, wanted: tuple[AcceleratorName, ...], cached: HostFacts | None
    ) -> HostFacts:
        private_dir(self._paths.runtime)
        remove_stale_folders(self._paths.runtime)
        folder = private_dir(self._paths.runtime / _new_folder_name())
        try:
            version = await self._qemu_version(pack, folder)
            accelerators: list[AcceleratorVerdict] = []
            shares: list[ShareVerdict] = []
            if version:
                known = {} if cached is None else {verdict.name: verdict for verdict in cached.accelerators}
                missing = [name for name in wanted if name not in known]
                tried, shares = await self._try_all(pack, folder, missing)
                known |= {verdict.name: verdict for verdict in tried}
                accelerators = [known[name] for name in ("kvm", "hvf", "whpx", "tcg") if name in known]
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return self._facts(host, version, tuple(accelerators), tuple(shares))

    async def _try_all(
        self, pack: InstalledPack, folder: Path, accelerators: list[AcceleratorName]
    ) -> tuple[list[AcceleratorVerdict], list[ShareVerdict]]:
        """All at once: a hanging KVM costs its deadline only once."""
        async with asyncio.TaskGroup() as group:
            boots = [group.create_task(self._try_accelerator(pack, folder / name, name)) for name in accelerators]
            virtiofs = group.create_task(
                probe_virtiofs(pack.root, self._platform, self._starter, self._transport, folder)
            )
            ninep = group.create_task(probe_ninep(pack.root, self._platform, self._starter, folder / "9p.log"))
        return [boot.result() for boot in boots], [virtiofs.result(), ninep.result()]

    async def _qemu_version(self, pack: InstalledPack, folder: Path) -> str:
        """Empty when the pack's QEMU does not start: preflight then says qemu.missing."""
        argv = (*program_argv(pack.root, self._platform, pack_layout.QEMU_SYSTEM), "--version")
        try:
            child = await self._starter.start(argv, env={"LC_ALL": "C"}, log_path=folder / "version.log")
        except PuiError as error:
            self._settings.note(f"QEMU of the pack does not start: {error.message}")
            return ""
        code = await run_to_end(child)
        found = _VERSION.search(child.log_tail())
        if code or found is None:
            self._settings.note(f"QEMU of the pack does not tell its version: {child.log_tail()}")
            return ""
        return found[1]

    async def _try_accelerator(self, pack: InstalledPack, folder: Path, name: AcceleratorName) -> AcceleratorVerdict:
        if name == "kvm":
            status, reason = kvm_access()
            if status is not None:
                return AcceleratorVerdict(name, status, reason)
        return judge_probe(await self._boot(pack, private_dir(folder), name))

    async def _boot(self, pack: InstalledPack, folder: Path, name: AcceleratorName) -> ProbeRun:
        """One machine, at most its limit plus the time that ending it takes."""
        limit_s, began_s = PROBE_LIMITS_S[name], self._clock.monotonic_s()
        run = ProbeRun(name, b"", "", "", None, None, limit_s)
        machine: QemuMachine | None = None
        try:
            async with asyncio.timeout(limit_s):
                machine = await self._start(pack, folder, name)
                await _until_it_shows(machine, folder / SERIAL_LOG)
                run = replace(run, boot_ms=round((self._clock.monotonic_s() - began_s) * 1000))
        except TimeoutError:
            pass  # that it said nothing is the finding: judge_probe words it
        except PuiError as error:
            run = replace(run, log=error.detail, trouble=error.message)
        finally:
            if machine is not None:
                run = replace(run, log=machine.log_tail(), trouble=machine.reason, exit_code=machine.exit_code)
                await machine.quit(_QUIT_GRACE_S)
        return replace(run, serial=_head(folder / SERIAL_LOG))

    async def _start(self, pack: InstalledPack, folder: Path, name: AcceleratorName) -> QemuMachine:
        endpoint = self._transport.listen(folder, SOCKET_QMP)
        try:
            plan = plan_probe(
                ProbeInputs(pack.root, self._platform, name, ListenerFd(endpoint.listener_fd), folder / SERIAL_LOG)
            )
            hypervisor = QemuHypervisor(self._starter, self._transport)
            return await hypervisor.start(plan, qmp=endpoint, log_path=folder / QEMU_LOG)
        finally:
            self._transport.unlisten(endpoint)

    def _dependencies(self, pack: InstalledPack, host: HostReading) -> ProbeDependencies:
        return ProbeDependencies(
            pui_version=self._settings.app_version,
            pack_id=pack.pack_id,
            qemu_version=str(pack.manifest.components.get("qemu", "")),
            os=self._platform.os,
            arch=self._platform.arch,
            kernel_release=host.kernel_release,
            boot_id=host.boot_id,
            cpu_model=host.cpu_model,
            cpu_flags_sha256=host.cpu_flags_sha256,
            device_identities=host.device_identities,
            user_id=host.user_id,
            group_ids=host.group_ids,
        )

    def _facts(
        self,
        host: HostReading,
        version: str,
        accelerators: tuple[AcceleratorVerdict, ...],
        shares: tuple[ShareVerdict, ...],
    ) -> HostFacts:
        return HostFacts(
            os=self._platform.os,
            arch=self._platform.arch,
            kernel_release=host.kernel_release,
            cpu_model=host.cpu_model,
            cpu_count=host.cpu_count,
            memory_total_mib=host.memory_total_mib,
            memory_available_mib=host.memory_available_mib,
            disk_free_bytes=host.disk_free_bytes,
            qemu_version=version,
            accelerators=accelerators,
            shares=shares,
            user_id=host.user_id,
            probed_at_ns=self._clock.now_ns(),
            from_cache=False,
        )

    def _read_cache(self, key: str) -> HostFacts | None:
        """None when there is none, when it is of another computer or state, or when it is worn out."""
        try:
            data = self._paths.probe_cache.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            self._settings.note(f"{self._paths.probe_cache} cannot be read ({error.strerror}); probing again")
            return None
        try:
            facts = facts_from_json(data, key)
        except ValueError as error:
            self._settings.note(f"{self._paths.probe_cache} is not used ({error}); probing again")
            return None
        return None if self._is_worn_out(facts) else facts

    def _is_worn_out(self, facts: HostFacts) -> bool:
        age_s = (self._clock.now_ns() - facts.probed_at_ns) / 1e9
        is_good = all(verdict.status == "works" for verdict in facts.accelerators)
        is_good = is_good and bool(facts.qemu_version) and all(share.works for share in facts.shares)
        return not is_good and not 0 <= age_s < UNUSABLE_VERDICT_LIFE_S

    def _write_cache(self, facts: HostFacts, key: str) -> None:
        """Replaced as a whole. That it cannot be written costs time at the next start, nothing else."""
        path = self._paths.probe_cache
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            own_dir(path.parent)
            temporary.write_bytes(facts_to_json(facts, key))
            temporary.replace(path)
        except (OSError, PuiError) as error:
            self._settings.note(f"{path} cannot be written ({error}); the next start probes again")
            temporary.unlink(missing_ok=True)


async def _until_it_shows(machine: QemuMachine, serial: Path) -> None:
    """Until the line is there, QEMU ended, or its monitor reported trouble."""
    ends = [asyncio.create_task(machine.wait()), asyncio.create_task(machine.trouble())]
    try:
        while PROBE_LINE not in _head(serial):
            done, _ = await asyncio.wait(ends, timeout=_SERIAL_POLL_S, return_when=asyncio.FIRST_COMPLETED)
            if done:
                return
    finally:
        for task in ends:
            task.cancel()
        await asyncio.gather(*ends, return_exceptions=True)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(SERIAL_READ_BYTES)
    except OSError:
        return b""
