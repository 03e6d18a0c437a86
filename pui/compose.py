"""Puts the app together: the only place that names concrete classes.

In: the environment. Out: an App with services and supervisor. Never: a decision about a task.
"""

from __future__ import annotations

import os
import platform
import secrets
import sys
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

import structlog

from pui.adapters.clock import SystemClock
from pui.adapters.data_dir import DataLease
from pui.adapters.desktop import HostDesktop
from pui.adapters.folder_facts import HostFolders
from pui.adapters.folder_grants import FolderGrantFile
from pui.adapters.folder_scan import HostFolderScanner
from pui.adapters.host.linux import this_platform
from pui.adapters.keystore import read_model_environment
from pui.adapters.model.gateway import HttpModelGateway
from pui.adapters.model_keys import ModelKeyring
from pui.adapters.mounts.virtiofsd import VirtiofsdServers
from pui.adapters.packs.life import PackLife
from pui.adapters.packs.pack_journal import read_records
from pui.adapters.packs.this_app import this_app
from pui.adapters.paths import ENV_ALLOW_TCG, AppPaths, app_paths, own_dir, private_dir
from pui.adapters.process import LinuxProcessStarter
from pui.adapters.process_table import LinuxProcessTable, own_identity
from pui.adapters.qemu.cache_volumes import CacheFolder
from pui.adapters.qemu.hypervisor import QemuHypervisor
from pui.adapters.qemu.img import QemuImages
from pui.adapters.qemu.probe import LinuxHostProbe, ProbeSettings
from pui.adapters.settings_file import SettingsFile
from pui.adapters.task_files import TaskFolders
from pui.adapters.task_logs import TaskLogFiles, private_words
from pui.adapters.transport import UnixTransport
from pui.domain.chart_names import CHART_IDS
from pui.domain.errors import PuiError
from pui.domain.model_policy import DEMO_CHOICE, ModelChoice
from pui.logs import close_log, open_log
from pui.ports import Dialogs
from pui.resources import data, load_chart
from pui.shell.archive import Archive
from pui.shell.blobs import Blobs
from pui.shell.desk import AppFacts, Carrier, Desk
from pui.shell.folder_book import FolderBook
from pui.supervisor.diagnosis import Diagnosis
from pui.supervisor.services import Services
from pui.supervisor.supervisor import Supervisor

MACHINES_PER_CPU = 4
"""threats.md section 5: limit = min(what the memory carries, cores x 4)."""
MEMORY_PER_MACHINE_MIB = 1024


@dataclass(frozen=True)
class App:
    """The composed app. `notes` are sentences for the person (a mended cache, the developer switch).

    `model` is what a task gets that names none; `model_fault` says why it is the demo and not what was chosen.
    """

    paths: AppPaths
    packs: PackLife
    host: LinuxHostProbe
    files: TaskFolders
    services: Services
    supervisor: Supervisor
    model: ModelChoice
    tcg_is_allowed: bool
    notes: list[str]
    settings: SettingsFile
    model_keys: ModelKeyring
    lease: DataLease
    model_fault: PuiError | None = None


def tcg_is_allowed(environ: MutableMapping[str, str]) -> bool:
    """The developer switch: exactly PUI_ALLOW_TCG=1."""
    return environ.get(ENV_ALLOW_TCG) == "1"


@contextmanager
def composed_app(environ: MutableMapping[str, str] | None = None) -> Iterator[App]:
    """The app of this process, with its log open. Raises PuiError for folders, charts or keys that are not usable."""
    environ = os.environ if environ is None else environ
    paths = app_paths(environ)
    environment = read_model_environment(environ)
    own_dir(paths.data)
    private_dir(paths.runtime)
    lease = DataLease(paths)
    try:
        notes: list[str] = []
        settings_file = SettingsFile(paths, notes.append)
        keys = ModelKeyring(paths, settings_file, environment)
        handler = open_log(paths.app_log, keys.secrets)
        try:
            yield _compose(paths, settings_file, keys, lease, notes, tcg_is_allowed(environ))
        finally:
            close_log(handler)
    finally:
        lease.close()


def _default_model(keys: ModelKeyring) -> tuple[ModelChoice, PuiError | None]:
    """A key that is kept in memory only is gone after a restart: that must not keep the app from starting."""
    name = keys.default()
    try:
        return keys.choice(name.provider, name.model), None
    except PuiError as error:
        return DEMO_CHOICE, error


def _compose(
    paths: AppPaths,
    settings_file: SettingsFile,
    keys: ModelKeyring,
    lease: DataLease,
    notes: list[str],
    allow_tcg: bool,
) -> App:
    model, model_fault = _default_model(keys)
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
        cache_volumes=CacheFolder(paths),
        hypervisor=QemuHypervisor(starter, transport),
        mount_servers=VirtiofsdServers(starter, platform),
        transport=transport,
        files=files,
        folders=HostFolders(paths, platform),
        scanner=HostFolderScanner(),
        clock=clock,
        process_table=LinuxProcessTable(),
        app=own_identity(),
        model=model,
        new_gateway=HttpModelGateway,
        new_task_id=_new_task_id,
        random_bytes=secrets.token_bytes,
        machine_limit=_machine_limit(),
        tcg_is_allowed=allow_tcg,
        pack_trial=packs,
    )
    supervisor = Supervisor(services, load_chart("task"), load_chart("agent"))
    _log_start(allow_tcg, model)
    return App(
        paths,
        packs,
        host,
        files,
        services,
        supervisor,
        model,
        allow_tcg,
        notes,
        settings_file,
        keys,
        lease,
        model_fault,
    )


def compose_desk(app: App, dialogs: Dialogs, carrier: Carrier) -> Desk:
    """What the verbs work with, for the one page of this app."""
    services = app.services
    facts = AppFacts(
        version=version("pui"),
        platform=f"{this_platform().os} {this_platform().arch}",
        carrier=carrier,
        is_emulation_allowed=app.tcg_is_allowed,
        notes=app.notes,
        data_dir=app.paths.data,
    )
    grants = FolderGrantFile(app.paths)
    return Desk(
        supervisor=app.supervisor,
        services=services,
        facts=facts,
        dialogs=dialogs,
        clock=services.clock,
        blobs=Blobs(services.clock, services.random_bytes),
        desktop=HostDesktop(),
        folders=FolderBook(grants, services.folders, dialogs, services.clock, services.random_bytes),
        archive=compose_archive(app),
    )


def compose_archive(app: App) -> Archive:
    """The charts, and what can be looked up of tasks and packs."""
    charts = {chart_id: load_chart(chart_id) for chart_id in CHART_IDS}
    return Archive(
        charts=charts,
        chart_style=(data("ui") / "chart.css").read_text("utf-8"),
        diagnosis=compose_diagnosis(app.paths, app.files, app.model_keys.secrets),
        pack_records=lambda: read_records(app.paths.pack_journal),
    )


def compose_diagnosis(paths: AppPaths, files: TaskFolders, keys: Callable[[], Sequence[str]] = tuple) -> Diagnosis:
    """What `pui tasks bundle` and the page look faults up with; it needs no running app."""
    about = (f"pui {version('pui')}", f"{platform.platform()}, {os.cpu_count()} processors", f"Python {sys.version}")
    return Diagnosis(files, TaskLogFiles(paths), load_chart("task"), lambda: private_words(keys()), about)


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
