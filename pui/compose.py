"""Puts the app together: the only place that names concrete classes.

In: the environment. Out: an App with services and supervisor. Never: a decision about a task.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

import structlog

from pui.adapters.clock import SystemClock
from pui.adapters.folder_facts import HostFolders
from pui.adapters.host.linux import this_platform
from pui.adapters.keystore import read_model_choice
from pui.adapters.model.gateway import HttpModelGateway
from pui.adapters.mounts.virtiofsd import VirtiofsdServers
from pui.adapters.packs.life import PackLife
from pui.adapters.packs.this_app import this_app
from pui.adapters.paths import ENV_ALLOW_TCG, AppPaths, app_paths, own_dir, private_dir
from pui.adapters.process import LinuxProcessStarter
from pui.adapters.process_table import LinuxProcessTable, own_identity
from pui.adapters.qemu.hypervisor import QemuHypervisor
from pui.adapters.qemu.img import QemuImages
from pui.adapters.qemu.probe import LinuxHostProbe, ProbeSettings
from pui.adapters.task_files import TaskFolders
from pui.adapters.transport import UnixTransport
from pui.domain.model_policy import ModelChoice
from pui.logs import close_log, open_log
from pui.resources import load_chart
from pui.supervisor.services import Services
from pui.supervisor.supervisor import Supervisor

MACHINES_PER_CPU = 4
"""threats.md section 5: limit = min(what the memory carries, cores x 4)."""
MEMORY_PER_MACHINE_MIB = 1024


@dataclass(frozen=True)
class App:
    """The composed app. `notes` are sentences for the person (a mended cache, the developer switch)."""

    paths: AppPaths
    packs: PackLife
    host: LinuxHostProbe
    files: TaskFolders
    services: Services
    supervisor: Supervisor
    model: ModelChoice
    tcg_is_allowed: bool
    notes: list[str]


def tcg_is_allowed(environ: MutableMapping[str, str]) -> bool:
    """The developer switch: exactly PUI_ALLOW_TCG=1."""
    return environ.get(ENV_ALLOW_TCG) == "1"


@contextmanager
def composed_app(environ: MutableMapping[str, str] | None = None) -> Iterator[App]:
    """The app of this process, with its log open. Raises PuiError for folders, charts or keys that are not usable."""
    environ = os.environ if environ is None else environ
    paths = app_paths(environ)
    model = read_model_choice(environ)
    own_dir(paths.data)
    private_dir(paths.runtime)
    handler = open_log(paths.app_log, [model.key.reveal()])
    try:
        yield _compose(paths, model, tcg_is_allowed(environ))
    finally:
        close_log(handler)


def _compose(paths: AppPaths, model: ModelChoice, allow_tcg: bool) -> App:
    notes: list[str] = []
    platform, clock, transport = this_platform(), SystemClock(), UnixTransport()
    starter = LinuxProcessStarter()
    settings = ProbeSettings(version("pui"), allow_tcg, notes.append)
    packs, files = PackLife(paths, this_app(), load_chart("pack"), clock), TaskFolders(paths)
    host = LinuxHostProbe(starter, transport, paths, platform, clock, settings)
    services = Services(
        packs=packs,
        pack_lock=packs,
        host=host,
        disks=QemuImages(starter, platform),
        hypervisor=QemuHypervisor(starter, transport),
        mount_servers=VirtiofsdServers(starter, platform),
        transport=transport,
        files=files,
        folders=HostFolders(paths, platform),
        clock=clock,
        process_table=LinuxProcessTable(),
        app=own_identity(),
        model=model,
        new_gateway=lambda token: HttpModelGateway(model, token),
        new_task_id=_new_task_id,
        random_bytes=secrets.token_bytes,
        machine_limit=_machine_limit(),
        tcg_is_allowed=allow_tcg,
        pack_trial=packs,
    )
    supervisor = Supervisor(services, load_chart("task"), load_chart("agent"))
    _log_start(allow_tcg, model)
    return App(paths, packs, host, files, services, supervisor, model, allow_tcg, notes)


def _new_task_id() -> str:
    """Sorts by time and cannot be guessed: `1123-151200-3f2a91`."""
    return f"{datetime.now(UTC):%m%d-%H%M%S}-{secrets.token_hex(3)}"


def _machine_limit() -> int:
    memory_mib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return max(1, min((os.cpu_count() or 1) * MACHINES_PER_CPU, memory_mib // MEMORY_PER_MACHINE_MIB))


def _log_start(allow_tcg: bool, model: ModelChoice) -> None:
    log = structlog.get_logger()
    log.info("app started", version=version("pui"), model=model.label, pid=os.getpid())
    if allow_tcg:
        log.warning("DEVELOPER SWITCH: emulation (TCG) is allowed; it is no isolation boundary", switch=ENV_ALLOW_TCG)
